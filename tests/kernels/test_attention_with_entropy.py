"""Attention with entropy: every implementation against all scores in memory, in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax.kernels.attention_with_entropy import (
    attention_with_entropy,
    blocks,
    pallas_gpu,
    pallas_gpu_backward,
    pallas_tpu,
)
from tests import devices

_IMPLEMENTATIONS = ("xla_chunked", "pallas_tpu", "pallas_gpu")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks, and several groups of heads, at sizes that the interpreter can take."""
    # Blocks of up to 24, so two heads of 16 x 16 at a time, with lengths that need padding.
    for name in ("FORWARD", "WINDOWED", "BACKWARD"):
        monkeypatch.setattr(blocks, name, 24)
    monkeypatch.setattr(blocks, "_LANES", 8)
    monkeypatch.setattr(blocks, "_ALIASED", 16)
    monkeypatch.setattr(pallas_tpu, "_BLOCK", 16)
    monkeypatch.setattr(pallas_gpu, "_forward_blocks", lambda query: (16, 16, 4, 1))
    monkeypatch.setattr(pallas_gpu_backward, "_backward_blocks", lambda query: (16, 16, 4, 1))
    jax.clear_caches()  # shapes alone do not tell the compiled functions apart
    yield
    jax.clear_caches()


def _draw(seed, sizes, bias=None, mask=None, scale=1.0):
    """Arrays of (B, T, S, N, K, H, V); bias and mask by their shapes in those letters."""
    rng = np.random.default_rng(seed)
    b, t, s, n, k, h, v = sizes
    letters = dict(zip("BTSNKHV", sizes, strict=True)) | {"1": 1}
    arrays = {
        "query": scale * rng.normal(size=(b, t, n, h)),
        "key": rng.normal(size=(b, s, k, h)),
        "value": rng.normal(size=(b, s, k, v)),
    }
    if bias:
        arrays["bias"] = rng.normal(size=[letters[x] for x in bias])
    if mask:
        arrays["mask"] = rng.uniform(size=[letters[x] for x in mask]) < 0.7
    return arrays


def _cast(arrays, dtype):
    return {
        name: jnp.asarray(x) if x.dtype == bool else jnp.asarray(x, dtype)
        for name, x in arrays.items()
    }


def _value_and_gradients(arrays, dtype, implementation, **options):
    """The three results, and the gradients of a random combination of them."""
    arrays = _cast(arrays, dtype)
    by = [name for name in arrays if name != "mask"]
    interpret = implementation.startswith("pallas")
    rng = np.random.default_rng(9)
    shape = (*arrays["query"].shape[:3], arrays["value"].shape[-1])
    weights = [jnp.asarray(rng.normal(size=s)) for s in (shape, shape[:3], shape[:3])]

    def scalar(chosen):
        results = attention_with_entropy(
            **(arrays | chosen),
            implementation=implementation,
            interpret=interpret,
            return_log_normalizer=True,
            **options,
        )
        seen = (results[0], results[1], jnp.where(results[2] == -jnp.inf, 0, results[2]))
        return sum(jnp.sum(w * x) for w, x in zip(weights, seen, strict=True)), results

    chosen = {name: arrays[name] for name in by}
    (_, results), gradients = jax.jit(jax.value_and_grad(scalar, has_aux=True))(chosen)
    return results, gradients


_CASES = {
    "odd": ((2, 37, 53, 4, 2, 8, 8), {}, {}),
    "one": ((1, 1, 1, 1, 1, 5, 3), {}, {}),
    "causal": ((1, 40, 33, 2, 1, 4, 8), {"mask": "B11S"}, {"is_causal": True}),
    "window": ((1, 35, 35, 2, 2, 4, 4), {"bias": "1N1S"}, {"local_window_size": (5, 2)}),
    "cap": ((2, 17, 20, 2, 1, 4, 4), {"bias": "BNTS", "mask": "1NT1"}, {"logits_soft_cap": 1.5}),
    "all": (
        (2, 19, 23, 4, 2, 8, 4),
        {"bias": "11TS", "mask": "BNTS"},
        {"is_causal": True, "local_window_size": 6, "scale": 0.7},
    ),
}


