"""Choosing an implementation: by platform when lowered, by name, and what refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from benchmarks import ahead_of_time
from infojax.kernels import dispatch

_X = jnp.arange(1024.0).reshape(8, 128)


def _double(x_ref, o_ref):
    o_ref[...] = x_ref[...] * 2


def _double_tpu(x):
    return pl.pallas_call(_double, out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype))(x)


def _double_gpu(x):
    return pl.pallas_call(
        _double,
        out_shape=jax.ShapeDtypeStruct(x.shape, x.dtype),
        compiler_params=plgpu.CompilerParams(num_warps=4),
    )(x)


_FUNCTIONS = {"xla": lambda x: x * 2, "pallas_tpu": _double_tpu, "pallas_gpu": _double_gpu}


def _call(x, implementation=None, refused=None):
    return dispatch.call(implementation, _FUNCTIONS, (x,), default="xla", refused=refused)


@pytest.mark.parametrize("way", [_call, jax.jit(_call), jax.vmap(_call)])
def test_none_runs_here(way):
    np.testing.assert_array_equal(way(_X), 2 * _X)


def test_one_trace_lowers_for_every_platform():
    traced = jax.jit(_call).trace(_X)
    text = {
        platform: traced.lower(lowering_platforms=(platform,)).as_text()
        for platform in ("cpu", "cuda", "rocm", "tpu")
    }
    assert "custom_call" not in text["cpu"] and "custom_call" not in text["rocm"]
    assert "triton" in text["cuda"] and "tpu_custom_call" in text["tpu"]


def test_a_refused_kernel_gives_way_unless_it_is_named():
    refused = {"pallas_tpu": "takes no eights", "pallas_gpu": None}
    traced = jax.jit(lambda x: _call(x, None, refused)).trace(_X)
    assert "tpu_custom_call" not in traced.lower(lowering_platforms=("tpu",)).as_text()
    assert "triton" in traced.lower(lowering_platforms=("cuda",)).as_text()
    with pytest.raises(NotImplementedError, match=r"takes no eights; \['xla'\] can"):
        _call(_X, "pallas_tpu", refused)


@pytest.mark.parametrize("name", ["pallas_tpu", "pallas_gpu"])
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, jax.vmap, lambda f: jax.jit(jax.vmap(f))])
def test_a_kernel_of_another_platform_says_what_runs(name, wrap):
    with pytest.raises(NotImplementedError, match=r"alone; \['xla'\] run here"):
        wrap(lambda x: _call(x, name))(_X)


def test_a_name_that_nobody_knows():
    with pytest.raises(ValueError, match=r"None or one of .*got 'cuda'"):
        _call(_X, "cuda")


def test_a_named_kernel_compiles_for_its_platform_and_no_other():
    for generation in ahead_of_time.TPUS:
        named = ahead_of_time.compile_for_tpu(
            lambda x: _call(x, "pallas_tpu"), _X, generation=generation
        )
        assert "tpu_custom_call" in named.as_text()
    (kernel,) = ahead_of_time.compile_for_cuda(lambda x: _call(x, "pallas_gpu"), _X)
    assert kernel.threads == 128 and kernel.registers > 0 and kernel.stack_bytes == 0
    with pytest.raises(NotImplementedError, match="runs on cuda alone"):
        ahead_of_time.compile_for_tpu(lambda x: _call(x, "pallas_gpu"), _X)


def test_a_missing_compiler_fails_loudly(monkeypatch):
    monkeypatch.setattr(ahead_of_time.importlib.util, "find_spec", lambda name: None)
    ahead_of_time.tpu_devices.cache_clear()
    with pytest.raises(ahead_of_time.CompilerMissing, match="pip install libtpu"):
        ahead_of_time.compile_for_tpu(_call, _X)
    with pytest.raises(ahead_of_time.CompilerMissing, match="pip install triton"):
        ahead_of_time.compile_for_cuda(_call, _X)
