"""The language model: prefill and decode are the full forward, rows and padding never mix."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.experimental import checkify

from infojax.attention import attention_entropy
from infojax.nn import language

_CONFIG = language.LanguageModelConfig(
    vocabulary_size=11, width=16, num_layers=2, num_heads=4, num_key_value_heads=2
)
_TOKENS = np.random.default_rng(0).integers(0, 11, (3, 9)).astype(np.int32)
_LENGTHS = np.array([9, 4, 1], np.int32)


@functools.cache
def _model(**changes):
    config = dataclasses.replace(_CONFIG, **changes)
    return language.LanguageModel(config, rngs=nnx.Rngs(0))


def _by_hand(model, tokens):
    """The forward pass of one row in float64, position by position, with entropies (T, L, N)."""
    weights = jax.tree.map(lambda x: np.asarray(x, np.float64), nnx.to_pure_dict(nnx.state(model)))
    config, count = model.config, len(tokens)
    heads, groups, size = config.num_heads, config.key_value_heads, config.features_per_head

    def norm(x, scale):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale

    def turn(x):
        angle = np.arange(count)[:, None] * 1e4 ** (-np.arange(size // 2) / (size // 2))
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        a, b = x[..., : size // 2], x[..., size // 2 :]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    x = weights["embedding"][tokens] * math.sqrt(config.width)
    entropies = np.zeros((count, config.num_layers, heads))
    for layer, block in enumerate(weights["blocks"].values()):
        attention = block["attention"]
        joint = norm(x, block["attention_norm"]["scale"]) @ attention["query_key_value"]["kernel"]
        q, k, v = np.split(joint.reshape(count, -1, size), (heads, heads + groups), axis=1)
        q, k = turn(q), turn(k)
        mixed = np.zeros_like(q)
        for t in range(count):
            for n in range(heads):
                g = n // (heads // groups)
                weight = np.exp(k[: t + 1, g] @ q[t, n] / math.sqrt(size))
                weight /= weight.sum()
                mixed[t, n] = weight @ v[: t + 1, g]
                entropies[t, layer, n] = -(weight * np.log(weight)).sum()
        x = x + mixed.reshape(count, -1) @ attention["output"]["kernel"]
        inner = norm(x, block["feed_forward_norm"]["scale"])
        gate, up = np.split(inner @ block["feed_forward"]["inner"]["kernel"], 2, -1)
        x = x + gate / (1 + np.exp(-gate)) * up @ block["feed_forward"]["outer"]["kernel"]
    table = weights["embedding"][: config.vocabulary_size]
    return norm(x, weights["final_norm"]["scale"]) @ table.T, entropies


def test_the_forward_pass_is_the_formula():
    model = _model()
    logits, entropies = _forward(model, _TOKENS)
    assert logits.shape == (3, 9, 11) and entropies.shape == (3, 9, 2, 4)
    for row in range(2):
        expected, expected_entropies = _by_hand(model, _TOKENS[row])
        np.testing.assert_allclose(logits[row], expected, atol=2e-5)
        np.testing.assert_allclose(entropies[row], expected_entropies, atol=1e-5)
    np.testing.assert_allclose(jax.jit(model)(_TOKENS), logits, atol=1e-5)


@jax.jit
def _forward(model, tokens):
    return model(tokens, return_attention_entropies=True)


@functools.partial(jax.jit, static_argnames="padding")
def _prefill(model, tokens, lengths, padding):
    return model.prefill(
        tokens, lengths, capacity=16, padding=padding, return_attention_entropies=True
    )


@jax.jit
def _decode(model, token, cache):
    return model.decode_step(token, cache, return_attention_entropies=True)


def _prefill_then_decode(model, tokens, lengths, padding="right", columns=4):
    """Logits and entropies of every position, by a prefill of the first and single steps."""
    starts = np.minimum(lengths, columns)
    prompts = np.full((len(tokens), columns), 99, np.int32)  # no token: padding must not matter
    for row, (line, start) in enumerate(zip(tokens, starts, strict=True)):
        place = slice(0, start) if padding == "right" else slice(columns - start, columns)
        prompts[row, place] = line[:start]
    logits, cache, entropies = _prefill(model, prompts, starts, padding)
    found = [(starts - 1, logits, entropies)]
    for step in range(tokens.shape[1] - columns):
        places = np.minimum(starts + step, tokens.shape[1] - 1)
        token = np.take_along_axis(tokens, places[:, None], 1)[:, 0]
        logits, cache, entropies = _decode(model, token, cache)
        found.append((starts + step, logits, entropies))
    return found, cache


@pytest.mark.parametrize("padding", ["right", "left"])
def test_prefill_and_decode_are_the_full_forward(padding):
    model = _model()
    logits, entropies = _forward(model, _TOKENS)
    found, cache = _prefill_then_decode(model, _TOKENS, _LENGTHS, padding)
    for places, step_logits, step_entropies in found:
        for row, place in enumerate(places):
            np.testing.assert_allclose(step_logits[row], logits[row, place], atol=1e-5)
            np.testing.assert_allclose(step_entropies[row], entropies[row, place], atol=1e-5)
    np.testing.assert_array_equal(cache.lengths, np.minimum(_LENGTHS, 4) + 5)
    assert cache.capacity == 16


class _Tempered(nnx.Module):
    """An attention of the caller's own with a weight of its own."""

    def __init__(self, config, layer, *, rngs):
        self.temperature = nnx.Param(jnp.asarray(1.0 + layer))

    def __call__(self, query, key, value, *, mask, is_causal, with_entropy):
        return language.attend_plainly(
            query / self.temperature[...],
            key,
            value,
            mask=mask,
            is_causal=is_causal,
            with_entropy=with_entropy,
        )