@functools.cache
def _exact(case):
    sizes, tables, options = _CASES[case]
    with jax.enable_x64(True):
        return _value_and_gradients(_draw(1, sizes, **tables), jnp.float64, "xla", **options)


@pytest.mark.parametrize("case", _CASES)
@pytest.mark.parametrize("implementation", _IMPLEMENTATIONS)
def test_values_and_gradients(implementation, case):
    sizes, tables, options = _CASES[case]
    found = _value_and_gradients(_draw(1, sizes, **tables), jnp.float32, implementation, **options)
    for mine, exact in zip(*map(jax.tree.leaves, (found, _exact(case))), strict=True):
        np.testing.assert_allclose(mine, exact, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("implementation", _IMPLEMENTATIONS)
def test_bfloat16(implementation):
    sizes = (1, 20, 33, 2, 1, 16, 16)
    arrays = _draw(2, sizes)
    rounded = {name: np.asarray(jnp.asarray(x, jnp.bfloat16), float) for name, x in arrays.items()}
    with jax.enable_x64(True):
        expected = _value_and_gradients(rounded, jnp.float64, "xla")
    found = _value_and_gradients(arrays, jnp.bfloat16, implementation)
    assert found[0][0].dtype == jnp.bfloat16
    assert found[0][1].dtype == found[0][2].dtype == jnp.float32
    np.testing.assert_allclose(found[0][1], expected[0][1], atol=2e-5)
    for mine, exact in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        np.testing.assert_allclose(np.asarray(mine, float), exact, rtol=0.03, atol=0.03)


@pytest.mark.parametrize("implementation", _IMPLEMENTATIONS)
def test_extreme_scores_and_queries_without_keys(implementation):
    arrays = _draw(3, (1, 20, 20, 2, 2, 4, 4), mask="B1TS", scale=1e4)
    arrays["mask"][:, :, 3] = False
    arrays["mask"][:, :, :, :16] &= np.arange(20)[:, None] != 5  # a block of keys masked whole
    results, gradients = _value_and_gradients(arrays, jnp.float32, implementation)
    output, entropy, log_normalizer = results
    assert np.all(np.asarray(entropy) >= 0) and np.all(np.isfinite(output))
    np.testing.assert_array_equal(output[:, 3], 0)
    np.testing.assert_array_equal(entropy[:, 3], 0)
    np.testing.assert_array_equal(log_normalizer[:, 3], -np.inf)
    assert all(np.all(np.isfinite(x)) for x in gradients.values())
    np.testing.assert_array_equal(gradients["query"][:, 3], 0)
    with jax.enable_x64(True):
        exact, _ = _value_and_gradients(_as_float32(arrays), jnp.float64, "xla")
    np.testing.assert_allclose(output, exact[0], atol=1e-2)


def _as_float32(arrays):
    return {name: x if x.dtype == bool else x.astype(np.float32) for name, x in arrays.items()}


def test_closed_forms():
    rng = np.random.default_rng(0)
    key, value = (jnp.asarray(rng.normal(size=(7, 2, 4)), jnp.float32) for _ in range(2))
    output, entropy, log_normalizer = attention_with_entropy(
        jnp.zeros((3, 2, 4)), key, value, return_log_normalizer=True
    )
    np.testing.assert_allclose(entropy, np.log(7), rtol=1e-6)
    np.testing.assert_allclose(log_normalizer, np.log(7), rtol=1e-6)
    np.testing.assert_allclose(output, np.broadcast_to(value.mean(0), (3, 2, 4)), atol=1e-6)
    causal = attention_with_entropy(jnp.zeros((7, 2, 4)), key, value, is_causal=True)[1]
    np.testing.assert_allclose(causal[:, 0], np.log(np.arange(1, 8)), atol=1e-6)
    single = attention_with_entropy(key[:1], key[:1], value[:1])
    np.testing.assert_array_equal(single[1], 0)
    np.testing.assert_array_equal(single[0], value[:1])


def test_agrees_with_jax():
    arrays = _cast(_draw(4, (2, 18, 18, 4, 2, 8, 8), bias="BNTS", mask="B11S"), jnp.float32)
    arrays["mask"] = arrays["mask"].at[..., 0].set(True)
    for options in ({}, {"is_causal": True}, {"local_window_size": (4, 3)}, {"scale": 0.2}):
        theirs = jax.nn.dot_product_attention(**arrays, **options)
        ours, _ = attention_with_entropy(**arrays, **options)
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_transformations_and_leading_axes():
    arrays = _cast(_draw(5, (3, 9, 10, 2, 1, 4, 4)), jnp.float32)
    q, k, v = (arrays[name] for name in ("query", "key", "value"))
    expected = attention_with_entropy(q, k, v, is_causal=True)
    one = functools.partial(attention_with_entropy, is_causal=True)
    loss = jax.grad(lambda *a: sum(jnp.sum(x**2) for x in one(*a)), (0, 1, 2))
    slopes = loss(q, k, v)
    for mapped in (
        jax.vmap(one),
        jax.jit(jax.vmap(one)),
        lambda *a: jax.lax.map(lambda x: one(*x), a),
    ):
        for mine, whole in zip(mapped(q, k, v), expected, strict=True):
            np.testing.assert_allclose(mine, whole, atol=1e-6)
    for mine, whole in zip(jax.vmap(loss)(q, k, v), slopes, strict=True):
        np.testing.assert_allclose(mine, whole, atol=1e-5)
    twice = one(q[None, :, None], k[None, :, None], v[None, :, None])
    for mine, whole in zip(twice, expected, strict=True):
        np.testing.assert_allclose(mine[0, :, 0], whole, atol=1e-6)
    mask = jnp.arange(10) < 7
    masked = one(q[None, :, None], k[None, :, None], v[None, :, None], mask=mask)
    alone = one(q, k[:, :7], v[:, :7])
    for mine, whole in zip(masked, alone, strict=True):
        np.testing.assert_allclose(mine[0, :, 0], whole, atol=1e-6)


def test_plain_implementation_has_every_mode():
    arrays = _cast(_draw(6, (1, 4, 5, 2, 1, 3, 3)), jnp.float32)
    q, k, v = (arrays[name] for name in ("query", "key", "value"))
    entropy = lambda q: jnp.sum(attention_with_entropy(q, k, v, implementation="xla")[1])  # noqa: E731
    hessian = jax.hessian(entropy)(q).reshape(q.size, q.size)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-6)
    _, forward = jax.jvp(entropy, (q,), (jnp.ones_like(q),))
    np.testing.assert_allclose(forward, jnp.sum(jax.grad(entropy)(q)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 3, 2, 4), (2, 0, 2, 4)])
