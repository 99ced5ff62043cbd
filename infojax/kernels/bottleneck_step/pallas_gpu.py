"""The bottleneck's step on GPU: one problem a program, held in registers, labels to entropies."""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from infojax.kernels.bottleneck_step.terms import (
    add_compensated,
    entropy_terms,
    mutual_information,
)
from infojax.kernels.greedy_coupling.pallas_gpu import (
    IN_REGISTERS,
    in_registers,
    no_cells,
    whole,
)
from infojax.kernels.greedy_coupling.pallas_gpu_steps import couple, tile, warps
from infojax.kernels.varying import output, vary_like


def refusal(n: int, m: int) -> str | None:
    """Why the kernel cannot take n inputs and m outputs; None where it can."""
    if in_registers((n, m)):
        return None
    return (
        f"holds a problem in registers, {IN_REGISTERS} masses, and {n} inputs and {m} outputs "
        f"need {tile(n) + tile(m)}"
    )


def _sum_by_labels(p_ref, label_ref, n: int) -> jax.Array:
    """Adds up the inputs in their order: the sums are those of a plain loop, bit by bit."""
    positions = jax.lax.iota(jnp.int32, tile(n))

    def add(number, sums):
        return jnp.where(positions == label_ref[number], sums + p_ref[number], sums)

    return jax.lax.fori_loop(
        jnp.int32(0), jnp.int32(n), add, jnp.zeros(positions.shape, jnp.float32)
    )


def _kernel(p_ref, label_ref, y_ref, *refs, sizes):
    code_ref, index_ref, mass_ref, entropy_ref = refs[2:]
    code, p_y = _sum_by_labels(p_ref, label_ref, sizes[0]), y_ref[...]
    code_ref[...] = code
    code_entropy = jnp.sum(entropy_terms(code))
    output_entropy = jnp.sum(entropy_terms(p_y))
    joint_entropy, _ = couple(
        (code, p_y),
        index_ref,
        mass_ref,
        sizes,
        account=lambda carry, mass: add_compensated(carry, entropy_terms(mass)),
        start=(jnp.float32(0), jnp.float32(0)),
    )
    entropy_ref[0] = code_entropy
    entropy_ref[1] = joint_entropy
    entropy_ref[2] = mutual_information(code_entropy, output_entropy, joint_entropy)


def bottleneck_step(p_x: jax.Array, labels: jax.Array, p_y: jax.Array, *, interpret: bool = False):
    """Takes a step of each problem of a batch.

    Args:
        p_x: masses of the input, float32 (batch, n), batch >= 1.
        labels: the code of each input, (batch, n).
        p_y: masses of the output, float32 (batch, m).
        interpret: runs the kernel in its interpreter.

    Returns:
        The code's masses, (batch, n); the cells' indices, (batch, n + m - 1, 2), and masses; the
        entropies H(T), H(T, Y) and I(T; Y) in nats, (batch,).
    """
    p_x, labels, p_y = given = vary_like((p_x, labels, p_y), (p_x, labels, p_y))
    (batch, n), m = p_x.shape, p_y.shape[-1]
    steps = n + m - 1
    p_y = jnp.pad(p_y, ((0, 0), (0, tile(m) - m)))
    cells = [whole(steps, 2), whole(steps)]
    outputs = [
        ((batch, tile(n)), jnp.float32),
        ((batch, steps, 2), jnp.int32),
        ((batch, steps), jnp.float32),
        ((batch, 3), jnp.float32),
    ]
    code, indices, masses, entropies = pl.pallas_call(
        functools.partial(_kernel, sizes=(n, m)),
        out_shape=[output(shape, dtype, given) for shape, dtype in outputs],
        grid=(batch,),
        in_specs=[whole(n), whole(n), whole(tile(m)), *cells],
        out_specs=[whole(tile(n)), *cells, whole(3)],
        input_output_aliases={3: 1, 4: 2},
        compiler_params=plgpu.CompilerParams(num_warps=warps(tile(n) + tile(m)), num_stages=1),
        interpret=interpret,
        name="bottleneck_step_registers",
    )(p_x, labels, p_y, *no_cells(batch, steps, (p_x, p_y)))
    return code[:, :n], indices, masses, *entropies.T
