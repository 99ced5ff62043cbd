"""Drawing tokens: frequencies, limits, penalties' counts, mirostat's control, beam search."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import decoding


def test_frequencies_are_the_law():
    logits = jnp.asarray(np.random.default_rng(0).normal(size=300) * 2, jnp.float32)
    logits = logits.at[::3].set(-jnp.inf)
    draws = decoding.sample(jax.random.key(1), jnp.broadcast_to(logits, (40_000, 300)))
    counts = np.bincount(draws, minlength=300)
    expected = 40_000 * np.asarray(jax.nn.softmax(logits))
    assert counts[::3].sum() == 0
    common = expected > 5
    statistic = np.sum((counts - expected)[common] ** 2 / expected[common])
    # Chi-squared: mean the number of classes, variance twice it.
    assert statistic < common.sum() + 5 * np.sqrt(2 * common.sum())


def test_a_row_depends_on_its_own_number_and_logits():
    logits = jax.random.normal(jax.random.key(0), (5, 200))
    whole = decoding.sample(jax.random.key(3), logits)
    np.testing.assert_array_equal(decoding.sample(jax.random.key(3), logits[:2]), whole[:2])
    other = logits.at[0].set(0)
    np.testing.assert_array_equal(decoding.sample(jax.random.key(3), other)[1:], whole[1:])


def test_transforms_and_traced_code():
    transform = decoding.chain(
        functools.partial(decoding.temperature, t=2.0), functools.partial(decoding.top_k, k=1)
    )
    logits = jax.random.normal(jax.random.key(0), (2, 3, 50))
    found = jax.jit(lambda key, x: decoding.sample(key, x, transform))(jax.random.key(0), logits)
    np.testing.assert_array_equal(found, decoding.greedy(logits))
    bad = logits.at[0, 1, 3].set(jnp.nan)
    found = jax.jit(decoding.sample)(jax.random.key(0), bad)
    assert found[0, 1] == -1 and (np.delete(np.asarray(found).ravel(), 1) >= 0).all()
    with pytest.raises(ValueError, match=r"logits\[0, 1, 3\] = nan"):
        decoding.sample(jax.random.key(0), bad)
    with pytest.raises(ValueError, match="keep the shape"):
        decoding.sample(jax.random.key(0), logits, lambda x: x[..., :2])
    with pytest.raises(TypeError, match="transform must be callable"):
        decoding.sample(jax.random.key(0), logits, "top_p")
    with pytest.raises(ValueError, match="a row without"):
        decoding.greedy(jnp.full((2, 3), -jnp.inf))


def test_counts():
    tokens = jnp.array([[0, 2, 2, 9], [1, 1, 1, 9]])
    where = tokens != 9
    counts = decoding.token_counts(tokens, 3, where=where)
    np.testing.assert_array_equal(counts, [[1, 0, 2], [0, 3, 0]])
    with pytest.raises(ValueError, match=r"tokens\[0, 3\] = 9"):
        decoding.token_counts(tokens, 3)
    with pytest.raises(TypeError, match="integers"):
        decoding.token_counts(jnp.ones(3), 3)
    with pytest.raises(ValueError, match=r"counts must have shape \(2, 3\)"):
        decoding.presence_penalty(jnp.zeros((2, 3)), counts[0], 1.0)


def test_mirostat_holds_the_surprise_at_its_target():
    # The most probable token surprises less than the target, the law more.
    noise = jax.random.normal(jax.random.key(0), (8, 500))
    logits = 0.3 * noise - 1.2 * jnp.log(jnp.arange(1.0, 501.0))

    def step(bound, key):
        found = decoding.mirostat_sample(key, logits, bound, target=3.0, base=2)
        return found.max_surprise, found.surprise

    keys = jax.random.split(jax.random.key(1), 800)
    _, surprise = jax.jit(lambda b: jax.lax.scan(step, b, keys))(jnp.full(8, 6.0))
    np.testing.assert_allclose(np.mean(surprise[200:], 0), 3.0, atol=0.1)


_LAW = np.random.default_rng(4).dirichlet(np.ones(4), (2, 4, 4))  # by row, two tokens back


def _step(token, state):
    """A chain of order two whose state holds the row and the token before the last."""
    row, before = state
    return jnp.log(jnp.asarray(_LAW))[row, before, token], (row, token)


def _exhaustive(row, length, stop, power):
    found = {}
    for size in range(1, length + 1):
        for tokens in itertools.product(range(4), repeat=size):
            if stop in tokens[:-1] or (size < length and tokens[-1] != stop):
                continue
            history, log_p = [0, 0], 0.0
            for token in tokens:
                log_p += np.log(_LAW[row, history[-2], history[-1], token])
                history.append(token)
            found[tokens] = log_p / size**power
    return sorted(found.items(), key=lambda pair: -pair[1])


@pytest.mark.parametrize(("stop", "power"), [(None, 0.0), (2, 0.0), (2, 1.0)])
def test_with_enough_beams_the_search_is_exhaustive(stop, power):
    state = (jnp.array([0, 1]), jnp.array([0, 0]))
    found = decoding.beam_search(
        _step,
        jnp.array([0, 0]),
        state,
        num_beams=40,
        max_new_tokens=3,
        stop_token=stop,
        pad_token=7,
        length_penalty=power,
    )
    for row in range(2):
        expected = _exhaustive(row, 3, stop, power)
        for number, (tokens, score) in enumerate(expected[:40]):
            np.testing.assert_allclose(found.scores[row, number], score, rtol=1e-5)
            assert found.lengths[row, number] == len(tokens)
            assert tuple(found.tokens[row, number, : len(tokens)].tolist()) == tokens
            assert (found.tokens[row, number, len(tokens) :] == 7).all()


def test_one_beam_is_greedy_and_bad_arguments():
    state = (jnp.array([0, 1]), jnp.array([0, 0]))
    one = {"num_beams": 1, "max_new_tokens": 5}
    found = decoding.beam_search(_step, jnp.array([0, 0]), state, **one)
    token, tokens = jnp.array([0, 0]), []
    for _ in range(5):
        logits, state = _step(token, state)
        token = decoding.greedy(logits)
        tokens.append(token)
    np.testing.assert_array_equal(found.tokens[:, 0], np.stack(tokens, 1))
    with pytest.raises(ValueError, match="leading axis 2"):
        decoding.beam_search(_step, jnp.array([0, 0]), (jnp.zeros(3),), **one)
    with pytest.raises(ValueError, match="num_beams must be at least 1"):
        decoding.beam_search(_step, jnp.array([0, 0]), (), num_beams=0, max_new_tokens=1)
    with pytest.raises(TypeError, match="first_token must be integers"):
        decoding.beam_search(_step, jnp.zeros(2), (), **one)


def test_generate_of_transformers_takes_a_transform():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=120, n_positions=32, n_embd=16, n_layer=1, n_head=2, bos_token_id=0
        )
    ).eval()
    seen = []

    def transform(logits):
        return decoding.top_h(logits * 20, alpha=0.3)

    processor = decoding.to_transformers(transform)

    class Watch(transformers.LogitsProcessor):
        def __call__(self, input_ids, scores):
            seen.append(scores)
            return scores

    prompt = torch.tensor([[5, 6], [7, 8]])
    text = model.generate(
        prompt,
        max_new_tokens=6,
        do_sample=True,
        logits_processor=[processor, Watch()],
        pad_token_id=0,
        top_k=0,
    )
    assert text.shape == (2, 8)
    with torch.no_grad():
        logits = model(prompt).logits[:, -1]
    expected = np.asarray(transform(jnp.asarray(logits.numpy())))
    np.testing.assert_allclose(seen[0].numpy(), expected, rtol=1e-5)
    assert (np.isfinite(expected).sum(-1) < 120).all()