def test_empty(shape):
    output, entropy = attention_with_entropy(jnp.ones(shape), jnp.ones(shape), jnp.ones(shape))
    assert output.shape == shape and entropy.shape == shape[:-1]
    q = jnp.ones((2, 3, 2, 4))
    output, entropy = attention_with_entropy(q, q[:, :0], q[:, :0])
    np.testing.assert_array_equal(output, 0)
    np.testing.assert_array_equal(entropy, 0)


_Q = np.ones((2, 3, 4, 8), np.float32)


@pytest.mark.parametrize(
    ("changes", "error", "pattern"),
    [
        ({"query": np.ones((3, 4), np.float32)}, ValueError, r"query must be .*\(3, 4\)"),
        ({"query": np.ones((2, 3, 4, 8), int)}, TypeError, "query must be of floating type"),
        ({"key": _Q[:, :, :3], "value": _Q[:, :, :3]}, ValueError, "4 query heads and 3 key heads"),
        ({"key": _Q[..., :5]}, ValueError, "key must share"),
        ({"value": _Q[:, :2]}, ValueError, "value must be of key's shape"),
        ({"key": _Q[:1], "value": _Q[:1]}, ValueError, "key must share batch axes"),
        ({"mask": np.ones((3, 3))}, TypeError, "mask must be boolean"),
        ({"mask": np.ones((2, 3), bool)}, ValueError, r"mask must broadcast .*\(2, 4, 3, 3\)"),
        ({"bias": np.ones((3, 3), bool)}, TypeError, "bias must be of floating type"),
        ({"bias": np.ones((5, 1, 1, 1, 3))}, ValueError, "bias must broadcast"),
        ({"local_window_size": -1}, ValueError, "local_window_size must not be negative"),
        ({"local_window_size": 1.5}, TypeError, "local_window_size must be an integer"),
        ({"scale": np.ones(3)}, TypeError, "scale must be a static number"),
        ({"logits_soft_cap": 0.0}, ValueError, "logits_soft_cap must be positive"),
        ({"implementation": "flash"}, ValueError, "implementation must be None or one of"),
        ({"implementation": "pallas_tpu"}, NotImplementedError, "runs on tpu alone"),
        ({"implementation": "pallas_gpu"}, NotImplementedError, "runs on cuda alone"),
    ],
)
def test_bad_input(changes, error, pattern):
    arguments = {"query": _Q, "key": _Q, "value": _Q} | changes
    with pytest.raises(error, match=pattern):
        attention_with_entropy(**arguments)


