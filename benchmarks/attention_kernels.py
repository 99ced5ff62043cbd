"""Benchmarks of attention with entropy: time, memory, and models of accelerators."""

import functools
import importlib.util
from collections.abc import Callable

import jax
import jax.numpy as jnp
from absl import flags

from benchmarks import ahead_of_time
from benchmarks.measure import Row, Table, in_turn, rows_against_peers, show, times_slower
from benchmarks.rooflines import TPU_PEAKS
from experiments.runner import figures
from infojax import attention

_PEER = "jax.nn.dot_product_attention (no entropy)"
_PLAIN = "all weights in memory, with entropy"


def _contenders(causal: bool) -> dict[str, Callable]:
    plain = functools.partial(
        attention.attention_with_entropy, is_causal=causal, implementation="xla"
    )
    ours = functools.partial(attention.attention_with_entropy, is_causal=causal)
    theirs = functools.partial(jax.nn.dot_product_attention, is_causal=causal)
    peers = {_PEER: lambda q, k, v: (theirs(q, k, v),), **_tokamax(causal)}
    return {"infojax": ours, **peers, _PLAIN: plain}


def _tokamax(causal: bool) -> dict[str, Callable]:
    """Tokamax's attention, its own choice and its chunked form, where tokamax is installed."""
    if importlib.util.find_spec("tokamax") is None:
        return {}
    import tokamax

    if not flags.FLAGS.is_parsed():  # it reads its flags whenever it is called
        flags.FLAGS.mark_as_parsed()

    def attend(implementation, q, k, v):
        attention = tokamax.dot_product_attention
        return (attention(q, k, v, is_causal=causal, implementation=implementation),)

    return {
        f"tokamax, {name} (no entropy)": functools.partial(attend, implementation)
        for name, implementation in (("its default", None), ("chunked", "xla_chunked"))
    }


def _gradient(function: Callable) -> Callable:
    def scalar(*arrays):
        return sum(jnp.sum(x) for x in function(*arrays))

    return jax.grad(scalar, (0, 1, 2))


def _temporary(function: Callable, *shapes) -> int:
    compiled = jax.jit(function).lower(*shapes).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def _shapes(length: int, heads: int, size: int, dtype=jnp.float32):
    return [jax.ShapeDtypeStruct((1, length, heads, size), dtype)] * 3


