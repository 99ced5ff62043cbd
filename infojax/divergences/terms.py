"""Terms of divergences, symbol by symbol: each non-negative, accurate where p is close to q.

Every function here takes non-negative arrays that broadcast, of at least float32, and counts
masses below the smallest normal number as zero. The derivatives are written out, so that they
are as accurate as the values; where a mass is zero the derivative by it is zero by convention
(unless said otherwise), and where a term is +inf both derivatives are zero, so that masking the
value leaves the gradient finite.
"""

import jax
import jax.numpy as jnp

from infojax.numerics import expm1_ratio, smallest_normal, xlogx

# (p - q) / (p + q) below which the series is used: the closed form loses two digits there.
_NEAR = 0.3
_NEAR_LOG = 0.5


def _positive(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Where x is positive, and x with 1 in place of zero."""
    positive = x >= smallest_normal(x.dtype)
    return positive, jnp.where(positive, x, 1)


def _series_length(dtype) -> int:
    return 7 if jnp.finfo(dtype).bits == 32 else 16


@jax.custom_jvp
def log_ratio(p: jax.Array, q: jax.Array) -> jax.Array:
    """log(p / q) of positive normal numbers, accurate where p is close to q.

    Args:
        p: positive array.
        q: positive array.

    Returns:
        Array of the broadcast shape.
    """
    excess = (p - q) / q
    near = jnp.abs(excess) < 0.5
    far = jnp.log(jnp.maximum(p / q, smallest_normal(p.dtype)))
    return jnp.where(near, jnp.log1p(jnp.where(near, excess, 0)), far)


@log_ratio.defjvp
def _log_ratio_jvp(primals, tangents):
    p, q = primals
    return log_ratio(p, q), tangents[0] / p - tangents[1] / q


@jax.custom_jvp
def relative_entropy_terms(p: jax.Array, q: jax.Array) -> jax.Array:
    r"""$p \log(p/q) - p + q$: q where p = 0, +inf where q = 0 < p, 0 where both are 0.

    With $v = (p-q)/(p+q)$ it is $(p-q) v + 2p (v^3/3 + v^5/5 + ...)$ near p = q, as in
    Loader's deviance (Fast and Accurate Computation of Binomial Probabilities, 2000).

    Args:
        p: masses.
        q: masses.

    Returns:
        The terms; the derivatives are log(p/q) and 1 - p/q.
    """
    has_p, p = _positive(p)
    has_q, q = _positive(q)
    v = (p - q) / (p + q)
    near = jnp.abs(v) < _NEAR
    w = jnp.where(near, v * v, 0)
    series = jnp.zeros_like(w)
    for j in range(_series_length(w.dtype), -1, -1):
        series = 1 / (2 * j + 3) + w * series
    far = p * jnp.log(jnp.maximum(p / q, smallest_normal(p.dtype))) - (p - q)
    both = jnp.where(near, v * ((p - q) + 2 * p * w * series), far)
    return jnp.where(has_p, jnp.where(has_q, both, jnp.inf), jnp.where(has_q, q, 0))


@relative_entropy_terms.defjvp
def _relative_entropy_terms_jvp(primals, tangents):
    value = relative_entropy_terms(*primals)
    has_p, p = _positive(primals[0])
    has_q, q = _positive(primals[1])
    by_p = jnp.where(has_p & has_q, log_ratio(p, q), 0)
    by_q = jnp.where(has_q, jnp.where(has_p, (q - p) / q, 1), 0)
    return value, by_p * tangents[0] + by_q * tangents[1]


def log_probability_terms(
    log_p: jax.Array, log_q: jax.Array, difference: jax.Array | None = None
) -> jax.Array:
    r"""$p \log(p/q) - p + q$ from logarithms; either may be -inf.

    Args:
        log_p: logarithms of masses.
        log_q: logarithms of masses.
        difference: log p - log q where the caller knows it more accurately.

    Returns:
        The terms: q where p = 0, +inf where q = 0 < p, 0 where both are 0. The derivatives by
        the logarithms are p log(p/q) and q - p.
    """
    return _log_terms(log_p, log_q, log_p - log_q if difference is None else difference)


@jax.custom_jvp
def _log_terms(log_p, log_q, difference):
    both = (log_p > -jnp.inf) & (log_q > -jnp.inf)
    a = jnp.where(both, difference, 0)
    # p (a - 1 + exp(-a)) for a > 0, q (a exp(a) - exp(a) + 1) for a < 0: neither overflows.
    larger = jnp.exp(jnp.maximum(log_p, log_q))
    size = jnp.abs(a)
    near = size < 0.5
    small = jnp.where(near, a, 0)
    series = jnp.zeros_like(a)
    for k in range(_series_length(a.dtype) + 4, 1, -1):
        series = (1 - small * series) / k
    far = jnp.where(a > 0, size + jnp.expm1(-size), -size * jnp.exp(-size) - jnp.expm1(-size))
    value = jnp.where(near, jnp.exp(log_p) * small * small * series, larger * far)
    one = jnp.where(log_p > -jnp.inf, jnp.inf, jnp.exp(log_q))
    return jnp.where(both, value, jnp.where(log_p == log_q, 0, one))


@_log_terms.defjvp
def _log_terms_jvp(primals, tangents):
    log_p, log_q, difference = primals
    both = (log_p > -jnp.inf) & (log_q > -jnp.inf)
    a = jnp.where(both, difference, 0)
    p, q = jnp.exp(log_p), jnp.exp(log_q)
    near = jnp.abs(a) < 0.5
    by_q = jnp.where(both & near, p * jnp.expm1(jnp.where(near, -a, 0)), q - p)
    by_q = jnp.where(both | (log_p == -jnp.inf), by_q, 0)
    return _log_terms(*primals), p * a * tangents[0] + by_q * tangents[1]


def _divided_power(p, q, order):
    """The value of `power_terms` for positive masses."""
    swap = order < 0.5
    a, b = jnp.where(swap, q, p), jnp.where(swap, p, q)
    t = jnp.where(swap, 1 - order, order)
    log = log_ratio(a, b)
    near = jnp.abs(log) * jnp.maximum(t, 1) < _NEAR_LOG
    x = jnp.where(near, log, 0)
    y = jnp.where(near, t, 0) * x
    # (exp(t x) - t exp(x) - (1 - t)) / (t (t - 1) x^2) = sum h_k(x, t x) / (k + 2)! with the
    # complete homogeneous polynomials h_k.
    power, h, factorial = jnp.ones_like(x), jnp.ones_like(x), 2.0
    series = h / factorial
    for k in range(1, 2 + _series_length(x.dtype)):
        power = power * x
        h = y * h + power
        factorial *= k + 2
        series = series + h / factorial
    far = (a * log * _bounded_ratio((t - 1) * log) - (a - b)) / t
    return jnp.where(near, b * x * x * series, far)


def _bounded_ratio(u):
    """(exp(u) - 1) / u, cut off where it would overflow."""
    return expm1_ratio(jnp.minimum(u, 0.8 * jnp.log(jnp.finfo(u.dtype).max)))


@jax.custom_jvp
def power_terms(p: jax.Array, q: jax.Array, order: jax.Array) -> jax.Array:
    r"""$\frac{p^t q^{1-t} - t p - (1-t) q}{t (t-1)}$, continuous through t = 0 and t = 1.

    At t = 1 it is $p \log(p/q) - p + q$, at t = 0 the same with p and q exchanged. For large
    t it saturates far below the largest number of the type.

    Args:
        p: masses.
        q: masses.
        order: t, any real number.

    Returns:
        The terms; +inf where q = 0 < p and t >= 1, and where p = 0 < q and t <= 0. The
        derivatives are $(e^{(t-1)l} - 1)/(t-1)$ and $-(e^{tl} - 1)/t$ with l = log(p/q).
    """
    has_p, safe_p = _positive(p)
    has_q, safe_q = _positive(q)
    both = _divided_power(safe_p, safe_q, order)
    only_q = jnp.where(order > 0, safe_q / jnp.where(order > 0, order, 1), jnp.inf)
    only_p = jnp.where(order < 1, safe_p / jnp.where(order < 1, 1 - order, 1), jnp.inf)
    return jnp.where(has_p, jnp.where(has_q, both, only_p), jnp.where(has_q, only_q, 0))


@power_terms.defjvp
def _power_terms_jvp(primals, tangents):
    p, q, order = primals
    has_p, p = _positive(p)
    has_q, q = _positive(q)
    both = has_p & has_q
    log = jnp.where(both, log_ratio(p, q), 0)
    above, below = order >= 1, order <= 0
    by_p = log * _bounded_ratio((order - 1) * log)
    by_p += jnp.where(has_p & ~has_q & ~above, 1 / jnp.where(above, 1, 1 - order), 0)
    by_q = -log * _bounded_ratio(order * log)
    by_q += jnp.where(has_q & ~has_p & ~below, 1 / jnp.where(below, 1, order), 0)
    # By the order: of p / (1 - t) where q = 0, and of q / t where p = 0.
    only_p = jnp.where(has_p & ~has_q & ~above, p / jnp.where(above, 1, 1 - order) ** 2, 0)
    only_q = jnp.where(has_q & ~has_p & ~below, -q / jnp.where(below, 1, order) ** 2, 0)
    slope = jax.jvp(lambda t: _divided_power(p, q, t), (order,), (tangents[2],))[1]
    change = jnp.where(both, slope, (only_p + only_q) * tangents[2])
    return power_terms(*primals), by_p * tangents[0] + by_q * tangents[1] + change


@jax.custom_jvp
def jensen_shannon_terms(p: jax.Array, q: jax.Array) -> jax.Array:
    r"""$\frac12 p \log \frac{2p}{p+q} + \frac12 q \log \frac{2q}{p+q}$, symmetric bit for bit.

    With $x = |p-q|/(p+q)$ it is $\frac{p+q}{4} (x^2 + x^4/6 + ... + x^{2k}/(k(2k-1)))$ near
    p = q.

    Args:
        p: masses.
        q: masses.

    Returns:
        The terms; the derivatives are half of log(2p/(p+q)) and of log(2q/(p+q)).
    """
    some, total = _positive(p + q)
    x = (p - q) / total
    near = jnp.abs(x) < _NEAR
    w = jnp.where(near, x * x, 0)
    series = jnp.zeros_like(w)
    for k in range(_series_length(w.dtype) + 1, 0, -1):
        series = 1 / (k * (2 * k - 1)) + w * series
    far = xlogx(2 * p / total) + xlogx(2 * q / total)
    return jnp.where(some, 0.25 * total * jnp.where(near, w * series, far), 0)


@jensen_shannon_terms.defjvp
def _jensen_shannon_terms_jvp(primals, tangents):
    p, q = primals
    _, mean = _positive((p + q) / 2)

    def half_log(mass):
        has, safe = _positive(mass)
        return jnp.where(has, 0.5 * log_ratio(safe, jnp.where(has, mean, 1)), 0)

    return jensen_shannon_terms(p, q), half_log(p) * tangents[0] + half_log(q) * tangents[1]


def absolute_value(x: jax.Array) -> jax.Array:
    """|x| with the derivative 0 at zero (that of `jnp.abs` is one-sided there).

    Args:
        x: any array.

    Returns:
        Array of the shape of `x`.
    """
    return x * jnp.sign(x)


@jax.custom_jvp
def hellinger_terms(p: jax.Array, q: jax.Array) -> jax.Array:
    r"""$(\sqrt p - \sqrt q)^2$ as $(p-q)^2 / (\sqrt p + \sqrt q)^2$.

    Args:
        p: masses.
        q: masses.

    Returns:
        The terms; the derivative by p is $(\sqrt p - \sqrt q) / \sqrt p$, and 0 at p = 0.
    """
    has_p, safe_p = _positive(p)
    has_q, safe_q = _positive(q)
    root = (safe_p - safe_q) / (jnp.sqrt(safe_p) + jnp.sqrt(safe_q))
    one = jnp.where(has_p, p, jnp.where(has_q, q, 0))
    return jnp.where(has_p & has_q, root * root, one)


@hellinger_terms.defjvp
def _hellinger_terms_jvp(primals, tangents):
    has_p, p = _positive(primals[0])
    has_q, q = _positive(primals[1])
    root_p, root_q = jnp.where(has_p, jnp.sqrt(p), 0), jnp.where(has_q, jnp.sqrt(q), 0)
    difference = jnp.where(has_p & has_q, (p - q) / (jnp.sqrt(p) + jnp.sqrt(q)), root_p - root_q)
    by_p = jnp.where(has_p, difference / jnp.sqrt(p), 0)
    by_q = jnp.where(has_q, -difference / jnp.sqrt(q), 0)
    return hellinger_terms(*primals), by_p * tangents[0] + by_q * tangents[1]