class _Slope(nnx.Module):
    def __init__(self, features, *, rngs):
        self.slope = nnx.Param(jnp.full(features, 0.1))

    def __call__(self, x):
        return jnp.where(x > 0, x, self.slope[...] * x)


_VARIANTS = {
    "own attention, layer norm, gelu": {
        "attention": _Tempered,
        "normalization": "layer_norm",
        "activation": "gelu",
    },
    "plain attention, no norm, own activation": {
        "attention": language.attend_plainly,
        "num_key_value_heads": None,
        "normalization": "none",
        "activation": _Slope,
        "gated": True,
    },
    "own norm, normed queries, untied, other sizes": {
        "normalization": language.RMSNorm,
        "normalize_queries_and_keys": True,
        "tied_embeddings": False,
        "head_features": 6,
        "hidden_features": 5,
        "activation": "relu_squared",
    },
}


@pytest.mark.parametrize("name", _VARIANTS)
def test_every_part_can_be_exchanged(name):
    model = _model(num_layers=1, **_VARIANTS[name])
    logits, _ = _forward(model, _TOKENS)
    for places, step_logits, _ in _prefill_then_decode(model, _TOKENS, _LENGTHS)[0][-2:]:
        for row, place in enumerate(places):
            np.testing.assert_allclose(step_logits[row], logits[row, place], atol=1e-5)
    assert float(jnp.abs(logits - _forward(_model(), _TOKENS)[0]).max()) > 1e-3


def test_the_plain_attention_is_the_kernel():
    draw = functools.partial(jax.random.normal, shape=(2, 7, 2, 4))
    query, key, value = (draw(jax.random.key(seed)) for seed in range(3))
    one, other = (
        f(query, key, value, is_causal=True, with_entropy=True)
        for f in (language.attend, language.attend_plainly)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, other)
    assert language.attend_plainly(query, key, value)[1] is None
    scores = jnp.einsum("bthc,bshc->bhts", query, key) / 2
    causal = attention_entropy(scores, where=jnp.tril(jnp.ones((7, 7), bool)))
    np.testing.assert_allclose(jnp.swapaxes(causal, 1, 2), one[1], atol=1e-5)


def test_rows_and_later_tokens_do_not_matter():
    model = _model()
    logits, _ = _forward(model, _TOKENS)
    changed = _TOKENS.copy()
    changed[0] = 3
    changed[1, 5:] = 0
    again, _ = _forward(model, changed)
    np.testing.assert_allclose(again[1, :5], logits[1, :5], atol=1e-6)
    np.testing.assert_allclose(again[2], logits[2], atol=1e-6)
    np.testing.assert_allclose(jax.jit(model)(_TOKENS[1:2])[0], logits[1], atol=1e-5)
    gradient = jax.jit(jax.grad(lambda table: _with_embedding(model, table)[1, :5].sum()))
    used = np.unique(np.append(_TOKENS[1, :5], np.arange(11)))
    assert np.flatnonzero(np.abs(gradient(model.embedding[...])).sum(1)).tolist() == used.tolist()


def _with_embedding(model, table):
    structure, state = nnx.split(model)
    state["embedding"] = state["embedding"].replace(table)
    return nnx.merge(structure, state)(_TOKENS)


def test_bfloat16_computes_in_it_and_returns_float32():
    model = _model(dtype="bfloat16")
    logits, entropies = _forward(model, _TOKENS)
    assert logits.dtype == entropies.dtype == jnp.float32
    assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(nnx.state(model)))
    cache = _prefill(model, _TOKENS, _LENGTHS, "right")[1]
    assert cache.keys[0].dtype == jnp.bfloat16
    exact, _ = _forward(_model(), _TOKENS)
    scale = float(jnp.abs(exact).max())
    np.testing.assert_allclose(logits / scale, exact / scale, atol=0.05)


