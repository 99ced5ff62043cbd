"""The bottleneck's step on TPU: 128 problems at once, one a lane, from labels to entropies."""

import functools

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from infojax.kernels.bottleneck_step.terms import (
    add_compensated,
    entropy_terms,
    mutual_information,
)
from infojax.kernels.greedy_coupling.pallas_tpu import (
    VECTOR_MEMORY,
    from_lanes,
    lanes_bytes,
    lanes_spec,
    on_lanes,
)
from infojax.kernels.greedy_coupling.pallas_tpu_steps import (
    LANES,
    block_and_rows,
    chunked,
    couple,
    over_blocks,
)
from infojax.kernels.varying import output

_ENTROPY_ROWS = 8  # a tile, of which three rows are used


def program_bytes(n: int, m: int) -> int:
    """The vector memory of a program: the coupling's, the input's masses and the labels."""
    return lanes_bytes((n, m)) + 4 * LANES * (2 * block_and_rows(n)[1] + _ENTROPY_ROWS)


def refusal(n: int, m: int) -> str | None:
    """Why the kernel cannot take n inputs and m outputs; None where it can."""
    needed = program_bytes(n, m)
    if needed <= VECTOR_MEMORY:
        return None
    return (
        f"holds 128 problems in {VECTOR_MEMORY} bytes of vector memory, and {n} inputs and {m} "
        f"outputs need {needed}"
    )


def _sum_by_labels(p_ref, label_ref, code_ref, n: int) -> None:
    """Adds up the inputs in their order: the sums are those of a plain loop, bit by bit."""

    def block(rows, positions, carry):
        def add(number, sums):
            row = pl.ds(number, 1)
            return jnp.where(positions == label_ref[row, :], sums + p_ref[row, :], sums)

        start = jnp.zeros(positions.shape, jnp.float32)
        code_ref[rows, :] = jax.lax.fori_loop(jnp.int32(0), jnp.int32(n), add, start)
        return carry

    over_blocks(n, block, jnp.int32(0))


def _entropy(ref, symbols: int) -> jax.Array:
    def add(rows, positions, carry):
        return carry + entropy_terms(ref[rows, :])

    start = jnp.zeros((block_and_rows(symbols)[0], LANES), jnp.float32)
    return jnp.sum(over_blocks(symbols, add, start), axis=0, keepdims=True)


def _kernel(*refs, sizes):
    p_ref, label_ref, y_ref, code_ref, row_ref, col_ref, mass_ref, entropy_ref, *scratch = refs
    _sum_by_labels(p_ref, label_ref, code_ref, sizes[0])
    nothing = jnp.zeros((1, LANES), jnp.float32)
    joint_entropy, _ = couple(
        (code_ref, y_ref),
        scratch,
        (row_ref, col_ref),
        mass_ref,
        sizes,
        account=lambda carry, mass: add_compensated(carry, entropy_terms(mass)),
        start=(nothing, nothing),
    )
    code_entropy = _entropy(code_ref, sizes[0])
    information = mutual_information(code_entropy, _entropy(y_ref, sizes[1]), joint_entropy)
    entropy_ref[...] = jnp.zeros(entropy_ref.shape, jnp.float32)
    for number, row in enumerate((code_entropy, joint_entropy, information)):
        entropy_ref[number : number + 1, :] = row


def bottleneck_step(
    p_x: jax.Array,
    labels: jax.Array,
    p_y: jax.Array,
    *,
    interpret: bool | pltpu.InterpretParams = False,
):
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
    (batch, n), m = p_x.shape, p_y.shape[-1]
    laid_out = [on_lanes(x) for x in (p_x, labels, p_y)]
    (n_rows, lanes), m_rows = laid_out[0].shape, laid_out[2].shape[0]
    cell_rows = chunked(n + m - 1)
    outputs = [
        (n_rows, jnp.float32),
        (cell_rows, jnp.int32),
        (cell_rows, jnp.int32),
        (cell_rows, jnp.float32),
        (_ENTROPY_ROWS, jnp.float32),
    ]
    code, row, col, masses, entropies = pl.pallas_call(
        functools.partial(_kernel, sizes=(n, m)),
        out_shape=[output((rows, lanes), dtype, laid_out) for rows, dtype in outputs],
        grid=(lanes // LANES,),
        in_specs=[lanes_spec(x.shape[0]) for x in laid_out],
        out_specs=[lanes_spec(rows) for rows, _ in outputs],
        scratch_shapes=[pltpu.VMEM((rows, LANES), jnp.float32) for rows in (n_rows, m_rows)],
        compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel",)),
        interpret=interpret,
        name="bottleneck_step_lanes",
    )(*laid_out)
    steps = n + m - 1
    indices = jnp.stack([from_lanes(x, batch, steps) for x in (row, col)], -1)
    masses = from_lanes(masses, batch, steps)
    return from_lanes(code, batch, n), indices, masses, *entropies[:3, :batch]
