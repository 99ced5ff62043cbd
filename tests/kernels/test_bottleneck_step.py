"""The bottleneck's step: every implementation against float64, derivatives, real compilation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas import tpu as pltpu

from benchmarks import ahead_of_time
from infojax.kernels.bottleneck_step import bottleneck_step, pallas_gpu, pallas_tpu, reference
from infojax.kernels.greedy_coupling import greedy_coupling
from tests import devices

_KERNELS = ("pallas_tpu", "pallas_gpu")
_NAMES = ("xla", *_KERNELS)
_SHAPES = [(1, 1), (1, 5), (7, 13), (67, 4), (131, 33)]

every_implementation = pytest.mark.parametrize("implementation", _NAMES)


@functools.cache
def _step(implementation):
    interpret = implementation in _KERNELS
    return jax.jit(
        functools.partial(bottleneck_step, implementation=implementation, interpret=interpret)
    )


def _draw(n, m, batch=(), seed=0):
    rng = np.random.default_rng((seed, n, m))
    p_x = jnp.asarray(rng.dirichlet(np.ones(n), batch), jnp.float32)
    p_y = jnp.asarray(rng.dirichlet(np.ones(m), batch), jnp.float32)
    return p_x, jnp.asarray(rng.integers(0, max(1, n // 2), (*batch, n)), jnp.int32), p_y


def _problems(n, m):
    """Random, all in one code, each its own code, point masses, and ties."""
    p_x, labels, p_y = _draw(n, m)
    own = jnp.arange(n, dtype=jnp.int32)
    flat_x, flat_y = jnp.full(n, 1 / n, jnp.float32), jnp.full(m, 1 / m, jnp.float32)
    rows = [
        (p_x, labels, p_y),
        (p_x, jnp.full(n, n - 1, jnp.int32), p_y),
        (p_x, own, p_y),
        (jnp.zeros(n).at[n // 2].set(1), own, p_y),
        (p_x, labels, jnp.zeros(m).at[m - 1].set(1)),
        (flat_x, labels, flat_y),
    ]
    return tuple(jnp.stack(column) for column in zip(*rows, strict=True))


def _exact_entropy(p):
    p = np.asarray(p, np.float64)
    terms = np.where(p > 0, p, 0) * np.log(np.where(p > 0, p, 1))
    return -np.sum(terms, -1)


@every_implementation
@pytest.mark.parametrize("sizes", _SHAPES, ids=str)
def test_bits_of_the_plain_coupling_and_entropies_of_float64(implementation, sizes):
    p_x, labels, p_y = _problems(*sizes)
    found = _step(implementation)(p_x, labels, p_y)
    code = np.zeros(p_x.shape, np.float32)
    for row in range(len(code)):
        np.add.at(code[row], labels[row], p_x[row])
    np.testing.assert_array_equal(found.code_masses, code)
    indices, masses = greedy_coupling((code, p_y), implementation="reference")
    np.testing.assert_array_equal(found.masses, masses)
    made = np.asarray(masses) > 0
    np.testing.assert_array_equal(np.asarray(found.indices)[made], np.asarray(indices)[made])
    assert np.all(found.indices >= 0) and np.all(found.indices < np.array(sizes))
    code_entropy, joint_entropy = _exact_entropy(code), _exact_entropy(masses)
    np.testing.assert_allclose(found.code_entropy, code_entropy, rtol=5e-7, atol=2e-7)
    np.testing.assert_allclose(found.joint_entropy, joint_entropy, rtol=5e-7, atol=2e-7)
    information = code_entropy + _exact_entropy(p_y) - joint_entropy
    np.testing.assert_allclose(found.information, information, rtol=5e-7, atol=2e-6)
    assert np.all(found.information >= 0)


def test_float64_agrees_with_the_plain_specification():
    with jax.enable_x64(True):
        p_x, labels, p_y = _draw(23, 9, (3,))
        p_x, p_y = (p.astype(jnp.float64) for p in (p_x, p_y))
        for implementation in (None, "xla"):
            found = bottleneck_step(p_x, labels, p_y, implementation=implementation)
            wanted = bottleneck_step(p_x, labels, p_y, implementation="reference")
            for a, b in zip(found, wanted, strict=True):
                assert a.dtype == b.dtype
            for name in ("code_masses", "masses"):
                np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
            np.testing.assert_allclose(found[3:], wanted[3:], rtol=1e-13)


@pytest.mark.parametrize("implementation", _KERNELS)
def test_float32_under_x64(implementation):
    arguments = _draw(23, 9, (3,))
    wanted = _step("xla")(*arguments)
    with jax.enable_x64(True):
        found = bottleneck_step(*arguments, implementation=implementation, interpret=True)
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
    np.testing.assert_array_equal(found.masses, wanted.masses)


@every_implementation
def test_information_is_not_negative_where_it_is_nothing(implementation):
    # One code alone: the information is zero, and its rounding has either sign.
    p_x, _, p_y = _draw(9, 40, (64,))
    found = _step(implementation)(p_x, jnp.zeros((64, 9), jnp.int32), p_y)
    assert np.all(found.information >= 0) and np.all(found.information < 2e-6)


@every_implementation
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_invalid_masses_end_and_stay_in_range_and_in_their_row(implementation, bad):
    p_x, labels, p_y = _draw(20, 9, (3,))
    good = _step(implementation)(p_x, labels, p_y)
    found = _step(implementation)(p_x.at[1, 4].set(bad), labels, p_y.at[1, 2].set(bad))
    assert np.all(found.indices >= 0) and np.all(found.indices < np.array([20, 9]))
    for a, b in zip(found, good, strict=True):
        np.testing.assert_array_equal(a[::2], b[::2])


def test_the_tpu_kernel_reads_no_memory_that_it_did_not_write():
    interpret = pltpu.InterpretParams(detect_races=True, uninitialized_memory="nan")
    arguments = _draw(21, 5, (2,))
    found = jax.jit(functools.partial(pallas_tpu.bottleneck_step, interpret=interpret))(*arguments)
    wanted = _step("xla")(*arguments)
    np.testing.assert_array_equal(found[0], wanted.code_masses)
    np.testing.assert_array_equal(found[2], wanted.masses)
    np.testing.assert_allclose(found[3:], wanted[3:], rtol=1e-5)


def _loss(weights, p_x, labels, p_y, step):
    found = step(p_x, labels, p_y)
    parts = (found.masses, found.code_entropy, found.joint_entropy, found.information)
    return sum(jnp.sum(w * x**2) for w, x in zip(weights, parts, strict=True))


def test_derivatives_are_those_of_the_specification():
    with jax.enable_x64(True):
        rng = np.random.default_rng(2)
        p_x, labels, p_y = _draw(8, 5, (3,))
        p_x, p_y = (p.astype(jnp.float64) for p in (p_x, p_y))
        weights = [jnp.asarray(rng.normal(size=s)) for s in ((3, 12), (3,), (3,), (3,))]

        def plain(p_x, labels, p_y):
            code, indices, masses, *entropies = reference.bottleneck_step(p_x, labels, p_y)
            return type(bottleneck_step(p_x, labels, p_y))(code, indices, masses, *entropies)

        wanted = jax.jit(jax.grad(functools.partial(_loss, weights, step=plain), (0, 2)))(
            p_x, labels, p_y
        )
        for implementation in ("xla", "reference"):
            step = functools.partial(bottleneck_step, implementation=implementation)
            loss = functools.partial(_loss, weights, step=step)
            found = jax.jit(jax.grad(loss, (0, 2)))(p_x, labels, p_y)
            for ours, theirs in zip(found, wanted, strict=True):
                # Directions that keep the sums: the last cell's mass is what either side has left.
                dot = rng.normal(size=ours.shape)
                dots = dot - dot.mean(-1, keepdims=True)
                np.testing.assert_allclose(jnp.sum(ours * dots), jnp.sum(theirs * dots), rtol=1e-8)


@pytest.mark.parametrize("implementation", _KERNELS)
def test_derivatives_of_the_kernels(implementation):
    p_x, labels, p_y = _draw(19, 6, (3,))
    weights = (1.0, 0.5, -2.0, 3.0)
    gradient = jax.jit(
        jax.grad(functools.partial(_loss, weights, step=_step(implementation)), (0, 2))
    )
    wanted = jax.grad(functools.partial(_loss, weights, step=_step("xla")), (0, 2))
    for ours, theirs in zip(gradient(p_x, labels, p_y), wanted(p_x, labels, p_y), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_derivatives_are_finite_at_the_edges():
    p_x, labels, p_y = _problems(7, 5)
    loss = functools.partial(_loss, (1.0,) * 4, step=_step("xla"))
    for gradient in jax.jit(jax.grad(loss, (0, 2)))(p_x, labels, p_y):
        assert np.all(np.isfinite(gradient))


@every_implementation
def test_under_every_transformation_and_broadcast(implementation):
    p_x, labels, p_y = _draw(11, 6, (2, 3))
    p_y = p_y[0, 0]
    step = _step(implementation)
    wanted = step(p_x, labels, p_y)
    ways = (
        jax.vmap(step, (0, 0, None)),
        jax.vmap(jax.vmap(step, (0, 0, None)), (0, 0, None)),
        lambda p, code, q: jax.lax.map(lambda row: step(*row, q), (p, code)),
        lambda p, code, q: jax.lax.scan(lambda c, row: (c, step(*row, q)), 0, (p, code))[1],
    )
    for way in ways:
        found = way(p_x, labels, p_y)
        np.testing.assert_array_equal(found.masses, wanted.masses)
        np.testing.assert_allclose(found.information, wanted.information, atol=1e-6)
    alone = step(p_x[1, 2], labels[1, 2], p_y)
    np.testing.assert_array_equal(alone.masses, wanted.masses[1, 2])
    assert alone.information.shape == ()


@pytest.mark.parametrize("implementation", [None, "xla", "reference"])
def test_empty_batch(implementation):
    arguments = jnp.zeros((0, 3)), jnp.zeros((0, 3), int), jnp.zeros((2, 0, 4))
    step = functools.partial(bottleneck_step, implementation=implementation)
    for way in (step, jax.vmap(step, (None, None, 0))):
        found = way(*arguments)
        assert found.indices.shape == (2, 0, 6, 2) and found.information.shape == (2, 0)


def _shapes(batch, n, m, dtype=jnp.float32):
    shape = jax.ShapeDtypeStruct
    return shape((batch, n), dtype), shape((batch, n), jnp.int32), shape((batch, m), dtype)


def test_one_trace_lowers_for_every_platform():
    traced = jax.jit(bottleneck_step).trace(*_shapes(4, 40, 8))
    for platform, kernel in {"cpu": "scatter", "cuda": "triton", "tpu": "tpu_custom_call"}.items():
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert kernel in text
        assert ("stablehlo.while" in text) == (platform == "cpu")


@pytest.mark.parametrize("generation", ahead_of_time.TPUS)
def test_compiles_for_tpu(generation):
    for sizes in ((4096, 256, 4), (256, 512, 512), (1, 1500, 1000)):
        compiled = ahead_of_time.compile_for_tpu(
            bottleneck_step, *_shapes(*sizes), generation=generation
        )
        assert "bottleneck_step_lanes" in compiled.as_text()
    gradient = jax.grad(lambda *a: jnp.sum(bottleneck_step(*a).information), (0, 2))
    # The compiled program's text is not asked for: libtpu puts the scatters of a gradient onto
    # sparse cores, in instructions that jaxlib 0.10.2 cannot print.
    ahead_of_time.compile_for_tpu(gradient, *_shapes(256, 64, 4), generation=generation)
    lowered = jax.jit(gradient).trace(*_shapes(256, 64, 4)).lower(lowering_platforms=("tpu",))
    assert "tpu_custom_call" in lowered.as_text()


@pytest.mark.parametrize("capability", [80, 90])
def test_compiles_for_cuda(capability):
    for batch, n, m in ((4096, 256, 4), (256, 512, 512), (8, 2048, 2048), (8, 3, 2000)):
        (kernel,) = ahead_of_time.compile_for_cuda(
            bottleneck_step, *_shapes(batch, n, m), capability=capability
        )
        assert kernel.name == "bottleneck_step_registers" and kernel.grid == (batch, 1, 1)
        assert kernel.shared_bytes <= 16384 and kernel.stack_bytes == 0
        assert kernel.registers <= 128


def test_compiles_under_x64_and_at_the_limit():
    n = next(n for n in range(8000, 0, -8) if pallas_tpu.refusal(n, n) is None)
    ahead_of_time.compile_for_tpu(bottleneck_step, *_shapes(2, n, n), generation="v4:2x2x1")
    with jax.enable_x64(True):
        text = ahead_of_time.compile_for_tpu(bottleneck_step, *_shapes(4, 40, 8)).as_text()
        assert "bottleneck_step_lanes" in text
        assert len(ahead_of_time.compile_for_cuda(bottleneck_step, *_shapes(4, 40, 8))) == 1


def test_beyond_the_kernel_the_coupling_still_has_its_own():
    large = _shapes(1, 8192, 8192)
    text = ahead_of_time.compile_for_tpu(bottleneck_step, *large).as_text()
    assert "greedy_coupling_rows" in text and "bottleneck_step_lanes" not in text
    (kernel,) = ahead_of_time.compile_for_cuda(bottleneck_step, *large)
    assert kernel.name == "greedy_coupling_rows"
    assert pallas_gpu.refusal(8192, 8192) and pallas_tpu.refusal(8192, 8192)
    for name, pattern in (("pallas_tpu", "vector memory"), ("pallas_gpu", "registers")):
        step = functools.partial(bottleneck_step, implementation=name)
        with pytest.raises(NotImplementedError, match=f"{pattern}.* need .*'xla'] can"):
            jax.eval_shape(step, *large)


_P, _L = np.full(2, 0.5, np.float32), np.zeros(2, int)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "pattern"),
    [
        ((_P, _L, np.ones(0)), {}, ValueError, r"p_y must have a symbol; got shape \(0,\)"),
        ((_P, _L, np.float32(1)), {}, ValueError, "p_y must have a symbol"),
        ((_P, _P, _P), {}, TypeError, "labels must be of an integer type; got float32"),
        ((_P, _L, _L), {}, TypeError, "p_x and p_y must share .*int32"),
        ((_P, np.zeros(3, int), _P), {}, ValueError, r"2 symbols of p_x; got shape \(3,\)"),
        ((np.ones((2, 2)), _L, np.ones((3, 2))), {}, ValueError, r"must broadcast .*\(3,\)"),
        ((_P, _L, _P), {"implementation": "cuda"}, ValueError, "implementation must be None"),
        ((_P, _L, _P), {"interpret": True}, ValueError, "interpret needs"),
        ((_P, _L, _P), {"implementation": "pallas_tpu"}, NotImplementedError, "on tpu alone"),
    ],
)
def test_faults(arguments, options, error, pattern):
    with pytest.raises(error, match=pattern):
        bottleneck_step(*arguments, **options)


def test_kernels_refuse_float64():
    with jax.enable_x64(True):
        for name in _KERNELS:
            with pytest.raises(NotImplementedError, match="takes float32 alone, not float64"):
                bottleneck_step(jnp.ones(2), _L, jnp.ones(2), implementation=name)


_SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, PartitionSpec as P
from infojax.kernels.bottleneck_step import bottleneck_step
mesh = Mesh(np.array(jax.devices()), ("batch",))
rng = np.random.default_rng(0)
p, q = (rng.dirichlet(np.ones(n), 16).astype(np.float32) for n in (23, 7))
labels = rng.integers(0, 23, (16, 23))
information = lambda *a: jnp.sum(bottleneck_step(*a).information)
mapped = lambda f: jax.jit(jax.shard_map(f, mesh=mesh, in_specs=P("batch"), out_specs=P("batch")))
for way in (lambda *a: bottleneck_step(*a).masses, jax.grad(information)):
    np.testing.assert_array_equal(mapped(way)(p, labels, q), jax.jit(way)(p, labels, q))
    for platform, kernel in (("cuda", "triton"), ("tpu", "tpu_custom_call")):
        lowered = mapped(way).trace(p, labels, q).lower(lowering_platforms=(platform,))
        assert kernel in lowered.as_text()
print(jax.device_count())
"""


def test_inside_shard_map():
    assert devices.run_on_devices(_SHARDED).strip() == "8"