def test_the_start_token_is_fed_and_never_predicted():
    model = _model()
    assert model.config.start_token == 11
    tokens = np.where(np.arange(9) == 0, 11, _TOKENS)
    logits, _ = _forward(model, tokens)
    assert logits.shape == (3, 9, 11) and np.isfinite(logits).all()
    assert language.LanguageModelConfig().start_token == 256


@pytest.mark.parametrize(
    ("changes", "error", "pattern"),
    [
        ({"width": 18}, ValueError, "width must be a multiple of num_heads = 4"),
        ({"num_key_value_heads": 3}, ValueError, "must divide num_heads = 4; got 3"),
        ({"head_features": 3}, ValueError, "head_features must be even.*got 3"),
        ({"activation": "swish"}, ValueError, "activation must be callable or one of .*'swish'"),
        ({"activation": 3}, TypeError, "activation must be a name or callable"),
        ({"normalization": "batch"}, ValueError, "normalization must be one of 'rms_norm'"),
        ({"normalization": 1.0}, TypeError, "normalization must be a name or callable"),
        ({"attention": "flash"}, TypeError, "attention must be callable"),
        ({"dtype": "float8"}, ValueError, "dtype must be one of"),
        ({"rotary_base": 0.5}, ValueError, "rotary_base must be above 1"),
        ({"num_layers": 0}, ValueError, "num_layers must be at least 1"),
        ({"width": 1.5}, TypeError, "width must be a whole number"),
    ],
)
def test_what_cannot_be_built_is_refused(changes, error, pattern):
    with pytest.raises(error, match=pattern):
        dataclasses.replace(_CONFIG, **changes)


@pytest.mark.parametrize(
    ("call", "error", "pattern"),
    [
        (lambda m: m(np.zeros((2, 0), int)), ValueError, "tokens must hold a token in each row"),
        (lambda m: m(np.zeros(3, int)), ValueError, r"tokens must have shape \(B, T\)"),
        (lambda m: m(np.zeros((1, 3))), TypeError, "tokens must be whole numbers; got float"),
        (lambda m: m(np.array([[0, 12]])), ValueError, r"0 to 10, or 11.*tokens\[0, 1\] = 12"),
        (lambda m: m(np.array([[-1, 1]])), ValueError, r"tokens\[0, 0\] = -1"),
        (lambda m: m.prefill(_TOKENS, capacity=8), ValueError, "capacity .* least the 9 tokens"),
        (
            lambda m: m.prefill(_TOKENS, np.array([9, 0, 3]), capacity=9),
            ValueError,
            r"lengths must be 1 to 9, for a prompt is not empty.*lengths\[1\] = 0",
        ),
        (lambda m: m.prefill(_TOKENS, _LENGTHS + 1, capacity=9), ValueError, "= 10"),
        (lambda m: m.prefill(_TOKENS, _LENGTHS[:2], capacity=9), ValueError, "the 3 rows"),
        (
            lambda m: m.prefill(_TOKENS, capacity=9, padding="both"),
            ValueError,
            "padding must be one of",
        ),
        (
            lambda m: m.decode_step(_LENGTHS, m.prefill(_TOKENS, capacity=9)[1]),
            ValueError,
            "the cache must have a free slot; all 9 are full",
        ),
        (
            lambda m: m.decode_step(_LENGTHS[:2], m.prefill(_TOKENS, capacity=10)[1]),
            ValueError,
            "token must have 3 rows",
        ),
    ],
)
def test_bad_input_is_refused(call, error, pattern):
    with pytest.raises(error, match=pattern):
        call(_model())


def test_bad_values_under_tracing_are_nan_in_their_row_alone():
    model = _model()
    bad = _TOKENS.copy()
    bad[1, 3] = 77
    logits = jax.jit(model)(bad)
    assert np.isnan(logits[1]).all() and np.isfinite(logits[::2]).all()
    prefill = jax.jit(functools.partial(model.prefill, capacity=9))
    last, cache = prefill(_TOKENS, np.array([9, 0, 10], np.int32))
    assert np.isfinite(last[0]).all() and np.isnan(last[1:]).all()
    full, _ = jax.jit(lambda cache: model.decode_step(_LENGTHS, cache))(cache)
    assert np.isnan(full).all()
    fault, _ = checkify.checkify(jax.jit(lambda x: model(x)))(bad)
    assert "tokens must be" in fault.get()
