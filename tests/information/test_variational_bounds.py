"""Bounds from score matrices: against numpy in float64, on Gaussians, orderings, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infojax import divergences, information

_ALL = {
    "donsker_varadhan": information.donsker_varadhan_bound,
    "nwj": information.nwj_bound,
    "info_nce": information.info_nce_bound,
    "smile": lambda s, **o: information.smile_bound(s, 0.8, **o),
    "jensen_shannon": information.jensen_shannon_bound,
    "jensen_shannon_nwj": information.jensen_shannon_nwj_bound,
    "interpolated": lambda s, **o: information.interpolated_bound(s, 0.4, **o),
    "mine": lambda s, **o: information.mine_bound(s, jnp.array(-jnp.inf), **o)[0],
    "club": information.club_bound,
    "leave_one_out": information.leave_one_out_bound,
}
_JITTED = {name: jax.jit(function) for name, function in _ALL.items()}


def _brute_force(name, s):
    """Each definition, pair by pair."""
    n = len(s)
    joint = np.mean([s[i, i] for i in range(n)])
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]

    def over(f):
        return np.mean([f(s[i, j]) for i, j in pairs])

    if name in ("donsker_varadhan", "mine"):
        return joint - np.log(over(np.exp))
    if name == "nwj":
        return joint - over(np.exp) / np.e
    if name == "info_nce":
        return np.mean([s[i, i] - np.log(np.mean(np.exp(s[i]))) for i in range(n)])
    if name == "smile":
        return joint - np.log(over(lambda t: np.clip(np.exp(t), np.exp(-0.8), np.exp(0.8))))
    if name == "jensen_shannon":
        first = np.mean([np.log1p(np.exp(-s[i, i])) for i in range(n)])
        return np.log(2) - (first + over(lambda t: np.log1p(np.exp(t)))) / 2
    if name == "jensen_shannon_nwj":
        return 1 + joint - over(np.exp)
    if name == "interpolated":

        def baseline(i, k):
            others = np.mean([np.exp(s[i, j]) for j in range(n) if j != k])
            return 0.4 * others + 0.6 * np.e

        first = np.mean([s[i, i] - np.log(baseline(i, k)) for i, k in pairs])
        return 1 + first - np.mean([np.exp(s[i, j]) / baseline(i, i) for i, j in pairs])
    if name == "club":
        return joint - over(lambda t: t)
    assert name == "leave_one_out"
    return np.mean(
        [s[i, i] - np.log(np.mean([np.exp(s[j, i]) for j in range(n) if j != i])) for i in range(n)]
    )


@pytest.mark.parametrize("name", _ALL)
def test_definition_pair_by_pair(name):
    s = np.random.default_rng(1).normal(size=(5, 5)) * 2
    with jax.enable_x64(True):
        np.testing.assert_allclose(_ALL[name](jnp.asarray(s)), _brute_force(name, s), 1e-12)
    np.testing.assert_allclose(_JITTED[name](s.astype(np.float32)), _brute_force(name, s), 1e-4)
    two = s[:2, :2].astype(np.float32)
    np.testing.assert_allclose(_JITTED[name](two), _brute_force(name, two), 1e-4, 1e-5)


@pytest.mark.parametrize("name", _ALL)
def test_samples_that_do_not_count(name):
    s = np.random.default_rng(3).normal(size=(2, 6, 6)).astype(np.float32)
    keep = np.array([[1, 1, 0, 1, 0, 1], [0, 1, 1, 1, 1, 0]], bool)
    expected = [_JITTED[name](one[k][:, k]) for one, k in zip(s, keep, strict=True)]
    pairs = keep[:, :, None] & keep[:, None, :]
    value = _JITTED[name](jnp.where(pairs, s, jnp.nan), where=keep)
    np.testing.assert_allclose(value, expected, rtol=2e-5, atol=1e-6)
    derive = jax.jit(jax.grad(lambda s: jnp.sum(_ALL[name](s, where=keep))))
    gradient = derive(jnp.where(pairs, s, 50.0))
    assert np.all(np.isfinite(gradient))
    np.testing.assert_array_equal(np.asarray(gradient)[~pairs], 0)
    with pytest.raises(ValueError, match="at least 2 samples"):
        _ALL[name](s[0], where=np.arange(6) == 2)


@pytest.mark.parametrize("name", _ALL)
def test_bad_matrices(name):
    for bad, pattern in (
        (np.ones((1, 1)), "at least 2 samples"),
        (np.ones((0, 0)), "at least 2 samples"),
        (np.ones((3, 2)), "square"),
        (np.ones(3), "2 axes"),
        (np.full((2, 2), np.nan), "finite; got"),
    ):
        with pytest.raises(ValueError, match=pattern):
            _ALL[name](bad.astype(np.float32))
    assert np.isnan(_JITTED[name](jnp.full((2, 2), jnp.nan)))
    with pytest.raises(ValueError, match="base"):
        _ALL[name](np.eye(2, dtype=np.float32), base=1)


@given(st.integers(0, 10_000), st.sampled_from([0.1, 1.0, 30.0]))
@settings(max_examples=25, deadline=None)
def test_orderings_and_invariances(seed, scale):
    rng = np.random.default_rng(seed)
    s = (scale * rng.normal(size=(5, 5))).astype(np.float32)
    values = {name: float(function(s)) for name, function in _JITTED.items()}
    slack = 1e-4 * (1 + scale)
    assert values["nwj"] <= values["donsker_varadhan"] + slack
    assert values["jensen_shannon_nwj"] <= values["donsker_varadhan"] + slack
    assert values["info_nce"] <= np.log(5) + 1e-5
    assert values["jensen_shannon"] <= np.log(2) + 1e-6
    assert values["interpolated"] <= 1 + np.log(4 / 0.4) + slack
    assert values["leave_one_out"] <= values["club"] + slack, "Jensen"
    order = rng.permutation(5)
    column, row = rng.normal(size=(5, 1)), rng.normal(size=(1, 5))
    for name, function in _JITTED.items():
        moved = float(function(s[order][:, order]))
        np.testing.assert_allclose(moved, values[name], rtol=1e-4, atol=slack)
    for name, shift in (
        ("donsker_varadhan", 3.0),
        ("info_nce", column),
        ("club", row),
        ("leave_one_out", row),
    ):
        shifted = float(_JITTED[name]((s + shift).astype(np.float32)))
        np.testing.assert_allclose(shifted, values[name], rtol=1e-4, atol=slack)


def test_interpolation_ends_at_nwj_and_at_info_nce_of_all_but_one():
    s = np.random.default_rng(5).normal(size=(6, 6)).astype(np.float32)
    np.testing.assert_allclose(
        information.interpolated_bound(s, 0.0), information.nwj_bound(s), 1e-5
    )
    without = []
    for i in range(6):
        for k in set(range(6)) - {i}:
            without.append(s[i, i] - np.log(np.mean(np.exp(np.delete(s[i], k)))))
    np.testing.assert_allclose(information.interpolated_bound(s, 1.0), np.mean(without), 1e-5)
    # The best baseline for the row: nothing left of the weight e.
    baseline = np.log(np.mean(np.exp(s), 1))
    value = information.interpolated_bound(s, 0.0, log_baseline=baseline)
    joint = np.mean(np.diag(s) - baseline)
    product = np.mean((np.exp(s) / np.exp(baseline)[:, None])[~np.eye(6, dtype=bool)])
    np.testing.assert_allclose(value, 1 + joint - product, 1e-5)
    for alpha in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=r"alpha must be in \[0, 1\]"):
            information.interpolated_bound(s, alpha)
    with pytest.raises(ValueError, match="log_baseline must have shape"):
        information.interpolated_bound(s, 0.5, log_baseline=jnp.ones(5))
    with pytest.raises(ValueError, match="log_baseline must be finite"):
        information.interpolated_bound(s, 0.5, log_baseline=jnp.full(6, jnp.nan))
    by_alpha = jax.grad(information.interpolated_bound, 1)
    for alpha in (0.0, 0.3, 1.0):
        assert np.isfinite(by_alpha(s, alpha))


def test_one_row_dominated_by_one_score_keeps_the_others():
    """Leaving one out by subtraction would lose all of the rest in float32."""
    s = np.array([[0.0, 60.0, 1.0], [2.0, 0.0, 40.0], [90.0, 1.0, 3.0]])
    with jax.enable_x64(True):
        exact = information.interpolated_bound(jnp.asarray(s), 0.9, log_baseline=jnp.zeros(3))
    value = information.interpolated_bound(
        s.astype(np.float32), 0.9, log_baseline=jnp.zeros(3, jnp.float32)
    )
    np.testing.assert_allclose(value, exact, 1e-5)
    np.testing.assert_allclose(
        exact, _plain_interpolated(s, 0.9), rtol=1e-9, err_msg="sums without the one"
    )


def _plain_interpolated(s, alpha):
    n = len(s)
    keep = ~np.eye(n, dtype=bool)
    b = np.array(
        [[alpha * np.mean(np.exp(np.delete(r, k))) + 1 - alpha for k in range(n)] for r in s]
    )
    joint = (np.diag(s)[:, None] - np.log(b))[keep].mean()
    return 1 + joint - (np.exp(s) / np.diag(b)[:, None])[keep].mean()


def test_moving_average_replaces_the_batch_in_the_gradient():
    rng = np.random.default_rng(6)
    s = rng.normal(size=(4, 4)).astype(np.float32)
    step = jax.jit(jax.value_and_grad(information.mine_bound, has_aux=True))
    (value, log_average), first = step(s, jnp.array(-jnp.inf))
    plain = jax.grad(information.donsker_varadhan_bound)(s)
    np.testing.assert_allclose(first, plain, rtol=1e-5, atol=1e-7)
    keep = ~np.eye(4, dtype=bool)
    z = np.exp(s)[keep].mean()
    np.testing.assert_allclose(log_average, np.log(z), 1e-5, 1e-6)
    np.testing.assert_allclose(value, information.donsker_varadhan_bound(s), 1e-6)
    s2 = s + 1
    (_, second_average), second = step(s2, log_average)
    averaged = 0.99 * z + 0.01 * np.e * z
    np.testing.assert_allclose(second_average, np.log(averaged), 1e-5, 1e-6)
    expected = np.eye(4) / 4 - np.where(keep, np.exp(s2), 0) / 12 / averaged
    np.testing.assert_allclose(second, expected, rtol=1e-5, atol=1e-7)
    no_memory = jax.grad(lambda s: information.mine_bound(s, jnp.array(9.0), decay=0.0)[0])(s)
    np.testing.assert_allclose(no_memory, plain, rtol=1e-5, atol=1e-7)
    for decay in (1.0, -0.1, np.nan):
        with pytest.raises(ValueError, match="decay must be in"):
            information.mine_bound(s, log_average, decay=decay)
    with pytest.raises(ValueError, match="log_average must be finite or -inf"):
        information.mine_bound(s, jnp.array(jnp.nan))
    half = information.mine_bound(jnp.asarray(s, jnp.bfloat16), log_average)
    assert half[0].dtype == jnp.bfloat16
    assert half[1].dtype == jnp.float32


def test_jensen_shannon_nwj_has_the_value_of_one_and_the_gradient_of_the_other():
    s = np.random.default_rng(8).normal(size=(2, 4, 4)).astype(np.float32)
    value = information.jensen_shannon_nwj_bound(s, base=2)
    np.testing.assert_allclose(value, information.nwj_bound(s + 1, base=2), 1e-5)
    gradient = jax.grad(lambda s: information.jensen_shannon_nwj_bound(s).sum())(s)
    np.testing.assert_array_equal(
        gradient, jax.grad(lambda s: information.jensen_shannon_bound(s).sum())(s)
    )
    huge = jnp.asarray(1e4 * (1 - np.eye(3)), jnp.float32)
    assert information.jensen_shannon_nwj_bound(huge) == -np.inf
    assert np.all(np.isfinite(jax.grad(information.jensen_shannon_nwj_bound)(huge)))


def test_clip_must_be_positive_and_may_be_infinite():
    s = np.random.default_rng(9).normal(size=(4, 4)).astype(np.float32)
    limit = information.smile_bound(s, np.inf)
    np.testing.assert_allclose(limit, information.donsker_varadhan_bound(s), 1e-6)
    for clip in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="clip must be positive"):
            information.smile_bound(s, clip)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_gaussians_with_the_best_critic(rho):
    """Averages over batches lie where theory puts them, within four standard errors."""
    batches, n = 400, 64
    rng = np.random.default_rng(10)
    x = rng.normal(size=(batches, n, 1))
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=(batches, n, 1))
    x, y = x[:, :, 0], y[:, :, 0]
    variance = 1 - rho**2
    residual = (y[:, None, :] - rho * x[:, :, None]) ** 2 / variance
    log_ratio = 0.5 * (y[:, None, :] ** 2 - residual - np.log(variance))
    log_conditional = -0.5 * (residual + np.log(2 * np.pi * variance))
    truth = -0.5 * np.log(variance)

    def mean_and_error(name, scores):
        values = np.asarray(_JITTED[name](scores.astype(np.float32)), np.float64)
        return values.mean(), 4 * values.std(ddof=1) / np.sqrt(batches) + 1e-6

    for name, scores, exact in (
        ("nwj", log_ratio + 1, truth),
        ("jensen_shannon_nwj", log_ratio, truth),
        # I plus the divergence in the other direction.
        ("club", log_conditional, rho**2 / variance),
    ):
        value, error = mean_and_error(name, scores)
        assert abs(value - exact) < error, name
    for name, scores, sign in (
        ("info_nce", log_ratio, -1),
        ("interpolated", log_ratio + 1, -1),
        ("donsker_varadhan", log_ratio, 1),
        ("leave_one_out", log_conditional, 1),
    ):
        value, error = mean_and_error(name, scores)
        assert sign * (value - truth) > -error, name
        assert abs(value - truth) < 0.1, name


def test_jensen_shannon_bound_is_the_divergence_for_the_best_critic():
    """All pairs of a table of two symbols, as often as they occur."""
    joint = np.array([[0.5, 0.0], [0.25, 0.25]])
    x, y = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    smooth = np.where(joint > 0, joint, 1e-30)
    ratio = np.log(smooth / np.outer(joint.sum(1), joint.sum(0)))
    scores = ratio[x[:, None], y[None, :]]
    # The mean over i != j is not the product of marginals: it is taken from the pairs themselves.
    pairs = np.zeros((2, 2))
    for i in range(4):
        for j in set(range(4)) - {i}:
            pairs[x[i], y[j]] += 1 / 12
    best = np.log(smooth / pairs)[x[:, None], y[None, :]]
    value = information.jensen_shannon_bound(best.astype(np.float32))
    exact = divergences.jensen_shannon_divergence(joint.ravel(), pairs.ravel())
    np.testing.assert_allclose(value, exact, rtol=1e-5)
    assert information.jensen_shannon_bound(scores.astype(np.float32)) <= value
