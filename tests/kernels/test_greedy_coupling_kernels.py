"""The greedy coupling's TPU and GPU kernels: bits of the reference, real compilation, limits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas import tpu as pltpu

from benchmarks import ahead_of_time
from infojax.kernels.greedy_coupling import (
    greedy_coupling,
    pallas_gpu,
    pallas_gpu_steps,
    pallas_tpu,
    pallas_tpu_rows,
    pallas_tpu_steps,
    reference,
)

# All four ways in which a kernel holds a problem, whatever its size.
_WAYS = {
    "tpu, lanes": lambda p: pallas_tpu._couple_lanes(p, True),
    "tpu, rows": lambda p: pallas_tpu_rows.greedy_coupling(p, interpret=True),
    "gpu, registers": lambda p: pallas_gpu._couple_in_registers(p, True),
    "gpu, rows": lambda p: pallas_gpu._couple_in_rows(p, True),
}
_JITTED = {name: jax.jit(way) for name, way in _WAYS.items()}
_REFERENCE = jax.jit(reference.greedy_coupling)

every_way = pytest.mark.parametrize("way", _WAYS)


def _marginals(sizes):
    """One problem of each kind: generic, ties, sparse, point masses, unequal sums, nothing."""
    rng = np.random.default_rng(sum(sizes))
    out = []
    for n in sizes:
        generic = rng.exponential(size=n)
        kinds = [
            generic / generic.sum(),
            rng.integers(0, 4, n),
            generic * (rng.uniform(size=n) < 0.3),
            np.eye(n)[rng.integers(n)],
            generic * n * 1e20,
            np.zeros(n),
        ]
        out.append(jnp.asarray(np.stack(kinds), jnp.float32))
    return tuple(out)


def _agree(found, wanted, sizes):
    (indices, masses), (wanted_indices, wanted_masses) = found, wanted
    assert indices.shape == wanted_indices.shape and indices.dtype == jnp.int32
    np.testing.assert_array_equal(masses, wanted_masses)
    made = np.asarray(masses) > 0
    np.testing.assert_array_equal(np.asarray(indices)[made], np.asarray(wanted_indices)[made])
    assert np.all(indices >= 0) and np.all(indices < np.array(sizes))


@every_way
@pytest.mark.parametrize("sizes", [(1, 1), (7, 13), (17, 1), (131, 67), (2, 3, 5)], ids=str)
def test_same_bits_as_the_reference(way, sizes):
    marginals = _marginals(sizes)
    _agree(_JITTED[way](marginals), _REFERENCE(marginals), sizes)


@every_way
def test_several_rows_of_maxima_and_many_marginals(way):
    # More than 1024 and 128 symbols: the TPU's rows have a second tile, its blocks a loop.
    for sizes in ((1100, 3), (300, 1, 4, 2)):
        marginals = _marginals(sizes)
        _agree(_JITTED[way](marginals), _REFERENCE(marginals), sizes)


def test_more_problems_than_lanes():
    rng = np.random.default_rng(0)
    marginals = tuple(jnp.asarray(rng.dirichlet(np.ones(n), 130), jnp.float32) for n in (9, 4))
    _agree(_JITTED["tpu, lanes"](marginals), _REFERENCE(marginals), (9, 4))


@every_way
def test_subnormal_and_huge_masses(way):
    tiny = jnp.finfo(jnp.float32).smallest_subnormal
    huge = jnp.finfo(jnp.float32).max
    p = jnp.array([[huge, tiny, 1.0], [1e-38, 3e-38, 0.0]], jnp.float32)
    q = jnp.array([[huge, huge], [2e-38, 2e-38]], jnp.float32)
    _agree(_JITTED[way]((p, q)), _REFERENCE((p, q)), (3, 2))


@every_way
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0])
def test_invalid_masses_end_and_stay_in_range_and_in_their_row(way, bad):
    rng = np.random.default_rng(0)
    p, q = (jnp.asarray(rng.dirichlet(np.ones(n), 3), jnp.float32) for n in (20, 9))
    worst = p.at[1, 4].set(bad), q.at[1].set(bad)
    indices, masses = _JITTED[way](worst)
    assert np.all(indices >= 0) and np.all(indices < np.array([20, 9]))
    good_indices, good_masses = _REFERENCE((p, q))
    for row in (0, 2):
        np.testing.assert_array_equal(masses[row], good_masses[row])
        np.testing.assert_array_equal(
            indices[row][masses[row] > 0], good_indices[row][good_masses[row] > 0]
        )


@every_way
def test_float32_under_x64(way):
    marginals = _marginals((23, 6))
    wanted = _REFERENCE(marginals)
    with jax.enable_x64(True):
        _agree(jax.jit(_WAYS[way])(marginals), wanted, (23, 6))


@pytest.mark.parametrize("kernel", [pallas_tpu._couple_lanes, pallas_tpu_rows.greedy_coupling])
def test_tpu_kernels_read_no_memory_that_they_did_not_write(kernel):
    interpret = pltpu.InterpretParams(detect_races=True, uninitialized_memory="nan")
    marginals = _marginals((21, 5))
    couple = functools.partial(kernel, interpret=interpret)
    _agree(jax.jit(couple)(marginals), _REFERENCE(marginals), (21, 5))


@pytest.mark.parametrize("implementation", ["pallas_tpu", "pallas_gpu"])
def test_the_entry_runs_the_kernel_under_every_transformation(implementation):
    rng = np.random.default_rng(1)
    p = jnp.asarray(rng.dirichlet(np.ones(11), (2, 3)), jnp.float32)
    q = jnp.asarray(rng.dirichlet(np.ones(6), 3), jnp.float32)

    def couple(p, q, implementation=implementation):
        interpret = implementation != "xla"
        return greedy_coupling((p, q), implementation=implementation, interpret=interpret)

    def loss(p, q, implementation=implementation):
        return jnp.sum(couple(p, q, implementation)[1] ** 2)

    wanted = couple(p, q, "xla")
    ways = (
        jax.jit(couple),
        jax.vmap(couple, (0, None)),
        jax.vmap(jax.vmap(couple), (0, None)),
        lambda p, q: jax.lax.map(lambda row: couple(row, q), p),
    )
    for way in ways:
        _agree(way(p, q), wanted, (11, 6))
    gradients = jax.jit(jax.grad(loss, (0, 1)))(p, q)
    expected = jax.grad(functools.partial(loss, implementation="xla"), (0, 1))(p, q)
    for found, other in zip(gradients, expected, strict=True):
        np.testing.assert_array_equal(found, other)
    mapped = jax.jit(jax.vmap(jax.grad(loss), (0, None)))(p, q)
    np.testing.assert_allclose(mapped, gradients[0], rtol=1e-6)


def test_mapping_makes_a_larger_batch_and_not_more_programs():
    shape = jax.ShapeDtypeStruct((256, 30), jnp.float32)
    call = jax.vmap(lambda p: greedy_coupling((p, p), implementation="pallas_tpu"))
    compiled = ahead_of_time.compile_for_tpu(call, shape)
    # Cells of 59 steps, in rows of 8, with all problems on lanes.
    assert "s32[64,256]" in compiled.as_text()


_SIZES = [(4096, 256, 256), (8, 2048, 2048), (8, 4096, 4096), (1, 65536, 65536), (1, 5, 65536)]


@pytest.mark.parametrize("generation", ahead_of_time.TPUS)
def test_compiles_for_tpu(generation):
    for batch, n, m in _SIZES:
        compiled = ahead_of_time.compile_for_tpu(
            lambda p, q: greedy_coupling((p, q)),
            *ahead_of_time.shapes((batch, n), (batch, m)),
            generation=generation,
        )
        name = "lanes" if pallas_tpu.takes_lanes(batch, (n, m)) else "rows"
        assert f"greedy_coupling_{name}" in compiled.as_text()


def test_compiles_for_tpu_at_the_limits_and_under_x64():
    compile_for_tpu = functools.partial(
        ahead_of_time.compile_for_tpu, lambda *p: greedy_coupling(p, implementation="pallas_tpu")
    )
    largest = 1024 * 322
    assert pallas_tpu.refusal(1, (largest, largest)) is None
    compile_for_tpu(*ahead_of_time.shapes((1, largest), (1, largest)), generation="v4:2x2x1")
    n = next(n for n in range(8000, 0, -8) if pallas_tpu.takes_lanes(2, (n, n)))
    compile_for_tpu(*ahead_of_time.shapes((2, n), (2, n)), generation="v4:2x2x1")
    compile_for_tpu(*ahead_of_time.shapes((3, 7), (3, 1), (3, 900)))
    with jax.enable_x64(True):
        for size in (40, 65536):
            compile_for_tpu(*ahead_of_time.shapes((1, size), (1, size)))


@pytest.mark.parametrize("capability", [80, 90])
def test_compiles_for_cuda(capability):
    for batch, n, m in _SIZES:
        (kernel,) = ahead_of_time.compile_for_cuda(
            lambda p, q: greedy_coupling((p, q)),
            *ahead_of_time.shapes((batch, n), (batch, m)),
            capability=capability,
        )
        small = pallas_gpu.in_registers((n, m))
        assert kernel.name == f"greedy_coupling_{'registers' if small else 'rows'}"
        assert kernel.grid == (batch, 1, 1)
        assert kernel.shared_bytes <= 4096 and kernel.stack_bytes == 0
        assert kernel.registers <= 128
        # Rows are reread without a barrier, which one warp alone does not need.
        assert small or kernel.threads == 32


def test_compiles_for_cuda_at_the_limits_and_under_x64():
    def compile_for_cuda(*sizes):
        shapes = ahead_of_time.shapes(*sizes)
        return ahead_of_time.compile_for_cuda(lambda *p: greedy_coupling(p), *shapes)[0]

    largest = 1 << 18
    assert pallas_gpu.refusal((largest, largest)) is None
    assert compile_for_cuda((1, largest), (1, largest)).stack_bytes == 0
    assert compile_for_cuda((3, 7), (3, 1), (3, 900)).stack_bytes == 0
    with jax.enable_x64(True):
        for size in (40, 65536):
            assert compile_for_cuda((1, size), (1, size)).stack_bytes == 0


def test_gradients_compile_with_the_kernels():
    gradient = jax.grad(lambda p, q: jnp.sum(greedy_coupling((p, q))[1] ** 2))
    shapes = ahead_of_time.shapes((64, 100), (64, 30))
    for generation in ahead_of_time.TPUS:
        compiled = ahead_of_time.compile_for_tpu(gradient, *shapes, generation=generation)
        assert "greedy_coupling_lanes" in compiled.as_text()
    (kernel,) = ahead_of_time.compile_for_cuda(gradient, *shapes)
    assert kernel.name == "greedy_coupling_registers"


def test_what_does_not_fit_is_refused_by_name_and_runs_without():
    huge = jax.ShapeDtypeStruct((1, 1 << 19), jnp.float32)
    for name in ("pallas_tpu", "pallas_gpu"):
        couple = functools.partial(greedy_coupling, implementation=name)
        with pytest.raises(NotImplementedError, match=r"524288\) symbols need .*'xla'\] can"):
            jax.eval_shape(lambda p, couple=couple: couple((p, p)), huge)
    traced = jax.jit(lambda p: greedy_coupling((p, p))).trace(huge)
    for platform in ("cuda", "tpu"):
        assert "custom_call" not in traced.lower(lowering_platforms=(platform,)).as_text()
    with jax.enable_x64(True):
        p = jnp.ones(3, jnp.float64)
        for interpret in (False, True):
            with pytest.raises(NotImplementedError, match="takes float32 alone, not float64"):
                greedy_coupling((p, p), implementation="pallas_tpu", interpret=interpret)
        traced = jax.jit(lambda p: greedy_coupling((p, p))).trace(p)
        assert "triton" not in traced.lower(lowering_platforms=("cuda",)).as_text()


def test_layouts_hold_what_they_say():
    for symbols in (1, 8, 9, 63, 64, 65, 100, 129, 4096, 4097):
        block, rows = pallas_tpu_steps.block_and_rows(symbols)
        assert block % 8 == 0 and block <= 64 and rows % block == 0
        # At most a block's rounding is wasted.
        assert symbols <= rows < symbols + 8 * (rows // block)
        tile = pallas_gpu_steps.tile(symbols)
        assert symbols <= tile < max(33, 2 * symbols) and tile & (tile - 1) == 0
