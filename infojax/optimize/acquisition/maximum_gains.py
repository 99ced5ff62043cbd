r"""$h(a, b) = E \max_i (a_i + b_i Z) - \max_i a_i$, the knowledge gradient of a finite set.

The lines are sorted by slope; one pass with a stack keeps those that are the highest somewhere
(Frazier, Powell and Dayanik, The Knowledge-Gradient Policy for Correlated Normal Beliefs, 2009,
algorithms 1 and 2).
"""

import functools

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated, narrow, over_batch, widen
from infojax.optimize.acquisition.normal_gains import density, normal_gain


def _upper_envelope(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The lines that are the highest somewhere, by slope: their indices and where each begins.

    Returns:
        Indices (m,) and beginnings (m,), of which the first `count` hold; and `count`.
    """
    size = a.size
    slopes, heights, order = jax.lax.sort((b, a, jnp.arange(size)), num_keys=2)

    def step(_, carry):
        # Either takes the top line off the stack or puts the next one on: 2 m steps do all.
        line, top, stack, begins = carry
        under = stack[jnp.maximum(top, 0)]
        rise = slopes[line] - slopes[under]
        parallel = rise == 0  # sorted by height too: the later one is no lower
        crossing = (heights[under] - heights[line]) / jnp.where(parallel, 1, rise)
        hidden = (top >= 0) & (parallel | (crossing <= begins[jnp.maximum(top, 0)]))
        put = ~hidden & (line < size)
        place = jnp.where(put, top + 1, size)  # an index out of bounds writes nothing
        begin = jnp.where(top < 0, -jnp.inf, crossing)
        stack = stack.at[place].set(line, mode="drop")
        begins = begins.at[place].set(begin.astype(a.dtype), mode="drop")
        top = jnp.where(line < size, jnp.where(hidden, top - 1, top + 1), top)
        return line + put, top, stack, begins

    start = (0, -1, jnp.zeros(size, jnp.int32), jnp.zeros(size, a.dtype))
    start = (jnp.asarray(start[0]), jnp.asarray(start[1]), *start[2:])
    _, top, stack, begins = jax.lax.fori_loop(0, 2 * size, step, start)
    return order[stack], begins, top + 1


def _parts(a, b):
    kept, begins, count = _upper_envelope(jax.lax.stop_gradient(a), jax.lax.stop_gradient(b))
    place = jnp.arange(a.size)
    here = place < count
    begins = jnp.where(here, begins, jnp.inf)
    ends = jnp.append(begins[1:], jnp.inf)
    return kept, here, begins, ends


@jax.custom_jvp
def maximum_gain(a: jax.Array, b: jax.Array) -> jax.Array:
    """h(a, b) of one set of lines.

    Args:
        a: heights at 0, (m,), finite.
        b: slopes, (m,), finite.

    Returns:
        The gain. Its derivative is that of the envelope theorem: by a height the probability that
        this line is the highest, by a slope the mean of Z there.
    """
    kept, here, begins, _ = _parts(a, b)
    follows = here & (jnp.arange(a.size) > 0)
    rises = jnp.where(follows, b[kept] - jnp.roll(b[kept], 1), 0)
    crossings = jnp.where(follows, begins, 0)
    return jnp.sum(rises * normal_gain(-jnp.abs(crossings)))


@maximum_gain.defjvp
def _(primals, tangents):
    a, b = primals
    kept, here, begins, ends = _parts(a, b)
    upper = begins > 0
    probability = jnp.where(upper, ndtr(-begins) - ndtr(-ends), ndtr(ends) - ndtr(begins))
    weights = jnp.where(here, probability, 0)
    moments = jnp.where(here, density(begins) - density(ends), 0)
    change = weights @ tangents[0][kept] + moments @ tangents[1][kept]
    return maximum_gain(a, b), change - tangents[0][jnp.argmax(a)]


def _lines(a: ArrayLike, b: ArrayLike):
    given = checks.floating("a", a, min_ndim=1), checks.floating("b", b, min_ndim=1)
    if given[0].shape[-1] == 0 or given[0].shape[-1] != given[1].shape[-1]:
        raise ValueError(
            "a and b must have one size of at least 1 along the last axis; "
            f"got shapes {given[0].shape} and {given[1].shape}."
        )
    checks.broadcast_shapes(a=given[0], b=given[1])
    wide = jnp.broadcast_arrays(*widen(*given))
    valid = [jnp.isfinite(array) for array in wide]
    for name, array, good in zip(("a", "b"), wide, valid, strict=True):
        checks.check_real(name, array, good, "finite")
    return given, wide, jnp.all(valid[0] & valid[1], -1)


def expected_maximum_gain(a: Float[Array, "*B m"], b: Float[Array, "*B m"]) -> Float[Array, "*B"]:
    r"""How much the maximum of lines rises by chance: $E \max_i (a_i + b_i Z) - \max_i a_i$.

    Exactly, in O(m log m): $\sum_i (b_{i+1} - b_i) h(-|c_i|)$ over the lines of the upper envelope
    in the order of their slopes, $c_i$ where one takes over from the next and
    $h(u) = \varphi(u) + u \Phi(u)$. No terms cancel, so that a gain of 1e-30 is one.

    Args:
        a: the lines' values at Z = 0: means.
        b: their slopes: how far a standard normal Z moves them.

    Returns:
        The gains, non-negative.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit or hold no line; eagerly, an entry that is not finite.

    Reference:
        Frazier, Powell and Dayanik 2009, algorithms 1 and 2; Frazier, A Tutorial on Bayesian
        Optimization, 2018, arXiv 1807.02811, section 4.2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> print(acquisition.expected_maximum_gain(jnp.zeros(2), jnp.array([1.0, -1.0])))  # E |Z|
        0.7979
    """
    given, (heights, slopes), valid = _lines(a, b)
    return narrow(gated(over_batch(maximum_gain, heights, slopes), valid), *given)


def slopes_of(cross: jax.Array, variance: jax.Array, noise_variance: jax.Array) -> jax.Array:
    """How far a standardised observation moves posterior means.

    Args:
        cross: posterior covariances of the points and the candidates, (N, M).
        variance: posterior variances at the candidates, (M,).
        noise_variance: that of an observation.

    Returns:
        Matrix (N, M); 0 for candidates that are known, where the variance is rounding.
    """
    total = variance + noise_variance
    known = total <= 10 * jnp.finfo(total.dtype).eps * jnp.max(jnp.abs(variance), initial=0)
    return jnp.where(known, 0, cross / jnp.sqrt(jnp.where(known, 1, total)))


@functools.partial(jax.jit)
def _discrete(mean, covariance, noise):
    slopes = slopes_of(covariance, jnp.diag(covariance), noise)
    return jax.vmap(maximum_gain, (None, 1))(mean, slopes)


def knowledge_gradient_discrete(
    mean: Float[Array, " m"], covariance: Float[Array, "m m"], noise_variance: ArrayLike
) -> Float[Array, " m"]:
    r"""What one observation at each point of a finite set adds to the best posterior mean.

    $E \max_j \mu_{n+1}(x_j) - \max_j \mu_n(x_j)$ given an observation at $x_i$:
    `expected_maximum_gain` of the means and $b_j = c_{ji} / \sqrt{c_{ii} + \sigma^2}$, exactly.

    Args:
        mean: posterior means over the set.
        covariance: posterior covariance of the function over it.
        noise_variance: variance of an observation about the function.

    Returns:
        The knowledge gradient of observing each point.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit; eagerly, an entry that is not finite, a negative
            variance.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, section 4.2;
        Frazier, Powell and Dayanik 2009.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import acquisition
        >>> covariance = jnp.diag(jnp.array([1.0, 4.0]))
        >>> print(acquisition.knowledge_gradient_discrete(jnp.zeros(2), covariance, 0.0))
        [0.3989 0.7979]
    """
    given, (means, matrix), noise, valid = checked_joint(mean, covariance, noise_variance)
    return narrow(gated(_discrete(means, matrix, noise), valid), *given)


def checked_joint(mean: ArrayLike, covariance: ArrayLike, noise_variance: ArrayLike):
    """Takes a joint normal distribution over a finite set, and a noise variance.

    Args:
        mean: means, (m,).
        covariance: covariances, (m, m).
        noise_variance: a number.

    Returns:
        Means and covariances as given; in working precision; the noise variance; and whether all
        are valid.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit; eagerly, an entry that is not finite, a negative
            variance.
    """
    means = checks.floating("mean", mean, ndim=1)
    matrix = checks.square_matrix("covariance", covariance)
    if means.size == 0 or matrix.shape != (means.size, means.size):
        raise ValueError(
            "mean and covariance must have shapes (m,) and (m, m) with m > 0; "
            f"got {means.shape} and {matrix.shape}."
        )
    wide = widen(means, matrix)
    noise = checks.real_number("noise_variance", noise_variance)
    if noise.ndim:
        raise ValueError(f"noise_variance must be one number; got shape {noise.shape}.")
    good_noise = (noise >= 0) & jnp.isfinite(noise)
    checks.check_real("noise_variance", noise, good_noise, "non-negative and finite")
    finite = [jnp.isfinite(array) for array in wide]
    checks.check_real("mean", wide[0], finite[0], "finite")
    checks.check_real("covariance", wide[1], finite[1], "finite")
    slack = -1e-3 * jnp.max(jnp.abs(jnp.diag(wide[1])))
    possible = jnp.diag(wide[1]) >= slack
    checks.check_real("covariance", jnp.diag(wide[1]), possible, "non-negative on its diagonal")
    valid = good_noise & jnp.all(finite[0]) & jnp.all(finite[1]) & jnp.all(possible)
    return (means, matrix), wide, noise.astype(wide[0].dtype), valid
