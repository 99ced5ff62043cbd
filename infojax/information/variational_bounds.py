"""Variational lower bounds on mutual information, as functions of a critic's score matrix.

Entry (i, j) of `scores` is the critic's value at x_i and y_j: the diagonal holds N joint pairs,
the rest N (N - 1) pairs of independent draws (Poole et al. 2019 give the common view of them).
All exponentials are summed relative to their largest, so that scores may be large.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.information.score_matrices import (
    checked_scores,
    diagonal,
    log_mean_exp,
    log_mean_exp_but_one,
    mean_off_diagonal,
    mean_over_samples,
    off_diagonal,
)
from infojax.numerics import gated


@jax.jit
def _terms(scores: jax.Array, where: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """The mean joint score, and log of the mean exponential of the independent pairs."""
    joint = mean_over_samples(diagonal(scores), where)
    return joint, log_mean_exp(scores, off_diagonal(scores, where))


def donsker_varadhan_bound(
    scores: Float[Array, "*B N N"],
    *,
    base: float | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> Float[Array, "*B"]:
    r"""Donsker-Varadhan bound on mutual information.

    $\frac1N \sum_i s_{ii} - \log \frac{1}{N(N-1)} \sum_{i \ne j} e^{s_{ij}}$. With infinitely many
    samples a lower bound, tight where the critic is the log density ratio plus any constant. Bias:
    the logarithm of a sample mean is too small on average, so that the estimate is too large,
    without limit once $e^I$ exceeds the number of pairs; its gradient is biased as well, which
    `mine_bound` corrects. Adding a constant to all scores changes nothing.

    Args:
        scores: critic values, joint pairs on the diagonal.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count.

    Returns:
        The bound in units of `base`.

    Raises:
        TypeError: `scores` is not of floating type.
        ValueError: `scores` is not square, has fewer than 2 samples or an entry that is not
            finite; a base that is not positive or is 1.

    Reference:
        Donsker and Varadhan 1983; Belghazi et al. 2018, arXiv 1801.04062, section 3.1.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> print(information.donsker_varadhan_bound(jnp.array([[2.0, 0.0], [0.0, 2.0]])))
        2.0
    """
    matrix = checked_scores("scores", scores, where)
    joint, product = _terms(matrix.scores, matrix.where)
    return matrix.finish(joint - product, base)


def mine_bound(
    scores: Float[Array, "*B N N"],
    log_average: Float[Array, "*B"],
    *,
    decay: float | Float[Array, ""] = 0.99,
    base: float | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> tuple[Float[Array, "*B"], Float[Array, "*B"]]:
    r"""Donsker-Varadhan bound whose gradient is corrected by a moving average (MINE).

    The derivative of $\log Z$, $Z = E e^s$, divides by Z; over a minibatch the quotient is
    biased. Here the value is that of `donsker_varadhan_bound`, and in the gradient Z is the
    average of all batches so far, $\bar Z \leftarrow d \bar Z + (1 - d) Z$, this one included:
    $\nabla \frac1N \sum_i s_{ii} - \frac{1}{\bar Z} \nabla Z$.

    Args:
        scores: critic values, joint pairs on the diagonal.
        log_average: log of the moving average, in nats: -inf before the first batch, then what
            the call before returned.
        decay: d, at least 0 and below 1; 0 is the plain gradient.
        base: the logarithm's base (2 for bits) of the bound; None for nats.
        where: the samples that count.

    Returns:
        The bound in units of `base`, and the next `log_average`, without a gradient.

    Raises:
        TypeError: `scores` is not of floating type.
        ValueError: as in `donsker_varadhan_bound`; `decay` is outside [0, 1); `log_average` is
            NaN or +inf.

    Reference:
        Belghazi et al. 2018, arXiv 1801.04062, section 3.2.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import information
        >>> scores = jnp.array([[2.0, 0.0], [0.0, 2.0]])
        >>> bound, log_average = information.mine_bound(scores, jnp.array(-jnp.inf))
        >>> print(bound, log_average)
        2.0 0.0
        >>> step = jax.value_and_grad(information.mine_bound, has_aux=True)
        >>> (bound, log_average), gradient = step(scores, log_average)
    """
    matrix = checked_scores("scores", scores, where)
    rate = checks.real_number("decay", decay)
    rate_valid = checks.check_real("decay", rate, (rate >= 0) & (rate < 1), "in [0, 1)")
    old = checks.floating("log_average", log_average).astype(matrix.scores.dtype)
    old_valid = checks.check_real("log_average", old, old < jnp.inf, "finite or -inf")
    joint, product = _terms(matrix.scores, matrix.where)
    rate = rate.astype(product.dtype)
    batch, old = jax.lax.stop_gradient((product, old))
    first = jnp.isneginf(old)
    known = jnp.where(first, batch, old)
    average = jnp.logaddexp(jnp.log(rate) + known, jnp.log1p(-rate) + batch)
    average = gated(average, matrix.valid, rate_valid, old_valid)
    # One minus one as a value; as a derivative, Z over the average.
    weight = jnp.exp(product - average)
    corrected = batch + weight - jax.lax.stop_gradient(weight)
    return matrix.finish(joint - corrected, base), average


def nwj_bound(
    scores: Float[Array, "*B N N"],
    *,
    base: float | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> Float[Array, "*B"]:
    r"""Nguyen-Wainwright-Jordan bound on mutual information.

    $\frac1N \sum_i s_{ii} - \frac1e \frac{1}{N(N-1)} \sum_{i \ne j} e^{s_{ij}}$. Its expectation is
    a lower bound for every critic and every N, without bias (also known as f-GAN KL or MINE-f),
    tight where the critic is one plus the log density ratio. The variance grows like $e^I / N$.
    Never above `donsker_varadhan_bound` of the same scores.

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
        Nguyen, Wainwright and Jordan 2010, arXiv 0809.0853; Poole et al. 2019, arXiv
        1905.06922, section 2.2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> print(information.nwj_bound(jnp.array([[2.0, 1.0], [1.0, 2.0]])))
        1.0
    """
    matrix = checked_scores("scores", scores, where)
    joint, product = _terms(matrix.scores, matrix.where)
    return matrix.finish(joint - jnp.exp(product - 1), base)


@jax.jit
def _info_nce_nats(scores: jax.Array, where: jax.Array | None) -> jax.Array:
    pairs = jnp.ones(scores.shape, bool) if where is None else where[..., None, :]
    # Each row relative to its joint score: rows without a rival end at exactly log N.
    gaps = scores - diagonal(scores)[..., None]
    return -mean_over_samples(log_mean_exp(gaps, pairs, (-1,)), where)


def info_nce_bound(
    scores: Float[Array, "*B N N"],
    *,
    base: float | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> Float[Array, "*B"]:
    r"""InfoNCE bound $\frac1N \sum_i \log \frac{e^{s_{ii}}}{\frac1N \sum_j e^{s_{ij}}}$.

    Each x_i (a row) tells its y_i from the others. The expectation is a lower bound for every
    critic and every N; the value never exceeds log N, so that the bias is at least I - log N
    where information is larger, and the variance is small. A function of x alone, added to the
    scores, changes nothing. Transpose the scores for the bound with the parts exchanged.

    Args:
        scores: critic values, joint pairs on the diagonal.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count.

    Returns:
        The bound in units of `base`, at most the logarithm of the number of samples.

    Raises:
        TypeError: `scores` is not of floating type.
        ValueError: as in `donsker_varadhan_bound`.

    Reference:
        van den Oord, Li and Vinyals 2018, arXiv 1807.03748, equation (4); Poole et al. 2019,
        arXiv 1905.06922, section 2.3.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> print(information.info_nce_bound(100 * jnp.eye(8), base=2))
        3.0
    """
    matrix = checked_scores("scores", scores, where)
    return matrix.finish(_info_nce_nats(matrix.scores, matrix.where), base)


@jax.jit
def _interpolated_nats(scores, alpha, log_baseline, where):
    every = jnp.ones(scores.shape, bool) if where is None else where[..., None, :]
    others = log_mean_exp_but_one(scores, every)
    inside = (alpha > 0) & (alpha < 1)
    # At the ends one part alone is taken, so that no derivative meets log 0.
    mixing = jnp.where(inside, alpha, 0.5)
    fixed = jnp.broadcast_to(log_baseline[..., None], others.shape)
    mixed = jnp.logaddexp(jnp.log(mixing) + others, jnp.log1p(-mixing) + fixed)
    baseline = jnp.where(inside, mixed, jnp.where(alpha > 0, others, fixed))
    joint = mean_off_diagonal(diagonal(scores)[..., None] - baseline, where)
    own = diagonal(baseline)[..., None]
    return 1 + joint - jnp.exp(log_mean_exp(scores - own, off_diagonal(scores, where)))


def interpolated_bound(
    scores: Float[Array, "*B N N"],
    alpha: float | Float[Array, ""],
    *,
    log_baseline: Float[Array, "*B N"] | None = None,
    base: float | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> Float[Array, "*B"]:
    r"""Bound between NWJ (alpha = 0) and InfoNCE (alpha = 1), trading variance for bias.

    $1 + E \log \frac{e^{s_{ii}}}{b_i^{(k)}} - E \frac{e^{s_{ij}}}{b_i^{(i)}}$ with $b_i^{(k)} =
    \alpha \frac{1}{N-1} \sum_{l \ne k} e^{s_{il}} + (1 - \alpha) e^{a_i}$, the means over pairs
    $k \ne i$ and $j \ne i$. The expectation is a lower bound for every critic, baseline and N;
    the value is at most $1 + \log \frac{N-1}{\alpha}$. At alpha = 1 it is InfoNCE, averaged
    over all sets of N - 1 of the samples.

    Args:
        scores: critic values, joint pairs on the diagonal.
        alpha: the weight of the other samples' mean, in [0, 1].
        log_baseline: $a_i$, a function of x_i alone, in nats; 1 if None, which makes alpha = 0
            `nwj_bound`.
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count.

    Returns:
        The bound in units of `base`; -inf where an exponential exceeds the floating type.

    Raises:
        TypeError: `scores`, `alpha` or `log_baseline` is not of floating type.
        ValueError: as in `donsker_varadhan_bound`; `alpha` is outside [0, 1]; `log_baseline`
            has another shape or an entry that is not finite.

    Reference:
        Poole et al. 2019, arXiv 1905.06922, section 2.4.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> scores = jnp.array([[2.0, 1.0], [1.0, 2.0]])
        >>> print(information.interpolated_bound(scores, 0.0))
        1.0
    """
    matrix = checked_scores("scores", scores, where)
    dtype = matrix.scores.dtype
    weight = checks.real_number("alpha", alpha).astype(dtype)
    valid = checks.check_real("alpha", weight, (weight >= 0) & (weight <= 1), "in [0, 1]")
    if log_baseline is None:
        fixed = jnp.ones(matrix.scores.shape[:-1], dtype)
    else:
        fixed = checks.floating("log_baseline", log_baseline).astype(dtype)
        if fixed.shape != matrix.scores.shape[:-1]:
            raise ValueError(
                f"log_baseline must have shape {matrix.scores.shape[:-1]}; got {fixed.shape}."
            )
        fixed = fixed if matrix.where is None else jnp.where(matrix.where, fixed, 0)
        finite = checks.check_real("log_baseline", fixed, jnp.isfinite(fixed), "finite")
        valid &= jnp.all(finite, -1)
    nats = _interpolated_nats(matrix.scores, weight, fixed, matrix.where)
    return matrix.finish(gated(nats, valid), base)
