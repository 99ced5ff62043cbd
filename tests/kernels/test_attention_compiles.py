"""Attention with entropy compiled for accelerators: five TPU generations, and CUDA to its code."""

import functools

import jax
import jax.numpy as jnp
import pytest

from benchmarks import ahead_of_time
from infojax.kernels.attention_with_entropy import attention_with_entropy

_SHARED_MEMORY = 227 << 10  # of a program on H100; an A100 has 163 KiB


def _both_ways(name, **options):
    """Value and gradients as one function of the arrays."""

    def scalar(query, key, value, *tables):
        tables = dict(zip(("bias", "mask"), tables, strict=False))
        results = attention_with_entropy(
            query,
            key,
            value,
            **tables,
            **options,
            return_log_normalizer=True,
            implementation=name,
        )
        return sum(jnp.sum(x.astype(jnp.float32)) for x in results)

    return jax.value_and_grad(scalar, (0, 1, 2))


def _shapes(length, keys, heads, key_heads, size, dtype, *, tables=False):
    shapes = [
        jax.ShapeDtypeStruct(shape, dtype)
        for shape in (
            (2, length, heads, size),
            (2, keys, key_heads, size),
            (2, keys, key_heads, size),
        )
    ]
    if tables:
        shapes.append(jax.ShapeDtypeStruct((1, heads, length, keys), dtype))
        shapes.append(jax.ShapeDtypeStruct((2, 1, 1, keys), jnp.bool_))
    return shapes


_SETTINGS = {
    "causal_grouped_128": ((2048, 4096, 4, 2, 128), {"is_causal": True}, True),
    "tables_window_cap_256": (
        (777, 1033, 2, 2, 256),
        {"local_window_size": (512, 512), "logits_soft_cap": 30.0},
        True,
    ),
    "one_query_32": ((1, 1000, 4, 2, 32), {}, False),
}


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32], ids=lambda x: x.__name__)
@pytest.mark.parametrize("generation", ahead_of_time.TPUS)
def test_tpu(generation, dtype):  # within the generation's VMEM
    for sizes, options, tables in _SETTINGS.values():
        compiled = ahead_of_time.compile_for_tpu(
            _both_ways("pallas_tpu", **options),
            *_shapes(*sizes, dtype, tables=tables),
            generation=generation,
        )
        # The kernel is named, so it is there; it gets no gigabyte of temporaries.
        assert compiled.memory_analysis().temp_size_in_bytes < 256 << 20


def test_tpu_sharded_over_keys_compiles_with_its_collectives():
    from infojax.kernels.attention_statistics import combine_over_devices

    mesh = jax.sharding.Mesh(ahead_of_time.tpu_devices("v5e:2x2"), ("keys",))
    spread = jax.sharding.PartitionSpec(None, "keys")
    whole = jax.sharding.PartitionSpec()

    def shard(query, key, value):
        parts = attention_with_entropy(query, key, value, return_log_normalizer=True)
        return combine_over_devices(*parts, "keys")

    function = jax.shard_map(shard, mesh=mesh, in_specs=(whole, spread, spread), out_specs=whole)
    shapes = [
        jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=jax.sharding.NamedSharding(mesh, spec))
        for x, spec in zip(
            _shapes(1024, 4096, 4, 4, 128, jnp.bfloat16), (whole, spread, spread), strict=True
        )
    ]
    text = jax.jit(function).lower(*shapes).compile().as_text()
    assert "tpu_custom_call" in text and "all-reduce" in text


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32], ids=lambda x: x.__name__)
@pytest.mark.parametrize("size", [32, 80, 128, 256])
def test_cuda(size, dtype):
    for capability in (90,) if size != 128 else (80, 90):
        kernels = ahead_of_time.compile_for_cuda(
            _both_ways("pallas_gpu", is_causal=True, logits_soft_cap=30.0),
            *_shapes(777, 333, 4, 2, size, dtype, tables=True),
            capability=capability,
        )
        names = [kernel.name for kernel in kernels]
        assert names.count("attention_with_entropy_by_query") == 1
        assert names.count("attention_with_entropy_by_key") == 1
        for kernel in kernels:
            assert kernel.shared_bytes <= _SHARED_MEMORY, kernel
            assert kernel.registers <= 255 and kernel.stack_bytes <= 256, kernel


def test_tpu_has_one_kernel_forward_and_two_backward():
    shapes = _shapes(256, 256, 2, 1, 64, jnp.bfloat16)
    traced = jax.jit(_both_ways("pallas_tpu")).trace(*shapes)
    text = traced.lower(lowering_platforms=("tpu",)).as_text()
    assert text.count("@tpu_custom_call(") == 3


def test_one_trace_lowers_for_every_platform():
    shapes = _shapes(256, 256, 2, 1, 64, jnp.bfloat16)
    traced = jax.jit(_both_ways(None)).trace(*shapes)
    for platform, mark in (("cpu", None), ("cuda", "triton"), ("tpu", "tpu_custom_call")):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        marks = {m for m in ("triton", "tpu_custom_call") if m in text}
        assert marks == ({mark} if mark else set())


def test_nothing_of_the_size_of_the_scores():
    """16k positions: temporaries within two hundredths of those of all scores."""
    shapes = [jax.ShapeDtypeStruct((1, 16384, 8, 64), jnp.float32)] * 3
    temporaries = {}
    for name in ("xla", "xla_chunked"):
        forward = functools.partial(attention_with_entropy, implementation=name)
        compiled = jax.jit(forward).lower(*shapes).compile()
        temporaries[name] = compiled.memory_analysis().temp_size_in_bytes
    both = jax.jit(_both_ways("xla_chunked")).lower(*shapes).compile()
    assert temporaries["xla_chunked"] <= 0.02 * temporaries["xla"]
    # The backward pass keeps the gradients and a copy of the inputs, by head.
    assert both.memory_analysis().temp_size_in_bytes <= 0.02 * temporaries["xla"]
