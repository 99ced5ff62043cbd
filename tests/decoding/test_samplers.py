"""Samplers against closed forms, transformers' processors, float64 golden data, and each other."""

import functools
import pathlib

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

from infojax import decoding
from infojax.entropies import entropy_from_logits

_GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
_PEER = np.load(_GOLDEN / "transformers" / "processors.npz")
_TOP_H = np.load(_GOLDEN / "top_h" / "keep.npz")
_SAMPLERS = {
    "top_k": lambda x, k: decoding.top_k(x, int(k)),
    "top_p": decoding.top_p,
    "min_p": decoding.min_p,
    "typical": decoding.typical,
    "epsilon": decoding.epsilon,
    "eta": decoding.eta,
}


def _kept(masked):
    return np.asarray(masked) > -np.inf


@pytest.mark.parametrize("name", sorted(set(_PEER.files) - {"logits", "tokens"}))
def test_keeps_what_transformers_keeps(name):
    sampler, setting = name.split("/")
    logits = jnp.asarray(_PEER["logits"])
    if sampler == "repetition_penalty":
        counts = decoding.token_counts(jnp.asarray(_PEER["tokens"]), logits.shape[-1])
        found = decoding.repetition_penalty(logits, counts, float(setting))
        np.testing.assert_allclose(found, _PEER[name], rtol=1e-6)
        return
    if sampler == "top_h":
        # Theirs is the published code's rule on the law of the hundred most probable tokens.
        chained = decoding.top_h(
            decoding.top_k(logits, 100), alpha=float(setting), rule="reference"
        )
        np.testing.assert_array_equal(_kept(chained), _PEER[name])
        found = decoding.top_h(logits, alpha=float(setting), rule="transformers")
    else:
        found = _SAMPLERS[sampler](logits, float(setting))
    np.testing.assert_array_equal(_kept(found), _PEER[name])
    kept = _kept(found)
    np.testing.assert_array_equal(np.asarray(found)[kept], np.asarray(logits)[kept])


@pytest.mark.parametrize("case", range(4))
def test_top_h_of_the_golden_data(case):
    logits, alpha, temperature = (
        _TOP_H[f"{case}_{name}"] for name in ("logits", "alpha", "temperature")
    )
    found = decoding.top_h(jnp.asarray(logits), alpha=alpha, temperature=temperature)
    keep = _TOP_H[f"{case}_keep"]
    assert np.sum(_kept(found) != keep) <= 1
    np.testing.assert_allclose(
        entropy_from_logits(found), _TOP_H[f"{case}_kept_entropy_nats"], rtol=2e-2
    )
    if f"{case}_keep_reference_rule" in _TOP_H:
        found = decoding.top_h(logits, alpha=alpha, temperature=temperature, rule="reference")
        assert np.sum(_kept(found) != _TOP_H[f"{case}_keep_reference_rule"]) <= 1


def test_top_h_of_uniform_and_certain_laws():
    for alpha in (0.2, 0.4, 0.75):
        kept = _kept(decoding.top_h(jnp.zeros(625), alpha=alpha))
        count = kept.sum()
        assert abs(count - np.floor(625**alpha)) <= 1
        np.testing.assert_array_equal(np.flatnonzero(kept), np.arange(count))
    one = jnp.full(625, -jnp.inf).at[7].set(3.0)
    np.testing.assert_array_equal(np.flatnonzero(_kept(decoding.top_h(one, alpha=0.1))), [7])
    assert _kept(decoding.top_h(jax.random.normal(jax.random.key(0), (625,)), alpha=1.0)).all()
    masked = decoding.top_h(jnp.zeros(4), alpha=1.0, where=jnp.array([True, False, True, True]))
    np.testing.assert_array_equal(_kept(masked), [True, False, True, True])


