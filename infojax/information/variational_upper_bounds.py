"""Upper bounds on mutual information from a known or learned conditional density.

Both take the matrix of log q(y_j | x_i), a row for each x: where q is the true conditional they
bound from above, and with a learned one (variational CLUB) they estimate.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax.information.score_matrices import (
    checked_scores,
    diagonal,
    log_mean_exp,
    mean_off_diagonal,
    mean_over_samples,
    off_diagonal,
)


@jax.jit
def _club_nats(log_conditional: jax.Array, where: jax.Array | None) -> jax.Array:
    # Relative to the diagonal: a density that is large everywhere cancels before it is summed.
    gaps = diagonal(log_conditional)[..., None, :] - log_conditional
    return mean_off_diagonal(gaps, where)


def club_bound(
    log_conditional: Float[Array, "*B N N"],
    *,
    base: float | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> Float[Array, "*B"]:
    r"""Contrastive log-ratio upper bound (CLUB).

    $\frac1N \sum_i \log q(y_i \mid x_i) - \frac{1}{N(N-1)} \sum_{i \ne j} \log q(y_j \mid
    x_i)$. With the true conditional its expectation, without bias, is I plus the divergence of
    the product of marginals from the joint, in that order (the lautum information); with a
    learned one an upper bound only if that is close enough. The authors' second mean includes
    i = j, which shrinks everything by 1 - 1/N, below the bound; here it does not. A function of
    y alone, added to the matrix, changes nothing.

    Args:
        log_conditional: log q(y_j | x_i) in nats at (i, j).
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count.

    Returns:
        The bound in units of `base`.

    Raises:
        TypeError: `log_conditional` is not of floating type.
        ValueError: it is not square, has fewer than 2 samples or an entry that is not finite; a
            base that is not positive or is 1.

    Reference:
        Cheng et al. 2020, arXiv 2006.12013, section 3.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> print(information.club_bound(jnp.array([[-1.0, -4.0], [-6.0, -1.0]])))
        4.0
    """
    matrix = checked_scores("log_conditional", log_conditional, where)
    return matrix.finish(_club_nats(matrix.scores, matrix.where), base)


@jax.jit
def _leave_one_out_nats(log_conditional: jax.Array, where: jax.Array | None) -> jax.Array:
    # A row for each y: the conditionals of the other x, relative to that of its own.
    gaps = jnp.swapaxes(log_conditional, -1, -2) - diagonal(log_conditional)[..., None]
    return -mean_over_samples(log_mean_exp(gaps, off_diagonal(gaps, where), (-1,)), where)


def leave_one_out_bound(
    log_conditional: Float[Array, "*B N N"],
    *,
    base: float | None = None,
    where: Bool[Array, "*B N"] | None = None,
) -> Float[Array, "*B"]:
    r"""Leave-one-out upper bound on mutual information.

    $\frac1N \sum_i \log \frac{q(y_i \mid x_i)}{\frac{1}{N-1} \sum_{j \ne i} q(y_i \mid x_j)}$. The
    marginal of y is taken as the mixture of the other samples' conditionals. With the true
    conditional the expectation is an upper bound for every N, that falls to I as N grows; large
    information needs about $e^I$ samples. With a learned q it may fail to bound. With the own term
    in the mixture it would be the lower bound `info_nce_bound` of the transposed matrix.

    Args:
        log_conditional: log q(y_j | x_i) in nats at (i, j).
        base: the logarithm's base (2 for bits); None for nats.
        where: the samples that count.

    Returns:
        The bound in units of `base`.

    Raises:
        TypeError: `log_conditional` is not of floating type.
        ValueError: as in `club_bound`.

    Reference:
        Poole et al. 2019, arXiv 1905.06922, section 2.5.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> print(information.leave_one_out_bound(jnp.array([[-1.0, -4.0], [-6.0, -1.0]])))
        4.0
    """
    matrix = checked_scores("log_conditional", log_conditional, where)
    return matrix.finish(_leave_one_out_nats(matrix.scores, matrix.where), base)
