"""Statistics of logits: every implementation against float64, and compiled for accelerators."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import ahead_of_time
from infojax import entropies
from infojax.kernels.entropy_from_logits import logit_statistics
from infojax.kernels.entropy_from_logits import parts as parts_of_rows
from tests import devices

_IMPLEMENTATIONS = ("reference", "xla", "pallas_tpu", "pallas_gpu")
_KERNELS = ("pallas_tpu", "pallas_gpu")


def _statistics(logits, implementation, **options):
    interpret = implementation in _KERNELS
    return logit_statistics(logits, implementation=implementation, interpret=interpret, **options)


def _exact(logits, where=None):
    """Entropy, log weight and peak of rows in float64, by numpy."""
    x = np.asarray(logits).astype(np.float64)
    x = x if where is None else np.where(where, x, -np.inf)
    peak = x.max(-1, keepdims=True)
    below = x - peak
    rest = np.where(below < 0, np.exp(below), 0).sum(-1, keepdims=True)
    log_weight = np.log1p(rest + ((below == 0).sum(-1, keepdims=True) - 1))
    log_p = np.where(np.isneginf(x), 0, below - log_weight)
    p = np.where(np.isneginf(x), 0, np.exp(log_p))
    return -(p * log_p).sum(-1, keepdims=True), log_weight, peak


def _draw(shape, dtype=jnp.float32, scale=4.0, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape) * scale, dtype)


@pytest.mark.parametrize("implementation", _IMPLEMENTATIONS)
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((1, 1), jnp.float32),
        ((17, 131), jnp.float16),
        ((2, 3, 1031), jnp.float32),
        ((1, 40_001), jnp.bfloat16),
    ],
)
def test_rows_and_masks(implementation, shape, dtype):
    if implementation == "pallas_tpu" and dtype == jnp.float16:
        with pytest.raises(NotImplementedError, match="float16"):
            _statistics(_draw(shape, dtype), implementation)
        return
    logits = _draw(shape, dtype)
    # One mask of the logits' shape, or one that all rows share.
    mask = np.random.default_rng(1).random(shape if len(shape) == 3 else shape[-1]) < 0.6
    mask[..., 0] = True
    # The reference leaves the order of its sums to the compiler, which may add one by one.
    rtol = 5e-5 if implementation == "reference" else 2e-6
    for where in (None, mask):
        found = _statistics(logits, implementation, where=where)
        for value, expected in zip(found, _exact(logits, where), strict=True):
            assert value.dtype == jnp.float32 and value.shape == (*shape[:-1], 1)
            np.testing.assert_allclose(value, expected, rtol=rtol, atol=1e-30)


_ROWS = {
    "one of five": np.array([20.0, 0, 0, 0, 1]),
    "two at the peak": np.array([30.0, -5.0, 30.0, 1.0]),
    "new peak far above": np.array([-1e4, 0.0, 16.0, 3e4, 3e4 - 18]),
    "far below": np.array([0.0, -80.0]),
    "impossible first": np.array([-np.inf, -np.inf, 1e4, 1e4 - 12]),
    "only one possible": np.array([-np.inf, 5.0, -np.inf]),
    "equal": np.full(9, -3e4),
    "the least float": np.array([np.finfo(np.float32).min, np.finfo(np.float32).min]),
    "zero at the peak": np.array([0.0, -np.inf, -14.0]),
}


@pytest.mark.parametrize("implementation", _IMPLEMENTATIONS)
def test_extreme_rows_keep_their_digits(implementation):
    """Rows of 1200 hold the values at random places: several blocks, lanes and stretches."""
    rng = np.random.default_rng(3)
    rows = np.full((len(_ROWS), 1200), -np.inf, np.float32)
    for row, values in zip(rows, _ROWS.values(), strict=True):
        row[rng.permutation(1200)[: values.size]] = values
    found = _statistics(jnp.asarray(rows), implementation)
    for value, expected in zip(found, _exact(rows), strict=True):
        np.testing.assert_allclose(value, expected, rtol=3e-6, atol=0)


@pytest.mark.parametrize("implementation", _IMPLEMENTATIONS)
def test_invalid_rows_say_so_and_leave_the_others_alone(implementation):
    rows = np.zeros((5, 1100), np.float32)
    rows[0, 700], rows[1, 3], rows[2], rows[3, 1099] = np.nan, np.inf, -np.inf, -np.inf
    entropy, log_weight, peak = _statistics(jnp.asarray(rows), implementation)
    np.testing.assert_array_equal(np.isfinite(peak)[:, 0], [False, False, False, True, True])
    assert np.all(np.isnan(entropy[:3])) and np.all(np.isnan(log_weight[:3]))
    with pytest.raises(ValueError, match=r"logits\[0, 700\] = nan"):
        entropies.entropy_from_logits(rows)
    np.testing.assert_allclose(entropy[3:, 0], np.log([1099, 1100]), rtol=1e-6)


def test_blocks_of_the_columns_and_of_the_rows():
    """More than one block each way, the last of them not full, through the interpreter."""
    logits = _draw((37, 9001), jnp.bfloat16)
    found = _statistics(logits, "pallas_tpu")
    for value, expected in zip(found, _exact(logits), strict=True):
        np.testing.assert_allclose(value, expected, rtol=2e-6)
    wide = _draw((1, 600_011))
    for implementation in _KERNELS:
        found = _statistics(wide, implementation)
        for value, expected in zip(found, _exact(wide), strict=True):
            np.testing.assert_allclose(value, expected, rtol=2e-6)


def test_parts_merge_to_the_whole():
    """The exact combination of stretches: any cut of a row gives the row's own statistics."""
    row = np.concatenate([[3.0, -np.inf, 20.0], np.linspace(-9, 19, 40), [20.0]])

    def part(values):
        peak = values.max()
        below = values[(values < peak) & np.isfinite(values)] - peak
        sums = (values == peak).sum(), np.exp(below).sum(), (np.exp(below) * below).sum()
        return parts_of_rows.Part(*(jnp.float32(x) for x in (peak, *sums)))

    whole = parts_of_rows.finish(part(row))
    for cuts in ([1], [2, 3], [1, 2, 20, 43]):
        pieces = [part(piece) for piece in np.split(row, cuts) if np.isfinite(piece).any()]
        stacked = jax.tree.map(lambda *x: jnp.stack(x), *pieces)
        merged = parts_of_rows.finish(parts_of_rows.merge(stacked, 0))
        np.testing.assert_allclose(np.ravel(merged), np.ravel(whole), rtol=1e-6)


