"""Coupling by successive linearisation of the joint entropy, given a transport solver."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from infojax import checks


def successive_linearization_mec(
    p: Float[Array, " n"],
    q: Float[Array, " m"],
    transport: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    *,
    max_iterations: int = 50,
) -> Float[Array, "n m"]:
    r"""Low-entropy coupling by successive linearisation.

    Starts at the product of the marginals. The joint entropy is concave; at the current
    coupling c its linearisation has the cost $-\log c_{ij}$, and the transport problem with that
    cost gives the next coupling, until it repeats. Where c is zero the cost is that of the
    smallest positive number of the type. Runs on the host, since the solver does.

    Args:
        p: first marginal, (n,).
        q: second marginal, (m,).
        transport: from a cost matrix (n, m) and the marginals to an optimal transport plan
            (n, m); a linear programme, such as scipy's.
        max_iterations: the largest number of linearisations.

    Returns:
        The coupling as a dense table, of the type of `p`.

    Raises:
        TypeError: `p` or `q` is not of floating type, or `max_iterations` no whole number.
        ValueError: `p` or `q` is not a distribution over one axis; `transport` returns another
            shape.

    Reference:
        Ebrahimi, Chen and Khisti, arXiv 2410.21666, appendix on successive linearisation.

    Example:
        >>> import jax.numpy as jnp, numpy as np
        >>> from infojax import couplings
        >>> def diagonal_only(cost, p, q):
        ...     return np.diag(p)
        >>> half = jnp.array([0.5, 0.5])
        >>> print(couplings.successive_linearization_mec(half, half, diagonal_only))
        [[0.5 0. ]
         [0.  0.5]]
    """
    p, q = checks.floating("p", p, ndim=1), checks.floating("q", q, ndim=1)
    checks.check_distribution("p", p, (0,))
    checks.check_distribution("q", q, (0,))
    limit = checks.positive_integer("max_iterations", max_iterations)
    rows, cols = np.asarray(p, np.float64), np.asarray(q, np.float64)
    rows, cols = rows / rows.sum(), cols / cols.sum()
    coupling = np.outer(rows, cols)
    for _ in range(limit):
        cost = -np.log(np.maximum(coupling, np.finfo(np.float64).tiny))
        following = np.asarray(transport(cost, rows, cols))
        if following.shape != coupling.shape:
            raise ValueError(
                f"transport must return a plan of shape {coupling.shape}; got {following.shape}."
            )
        repeats = np.allclose(following, coupling, rtol=0, atol=1e-12)
        coupling = np.maximum(following, 0)
        if repeats:
            break
    return jnp.asarray(coupling, p.dtype)
