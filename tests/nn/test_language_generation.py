"""Sampling: the law of the tokens, rows and padding, stops, transforms, one program, no copies."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from infojax.entropies import entropy_from_logits
from infojax.nn import language
from infojax.nn.language import generation

_CONFIG = language.LanguageModelConfig(
    vocabulary_size=11, width=16, num_layers=2, num_heads=4, num_key_value_heads=2
)
_MODEL = language.LanguageModel(_CONFIG, rngs=nnx.Rngs(0))
_PROMPTS = np.random.default_rng(0).integers(0, 11, (3, 5)).astype(np.int32)
_LENGTHS = np.array([5, 2, 3], np.int32)
_GENERATE = functools.partial(
    language.generate,
    _MODEL,
    key=jax.random.key(7),
    max_new_tokens=6,
    return_entropies=True,
    return_attention_entropies=True,
)


@functools.cache
def _made():
    return _GENERATE(_PROMPTS, _LENGTHS)


@jax.jit
def _forward_of_eleven(tokens):
    return _MODEL(tokens, return_attention_entropies=True)


def _forward(tokens):
    """Logits and attention entropies, by one program: what is padded behind does not matter."""
    count = tokens.shape[1]
    padded = np.pad(tokens, ((0, 3 - len(tokens)), (0, 11 - count)))
    return tuple(x[: len(tokens), :count] for x in map(np.asarray, _forward_of_eleven(padded)))


def test_what_is_reported_is_the_full_forwards():
    made = _made()
    assert made.tokens.shape == (3, 6) and made.lengths.tolist() == [6, 6, 6]
    assert made.attention_entropies.shape == (3, 6, 2, 4)
    for row, length in enumerate(_LENGTHS):
        whole = np.concatenate([_PROMPTS[row, :length], made.tokens[row]])[None]
        logits, attention = _forward(whole)
        # The law of new token t is that behind token length + t - 1.
        place = slice(length - 1, length + 5)
        law = jax.nn.log_softmax(logits[0, place])
        chosen = np.take_along_axis(np.asarray(law), np.asarray(made.tokens[row])[:, None], 1)
        np.testing.assert_allclose(made.log_likelihoods[row], chosen[:, 0], atol=1e-5)
        expected = entropy_from_logits(logits[0, place])
        np.testing.assert_allclose(made.entropies[row], expected, atol=1e-5)
        np.testing.assert_allclose(made.attention_entropies[row], attention[0, place], atol=1e-5)


def test_rows_and_padding_do_not_matter():
    made = _made()
    key = jax.random.key(7)
    alone = _GENERATE(_PROMPTS[1:2, :2], key=jax.random.fold_in(key, 1)[None])
    np.testing.assert_array_equal(alone.tokens[0], made.tokens[1])
    left = np.full((3, 8), -5, np.int32)
    for row, length in enumerate(_LENGTHS):
        left[row, 8 - length :] = _PROMPTS[row, :length]
    again = _GENERATE(left, _LENGTHS, padding="left")
    np.testing.assert_array_equal(again.tokens, made.tokens)
    np.testing.assert_allclose(again.entropies, made.entropies, atol=1e-5)
    other = _GENERATE(_PROMPTS, _LENGTHS, key=jax.random.key(8))
    assert (other.tokens != made.tokens).any()


def test_tokens_follow_the_law():
    rows = 4000
    prompts = np.tile(_PROMPTS[:1], (rows, 1))
    made = language.generate(_MODEL, prompts, key=jax.random.key(0), max_new_tokens=1)
    law = np.asarray(jax.nn.softmax(_forward(_PROMPTS[:1])[0][0, -1]))
    counts = np.bincount(np.asarray(made.tokens[:, 0]), minlength=11)
    statistic = ((counts - rows * law) ** 2 / (rows * law)).sum()
    assert statistic < 29.6, "chi squared of 10 degrees, one in a thousand"


def test_transforms_mask_and_are_traced_as_partials():
    def cut(logits, cutoff, temperature):
        kept = jnp.where(jax.nn.log_softmax(logits) > cutoff, logits, -jnp.inf)
        return kept / temperature

    def made(cutoff, temperature=1.0):
        transform = jax.tree_util.Partial(cut, cutoff=cutoff, temperature=temperature)
        return _GENERATE(_PROMPTS, transform=transform)

    tokens, before = _PROMPTS.copy(), generation._generate._cache_size()
    for _ in range(6):
        token = _forward(tokens)[0][:, -1].argmax(-1)[:, None]
        tokens = np.concatenate([tokens, token.astype(np.int32)], 1)
    np.testing.assert_array_equal(made(-50.0, 1e-9).tokens, tokens[:, 5:])
    np.testing.assert_array_equal(made(-50.0).tokens, _GENERATE(_PROMPTS).tokens)
    assert float(made(-1.5).log_likelihoods.min()) > -1.5 - 1e-5
    assert (np.asarray(made(1.0).tokens) == -1).all(), "nothing is left to draw"
    assert generation._generate._cache_size() <= before + 2


def test_the_stop_token_ends_a_row():
    whole = np.asarray(_made().tokens)
    stop = int(whole[0, 2])
    made = _GENERATE(_PROMPTS, _LENGTHS, stop_token=stop)
    for row, tokens in enumerate(whole):
        hits = np.flatnonzero(tokens == stop)
        count = hits[0] + 1 if len(hits) else 6
        assert int(made.lengths[row]) == count
        np.testing.assert_array_equal(made.tokens[row, :count], tokens[:count])
        assert (np.asarray(made.tokens[row, count:]) == stop).all()
        for kept in (made.entropies, made.log_likelihoods, made.attention_entropies):
            assert not np.asarray(kept[row, count:]).any()


def test_one_program_a_shape_and_under_jit():
    before = generation._generate._cache_size()
    for columns in (3, 4, 5):  # all within the least length of prompts
        _GENERATE(_PROMPTS[:, :columns])
    assert generation._generate._cache_size() <= before + 1
    structure, state = nnx.split(_MODEL)
    inner = jax.jit(
        lambda state, prompts: language.generate(
            nnx.merge(structure, state), prompts, key=jax.random.key(7), max_new_tokens=6
        )
    )
    np.testing.assert_array_equal(inner(state, _PROMPTS).tokens, _GENERATE(_PROMPTS).tokens)
    bad = inner(state, np.where(np.arange(5) == 2, 99, _PROMPTS))
    assert (np.asarray(bad.tokens) == -1).all(), "no plausible token of an invalid prompt"


def test_the_cache_is_written_in_place():
    """No program copies an array of the cache's size inside the loop."""
    # Sizes that nothing else in the program has.
    structure, state = nnx.split(_MODEL)
    tokens, lengths = jnp.zeros((3, 16), jnp.int32), jnp.full(3, 16)
    plan = generation._Plan(74, 90, False, False)
    keys = jax.random.split(jax.random.key(0), 3)
    arguments = (plan, structure, state, tokens, lengths, keys, None, jnp.int32(-2))
    text = generation._generate.lower(*arguments).compile().as_text()
    slots = r"= f32\[3,2,(?:90,4|4,90)\]\S* "
    assert len(re.findall(slots + r"dynamic-update-slice\(", text)) == 4, "two layers, two each"
    body = re.search(r"while\(.*body=%?([\w.-]+)", text).group(1)
    loop = re.search(rf"\n%?{re.escape(body)} .*?\n}}", text, re.DOTALL).group(0)
    assert not re.findall(slots + r"(?:copy|transpose|concatenate)\(", loop)
    step = jax.jit(lambda token, cache: _MODEL.decode_step(token, cache), donate_argnums=1)
    cache = _MODEL.prefill(_PROMPTS, capacity=90)[1]
    lowered = step.lower(_LENGTHS, cache).compile()
    assert lowered.memory_analysis().alias_size_in_bytes >= 4 * 3 * 2 * 90 * 4 * 4
    assert not re.search(slots + r"copy\(", lowered.as_text())