@pytest.mark.parametrize("implementation", _KERNELS)
def test_results_do_not_depend_on_neighbours_or_padding(implementation):
    rows = _draw((5, 300))
    whole = _statistics(rows, implementation)
    alone = _statistics(rows[2:3], implementation)
    padded = jnp.pad(rows, ((0, 0), (0, 41)), constant_values=-jnp.inf)
    for all_rows, one, wide in zip(whole, alone, _statistics(padded, implementation), strict=True):
        np.testing.assert_array_equal(all_rows[2:3], one)
        np.testing.assert_allclose(wide, all_rows, rtol=3e-7)


def _weighted(logits, implementation, where=None):
    entropy, log_weight, _ = _statistics(logits, implementation, where=where)
    weights = jnp.arange(1.0, entropy.size + 1).reshape(entropy.shape)
    return jnp.sum(weights * (entropy - 0.5 * log_weight))


def _plain(logits):
    """The same in textbook form; its log Z has no peak taken out, so that is added back."""
    log_p = jax.nn.log_softmax(logits)
    entropy = -jnp.sum(jnp.exp(log_p) * log_p, -1)
    log_weight = jax.nn.logsumexp(logits, -1) - jax.lax.stop_gradient(jnp.max(logits, -1))
    return jnp.sum(jnp.arange(1.0, entropy.size + 1) * (entropy - 0.5 * log_weight))


