"""Benchmarks of the coupling's kernels: models of accelerators, and the fused step on CPU."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import ahead_of_time
from benchmarks.measure import Row, Table, in_turn, rows_against_peers, show, times_faster
from infojax import couplings
from infojax.kernels.bottleneck_step import bottleneck_step
from infojax.kernels.greedy_coupling import greedy_coupling, pallas_tpu
from infojax.kernels.greedy_coupling.pallas_tpu_steps import LANES, block_and_rows

# Clocks that public sources give, in Hz, of the generations for which they agree.
_CLOCKS = {"v5e:2x2": 1.5e9, "v5p:2x2x1": 1.75e9}
# A vector register holds 8 x 128 numbers, and four instructions on registers start in a cycle.
_STARTS = 4
# Of a sweep, for each register of a marginal: is it the one, replace, is it larger, keep the
# larger, keep its index, next index.
_SWEEP = 6
# Guesses of latencies in cycles: of what a step on lanes waits for at its end, and of a reduction
# over lanes, of which a step on rows waits for four in turn.
_STEP_LATENCY = 100
_REDUCTION_LATENCY = 150


def _loop_seconds(batch: int, sizes: tuple[int, ...], generation: str) -> float:
    """Counts the cycles of all steps, on the one core of a chip that takes all programs."""
    steps = sum(sizes) - len(sizes) + 1
    if pallas_tpu.takes_lanes(batch, sizes):
        registers = sum(block_and_rows(n)[1] for n in sizes) // 8
        cycles = math.ceil(batch / LANES) * steps * (registers * _SWEEP / _STARTS + _STEP_LATENCY)
    else:
        cycles = batch * steps * 4 * _REDUCTION_LATENCY
    return cycles / _CLOCKS[generation]


def _tpu_row(batch: int, n: int, generation: str) -> Row:
    def couple(p, q):
        return greedy_coupling((p, q), implementation="pallas_tpu")

    shapes = ahead_of_time.shapes((batch, n), (batch, n))
    cost = ahead_of_time.compile_for_tpu(couple, *shapes, generation=generation).cost_analysis()
    loop, memory = _loop_seconds(batch, (n, n), generation), cost["optimal_seconds"]
    layout = "lanes" if pallas_tpu.takes_lanes(batch, (n, n)) else "rows"
    held = pallas_tpu.program_bytes(batch, (n, n)) / 2**20
    return Row(
        case=f"TPU {generation.split(':')[0]}, n = m = {n}, batch {batch}, {layout}, "
        f"{held:.1f} MiB of vector memory",
        ours=f"modelled {show(loop)}",
        peer="libtpu's optimal_seconds, which does not count the loop",
        peers=f"modelled {show(memory)}, {cost['bytes accessed'] / 2**20:.1f} MiB accessed",
        ratio=loop / memory,
    )


def _cuda_row(name: str, function, shapes) -> Row:
    (kernel,) = ahead_of_time.compile_for_cuda(function, *shapes)
    return Row(
        case=f"CUDA sm_90, {name}",
        ours=f"{kernel.registers} registers, {kernel.stack_bytes} bytes of stack, "
        f"{kernel.shared_bytes} bytes shared, {kernel.threads} threads",
        peer="a program's limit",
        peers="255 registers, 232448 bytes shared",
        ratio=kernel.registers / 255,
    )


def greedy_coupling_modelled(repeats: int, quick: bool) -> Table:
    """Compiles the kernels for accelerators that are not there, and models their time.

    Args:
        repeats: not used: the figures do not vary.
        quick: whether to compile one size.

    Returns:
        The table.
    """
    del repeats
    sizes = ((4, 16),) if quick else ((4096, 256), (8, 4096), (1, 65536))
    rows = [_tpu_row(batch, n, generation) for batch, n in sizes for generation in _CLOCKS]
    for batch, n in sizes:
        shapes = ahead_of_time.shapes((batch, n), (batch, n))
        name = f"greedy_coupling, n = m = {n}, batch {batch}"
        rows.append(_cuda_row(name, lambda p, q: greedy_coupling((p, q)), shapes))
    for n, m in ((16, 4),) if quick else ((512, 4), (2048, 2048)):
        p_x, p_y = ahead_of_time.shapes((8, n), (8, m))
        labels = jax.ShapeDtypeStruct((8, n), jnp.int32)
        rows.append(
            _cuda_row(f"bottleneck_step, n = {n}, m = {m}", bottleneck_step, (p_x, labels, p_y))
        )
    return Table(
        title="Coupling kernels on accelerators, modelled",
        note="Nothing here is measured on an accelerator. TPU: the kernel compiled by libtpu; two "
        "models of its time for a whole batch. Ours counts the cycles of all n + m - 1 steps, "
        f"{_SWEEP} instructions a register of 1024 numbers, {_STARTS} a cycle and "
        f"{_STEP_LATENCY} of latency on lanes, four reductions of {_REDUCTION_LATENCY} on rows, "
        "where the latencies are guesses; libtpu's knows bytes alone; ratio = ours / libtpu's. "
        "CUDA: what ptxas says of the Triton kernel; ratio = registers of a thread / 255.",
        rows=tuple(rows),
    )


def _unfused(p_x: jax.Array, labels: jax.Array, p_y: jax.Array):
    """Code masses, coupling, and entropies of the laws that the cells add up to."""
    add_up = jax.vmap(lambda p, label: jnp.zeros_like(p).at[label].add(p))
    code = add_up(p_x, labels)
    indices, masses = greedy_coupling((code, p_y))
    sizes = code.shape[-1], p_y.shape[-1]
    coupling = couplings.SparseCoupling(indices, masses, jnp.zeros(len(code)), sizes)
    logarithms = jnp.log(jnp.where(code > 0, code, 1))
    return (
        indices,
        masses,
        -jnp.sum(code * logarithms, -1),
        coupling.entropy(),
        coupling.mutual_information(),
    )


def fused_bottleneck_step(repeats: int, quick: bool) -> Table:
    """Times the step of the coupling with a bottleneck against its parts, on this machine.

    Args:
        repeats: counted calls.
        quick: whether to run tiny sizes.

    Returns:
        The table.
    """
    rows = []
    sizes = ((8, 16, 4),) if quick else ((4096, 64, 4), (512, 512, 4), (256, 256, 256))
    for batch, n, m in sizes:
        rng = np.random.default_rng(n)
        p_x, p_y = (jnp.asarray(rng.dirichlet(np.ones(k), batch), jnp.float32) for k in (n, m))
        labels = jnp.asarray(rng.integers(0, n, (batch, n)), jnp.int32)
        programs = {"infojax": jax.jit(bottleneck_step), "step by step": jax.jit(_unfused)}
        times = in_turn(
            {name: lambda f=f, a=(p_x, labels, p_y): f(*a) for name, f in programs.items()},
            repeats,
        )
        found, other = (f(p_x, labels, p_y) for f in programs.values())
        if not np.allclose(found.information, other[-1], atol=1e-5):
            raise RuntimeError(f"informations differ at n={n}, m={m}")
        case = f"n={n}, m={m}, batch {batch}"
        rows += rows_against_peers(case, times, ratio=times_faster, bars={})
    return Table(
        title="Step of the coupling with a bottleneck",
        note="Time of a batch, median (least .. most), float32, random labels; ratio = peer / "
        "infojax. The peer adds up the code, couples it, and takes the entropies of the laws that "
        "the cells add up to, as one compiled program.",
        rows=tuple(rows),
    )
