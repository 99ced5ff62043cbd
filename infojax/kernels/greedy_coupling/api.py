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

from infojax.kernels import dispatch
from infojax.kernels.greedy_coupling import pallas_gpu, pallas_tpu, reference, xla
from infojax.kernels.greedy_coupling.larger_batch import over_larger_batch

_IMPLEMENTATIONS = {
    "reference": reference.greedy_coupling,
    "xla": xla.greedy_coupling,
    "pallas_tpu": pallas_tpu.greedy_coupling,
    "pallas_gpu": pallas_gpu.greedy_coupling,
}


def _refusals(batch: int, sizes: tuple[int, ...], dtype) -> dict[str, str | None]:
    if dtype != jnp.float32:
        return dict.fromkeys(dispatch.PLATFORMS, f"takes float32 alone, not {dtype}")
    return {
        "pallas_tpu": pallas_tpu.refusal(batch, sizes),
        "pallas_gpu": pallas_gpu.refusal(sizes),
    }


def couple_batch(
    implementation: str | None, interpret: bool, marginals: Sequence[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Couples a batch of checked problems, without a derivative.

    Args:
        implementation: a known name, or None.
        interpret: whether the named kernel runs in its interpreter.
        marginals: arrays of one type and of shapes (batch, n_i).

    Returns:
        Indices (batch, steps, N) and masses (batch, steps).
    """
    marginals = tuple(marginals)
    batch, sizes = marginals[0].shape[0], tuple(p.shape[-1] for p in marginals)
    if batch == 0:
        steps = sum(sizes) - len(sizes) + 1
        masses = jnp.zeros((0, steps), marginals[0].dtype)
        return jnp.zeros((0, steps, len(sizes)), jnp.int32), masses
    refused = _refusals(batch, sizes, marginals[0].dtype)
    if interpret and implementation in dispatch.PLATFORMS and not refused[implementation]:
        return _IMPLEMENTATIONS[implementation](marginals, interpret=True)
    return dispatch.call(
        implementation, _IMPLEMENTATIONS, (marginals,), default="xla", refused=refused
    )


@functools.cache
def _coupling(implementation: str | None, interpret: bool):
    """One function for each choice, so that jit knows it again."""
    return over_larger_batch(functools.partial(couple_batch, implementation, interpret))


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


@jax.custom_jvp
def with_derivative(masses: jax.Array, marginals: tuple[jax.Array, ...], indices: jax.Array):
    """Gives the cells' masses their derivative by the marginals.

    Args:
        masses: the masses, (batch, steps), constants.
        marginals: of which they are the coupling, (batch, n_i).
        indices: the cells' indices, (batch, steps, N).

    Returns:
        The masses.
    """
    del marginals, indices
    return masses


@with_derivative.defjvp
def _masses_jvp(primals, tangents):
    masses, marginals, indices = primals
    exhausted = jax.vmap(_exhausted)(marginals, indices, masses) & (masses > 0)[..., None]
    return masses, jax.vmap(_mass_tangents)(tangents[1], indices, exhausted)


@functools.partial(jax.jit, static_argnames=("implementation", "interpret"))
def _couple(marginals, implementation: str | None, interpret: bool):
    shape = jnp.broadcast_shapes(*(p.shape[:-1] for p in marginals))
    flat = tuple(
        jnp.broadcast_to(p, (*shape, p.shape[-1])).reshape(math.prod(shape), p.shape[-1])
        for p in marginals
    )
    indices, masses = _coupling(implementation, interpret)(jax.lax.stop_gradient(flat))
    masses = with_derivative(masses, flat, indices)
    return indices.reshape(*shape, *indices.shape[1:]), masses.reshape(*shape, *masses.shape[1:])


def greedy_coupling(
    marginals: Sequence[jax.Array], *, implementation: str | None = None, interpret: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Greedy minimum-entropy coupling: repeatedly couples the largest remaining masses.

    Args:
        marginals: two or more non-negative arrays of one floating type of at least 32 bits,
            shapes (*B, n_i), each n_i >= 1; the batch axes broadcast. Values are not checked:
            with a NaN the masses mean nothing, and the caller gates them.
        implementation: `"xla"` runs everywhere; `"reference"` is the plain specification;
            `"pallas_tpu"` and `"pallas_gpu"` (Triton) take float32 and run on their platform;
            None takes what is best for the platform.
        interpret: runs the named Pallas kernel in its interpreter: slow, for tests on any
            machine.

    Returns:
        The cells in the order in which they were made: indices (*B, steps, N) of type int32
        and masses (*B, steps), with steps = sum n_i - N + 1. Cells that were not needed have
        mass 0. Ties go to the lowest index. Differentiable in forward and reverse mode with
        the pairing held fixed, which is exact almost everywhere.

    Raises:
        TypeError: the marginals are not all float32 or all float64.
        ValueError: fewer than two marginals, one without symbols or without axes, batch axes
            that do not broadcast, an unknown implementation, or `interpret` without a kernel.
        NotImplementedError: a named kernel that cannot take the type or the sizes (now), or
            cannot run on the platform (when lowered).
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
    dispatch.check_name(implementation, _IMPLEMENTATIONS)
    if interpret and implementation not in dispatch.PLATFORMS:
        raise ValueError(
            f"interpret needs one of {sorted(dispatch.PLATFORMS)} as implementation; "
            f"got {implementation!r}."
        )
    return _couple(marginals, implementation, interpret)