def test_kernels_say_what_they_do_not_take():
    wide = jnp.ones((1, 2, 1, 512))
    for name in ("pallas_tpu", "pallas_gpu"):
        with pytest.raises(NotImplementedError, match=r"heads of up to 256 .*'xla_chunked'"):
            attention_with_entropy(wide, wide, wide, implementation=name)
    assert attention_with_entropy(wide, wide, wide)[0].shape == wide.shape


_SHARDED = """
import functools, jax, jax.numpy as jnp, numpy as np
from jax.sharding import PartitionSpec as P
from infojax.kernels.attention_statistics import combine_over_devices
from infojax.kernels.attention_with_entropy import attention_with_entropy
AUTO = jax.sharding.AxisType.Auto
rng = np.random.default_rng(0)
q, k, v = (jnp.asarray(rng.normal(size=(2, 16, 4, 8)), jnp.float32) for _ in range(3))
weight = jnp.asarray(rng.normal(size=(2, 16, 4)), jnp.float32)

def scalar(of):
    def function(q, k, v):
        output, entropy = of(q, k, v)[:2]
        return jnp.sum(output ** 2) + jnp.sum(weight * entropy)
    return jax.jit(jax.value_and_grad(function, (0, 1, 2)))

def same(mine, theirs):
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-5)

whole = functools.partial(attention_with_entropy, is_causal=True)
mesh = jax.make_mesh((2, 4), ("batch", "heads"), axis_types=(AUTO, AUTO))
spec = P("batch", None, "heads")
by_heads = jax.shard_map(whole, mesh=mesh, in_specs=spec, out_specs=spec)
same(scalar(by_heads)(q, k, v), scalar(whole)(q, k, v))

mesh = jax.make_mesh((8,), ("keys",), axis_types=(AUTO,))
def shard(q, k, v):
    first = jax.lax.axis_index("keys") * k.shape[1]
    mask = jnp.arange(q.shape[1])[:, None] >= first + jnp.arange(k.shape[1])
    parts = attention_with_entropy(q, k, v, mask=mask, return_log_normalizer=True)
    return combine_over_devices(*parts, "keys")
spread = P(None, "keys")
by_keys = jax.shard_map(shard, mesh=mesh, in_specs=(P(), spread, spread), out_specs=P())
same(scalar(by_keys)(q, k, v), scalar(whole)(q, k, v))
print("fine")
"""


def test_sharded_over_batch_and_heads_and_over_keys():
    assert devices.run_on_devices(_SHARDED).strip() == "fine"