def _time_rows(length: int, causal: bool, repeats: int, bars: dict[str, str]) -> list[Row]:
    arrays = [
        jax.random.normal(jax.random.key(seed), shape.shape)
        for seed, shape in enumerate(_shapes(length, 8, 64))
    ]
    rows = []
    for kind in ("forward", "gradient"):
        programs = {
            name: jax.jit(f if kind == "forward" else _gradient(f))
            for name, f in _contenders(causal).items()
        }
        calls = {name: functools.partial(g, *arrays) for name, g in programs.items()}
        materialized = calls.pop(_PLAIN)
        case = f"{kind}, T = S = {length}, 8 heads of 64" + (", causal" if causal else "")
        # Apart: after its gigabytes the next contender must fetch every page anew.
        times = in_turn(calls, repeats)
        rows += rows_against_peers(
            case, times, ratio=times_slower, bars=bars if kind == "forward" else {}
        )
        times = in_turn({"infojax": calls["infojax"], _PLAIN: materialized}, max(repeats // 3, 1))
        rows += rows_against_peers(case, times, ratio=times_slower, bars={})
    return rows


def _memory_row(length: int, bar: str) -> Row:
    contenders = _contenders(False)
    ours, plain = (
        _temporary(contenders[name], *_shapes(length, 8, 64)) for name in ("infojax", _PLAIN)
    )
    return Row(
        case=f"temporary memory, forward, T = S = {length}, 8 heads of 64",
        ours=f"{ours / 2**20:.1f} MiB",
        peer=_PLAIN,
        peers=f"{plain / 2**20:.1f} MiB",
        ratio=ours / plain,
        bar=bar,
    )


def _picture(lengths: list[int], repeats: int):
    """Time and temporary memory against the length."""
    seconds: dict[str, list[float]] = {}
    megabytes: dict[str, list[float]] = {}
    for length in lengths:
        arrays = [jax.random.normal(jax.random.key(i), (1, length, 8, 64)) for i in range(3)]
        programs = {name: jax.jit(f) for name, f in _contenders(False).items()}
        times = in_turn({n: lambda g=g, a=arrays: g(*a) for n, g in programs.items()}, repeats)
        for name, function in programs.items():
            seconds.setdefault(name, []).append(times[name].median)
            size = _temporary(function, *_shapes(length, 8, 64))
            megabytes.setdefault(name, []).append(size / 2**20)
    figure, axes = figures.subplots(1, 2)
    for axis, series, label in zip(
        axes, (seconds, megabytes), ("time [s]", "temporary memory [MiB]"), strict=True
    ):
        for number, (name, values) in enumerate(series.items()):
            axis.loglog(lengths, values, label=name, marker=figures.MARKERS[number])
        axis.set_xticks(lengths, [str(length) for length in lengths])
        axis.minorticks_off()
        axis.set_xlabel("positions, T = S")
        axis.set_ylabel(label)
    axes[0].set_title("Forward time on CPU")
    axes[1].set_title("Forward memory on CPU")
    axes[0].legend(fontsize=6.5)
    return figure


def attention_with_entropy(repeats: int, quick: bool) -> Table:
    """Times attention with entropy against attention without, and measures its memory.

    Args:
        repeats: counted calls.
        quick: whether to run tiny sizes.

    Returns:
        The table, with a picture against the length.
    """
    length = 64 if quick else 4096
    rows = _time_rows(length, False, repeats, {} if quick else {_PEER: "<= 0.4"})
    rows += _time_rows(length, True, repeats, {})
    rows.append(_memory_row(128 if quick else 16384, "" if quick else "<= 0.02"))
    return Table(
        title="Attention with entropy",
        note="Median (least .. most), float32; ratio = infojax / peer. The peer of the bars "
        "returns no entropy. What keeps all weights in memory is timed apart, in turn with "
        "infojax alone: after its gigabytes every page must be fetched anew.",
        rows=tuple(rows),
        figure=_picture([32, 64] if quick else [512, 1024, 2048, 4096], 1 if quick else 3),
    )


def attention_modelled(repeats: int, quick: bool) -> Table:
    """Compiles the kernels for accelerators, and reads the compilers' models of their cost.

    Args:
        repeats: not used: nothing is timed.
        quick: whether to compile one generation alone.

    Returns:
        The table; nothing in it is a measurement.
    """
    del repeats
    length, heads, size = 4096, 8, 128
    shapes = _shapes(length, heads, size, jnp.bfloat16)
    kernel = functools.partial(attention.attention_with_entropy, implementation="pallas_tpu")
    rows = []
    for generation in list(TPU_PEAKS)[1:2] if quick else TPU_PEAKS:
        for kind, function, products in (
            ("forward", kernel, 2),
            ("gradient", _gradient(kernel), 9),
        ):
            cost = ahead_of_time.compile_for_tpu(
                function, *shapes, generation=generation
            ).cost_analysis()
            seconds, moved = cost["optimal_seconds"], cost["bytes accessed"]
            if seconds < 0:  # the model gives no time for some programs on tpu7x
                continue
            operations = products * 2 * heads * length**2 * size
            arrays = 4 if kind == "forward" else 11
            least = TPU_PEAKS[generation].seconds(
                arrays * shapes[0].size * shapes[0].dtype.itemsize, operations
            )
            rows.append(
                Row(
                    case=f"{generation}, {kind}, T = S = {length}, 8 heads of 128, bfloat16",
                    ours=f"{show(seconds)} modelled, {moved / 2**20:.0f} MiB moved",
                    peer="roofline",
                    peers=show(least),
                    ratio=seconds / least,
                )
            )
    rows += _cuda_rows(shapes, quick)
    return Table(
        title="Attention with entropy, compiled for absent accelerators",
        note="Nothing here is a measurement. TPU: the compiler's own model of the compiled program "
        "(which counts what is around the kernel, and the kernel by its estimate) against a "
        "roofline of bytes and operations; ratio = model / roofline. CUDA: machine code for "
        "sm_90; ratio = shared memory / 227 KiB.",
        rows=tuple(rows),
    )


def _cuda_rows(shapes, quick: bool) -> list[Row]:
    kernel = functools.partial(attention.attention_with_entropy, implementation="pallas_gpu")
    rows = []
    for dtype in (jnp.bfloat16,) if quick else (jnp.bfloat16, jnp.float32):
        cast = [jax.ShapeDtypeStruct(x.shape, dtype) for x in shapes]
        found = {k.name: k for k in ahead_of_time.compile_for_cuda(_gradient(kernel), *cast)}
        rows += [
            Row(
                case=f"sm_90, {name}, heads of 128, {dtype.__name__}",
                ours=f"{one.shared_bytes / 2**10:.0f} KiB shared, {one.registers} registers, "
                f"{one.stack_bytes} bytes of stack",
                peer="limits",
                peers="227 KiB, 255 registers",
                ratio=one.shared_bytes / (227 << 10),
                bar="<= 1",
            )
            for name, one in found.items()
        ]
    return rows