def test_the_small_entropy_of_a_peaked_law_keeps_its_digits():
    # All tokens but one have together a millionth: the prefix must still follow the bound.
    logits = np.full(5000, -22.4)
    logits[17] = 0.0
    logits += np.random.default_rng(0).normal(size=5000) * 0.01
    for alpha in (0.3, 0.8):
        found = decoding.top_h(jnp.asarray(logits, jnp.float32), alpha=alpha)
        p = np.exp(logits - np.logaddexp.reduce(logits))
        order = np.argsort(-p)
        mass, spread = np.cumsum(p[order]), np.cumsum(-(p * np.log(p))[order])
        count = np.sum(spread / mass + np.log(mass) <= alpha * spread[-1])
        # The entropy rises by a ten thousandth a token: float32 is that close.
        assert abs(_kept(found).sum() - count) <= 0.002 * count


def test_large_vocabulary_agrees_with_float64_within_a_token():
    rng = np.random.default_rng(1)
    logits = (rng.normal(size=256_000) * 1.5).astype(np.float32)
    p = np.exp(logits.astype(np.float64))
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    mass, spread = np.cumsum(p[order]), np.cumsum(-(p * np.log(p))[order])
    for alpha in (0.4, 0.9):
        count = np.sum(spread / mass + np.log(mass) <= alpha * spread[-1])
        assert abs(_kept(decoding.top_h(logits, alpha=alpha)).sum() - count) <= 1


_ROW = st.integers(0, 2**31)


@hypothesis.given(_ROW, st.floats(0.05, 1.0), st.floats(0.3, 4.0))
@hypothesis.settings(max_examples=25)
def test_laws_of_top_h(seed, alpha, temperature):
    rng = np.random.default_rng(seed)
    logits = jnp.asarray(np.round(rng.normal(size=(3, 40)) * 3, 1), jnp.float32)
    found = decoding.top_h(logits, alpha=alpha, temperature=temperature)
    kept = _kept(found)
    whole = entropy_from_logits(logits / temperature)
    alone = kept.sum(-1) == 1
    assert np.all(alone | (np.asarray(entropy_from_logits(found)) <= alpha * whole + 1e-5))
    more = _kept(decoding.top_h(logits, alpha=min(1.0, alpha + 0.1), temperature=temperature))
    assert np.all(more | ~kept)
    order = rng.permutation(40)
    moved = _kept(decoding.top_h(logits[:, order] + 1, alpha=alpha, temperature=temperature))
    # Ties may change places, their number may not.
    assert np.all(np.abs(moved.sum(-1) - kept.sum(-1)) <= 1)
    least = np.min(np.where(kept, logits, np.inf), -1)
    assert np.all(kept | (np.asarray(logits) <= least[:, None]))


@pytest.mark.parametrize("name", ["top_k", "top_p", "typical", "top_h"])
def test_rows_do_not_mix_and_parameters_go_by_row(name):
    rng = np.random.default_rng(3)
    widths = np.array([0.001, 0.1, 1.0, 5.0])
    logits = jnp.asarray(rng.normal(size=(4, 700)) * widths[:, None], jnp.float32)
    settings = {
        "top_k": jnp.array([1, 300, 7, 40]),
        "top_p": jnp.array([0.9, 0.2, 0.99, 0.5]),
        "typical": jnp.array([0.9, 0.2, 0.99, 0.5]),
        "top_h": jnp.array([0.9, 0.2, 0.99, 0.5]),
    }[name]
    sampler = {
        "top_h": lambda x, a: decoding.top_h(x, alpha=a),
        "top_k": decoding.top_k,
        **{key: _SAMPLERS[key] for key in ("top_p", "typical")},
    }[name]
    whole = np.asarray(sampler(logits, settings))
    mapped = jax.vmap(sampler)(logits, settings)
    np.testing.assert_array_equal(mapped, whole)
    for row in range(4):
        alone = sampler(logits[row : row + 1], settings[row : row + 1])
        np.testing.assert_array_equal(np.asarray(alone)[0], whole[row])


def test_half_precision_stays_what_it_is():
    logits = jax.random.normal(jax.random.key(0), (2, 100), jnp.bfloat16)
    for sampler, setting in (("top_p", 0.8), ("min_p", 0.2), ("typical", 0.5), ("eta", 0.01)):
        found = _SAMPLERS[sampler](logits, setting)
        assert found.dtype == jnp.bfloat16
        kept = _kept(found.astype(jnp.float32))
        np.testing.assert_array_equal(np.asarray(found)[kept], np.asarray(logits)[kept])


