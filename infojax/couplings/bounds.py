"""Lower bounds on the entropy of any coupling of two marginals."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from infojax.couplings.greedy import checked_marginals
from infojax.couplings.majorization import meet, quantile_cells
from infojax.numerics import gated, narrow, nats_to_base, over_batch, safe_log, xlogx


def _profile_nats(p: jax.Array, q: jax.Array) -> jax.Array:
    cells = quantile_cells(p, q)
    smaller = jnp.minimum(cells.sorted_p[cells.rows], cells.sorted_q[cells.cols])
    return jnp.sum(-cells.masses * safe_log(smaller))


@jax.jit
def _largest_bound(p: jax.Array, q: jax.Array) -> jax.Array:
    def one(p, q):
        alone = jnp.maximum(jnp.sum(-xlogx(p)), jnp.sum(-xlogx(q)))
        return jnp.maximum(alone, jnp.maximum(jnp.sum(-xlogx(meet(p, q))), _profile_nats(p, q)))

    return over_batch(one, p, q)


def mec_lower_bound(
    p: Float[Array, "*B n"], q: Float[Array, "*B m"], *, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Lower bound on the joint entropy of every coupling of two marginals.

    The largest of three: $\max(H(p), H(q))$; the entropy of the meet $p \wedge q$ in the
    majorisation lattice; and the profile bound $\int_0^1 -\log \min(p(t), q(t))\, dt$, where
    p(t) is the mass of the symbol that holds the point t when masses are laid out in descending
    order. (A unit of mass lies in a cell no larger than its symbol in either marginal, so the
    cells' sizes are stochastically below the pointwise smaller profile.)

    Args:
        p: first marginal, summing to one along the last axis.
        q: second marginal; batch axes broadcast with `p`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The bound, (*B,).

    Raises:
        TypeError: `p` or `q` is not of floating type.
        ValueError: `p` or `q` is not a distribution, or the batch axes do not broadcast.

    Reference:
        Cicalese and Vaccaro 2002 (meet); Compton et al., arXiv 2302.11838 (profile method).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import couplings
        >>> p, q = jnp.array([0.5, 0.5]), jnp.array([0.75, 0.25])
        >>> print(couplings.mec_lower_bound(p, q, base=2))
        1.25
    """
    (p, q), valid, like = checked_marginals({"p": p, "q": q})
    nats = gated(_largest_bound(p, q), valid)
    return narrow(nats_to_base(nats, base), like)
