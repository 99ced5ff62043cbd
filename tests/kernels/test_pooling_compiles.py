"""Gated attention pooling compiled for accelerators that are not there."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks import ahead_of_time
from infojax.kernels.gated_attention_pooling import AttentionGates, gated_attention_pooling

# Count, features, hidden units, rows.
_PRODUCTION = (16384, 384, 128, None)
_ODD = (5003, 100, 70, 5)


def _shapes(sizes, dtype, gated=True, batch=(), masked=True):
    count, features, hidden, rows = sizes
    last = () if rows is None else (rows,)
    bias = (hidden,)
    gates = AttentionGates(
        *ahead_of_time.shapes(
            (features, hidden), bias, (features, hidden), bias, (*bias, *last), last, dtype=dtype
        )
    )
    (instances,) = ahead_of_time.shapes((*batch, count, features), dtype=dtype)
    (logits,) = ahead_of_time.shapes((*batch, *last, count))
    (where,) = ahead_of_time.shapes((*batch, count), dtype=bool)
    return instances, gates if gated else logits, where if masked else None


def _forward(implementation):
    def forward(instances, source, where):
        name = "gates" if isinstance(source, AttentionGates) else "logits"
        options = {name: source, "where": where, "implementation": implementation}
        return gated_attention_pooling(instances, **options)

    return forward


def _gradient(implementation):
    def scalar(*arguments):
        pooled, entropy, logits = _forward(implementation)(*arguments)
        return jnp.sum(pooled**2) + jnp.sum(entropy) + jnp.sum(jnp.tanh(logits))

    return jax.grad(scalar, (0, 1))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("generation", ahead_of_time.TPUS)
def test_tpu(generation, dtype):
    """The program of the gradient holds the forward kernel and the backward one."""
    shapes = _shapes(_PRODUCTION, dtype)
    compiled = ahead_of_time.compile_for_tpu(
        _gradient("pallas_tpu"), *shapes, generation=generation
    )
    assert compiled.as_text().count('custom_call_target="tpu_custom_call"') == 2
    # Neither hidden units (count x hidden) nor a copy of the instances.
    assert compiled.memory_analysis().temp_size_in_bytes < 2 << 20


@pytest.mark.parametrize(
    ("sizes", "dtype", "batch", "gated", "masked"),
    [
        (_ODD, jnp.float32, (2,), True, True),
        (_ODD, jnp.bfloat16, (2,), False, True),
        (_PRODUCTION, jnp.float32, (), False, False),
        # The most that is not refused, on the generation with the least VMEM.
        ((1000, 1536, 512, 16), jnp.bfloat16, (), True, True),
        ((1000, 2048, 128, 16), jnp.float32, (), True, True),
        ((1000, 512, 512, 16), jnp.float32, (), True, True),
        ((1, 32, 1, 1), jnp.float32, (3,), True, True),
    ],
)
def test_tpu_at_other_sizes(sizes, dtype, batch, gated, masked):
    shapes = _shapes(sizes, dtype, gated, batch, masked)
    program = _gradient("pallas_tpu")
    compiled = ahead_of_time.compile_for_tpu(program, *shapes, generation="v4:2x2x1")
    assert compiled.as_text().count('custom_call_target="tpu_custom_call"') == 2


def test_tpu_forward_of_the_largest():
    shapes = _shapes((1000, 2048, 512, 16), jnp.float32)
    for generation in ("v4:2x2x1", "v5e:2x2"):
        program = _forward("pallas_tpu")
        compiled = ahead_of_time.compile_for_tpu(program, *shapes, generation=generation)
        assert 'custom_call_target="tpu_custom_call"' in compiled.as_text()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize(
    ("sizes", "gated"),
    [(_PRODUCTION, True), (_PRODUCTION, False), ((4096, 2048, 512, 1), True)],
)
def test_cuda(sizes, gated, dtype):
    if dtype == jnp.float32 and sizes[2] > 256:
        sizes = (*sizes[:2], 256, 16)
    shapes = _shapes(sizes, dtype, gated)
    kernels = ahead_of_time.compile_for_cuda(_gradient("pallas_gpu"), *shapes)
    assert [kernel.name for kernel in kernels] == ["forward_kernel", "backward_kernel"]
    for kernel in kernels:
        assert kernel.shared_bytes <= 99 << 10, kernel
        assert kernel.stack_bytes <= 256, kernel


@pytest.mark.parametrize("x64", [False, True])
def test_one_trace_lowers_everywhere(x64):
    with jax.enable_x64(x64):
        traced = jax.jit(_gradient(None)).trace(*_shapes(_ODD, jnp.float32, batch=(2,)))
        text = {
            platform: traced.lower(lowering_platforms=(platform,)).as_text()
            for platform in ("cpu", "cuda", "tpu")
        }
    assert "custom_call" not in text["cpu"]
    assert text["cuda"].count("@triton") + text["cuda"].count("__gpu$xla.gpu.triton") >= 2
    assert text["tpu"].count("@tpu_custom_call") == 2


def test_wide_types_around_single_precision_compile():
    with jax.enable_x64(True):
        shapes = _shapes(_ODD, jnp.float32, batch=(2,))
        ahead_of_time.compile_for_tpu(_gradient("pallas_tpu"), *shapes)
        assert len(ahead_of_time.compile_for_cuda(_gradient("pallas_gpu"), *shapes)) == 2


@pytest.mark.parametrize(
    ("implementation", "sizes", "dtype", "reason"),
    [
        ("pallas_tpu", (9, 8, 4, 2), jnp.float64, "float32 and bfloat16 alone"),
        ("pallas_tpu", (9, 8, 4, 2), jnp.float16, "float32 and bfloat16 alone"),
        ("pallas_tpu", (9, 4096, 4, 2), jnp.float32, "up to 2048 features"),
        ("pallas_tpu", (9, 8, 513, 2), jnp.float32, "512 hidden units"),
        ("pallas_tpu", (9, 8, 4, 17), jnp.float32, "16 rows of attention"),
        (
            "pallas_tpu",
            (9, 2048, 512, 2),
            jnp.float32,
            "262144 float32 weights of a kernel in its derivative",
        ),
        (
            "pallas_tpu",
            (9, 2048, 512, 2),
            jnp.bfloat16,
            "786432 bfloat16 weights of a kernel in its derivative",
        ),
        ("pallas_gpu", (9, 8, 4, 2), jnp.float64, "float32, bfloat16 and float16 alone"),
        ("pallas_gpu", (9, 8, 4, 17), jnp.float32, "up to 16 rows"),
        ("pallas_gpu", (9, 8, 300, 2), jnp.float32, "up to 256 hidden units of float32"),
        ("pallas_gpu", (1 << 21, 1024, 4, 2), jnp.float32, "in 32 bits"),
    ],
)
def test_what_a_kernel_refuses_goes_to_xla(implementation, sizes, dtype, reason):
    with jax.enable_x64(dtype == jnp.float64):
        shapes = _shapes(sizes, dtype)
        with pytest.raises(NotImplementedError, match=rf"{reason}.*\['xla'\] can"):
            jax.eval_shape(_gradient(implementation), *shapes)
        platform = {"pallas_tpu": "tpu", "pallas_gpu": "cuda"}[implementation]
        lowered = jax.jit(_gradient(None)).trace(*shapes).lower(lowering_platforms=(platform,))
        kernels = 1 if "derivative" in reason else 0
        assert lowered.as_text().count("@tpu_custom_call") == kernels
        assert "triton" not in lowered.as_text()