@pytest.mark.parametrize("implementation", _IMPLEMENTATIONS)
def test_derivatives_in_every_mode(implementation):
    logits = _draw((3, 9), scale=1.5)
    direction = _draw((3, 9), seed=5)
    with jax.enable_x64(True):
        exact = jnp.asarray(np.asarray(logits), jnp.float64)
        along = jnp.asarray(np.asarray(direction), jnp.float64)
        gradient = np.asarray(jax.grad(_plain)(exact))
        second = np.asarray(jax.jvp(jax.grad(_plain), (exact,), (along,))[1])

    def weighted(x):
        return _weighted(x, implementation)

    np.testing.assert_allclose(jax.grad(weighted)(logits), gradient, rtol=1e-5, atol=2e-6)
    forward = jax.jvp(weighted, (logits,), (direction,))[1]
    np.testing.assert_allclose(forward, np.sum(gradient * np.asarray(direction)), rtol=1e-5)
    curved = jax.jvp(jax.grad(weighted), (logits,), (direction,))[1]
    np.testing.assert_allclose(curved, second, rtol=1e-4, atol=1e-5)
    masked = jax.grad(_weighted)(logits, implementation, jnp.arange(9) != 4)
    np.testing.assert_array_equal(masked[:, 4], 0)
    assert np.all(np.isfinite(masked))


@pytest.mark.parametrize("implementation", _KERNELS)
def test_under_transformations_and_with_x64_enabled(implementation):
    logits = _draw((2, 3, 129))
    whole = _statistics(logits, implementation).entropy

    def one(x):
        return _statistics(x, implementation).entropy

    np.testing.assert_array_equal(jax.jit(jax.vmap(one))(logits), whole)
    np.testing.assert_array_equal(jax.jit(lambda x: jax.lax.map(one, x))(logits), whole)
    np.testing.assert_array_equal(jax.vmap(one, 1, 1)(logits), whole)
    with jax.enable_x64(True):
        found = _statistics(logits, implementation).entropy
        assert found.dtype == jnp.float32
        np.testing.assert_array_equal(found, whole)
        assert logit_statistics(jnp.ones((2, 5), jnp.float64)).entropy.dtype == jnp.float64
        with pytest.raises(NotImplementedError, match="at most 32 bits"):
            logit_statistics(jnp.ones((2, 5), jnp.float64), implementation=implementation)


def test_axes_and_empty_batches():
    logits = _draw((3, 4, 5))
    flat = np.asarray(logits)
    for axes, rows in [
        ((0,), np.moveaxis(flat, 0, -1)),
        ((1, 2), flat.reshape(3, 20)),
        ((2, 1), flat.reshape(3, 20)),
        ((0, 2), np.moveaxis(flat, 1, 0).reshape(4, 15)),
    ]:
        found = logit_statistics(logits, axes=axes).entropy
        assert all(found.shape[axis] == 1 for axis in axes)
        np.testing.assert_allclose(np.ravel(found), np.ravel(_exact(rows)[0]), rtol=1e-5)
    trailing = _statistics(logits, "pallas_gpu", axes=(1, 2), where=jnp.arange(5) != 2).entropy
    kept = np.delete(flat, 2, 2).reshape(3, 16)
    np.testing.assert_allclose(trailing[:, 0, 0], _exact(kept)[0][:, 0], rtol=1e-6)
    with pytest.raises(NotImplementedError, match="trailing axes"):
        _statistics(logits, "pallas_tpu", axes=(0,))
    assert logit_statistics(jnp.zeros((0, 5))).entropy.shape == (0, 1)
    assert np.all(logit_statistics(jnp.zeros((2, 0))).peak == -np.inf)


