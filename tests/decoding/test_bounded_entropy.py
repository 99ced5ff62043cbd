"""The exact problem of the heaviest set within an entropy bound, against brute force."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from infojax import decoding


def _brute_force(logits, alpha):
    p = np.exp(logits - np.logaddexp.reduce(logits))
    bound = alpha * -np.sum(p * np.log(p))
    best = p.max()
    for size in range(2, len(p) + 1):
        for chosen in itertools.combinations(p, size):
            q = np.array(chosen) / np.sum(chosen)
            if -np.sum(q * np.log(q)) <= bound + 1e-7:
                best = max(best, np.sum(chosen))
    return best


def test_it_is_the_best_of_all_sets():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4, 9)) * np.array([0.2, 1, 2, 4])[:, None]
    for alpha in (0.3, 0.7):
        found = decoding.heaviest_bounded_entropy_set(jnp.asarray(logits, jnp.float32), alpha=alpha)
        expected = [_brute_force(row, alpha) for row in logits]
        np.testing.assert_allclose(found.mass, expected, rtol=1e-5)
        p = np.exp(logits - np.logaddexp.reduce(logits, -1, keepdims=True))
        np.testing.assert_allclose(np.sum(p * np.asarray(found.kept), -1), expected, rtol=1e-5)
        greedy = np.asarray(decoding.top_h(jnp.asarray(logits, jnp.float32), alpha=alpha)) > -np.inf
        assert np.all(np.sum(p * greedy, -1) <= np.asarray(found.mass) + 1e-6)


def test_edges():
    everything = decoding.heaviest_bounded_entropy_set(jnp.array([0.0, 1.0, -jnp.inf]), alpha=1.0)
    np.testing.assert_array_equal(everything.kept, [True, True, False])
    np.testing.assert_allclose(everything.mass, 1, rtol=1e-6)
    one = decoding.heaviest_bounded_entropy_set(jnp.zeros((2, 1)))
    np.testing.assert_array_equal(one.entropy, [0, 0])
    with pytest.raises(ValueError, match="nan"):
        decoding.heaviest_bounded_entropy_set(jnp.array([0.0, jnp.nan]))