@pytest.mark.parametrize(
    ("changes", "error", "pattern"),
    [
        ({"prompts": np.zeros((1, 0), int)}, ValueError, "prompts|tokens must hold a token"),
        ({"prompts": np.array([[0, 12]])}, ValueError, r"= 12"),
        ({"lengths": np.array([0, 1, 1])}, ValueError, "a prompt is not empty"),
        ({"capacity": 4}, ValueError, "5 tokens of the prompts and max_new_tokens = 6"),
        ({"capacity": 10}, ValueError, "11 together; got 10"),
        ({"max_new_tokens": 0}, ValueError, "max_new_tokens must be at least 1"),
        ({"stop_token": 11}, ValueError, "stop_token must be 0 to 10; got 11"),
        ({"transform": 3}, TypeError, "transform must be callable"),
        ({"transform": lambda x: x[:, :2]}, ValueError, "transform must return .*3, 11"),
        ({"key": jax.random.split(jax.random.key(0), 2)}, ValueError, "one for each of 3 rows"),
    ],
)
def test_bad_input_is_refused(changes, error, pattern):
    arguments = {"prompts": _PROMPTS} | changes
    with pytest.raises(error, match=pattern):
        _GENERATE(**arguments)


def test_texts_become_prompts_and_come_back():
    tokens, lengths = language.encode_texts(["é", b"ab"], start=False, length=4)
    assert tokens.tolist() == [[195, 169, 0, 0], [97, 98, 0, 0]] and lengths.tolist() == [2, 2]
    assert language.decode_text(tokens[0], 2) == "é"
    assert language.decode_text([256, 195]) == "�"
    for call, pattern in (
        (lambda: language.encode_texts([]), "must hold a text"),
        (lambda: language.encode_texts([""], start=False), "must not be empty"),
        (lambda: language.encode_texts(["abc"], length=2), "length must be at least 4"),
        (lambda: language.decode_text([257]), "must be 0 to 256"),
        (lambda: language.decode_text([[1]]), "one axis"),
    ):
        with pytest.raises(ValueError, match=pattern):
            call()
    with pytest.raises(TypeError, match="got one text"):
        language.encode_texts("abc")