def test_bad_input():
    logits = jnp.zeros((2, 3))
    for error, pattern, options in [
        (ValueError, "None or one of", {"implementation": "cuda"}),
        (ValueError, "name of a kernel", {"implementation": "xla", "interpret": True}),
        (ValueError, r"axes .*got \(2,\)", {"axes": (2,)}),
        (ValueError, "once", {"axes": (1, -1)}),
        (ValueError, "axes", {"axes": ()}),
        (TypeError, "where must be boolean", {"where": jnp.ones(3)}),
        (ValueError, "where must broadcast", {"where": jnp.ones(2, bool)}),
    ]:
        with pytest.raises(error, match=pattern):
            logit_statistics(logits, **options)
    with pytest.raises(TypeError, match="floating"):
        logit_statistics(jnp.zeros((2, 3), int))
    with pytest.raises(NotImplementedError, match="runs on cuda alone"):
        logit_statistics(logits, implementation="pallas_gpu")


@pytest.mark.parametrize("generation", ahead_of_time.TPUS)
def test_compiles_for_tpu_and_reads_the_logits_once(generation):
    shape = (64, 131_072)
    for dtype in (jnp.float32, jnp.bfloat16):
        (logits,) = ahead_of_time.shapes(shape, dtype=dtype)
        compiled = ahead_of_time.compile_for_tpu(
            lambda x: logit_statistics(x), logits, generation=generation
        )
        assert "tpu_custom_call" in compiled.as_text()
        bytes_in = logits.size * logits.dtype.itemsize
        assert compiled.cost_analysis()["bytes accessed"] <= 1.1 * bytes_in
        # Neither a copy nor anything else of the logits' size.
        assert compiled.memory_analysis().temp_size_in_bytes <= 0.01 * bytes_in
    (where,) = ahead_of_time.shapes(shape, dtype=bool)
    ahead_of_time.compile_for_tpu(
        lambda x, where: logit_statistics(x, where=where), logits, where, generation=generation
    )
    for odd in ((1, 262_144), (3, 1001), (300, 151_937)):
        (logits,) = ahead_of_time.shapes(odd, dtype=jnp.bfloat16)
        compiled = ahead_of_time.compile_for_tpu(
            jax.grad(lambda x: jnp.sum(logit_statistics(x).entropy).astype(jnp.float32)),
            logits,
            generation=generation,
        )
        assert "tpu_custom_call" in compiled.as_text()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_compiles_for_cuda_without_spilling(dtype):
    for shape, programs in [((64, 131_072), 512), ((1, 262_144), 64), ((4096, 50_257), 4096)]:
        (logits,) = ahead_of_time.shapes(shape, dtype=dtype)
        (kernel,) = ahead_of_time.compile_for_cuda(lambda x: logit_statistics(x), logits)
        assert kernel.stack_bytes == 0 and kernel.shared_bytes <= 99 * 1024
        assert np.prod(kernel.grid) == programs
    (where,) = ahead_of_time.shapes(shape, dtype=bool)
    (kernel,) = ahead_of_time.compile_for_cuda(
        lambda x, where: logit_statistics(x, where=where), logits, where
    )
    assert kernel.stack_bytes == 0


def test_the_public_entropy_lowers_to_each_platform():
    logits = _draw((4, 257))
    traced = jax.jit(entropies.entropy_from_logits).trace(logits)
    text = {
        platform: traced.lower(lowering_platforms=(platform,)).as_text()
        for platform in ("cpu", "cuda", "tpu")
    }
    assert "custom_call @" not in text["cpu"] and "triton" in text["cuda"]
    assert "tpu_custom_call" in text["tpu"]
    other = jax.jit(lambda x: entropies.entropy_from_logits(x, axis=0)).trace(logits)
    assert "tpu_custom_call" not in other.lower(lowering_platforms=("tpu",)).as_text()


_SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from infojax.kernels.entropy_from_logits import logit_statistics
mesh = jax.make_mesh((8,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
logits = jax.random.normal(jax.random.key(0), (16, 300))
spec = jax.P("batch")
for implementation in (None, "pallas_tpu", "pallas_gpu"):
    def entropy(x):
        interpret = implementation is not None
        found = logit_statistics(x, implementation=implementation, interpret=interpret)
        return found.entropy
    # The interpreter's own loops do not say over which axes they vary.
    sharded = jax.shard_map(entropy, mesh=mesh, in_specs=spec, out_specs=spec,
                            check_vma=implementation is None)
    np.testing.assert_allclose(jax.jit(sharded)(logits), entropy(logits), rtol=1e-6)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(jnp.sin(sharded(x)))))(logits)
    plain = jax.grad(lambda x: jnp.sum(jnp.sin(entropy(x))))(logits)
    np.testing.assert_allclose(gradient, plain, rtol=1e-5, atol=1e-7)
sharded = jax.jit(jax.shard_map(
    lambda x: logit_statistics(x).entropy, mesh=mesh, in_specs=spec, out_specs=spec))
for platform, call in (("tpu", "tpu_custom_call"), ("cuda", "triton")):
    assert call in sharded.trace(logits).lower(lowering_platforms=(platform,)).as_text()
print("fine")
"""


def test_inside_of_shard_map():
    assert devices.run_on_devices(_SHARDED).strip() == "fine"


@pytest.mark.parametrize("base", [None, 2])
def test_cross_entropy_beside_the_entropy(base):
    logits = _draw((2, 5, 3), scale=2.0)
    labels = np.random.default_rng(2).integers(0, 5, (2, 3))
    where = np.ones((2, 5, 3), bool)
    where[0, 1] = False
    labels[0] = np.where(labels[0] == 1, 2, labels[0])
    unit = 1.0 if base is None else np.log(2.0)

    def plain(logits):
        log_p = jax.nn.log_softmax(jnp.where(where, logits, -jnp.inf), 1)
        chosen = -jnp.take_along_axis(log_p, labels[:, None], 1)[:, 0]
        terms = jnp.where(where, jnp.exp(log_p) * jnp.where(where, log_p, 0), 0)
        return chosen / unit, -jnp.sum(terms, 1) / unit

    def ours(logits):
        return entropies.cross_entropy_and_entropy_from_logits(
            logits, labels, axis=1, base=base, where=where
        )

    for value, expected in zip(ours(logits), plain(logits), strict=True):
        np.testing.assert_allclose(value, expected, rtol=2e-6, atol=1e-6)
    for index in (0, 1):
        gradient = jax.grad(lambda x, i=index: jnp.sum(jnp.sin(ours(x)[i])))(logits)
        expected = jax.grad(lambda x, i=index: jnp.sum(jnp.sin(plain(x)[i])))(logits)
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_labels_near_certainty_out_of_range_and_impossible():
    logits = jnp.array([[1e4, 1e4 - 16, -jnp.inf], [0.0, 1.0, 2.0]], jnp.float32)
    both = entropies.cross_entropy_and_entropy_from_logits
    certain = both(logits, jnp.array([0, 2])).cross_entropy
    np.testing.assert_allclose(certain[0], np.log1p(np.exp(-16.0)), rtol=1e-6)
    assert both(logits, jnp.array([2, 2])).cross_entropy[0] == np.inf
    assert both(logits, jnp.array([1, 0]), where=jnp.arange(3) != 1).cross_entropy[0] == np.inf
    with pytest.raises(ValueError, match=r"between 0 and 2; got labels\[1\] = 3"):
        both(logits, jnp.array([0, 3]))
    traced = jax.jit(both)(logits, jnp.array([0, -1]))
    np.testing.assert_array_equal(np.isnan(traced.cross_entropy), [False, True])
    np.testing.assert_array_equal(np.isfinite(traced.entropy), [True, True])
    for error, pattern, labels, options in [
        (TypeError, "integer", jnp.array([0.0, 1.0]), {}),
        (ValueError, r"shape \(2,\)", jnp.zeros((2, 1), int), {}),
        (ValueError, "one axis", jnp.array(0), {"axis": (0, 1)}),
    ]:
        with pytest.raises(error, match=pattern):
            both(logits, labels, **options)
