"""Encoders that the greedy search is compared with: uniform quantisation, a log-loss code."""

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax.couplings.ebim import EntropyBoundedCode, bounded_code
from infojax.couplings.majorization import descending
from infojax.numerics import xlogx


def _uniform_labels(p: jax.Array, rate: jax.Array) -> jax.Array:
    # The slack keeps 2^R whole where the rate was given as a whole number of bits.
    cells = jnp.floor(jnp.exp2(rate / math.log(2)) * (1 + 8 * jnp.finfo(p.dtype).eps))
    width = jnp.ceil(p.size / jnp.clip(cells, 1, p.size)).astype(jnp.int32)
    return jax.lax.iota(jnp.int32, p.size) // width


def uniform_quantizer(
    p: Float[Array, "*B n"], rate: ArrayLike, *, base: float | None = None
) -> EntropyBoundedCode:
    r"""Uniform scalar quantisation to $m = \lfloor 2^R \rfloor$ cells (R in bits).

    Contiguous blocks of $\lceil n/m \rceil$ symbols share a code, whatever their probabilities;
    so $H(T) \le \log m \le R$.

    Args:
        p: the source's distribution over the last axis.
        rate: the bound R on H(T), in units of `base`; may be traced.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The code: labels, masses, entropy.

    Raises:
        TypeError: `p` is not of floating type, or `rate` not real.
        ValueError: `p` is not a distribution, a rate is negative or NaN, or the shapes do not
            broadcast.

    Reference:
        The baseline of Ebrahimi, Chen and Khisti, arXiv 2410.21666, in coding games.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import couplings
        >>> print(couplings.uniform_quantizer(jnp.full(6, 1 / 6), 1.0, base=2).labels)
        [0 0 0 3 3 3]
    """
    return bounded_code(_uniform_labels, p, rate, base)


def _log_loss_labels(p: jax.Array, rate: jax.Array) -> jax.Array:
    sorted_p, order = descending(p)
    terms = -xlogx(sorted_p)
    before = jnp.cumsum(sorted_p) - sorted_p
    apart = jnp.cumsum(terms) - terms
    # Entry k: the k most probable symbols apart, the others in one cell.
    entropy = apart + -xlogx(jnp.clip(1 - before, 0, 1))
    entropy = entropy.at[0].set(0)
    bound = rate + 8 * jnp.finfo(p.dtype).eps * jnp.maximum(rate, 1)
    rank = jax.lax.iota(jnp.int32, p.size)
    kept = jnp.max(jnp.where(entropy <= bound, rank, 0))
    cell = jnp.minimum(rank, kept)
    return jnp.zeros_like(cell).at[order].set(cell)


def log_loss_code(
    p: Float[Array, "*B n"], rate: ArrayLike, *, base: float | None = None
) -> EntropyBoundedCode:
    r"""Code for log-loss: the most probable symbols stay apart, all others share a cell.

    The number of cells is the largest with $H(T) \le R$. This is our reading of the log-loss
    codes of Shkel et al., as a baseline for `greedy_ebim`.

    Args:
        p: the source's distribution over the last axis.
        rate: the bound R on H(T), in units of `base`; may be traced.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The code: labels, masses, entropy.

    Raises:
        TypeError: `p` is not of floating type, or `rate` not real.
        ValueError: `p` is not a distribution, a rate is negative or NaN, or the shapes do not
            broadcast.

    Reference:
        Shkel, Raginsky and Verdu, Universal lossy compression under logarithmic loss, 2017.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import couplings
        >>> p = jnp.array([0.25, 0.5, 0.125, 0.125])
        >>> print(couplings.log_loss_code(p, 1.5, base=2).labels)
        [0 1 2 2]
    """
    return bounded_code(_log_loss_labels, p, rate, base)
