"""The end of a sorted prefix: every implementation against sorting, on rows of all kinds."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import ahead_of_time
from infojax.kernels.entropy_from_logits import logit_statistics
from infojax.kernels.sorted_prefix import sorted_prefix
from infojax.kernels.sorted_prefix.largest import largest

_LENGTH = 701


def _rows():
    """Spread, flat, equal, tied, masked and huge logits: one row each, of one shape."""
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(12, _LENGTH))
    rows = [
        normal[0] * 3,
        normal[1] * 0.01,
        np.zeros(_LENGTH),
        np.round(normal[2] * 2) / 2,
        np.asarray(jnp.asarray(normal[3] * 0.5, jnp.bfloat16), np.float64),
        np.where(np.arange(_LENGTH) == 5, 50.0, 0.0),
        np.where(normal[4] < 0.3, -np.inf, normal[5]),
        np.where(normal[6] < 0, -3.4e38, normal[7] * 0.1),
        np.where(np.arange(_LENGTH) == 8, 0.0, -np.inf),
        normal[8] + 1e4,
        np.concatenate([[30.0], np.full(_LENGTH - 1, 1e-3)]),
        normal[9] * 1e-20,
        np.maximum(normal[10], 0.5),
    ]
    return jnp.asarray(np.stack(rows), jnp.float32)


@functools.cache
def _cut(rule, all_ties, implementation):
    def kept(scores, limit, log_mass=None):
        cut = sorted_prefix(
            scores,
            rule=rule,
            limit=limit,
            all_ties=all_ties,
            log_mass=log_mass,
            window=16,
            implementation=implementation,
        )
        return cut.keeps(scores)

    return jax.jit(kept)


_LIMITS = {
    "count": (1.0, 3.0, 16.0, 17.0, 200.0, 700.0, 701.0, np.inf),
    "mass": (1e-6, 0.1, 0.5, 0.9, 0.99, np.inf),
    "entropy": (0.0, 0.1, 0.4, 0.8, 0.97, np.inf),
}


@pytest.mark.parametrize(
    ("rule", "all_ties"),
    [("count", False), ("count", True), ("mass", False), ("mass", True), ("entropy", False)],
)
def test_every_implementation_ends_where_sorting_does(rule, all_ties):
    scores = _rows()
    statistics = logit_statistics(scores)
    unit = {
        "count": jnp.ones(len(scores)),
        "mass": jnp.exp(statistics.log_weight[:, 0]),
        "entropy": statistics.entropy[:, 0],
    }[rule]
    for share in _LIMITS[rule]:
        limit = jnp.where(jnp.isinf(share), jnp.inf, unit * share)
        expected = np.asarray(_cut(rule, all_ties, "reference")(scores, limit))
        assert np.all(expected.sum(-1) >= 1)
        for implementation in ("xla_window", "xla_bisection"):
            found = np.asarray(_cut(rule, all_ties, implementation)(scores, limit))
            # Sums in another order may move the end by one token.
            wrong = (found != expected).sum(-1)
            slack = 0 if rule == "count" else 1
            apart = np.abs(found.sum(-1) - expected.sum(-1)) > slack
            assert not np.any(apart & ~np.full(len(apart), all_ties)), (share, wrong)
            assert all_ties or np.all(wrong <= slack), (implementation, share, wrong)
            assert np.mean(wrong > 0) < 0.2, (implementation, share, wrong)


def test_masses_of_their_own():
    """As for typical sampling: the order is one thing, the weights another."""
    scores = _rows()[:2]
    log_mass = jnp.asarray(np.random.default_rng(1).normal(size=scores.shape), jnp.float32)
    limit = 0.6 * jnp.sum(jnp.exp(log_mass), -1)
    expected = _cut("mass", True, "reference")(scores, limit, log_mass)
    order = np.argsort(-np.asarray(scores), -1, kind="stable")
    mass = np.take_along_axis(np.exp(np.asarray(log_mass, np.float64)), order, -1)
    before = np.cumsum(mass, -1) - mass
    np.testing.assert_array_equal(
        np.sum(before < np.asarray(limit)[:, None], -1), np.sum(expected, -1)
    )
    for implementation in ("xla_window", "xla_bisection"):
        found = _cut("mass", True, implementation)(scores, limit, log_mass)
        assert np.all(np.sum(found != expected, -1) <= 1)


@pytest.mark.parametrize("n", [1, 7, 64])
def test_the_largest_by_blocks_are_those_of_top_k(n):
    rng = np.random.default_rng(2)
    for x in (rng.normal(size=(3, 5003)), rng.integers(0, 20, (3, 5003)) * 1.0):
        x = jnp.asarray(x, jnp.float32).at[0, :4900].set(-jnp.inf)
        for mine, exact in zip(largest(x, n), jax.lax.top_k(x, n), strict=True):
            np.testing.assert_array_equal(mine, exact)


def test_the_platform_chooses_and_nothing_is_sorted():
    scores = jax.ShapeDtypeStruct((4, 32_000), jnp.float32)
    limit = jax.ShapeDtypeStruct((4,), jnp.float32)

    def cut(scores, limit):
        return sorted_prefix(scores, rule="mass", limit=limit)

    traced = jax.jit(cut).trace(scores, limit)
    text = {name: traced.lower(lowering_platforms=(name,)).as_text() for name in ("cpu", "tpu")}
    assert "top_k" in text["cpu"] and "top_k" not in text["tpu"]
    # On CPU two selections of some thousands of numbers; the sort is of a few block numbers.
    assert "x32000xf32>) -> (tensor<4x128xf32>" not in text["cpu"]
    assert "sort" not in text["tpu"]


def test_bad_arguments():
    scores, limit = jnp.zeros((2, 4)), jnp.ones(2)
    with pytest.raises(ValueError, match="rule must be one of"):
        sorted_prefix(scores, rule="weight", limit=limit)
    with pytest.raises(ValueError, match="implementation must be None or one of"):
        sorted_prefix(scores, rule="mass", limit=limit, implementation="sort")
    with pytest.raises(ValueError, match=r"limit must have shape \(2,\)"):
        sorted_prefix(scores, rule="mass", limit=jnp.ones(3))
    with pytest.raises(ValueError, match="log_mass must have shape"):
        sorted_prefix(scores, rule="mass", limit=limit, log_mass=jnp.zeros(4))
    with pytest.raises(ValueError, match="all_ties must be False"):
        sorted_prefix(scores, rule="entropy", limit=limit, all_ties=True)


def test_it_compiles_for_a_tpu_in_little_memory():
    scores, limit = ahead_of_time.shapes((8, 32_000), (8,), dtype=jnp.float32)
    compiled = ahead_of_time.compile_for_tpu(
        lambda scores, limit: sorted_prefix(scores, rule="entropy", limit=limit)[:2],
        scores,
        limit,
        generation="v5e:2x2",
    )
    assert " sort(" not in compiled.as_text()
    # What each token adds to the sums, twice the scores' size, and little else.
    assert compiled.memory_analysis().temp_size_in_bytes < 4 * scores.size * 4
