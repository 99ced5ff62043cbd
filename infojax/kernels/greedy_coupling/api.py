"""The greedy coupling's one entry: chooses an implementation, gives it a derivative.

With the pairing held fixed each mass is a signed sum of entries of the marginals, so the
derivative is a linear pass over the cells: at each step the mass moves with the entry that it
uses up (with the mean of them where several run out at once).
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from infojax.kernels.greedy_coupling import reference, xla

_IMPLEMENTATIONS = {"reference": reference.greedy_coupling, "xla": xla.greedy_coupling}


def _exhausted(marginals, indices, masses) -> jax.Array:
    """Which marginals' entries each step uses up, (steps, N), by replaying the subtractions."""

    def step(residuals, cell):
        index, mass = cell
        left = [p[index[s]] - mass for s, p in enumerate(residuals)]
        residuals = tuple(p.at[index[s]].set(left[s]) for s, p in enumerate(residuals))
        return residuals, jnp.stack(left) == 0

    return jax.lax.scan(step, marginals, (indices, masses))[1]


def _mass_tangents(tangents, indices, exhausted) -> jax.Array:
    """Pushes tangents of the marginals through the steps of one problem; linear in them."""

    def step(carried, cell):
        index, ran_out = cell
        values = jnp.stack([t[index[s]] for s, t in enumerate(carried)])
        weight = ran_out / jnp.maximum(jnp.sum(ran_out), 1).astype(values.dtype)
        moved = jnp.sum(values * weight)
        carried = tuple(t.at[index[s]].add(-moved) for s, t in enumerate(carried))
        return carried, moved

    return jax.lax.scan(step, tangents, (indices, exhausted))[1]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _couple(implementation: str, marginals):
    return _IMPLEMENTATIONS[implementation](marginals)


@_couple.defjvp
def _couple_jvp(implementation, primals, tangents):
    (marginals,), (dots,) = primals, tangents
    indices, masses = _couple(implementation, marginals)
    exhausted = jax.vmap(_exhausted)(marginals, indices, masses) & (masses > 0)[..., None]
    moved = jax.vmap(_mass_tangents)(dots, indices, exhausted)
    # Integers have tangents of type float0.
    return (indices, masses), (jnp.zeros(indices.shape, jax.dtypes.float0), moved)


@functools.partial(jax.jit, static_argnames="implementation")
def _couple_batch(marginals, implementation: str):
    shape = jnp.broadcast_shapes(*(p.shape[:-1] for p in marginals))
    flat = tuple(
        jnp.broadcast_to(p, (*shape, p.shape[-1])).reshape(math.prod(shape), p.shape[-1])
        for p in marginals
    )
    indices, masses = _couple(implementation, flat)
    return indices.reshape(*shape, *indices.shape[1:]), masses.reshape(*shape, *masses.shape[1:])


def greedy_coupling(
    marginals: Sequence[jax.Array], *, implementation: str | None = None
) -> tuple[jax.Array, jax.Array]:
    """Greedy minimum-entropy coupling: repeatedly couples the largest remaining masses.

    Args:
        marginals: two or more non-negative arrays of one floating type of at least 32 bits,
            shapes (*B, n_i), each n_i >= 1; the batch axes broadcast. Values are not checked:
            with a NaN the masses mean nothing, and the caller gates them.
        implementation: `"xla"` runs everywhere; `"reference"` is the plain specification;
            None takes what is best for the platform.

    Returns:
        The cells in the order in which they were made: indices (*B, steps, N) of type int32
        and masses (*B, steps), with steps = sum n_i - N + 1. Cells that were not needed have
        mass 0. Ties go to the lowest index. Differentiable in forward and reverse mode with
        the pairing held fixed, which is exact almost everywhere.

    Raises:
        TypeError: the marginals are not all float32 or all float64.
        ValueError: fewer than two marginals, one without symbols or without axes, batch axes
            that do not broadcast, or an unknown implementation.
        NotImplementedError: a known implementation that does not exist yet.
    """
    if len(marginals) < 2:
        raise ValueError(f"marginals must be at least two arrays; got {len(marginals)}.")
    marginals = tuple(jnp.asarray(p) for p in marginals)
    for number, p in enumerate(marginals):
        if p.ndim == 0 or p.shape[-1] == 0:
            raise ValueError(f"marginals[{number}] must have a symbol; got shape {p.shape}.")
    types = {str(p.dtype) for p in marginals}
    if len(types) > 1 or not types <= {"float32", "float64"}:
        raise TypeError(f"marginals must share float32 or float64; got {sorted(types)}.")
    batches = [p.shape[:-1] for p in marginals]
    try:
        jnp.broadcast_shapes(*batches)
    except ValueError:
        raise ValueError(f"marginals must broadcast in their batch axes; got {batches}.") from None
    name = "xla" if implementation is None else implementation
    if name in ("pallas_tpu", "pallas_gpu"):
        raise NotImplementedError(
            f"implementation={name!r} is not there yet; {sorted(_IMPLEMENTATIONS)} run everywhere."
        )
    if name not in _IMPLEMENTATIONS:
        raise ValueError(
            f"implementation must be None or one of {sorted(_IMPLEMENTATIONS)}; got {name!r}."
        )
    return _couple_batch(marginals, name)
