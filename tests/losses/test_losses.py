"""Penalties and maskings of attention: closed forms, golden entropies, properties."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from infojax import attention, losses

_GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "aem"


def test_golden_entropies_as_a_penalty():
    golden = np.load(_GOLDEN / "entropy_s0.npz")
    with jax.enable_x64(True):
        logits = jnp.asarray(golden["logits"])

        def penalty(logits):
            return losses.attention_entropy_penalty(logits, weight=0.2)

        value, gradient = jax.value_and_grad(penalty)(logits)
    rows = len(golden["entropy_nats"])
    np.testing.assert_allclose(value, -0.2 * golden["entropy_nats"].mean(), rtol=1e-9)
    np.testing.assert_allclose(gradient, -0.2 * golden["grad"] / rows, rtol=1e-9, atol=1e-13)


def test_rows_then_bags_are_averaged():
    logits = jax.random.normal(jax.random.key(0), (4, 3, 7))
    each = attention.attention_entropy(logits)

    @jax.jit
    @jax.value_and_grad
    def penalty(logits):
        return losses.attention_entropy_penalty(logits, weight=5.0)

    found, gradient = penalty(logits)
    np.testing.assert_allclose(found, -5 * each.mean(-1).mean(), rtol=1e-6)
    # A gradient step of the penalty makes every row of the attention flatter.
    assert np.all(attention.attention_entropy(logits - gradient) > each)


def test_weights_below_zero_need_leave():
    logits = jnp.zeros((1, 4))
    with pytest.raises(ValueError, match=r"at least 0 and finite; got weight = -1\.0"):
        losses.attention_entropy_penalty(logits, weight=-1.0)
    sharp = losses.attention_entropy_penalty(logits, weight=-1.0, allow_minimise=True)
    np.testing.assert_allclose(sharp, np.log(4), rtol=1e-6)
    with pytest.raises(ValueError, match=r"scalar; got shape \(2,\)"):
        losses.attention_entropy_penalty(logits, weight=jnp.ones(2))
    with pytest.raises(ValueError, match="hold a row"):
        losses.attention_entropy_penalty(jnp.zeros((2, 0)), weight=1.0)
    with pytest.raises(TypeError, match="floating"):
        losses.attention_entropy_penalty(jnp.zeros((1, 4), int), weight=1.0)
    with pytest.raises(ValueError, match="an instance that counts"):
        losses.attention_entropy_penalty(logits, weight=1.0, where=jnp.zeros(4, bool))
    with pytest.raises(ValueError, match=r"where must broadcast to \(1, 4\)"):
        losses.attention_entropy_penalty(logits, weight=1.0, where=jnp.ones(5, bool))


def test_the_schedule_is_half_a_cosine():
    schedule = losses.attention_entropy_schedule(0.4, 8, 0.1)
    counts = np.arange(12)
    cosine = optax.cosine_decay_schedule(0.4, 8, alpha=0.25)
    np.testing.assert_allclose(schedule(counts), cosine(counts), rtol=1e-6)
    assert schedule(0) == np.float32(0.4) and np.all(schedule(counts)[8:] == np.float32(0.1))
    assert jax.jit(losses.attention_entropy_schedule(2.0, 3))(3) == 0
    for arguments, error, message in (
        ((0.4, 0), ValueError, "total_steps"),
        ((0.4, 2.5), TypeError, "total_steps"),
        ((np.nan, 2), ValueError, "initial_weight"),
        ((None, 2), TypeError, "initial_weight"),
        ((0.4, 2, np.inf), ValueError, "final_weight"),
    ):
        with pytest.raises(error, match=message):
            losses.attention_entropy_schedule(*arguments)


def test_entropy_grows_with_the_temperature():
    logits = jax.random.normal(jax.random.key(0), (7,))

    def entropy(temperature):
        return attention.attention_entropy(losses.attention_temperature(logits, temperature))

    found, slope = jax.jit(jax.vmap(jax.value_and_grad(entropy)))(jnp.array([0.5, 1.0, 2.0, 4.0]))
    assert np.all(np.diff(found) > 0)
    weights = jax.nn.softmax(logits)
    spread = jnp.sum(weights * (logits - jnp.sum(weights * logits)) ** 2)
    np.testing.assert_allclose(slope[1], spread, rtol=1e-4)


def test_dropout_keeps_the_rate_and_a_row():
    logits, key = jnp.zeros((200, 50)), jax.random.key(0)
    dropped = np.asarray(losses.attention_dropout(logits, 0.3, key=key)) == -np.inf
    # Four standard deviations of a mean of 10,000.
    assert abs(dropped.mean() - 0.3) < 4 * np.sqrt(0.21 / 1e4)
    single = losses.attention_dropout(jnp.zeros((500, 1)), 0.9, key=key)
    np.testing.assert_array_equal(single, 0)
    np.testing.assert_array_equal(losses.attention_dropout(logits, 0.0, key=key), logits)
    with pytest.raises(ValueError, match=r"below 1; got 1\.0"):
        losses.attention_dropout(logits, 1.0, key=key)


@pytest.mark.parametrize(("count", "masked"), [(1, 0), (2, 1), (5, 3), (10, 6), (40, 6)])
def test_masking_takes_a_share_of_the_top(count, masked):
    logits = jax.random.normal(jax.random.key(1), (3, count))
    key = jax.random.key(0)
    found = losses.stochastic_top_k_masking(logits, key=key)
    gone = np.asarray(found == -np.inf)
    np.testing.assert_array_equal(gone.sum(-1), masked)
    np.testing.assert_array_equal(np.asarray(found)[~gone], np.asarray(logits)[~gone])
    for row, values in zip(gone, np.asarray(logits), strict=True):
        assert set(np.flatnonzero(row)) <= set(np.argsort(-values)[:10])
    padded = jnp.pad(logits, ((0, 0), (0, 17)), constant_values=jnp.nan)
    where = jnp.arange(count + 17) < count
    same = losses.stochastic_top_k_masking(padded, key=key, where=where)
    np.testing.assert_array_equal(same[:, :count], found)


def test_every_top_instance_is_masked_as_often():
    logits = jnp.broadcast_to(jnp.arange(12.0), (4000, 12))
    found = losses.stochastic_top_k_masking(logits, key=jax.random.key(0), k=5, rate=0.4)
    shares = np.mean(np.asarray(found) == -np.inf, 0)
    np.testing.assert_allclose(shares[7:], 0.4, atol=4 * np.sqrt(0.24 / 4000))
    np.testing.assert_array_equal(shares[:7], 0)


def test_diversity_of_equal_and_of_disjoint_rows():
    equal = jnp.broadcast_to(jnp.array([1.0, 0.0, -1.0]), (3, 3))
    disjoint = jnp.where(jnp.eye(3, dtype=bool), 0.0, -jnp.inf)

    @jax.jit
    @jax.value_and_grad
    def penalty(logits):
        return losses.attention_diversity_penalty(logits, weight=0.5)

    np.testing.assert_allclose(penalty(equal)[0], 0.5, rtol=1e-6)
    value, gradient = penalty(disjoint)
    assert value == 0 and np.isfinite(gradient).all()
    np.testing.assert_allclose(penalty(jnp.stack([equal, disjoint]))[0], 0.25, rtol=1e-6)
    assert penalty(equal[:1])[0] == 0
