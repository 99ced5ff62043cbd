"""Cauchy-Schwarz divergences of samples, plain and conditional, from Gaussian Gram matrices.

Everything is a logarithm of a sum over pairs, kept as a logarithm, a tile of the Gram matrix in
memory at a time: finite for points any number of bandwidths apart (Yu et al. 2023).
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.divergences.kernel_widths import kernel_width
from infojax.divergences.row_tiles import log_gram_row_sums
from infojax.divergences.two_samples import TwoSamples, observed, two_samples
from infojax.numerics import gated, narrow, nats_to_base

Width = ArrayLike | str
_DENOMINATORS = ("sum_of_squares", "square_of_sum")


def _units(x: jax.Array, width: jax.Array) -> jax.Array:
    return x / (width[..., None, None] * math.sqrt(2))


def _log_sum(logs: jax.Array, where: jax.Array | None) -> jax.Array:
    return jax.nn.logsumexp(logs, -1, where=where)


@jax.jit
def _plain_nats(pair: TwoSamples, width: jax.Array) -> jax.Array:
    x, y = _units(pair.x, width), _units(pair.y, width)
    within_x = _log_sum(log_gram_row_sums(x, where=pair.x_where), pair.x_where)
    within_y = _log_sum(log_gram_row_sums(y, where=pair.y_where), pair.y_where)
    between = _log_sum(log_gram_row_sums(x, y, where=pair.y_where), pair.x_where)
    # The numbers of samples cancel: there are as many in each of the three terms.
    return (within_x - between) + (within_y - between)


def cauchy_schwarz_divergence_from_samples(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B M D"],
    *,
    sigma: Width,
    base: float | None = None,
    x_where: Bool[Array, "..."] | None = None,
    y_where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Cauchy-Schwarz divergence $\log\int p^2 + \log\int q^2 - 2\log\int pq$ of two sample sets.

    The densities are kernel density estimates of width $\sigma/\sqrt 2$, whose divergence is
    exactly $\log \overline{K_{xx}} + \log \overline{K_{yy}} - 2 \log \overline{K_{xy}}$ with the
    means of $\exp(-|u - v|^2/(2\sigma^2))$ over all pairs. Symmetric, never negative but for
    rounding. Biased: the kernel smooths both densities, which brings them closer, and pairs of a
    sample with itself add some $1/(N \overline{K_{xx}})$.

    Args:
        x: samples of the first distribution.
        y: samples of the second; another number of them is allowed.
        sigma: the bandwidth: a positive number, an array that broadcasts to *B, or "median" for
            the median distance of all samples.
        base: the logarithm's base (2 for bits); None for nats.
        x_where: the samples of x that count, broadcasting to (*B, N); all if None.
        y_where: the samples of y that count, broadcasting to (*B, M); all if None.

    Returns:
        The divergence in units of `base`; finite however far the samples are apart.

    Raises:
        TypeError: `x` or `y` is not of floating type.
        ValueError: shapes that do not fit together, no sample, a sample that is not finite, a
            bandwidth that is not positive, a wrong base.

    Reference:
        Principe, Information Theoretic Learning, 2010, equation (2.97); Yu, Yu, Lokse, Jenssen
        and Principe, arXiv 2301.08970, 2023, equation (4).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> x, y = jnp.array([[0.0]]), jnp.array([[3.0]])
        >>> print(divergences.cauchy_schwarz_divergence_from_samples(x, y, sigma=1.0))
        9.0
    """
    pair = two_samples(x, y, x_where, y_where)
    width, valid = kernel_width("sigma", sigma, pair.joined()[0], pair.joined_where())
    return pair.finish(nats_to_base(_plain_nats(pair, width), base), valid)