@pytest.mark.parametrize(
    ("call", "error", "pattern"),
    [
        (lambda x: decoding.top_h(x, alpha=0.0), ValueError, r"alpha must be above 0.*got"),
        (lambda x: decoding.top_h(x, alpha=1.5), ValueError, r"alpha = 1\.5"),
        (lambda x: decoding.top_h(x, temperature=0.0), ValueError, "temperature must be positive"),
        (lambda x: decoding.top_h(x, rule="best"), ValueError, "rule must be one of"),
        (lambda x: decoding.top_h(x, where=jnp.ones(3)), TypeError, "where must be boolean"),
        (lambda x: decoding.top_h(x, implementation="sort"), ValueError, "implementation"),
        (lambda x: decoding.top_k(x, 0), ValueError, "k must be at least 1"),
        (lambda x: decoding.top_k(x, 2.0), TypeError, "k must be a whole number"),
        (lambda x: decoding.top_p(x, 0.0), ValueError, "p must be above 0"),
        (lambda x: decoding.top_p(x, jnp.array([0.5, 1.2])), ValueError, r"p\[1\] = 1\.2"),
        (lambda x: decoding.top_p(x, jnp.ones(3)), ValueError, r"broadcast to \(2,\)"),
        (lambda x: decoding.min_p(x, -0.1), ValueError, "p must be between 0 and 1"),
        (lambda x: decoding.min_p(x, "half"), TypeError, "p must be a real number"),
        (lambda x: decoding.temperature(x, -1.0), ValueError, "t must be positive"),
        (lambda x: decoding.typical(x, 1.1), ValueError, "mass must be above 0"),
        (lambda x: decoding.epsilon(x, 2.0), ValueError, "cutoff must be between"),
        (lambda x: decoding.top_n_sigma(x, -1.0), ValueError, "n must be non-negative"),
        (lambda x: decoding.chain(decoding.greedy, 3), TypeError, r"functions\[1\] must be"),
        (lambda x: decoding.contrastive(x, x[:1]), ValueError, "amateur_logits must have shape"),
        (lambda x: decoding.mirostat(x, 1.0, base=1), ValueError, "base must be"),
        (lambda x: decoding.to_transformers("top_p"), TypeError, "transform must be callable"),
        (
            lambda x: decoding.heaviest_bounded_entropy_set(jnp.zeros(21)),
            ValueError,
            "at most 20 tokens; got 21",
        ),
    ],
)
def test_bad_parameters(call, error, pattern):
    with pytest.raises(error, match=pattern):
        call(jnp.zeros((2, 5)))


def test_a_bad_parameter_in_traced_code_is_nan_or_told():
    function = functools.partial(decoding.top_p, jnp.zeros(4))
    assert np.isnan(jax.jit(function)(1.5)).all()
    assert jax.jit(checkify.checkify(function))(1.5)[0].get() is not None


@pytest.mark.parametrize("name", ["top_k", "top_p", "typical", "top_h", "reference"])
def test_behind_a_temperature_in_one_program_something_is_kept(name):
    """XLA computes logits over T anew where they are compared, and may round otherwise."""
    truncate = {
        "top_k": functools.partial(decoding.top_k, k=1),
        "top_p": functools.partial(decoding.top_p, p=0.4),
        "typical": functools.partial(decoding.typical, mass=0.4),
        "top_h": functools.partial(decoding.top_h, alpha=0.2),
        "reference": functools.partial(decoding.top_h, alpha=0.2, rule="reference"),
    }[name]
    logits = jax.random.normal(jax.random.key(0), (300, 120)) * 4
    whole = jax.jit(lambda x, t: truncate(decoding.temperature(x, t)))
    for t in (0.7, 1.3, 1.5):
        kept = _kept(whole(logits, jnp.float32(t)))
        assert kept.any(-1).all()
        steps = _kept(truncate(decoding.temperature(logits, t)))
        assert np.mean(kept.sum(-1) != steps.sum(-1)) < 0.02
