"""Benchmarks of gated attention pooling: time, memory, and models of accelerators."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from benchmarks import ahead_of_time
from benchmarks.measure import Row, Table, in_turn, rows_against_peers, show, times_slower
from benchmarks.rooflines import TPU_PEAKS
from infojax import attention

_PLAIN = "hidden units and attention in memory"


def _plain(instances: jax.Array, gates: attention.AttentionGates) -> tuple[jax.Array, jax.Array]:
    """What a user writes: gates, softmax, weighted sum, and the entropy from log_softmax."""
    value = jnp.tanh(instances @ gates.value_kernel + gates.value_bias)
    gate = jax.nn.sigmoid(instances @ gates.gate_kernel + gates.gate_bias)
    log_attention = jax.nn.log_softmax((value * gate) @ gates.output_kernel + gates.output_bias)
    weights = jnp.exp(log_attention)
    return weights @ instances, -jnp.sum(weights * log_attention)


def _pooling(implementation: str | None) -> Callable:
    def pool(instances, gates):
        found = attention.gated_attention_pooling(
            instances, gates=gates, implementation=implementation
        )
        return found.pooled, found.entropy

    return pool


def _gradient(function: Callable, argnums: tuple[int, ...]) -> Callable:
    def scalar(instances, gates):
        pooled, entropy = function(instances, gates)
        return jnp.sum(pooled.astype(jnp.float32)) + jnp.sum(entropy)

    return jax.grad(scalar, argnums)


def _shapes(count: int, features: int, hidden: int, dtype=jnp.float32):
    shape = functools.partial(jax.ShapeDtypeStruct, dtype=dtype)
    kernel, bias = shape((features, hidden)), shape((hidden,))
    gates = attention.AttentionGates(kernel, bias, kernel, bias, bias, shape(()))
    return shape((count, features)), gates


def _draw(shapes):
    leaves, structure = jax.tree.flatten(shapes)
    keys = jax.random.split(jax.random.key(0), len(leaves))
    drawn = [jax.random.normal(key, x.shape) for key, x in zip(keys, leaves, strict=True)]
    instances, gates = jax.tree.unflatten(structure, drawn)
    return instances, jax.tree.map(lambda x: x / instances.shape[1] ** 0.5, gates)


def gated_attention_pooling(repeats: int, quick: bool) -> Table:
    """Times the pooling of one bag against the plain form, and measures its memory.

    Args:
        repeats: counted calls.
        quick: whether to run tiny sizes.

    Returns:
        The table.
    """
    sizes = (256, 24, 16) if quick else (16384, 384, 128)
    arguments = _draw(_shapes(*sizes))
    contenders = {"infojax": _pooling(None), _PLAIN: _plain}
    rows = []
    kinds = {
        "forward": lambda f: f,
        "gradient by the gates": lambda f: _gradient(f, (1,)),
        "gradient by instances and gates": lambda f: _gradient(f, (0, 1)),
    }
    for kind, derive in kinds.items():
        programs = {name: jax.jit(derive(f)) for name, f in contenders.items()}
        memory = {
            name: f.lower(*arguments).compile().memory_analysis().temp_size_in_bytes
            for name, f in programs.items()
        }
        times = in_turn({n: lambda f=f: f(*arguments) for n, f in programs.items()}, repeats)
        case = "{}, N = {}, D = {}, L = {}".format(kind, *sizes)
        rows += rows_against_peers(case, times, ratio=times_slower, bars={})
        ours, plain = memory["infojax"], memory[_PLAIN]
        rows.append(
            Row(
                case=f"temporary memory, {case}",
                ours=f"{ours / 2**20:.2f} MiB",
                peer=_PLAIN,
                peers=f"{plain / 2**20:.2f} MiB",
                ratio=ours / plain,
            )
        )
    return Table(
        title="Gated attention pooling with entropy",
        note="One bag, float32; median (least .. most), or temporary memory of the compiled "
        "program; ratio = infojax / peer.",
        rows=tuple(rows),
    )


def pooling_modelled(repeats: int, quick: bool) -> Table:
    """Compiles the kernels for accelerators, and reads the compilers' models of their cost.

    Args:
        repeats: not used: nothing is timed.
        quick: whether to compile one generation alone.

    Returns:
        The table; nothing in it is a measurement.
    """
    del repeats
    count, features, hidden = sizes = (16384, 384, 128)
    function = _pooling("pallas_tpu")
    rows = []
    for generation in list(TPU_PEAKS)[1:2] if quick else TPU_PEAKS:
        for kind, program, products, passes in (
            ("forward", function, 2, 1),
            ("gradient", _gradient(function, (0, 1)), 8, 3),
        ):
            shapes = _shapes(*sizes, dtype=jnp.bfloat16)
            cost = ahead_of_time.compile_for_tpu(
                program, *shapes, generation=generation
            ).cost_analysis()
            seconds, moved = cost["optimal_seconds"], cost["bytes accessed"]
            operations = products * 2 * count * features * hidden
            least = TPU_PEAKS[generation].seconds(passes * 2 * count * features, operations)
            rows.append(
                Row(
                    case=f"{generation}, {kind}, N = {count}, D = {features}, L = {hidden}, "
                    "bfloat16",
                    ours=f"{show(seconds)} modelled, {moved / 2**20:.1f} MiB moved",
                    peer="roofline",
                    peers=show(least),
                    ratio=seconds / least,
                )
            )
    rows += _cuda_rows(sizes, quick)
    return Table(
        title="Gated attention pooling, compiled for absent accelerators",
        note="Nothing here is a measurement. TPU: the compiler's own model of the compiled program "
        "(the kernel by its estimate) against a roofline of bytes (instances read once forward; "
        "read twice and written once with the gradient) and operations; ratio = model / "
        "roofline. CUDA: machine code for sm_90; ratio = shared memory / 227 KiB.",
        rows=tuple(rows),
    )


def _cuda_rows(sizes: tuple[int, int, int], quick: bool) -> list[Row]:
    program = _gradient(_pooling("pallas_gpu"), (0, 1))
    rows = []
    for dtype in (jnp.bfloat16,) if quick else (jnp.bfloat16, jnp.float32):
        kernels = ahead_of_time.compile_for_cuda(program, *_shapes(*sizes, dtype=dtype))
        rows += [
            Row(
                case=f"sm_90, {one.name}, D = {sizes[1]}, L = {sizes[2]}, {dtype.__name__}",
                ours=f"{one.shared_bytes / 2**10:.0f} KiB shared, {one.registers} registers, "
                f"{one.stack_bytes} bytes of stack",
                peer="limits",
                peers="227 KiB, 255 registers",
                ratio=one.shared_bytes / (227 << 10),
                bar="<= 1",
            )
            for one in kernels
        ]
    return rows