@functools.partial(jax.jit, static_argnames="squares")
def _nats_of_predictions(x, y, predictions, where, squares: bool) -> jax.Array:
    # A squared kernel is a kernel of a bandwidth smaller by sqrt 2.
    logs = log_gram_row_sums(x * math.sqrt(2) if squares else x, where=where)
    log_denominator = logs if squares else 2 * logs

    def log_f(rows, columns=None):
        rows = jnp.concatenate([x, rows], -1)
        columns = None if columns is None else jnp.concatenate([x, columns], -1)
        sums = log_gram_row_sums(rows, columns, where=where)
        return _log_sum(sums - log_denominator, where)

    between = log_f(predictions, y)
    return (log_f(y) - between) + (log_f(predictions) - between)


def conditional_cauchy_schwarz_divergence_of_predictions(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B N E"],
    predictions: Float[Array, "*B N E"],
    *,
    sigma_x: Width,
    sigma_y: Width,
    denominator: str = "sum_of_squares",
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Conditional Cauchy-Schwarz divergence of p(y | x) and a model's p(prediction | x).

    With $K = k(x, x)$ and $F(L) = \sum_j \sum_i K_{ji} L_{ji} / d_j$ it is $\log F(k(y, y)) +
    \log F(k(\hat y, \hat y)) - 2 \log F(k(\hat y, y))$: a loss for regression without a Gaussian
    assumption. It is 0 where predictions equal y; its gradient there is small but 0 only if all
    d_j are equal. It is not symmetric in the two, and may be slightly negative. For $\sigma_x
    \to 0$ it tends to the correntropy loss, whose gradient by an outlier is bounded; for
    $\sigma_x \to \infty$ it compares marginals
    alone. A row that kernels cannot see (far from all others) is finite too.

    Args:
        x: inputs.
        y: targets, observed with x; a target of one number has shape (*B, N, 1).
        predictions: a model's outputs for x.
        sigma_x: the bandwidth in x: a positive number, an array that broadcasts to *B, or
            "median" for the median distance of x.
        sigma_y: the bandwidth in y and the predictions; "median" is that of y.
        denominator: d_j: `"sum_of_squares"` is $\sum_i K_{ji}^2$, `"square_of_sum"` is
            $(\sum_i K_{ji})^2$, the square of a density estimate.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count, broadcasting to (*B, N); all if None.

    Returns:
        The divergence in units of `base`.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit together, no sample, a sample that is not finite, a
            bandwidth that is not positive, an unknown denominator, a wrong base.

    Reference:
        Yu, Yu, Lokse, Jenssen and Principe, Cauchy-Schwarz Divergence Information Bottleneck for
        Regression, arXiv 2404.17951, 2024, proposition 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> x, y = jnp.array([[0.0], [9.0]]), jnp.array([[1.0], [2.0]])
        >>> print(divergences.conditional_cauchy_schwarz_divergence_of_predictions(
        ...     x, y, y + 0.5, sigma_x=0.1, sigma_y=1.0))
        0.25
    """
    checks.choice("denominator", denominator, _DENOMINATORS)
    pair = observed(where=where, x=x, y=y, predictions=predictions)
    (a, b, c), mask = pair.arrays, pair.where
    if b.shape != c.shape:
        raise ValueError(f"predictions must have the shape of y, {b.shape}; got {c.shape}.")
    width_x, x_fine = kernel_width("sigma_x", sigma_x, a, mask)
    width_y, y_fine = kernel_width("sigma_y", sigma_y, b, mask)
    points = _units(a, width_x), _units(b, width_y), _units(c, width_y)
    value = _nats_of_predictions(*points, mask, denominator == "sum_of_squares")
    return pair.finish(nats_to_base(value, base), x_fine, y_fine)


@jax.jit
def _conditional_nats(p, q, p_where, q_where) -> jax.Array:
    def log_rows(rows, columns, where):
        """Logarithms of the row sums of K and of K * L."""
        both = None if columns is None else jnp.concatenate(columns, -1)
        of_inputs = None if columns is None else columns[0]
        return (
            log_gram_row_sums(rows[0], of_inputs, where=where),
            log_gram_row_sums(jnp.concatenate(rows, -1), both, where=where),
        )

    p_sums, p_products = log_rows(p, None, p_where)
    q_sums, q_products = log_rows(q, None, q_where)
    pq_sums, pq_products = log_rows(p, q, q_where)
    qp_sums, qp_products = log_rows(q, p, p_where)
    within_p = _log_sum(p_products - 2 * p_sums, p_where)
    within_q = _log_sum(q_products - 2 * q_sums, q_where)
    p_to_q = _log_sum(pq_products - p_sums - pq_sums, p_where)
    q_to_p = _log_sum(qp_products - q_sums - qp_sums, q_where)
    return (within_p - p_to_q) + (within_q - q_to_p)


def conditional_cauchy_schwarz_divergence_from_samples(
    x: Float[Array, "*B N D"],
    y: Float[Array, "*B N E"],
    other_x: Float[Array, "*B M D"],
    other_y: Float[Array, "*B M E"],
    *,
    sigma_x: Width,
    sigma_y: Width,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
    other_where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Conditional Cauchy-Schwarz divergence of p(y | x) and q(y | x) from samples of both.

    With Gram matrices K of inputs and L of outputs it is $\log \sum_j \frac{(K^p L^p)_j}{(K^p
    1)_j^2} + \log \sum_j \frac{(K^q L^q)_j}{(K^q 1)_j^2} - \log \sum_j \frac{(K^{pq}
    L^{pq})_j}{(K^p 1)_j (K^{pq} 1)_j} - \log \sum_j \frac{(K^{qp} L^{qp})_j}{(K^q 1)_j (K^{qp}
    1)_j}$, where $(KL)_j = \sum_i K_{ji} L_{ji}$. Symmetric in p and q, 0 for the same samples;
    an estimate, which may be slightly negative. Inputs of q far outside of those of p (in
    bandwidths) have no neighbours there: their ratios are those of the nearest.

    Args:
        x: inputs of the first distribution.
        y: outputs, observed with x.
        other_x: inputs of the second distribution.
        other_y: outputs, observed with `other_x`.
        sigma_x: the bandwidth of inputs: a positive number, an array that broadcasts to *B, or
            "median" for the median distance of all inputs.
        sigma_y: the bandwidth of outputs, likewise.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples of the first that count, broadcasting to (*B, N); all if None.
        other_where: the samples of the second that count, broadcasting to (*B, M).

    Returns:
        The divergence in units of `base`.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: shapes that do not fit together, no sample, a sample that is not finite, a
            bandwidth that is not positive, a wrong base.

    Reference:
        Yu, Yu, Lokse, Jenssen and Principe, The Conditional Cauchy-Schwarz Divergence, arXiv
        2301.08970, 2023, proposition 2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import divergences
        >>> x, y = jnp.array([[0.0]]), jnp.array([[1.0]])
        >>> print(divergences.conditional_cauchy_schwarz_divergence_from_samples(
        ...     x, y, x, y + 3.0, sigma_x=1.0, sigma_y=1.0))
        9.0
    """
    first = checks.paired_samples(x=x, y=y)
    second = checks.paired_samples(other_x=other_x, other_y=other_y)
    inputs = two_samples(first[0], second[0], where, other_where, names=("x", "other_x"))
    outputs = two_samples(first[1], second[1], where, other_where, names=("y", "other_y"))
    width_x, x_fine = kernel_width("sigma_x", sigma_x, inputs.joined()[0], inputs.joined_where())
    width_y, y_fine = kernel_width("sigma_y", sigma_y, outputs.joined()[0], inputs.joined_where())
    p = _units(inputs.x, width_x), _units(outputs.x, width_y)
    q = _units(inputs.y, width_x), _units(outputs.y, width_y)
    value = _conditional_nats(p, q, inputs.x_where, inputs.y_where)
    value = gated(value, inputs.valid, outputs.valid, x_fine, y_fine)
    return narrow(nats_to_base(value, base), *first, *second)
