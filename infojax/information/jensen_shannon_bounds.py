"""Estimates from density ratios that a classifier of joint against independent pairs has learned.

The Jensen-Shannon objective trains the critic without exponentials, which is stable; at its
optimum the critic is the log density ratio, from which information is then estimated.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.information.score_matrices import (
    checked_scores,
    diagonal,
    log_mean_exp,
    mean_off_diagonal,
    mean_over_samples,
    off_diagonal,
)
from infojax.numerics import gated


@jax.jit
def _jensen_shannon_nats(scores: jax.Array, where: jax.Array | None) -> jax.Array:
    # Each half is log 2 minus a cross-entropy; log 2 is taken off inside the means.
    log_two = jnp.log(jnp.asarray(2, scores.dtype))
    joint = mean_over_samples(log_two - jax.nn.softplus(-diagonal(scores)), where)
    return (joint + mean_off_diagonal(log_two - jax.nn.softplus(scores), where)) / 2


def jensen_shannon_bound(
    scores: Float[Array, "*B N N"],
    *,
    base: float | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> Float[Array, "*B"]:
    r"""Lower bound on the Jensen-Shannon divergence of the joint from the product of marginals.

    $\log 2 - \frac12 [\frac1N \sum_i \log(1 + e^{-s_{ii}}) + \frac{1}{N(N-1)} \sum_{i \ne j}
    \log(1 + e^{s_{ij}})]$. Unbiased, at most log 2, tight where the critic is the log density
    ratio. It measures dependence but is not in the scale of mutual information: an objective to
    train by, for `jensen_shannon_nwj_bound` and `smile_bound`. Deep InfoMax maximises twice this
    less 2 log 2.

    Args:
        scores: critic values, joint pairs on the diagonal.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count.

    Returns:
        The bound in units of `base`.

    Raises:
        TypeError: `scores` is not of floating type.
        ValueError: as in `donsker_varadhan_bound`.

    Reference:
        Nowozin, Cseke and Tomioka 2016, arXiv 1606.00709, table 2; Hjelm et al. 2018, arXiv
        1808.06670, equation (4).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> print(information.jensen_shannon_bound(100 * (2 * jnp.eye(4) - 1), base=2))
        1.0
    """
    matrix = checked_scores("scores", scores, where)
    return matrix.finish(_jensen_shannon_nats(matrix.scores, matrix.where), base)


@jax.jit
def _jensen_shannon_nwj_nats(scores: jax.Array, where: jax.Array | None) -> jax.Array:
    joint = mean_over_samples(diagonal(scores), where)
    product = log_mean_exp(scores, off_diagonal(scores, where))
    value = jax.lax.stop_gradient(1 + joint - jnp.exp(product))
    objective = _jensen_shannon_nats(scores, where)
    # The difference is zero as a value, and leaves an infinite value as it is.
    return value + (objective - jax.lax.stop_gradient(objective))


def jensen_shannon_nwj_bound(
    scores: Float[Array, "*B N N"],
    *,
    base: float | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> Float[Array, "*B"]:
    r"""NWJ bound of a critic that is trained by the Jensen-Shannon objective.

    The value is `nwj_bound(scores + 1)`, $1 + \frac1N \sum_i s_{ii} - \frac{1}{N(N-1)} \sum_{i
    \ne j} e^{s_{ij}}$: unbiased, a lower bound in expectation, tight where the critic is the log
    density ratio. The derivative is that of `jensen_shannon_bound`, so that gradient ascent on
    this trains without exponentials. The variance is that of NWJ.

    Args:
        scores: critic values, joint pairs on the diagonal.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count.

    Returns:
        The bound in units of `base`; -inf where the exponential exceeds the floating type.

    Raises:
        TypeError: `scores` is not of floating type.
        ValueError: as in `donsker_varadhan_bound`.

    Reference:
        Poole et al. 2019, arXiv 1905.06922, the estimate with the Jensen-Shannon critic.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> print(information.jensen_shannon_nwj_bound(jnp.array([[1.0, 0.0], [0.0, 1.0]])))
        1.0
    """
    matrix = checked_scores("scores", scores, where)
    return matrix.finish(_jensen_shannon_nwj_nats(matrix.scores, matrix.where), base)


@jax.jit
def _smile_nats(scores: jax.Array, clip: jax.Array, where: jax.Array | None) -> jax.Array:
    clipped = jnp.clip(scores, -clip, clip)
    joint = mean_over_samples(diagonal(scores), where)
    return joint - log_mean_exp(clipped, off_diagonal(scores, where))


def smile_bound(
    scores: Float[Array, "*B N N"],
    clip: float | Float[Array, ""],
    *,
    base: float | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> Float[Array, "*B"]:
    r"""SMILE: the Donsker-Varadhan bound with density ratios clipped to $[e^{-c}, e^c]$.

    $\frac1N \sum_i s_{ii} - \log \frac{1}{N(N-1)} \sum_{i \ne j} \mathrm{clip}(e^{s_{ij}},
    e^{-c}, e^c)$. Clipping bounds the variance of the second term by about $e^{2c} / N$; the
    price is a bias of either sign, so that this is no bound any more. Without limit on c it is
    `donsker_varadhan_bound`. The authors train the critic by `jensen_shannon_bound` and only
    evaluate by this; scores off by a constant are not forgiven.

    Args:
        scores: critic values, log density ratios, joint pairs on the diagonal.
        clip: c > 0, in nats; may be infinite. The authors use 1, 5 and 10.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count.

    Returns:
        The estimate in units of `base`.

    Raises:
        TypeError: `scores` or `clip` is not of floating type.
        ValueError: as in `donsker_varadhan_bound`; `clip` is not positive.

    Reference:
        Song and Ermon 2020, arXiv 1910.06222, equation (17).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> print(information.smile_bound(jnp.array([[3.0, -4.0], [-4.0, 3.0]]), 1.0))
        4.0
    """
    matrix = checked_scores("scores", scores, where)
    limit = checks.real_number("clip", clip).astype(matrix.scores.dtype)
    valid = checks.check_real("clip", limit, limit > 0, "positive")
    nats = _smile_nats(matrix.scores, limit, matrix.where)
    return matrix.finish(gated(nats, valid), base)
