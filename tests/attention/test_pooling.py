"""Attention pooling and the entropy of attention, as users call them."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

from infojax import attention

_GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "aem"


def test_golden_entropies():
    golden = np.load(_GOLDEN / "entropy_s0.npz")
    with jax.enable_x64(True):
        logits = jnp.asarray(golden["logits"])
        gradient = jax.grad(lambda x: jnp.sum(attention.attention_entropy(x)))(logits)
        entropy = attention.attention_entropy(logits)
    np.testing.assert_allclose(entropy, golden["entropy_nats"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gradient, golden["grad"], rtol=1e-9, atol=1e-12)
    single = attention.attention_entropy(jnp.asarray(golden["logits"], jnp.float32))
    np.testing.assert_allclose(single, golden["entropy_nats"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["abmil_17_s0", "abmil_1_s1"])
def test_golden_network(name):
    """The reference network of arXiv 2406.15303: outputs, loss and the gradient of every weight."""
    golden = np.load(_GOLDEN / f"{name}.npz")
    weights = {key[2:]: jnp.asarray(golden[key]) for key in golden if key.startswith("p.")}

    def loss(weights):
        hidden = jax.nn.relu(golden["x"][0] @ weights["dimreduction.fc1.weight"].T)
        value, gate = (
            (
                weights[f"attention.attention_{x}.0.weight"].T,
                weights[f"attention.attention_{x}.0.bias"],
            )
            for x in "VU"
        )
        output = weights["attention.attention_weights.weight"].T
        bias = weights["attention.attention_weights.bias"]
        pooled, entropy, attended = attention.gated_attention_pooling(
            hidden, gates=attention.AttentionGates(*value, *gate, output, bias)
        )
        logits = pooled @ weights["classifier.fc.weight"].T + weights["classifier.fc.bias"]
        bag_loss = -jax.nn.log_softmax(logits)[0, golden["y"][0]]
        total = bag_loss - golden["lam"] * jnp.mean(entropy)
        return total, {
            "logits": logits,
            "attn_logits": attended[None],
            "loss": total,
            "neg_entropy": -jnp.mean(entropy),
            "bag_loss": bag_loss,
        }

    gradient, found = jax.jit(jax.grad(loss, has_aux=True))(weights)
    for key, value in found.items():
        np.testing.assert_allclose(value, golden[key], rtol=1e-4, atol=1e-5, err_msg=key)
    for key, value in gradient.items():
        np.testing.assert_allclose(value, golden[f"g.{key}"], rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("count", [1, 7, 128, 1000, 16384])
def test_any_number_of_instances(count):
    rng = np.random.default_rng(count)
    bag, logits = rng.normal(size=(count, 8)), 2 * rng.normal(size=(2, count))
    single = jnp.asarray(bag, jnp.float32), jnp.asarray(logits, jnp.float32)
    logits = np.asarray(single[1], np.float64)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    entropy = -np.sum(weights * np.log(weights), -1)
    pool = jax.jit(lambda bag, logits: attention.gated_attention_pooling(bag, logits=logits))
    found = pool(*single)
    np.testing.assert_allclose(found.pooled, weights @ bag, atol=1e-5)
    np.testing.assert_allclose(found.entropy, entropy, atol=1e-5)
    order = rng.permutation(count)
    shuffled = pool(single[0][order], single[1][:, order])
    np.testing.assert_allclose(shuffled.pooled, found.pooled, atol=1e-5)
    np.testing.assert_allclose(shuffled.entropy, found.entropy, atol=1e-5)
    if count == 1:
        np.testing.assert_array_equal(found.entropy, 0)
        np.testing.assert_array_equal(found.pooled, np.repeat(single[0], 2, 0))
    half = pool(single[0].astype(jnp.bfloat16), single[1])
    assert half.entropy.dtype == jnp.float32 and half.pooled.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.entropy, entropy, atol=2e-2)
    np.testing.assert_allclose(np.asarray(half.pooled, np.float64), weights @ bag, atol=2e-2)


def test_laws_of_the_entropy():
    rng = np.random.default_rng(0)
    logits = jnp.asarray(3 * rng.normal(size=(5, 40)), jnp.float32)
    bag = jnp.asarray(rng.normal(size=(40, 3)), jnp.float32)

    @jax.jit
    def entropy(logits):
        return attention.gated_attention_pooling(bag, logits=logits).entropy

    temperatures = np.array([0.1, 0.5, 1.0, 2.0, 10.0])
    values = np.stack([entropy(logits / t) for t in temperatures])
    assert np.all(np.diff(values, axis=0) > 0), "the entropy grows with the temperature"
    assert np.all(values >= 0) and np.all(values <= np.log(40) + 1e-6)
    np.testing.assert_allclose(entropy(jnp.zeros((5, 40))), np.log(40), rtol=1e-6)
    np.testing.assert_allclose(entropy(logits + 5), entropy(logits), rtol=1e-5)
    for function in (entropy, attention.attention_entropy):
        gradient = jax.grad(lambda x, f=function: jnp.sum(f(x)))(logits)
        np.testing.assert_allclose(jnp.sum(gradient, -1), 0, atol=2e-6)
    by_pooled = jax.grad(
        lambda x: jnp.sum(attention.gated_attention_pooling(bag, logits=x).pooled ** 2)
    )(logits)
    np.testing.assert_allclose(jnp.sum(by_pooled, -1), 0, atol=2e-6)
    np.testing.assert_allclose(entropy(logits), attention.attention_entropy(logits), rtol=1e-5)


def test_unpacks_and_pads():
    bag, logits = jnp.ones((2, 5, 3)), jnp.arange(10.0).reshape(2, 5)
    pooled, entropy, returned = attention.gated_attention_pooling(bag, logits=logits)
    assert pooled.shape == (2, 3) and entropy.shape == (2,)
    np.testing.assert_array_equal(returned, logits)
    where = jnp.arange(5) < 3
    masked = attention.gated_attention_pooling(bag, logits=logits, where=where)
    short = attention.gated_attention_pooling(bag[:, :3], logits=logits[:, :3])
    np.testing.assert_allclose(masked.entropy, short.entropy, rtol=1e-6)
    np.testing.assert_array_equal(masked.logits[:, 3:], -np.inf)


_BAG = jnp.ones((2, 4, 3))
_LOGITS = jnp.zeros((2, 4))
_GATES = attention.AttentionGates(*map(jnp.ones, ((3, 2), 2, (3, 2), 2, 2, ())))


@pytest.mark.parametrize(
    ("bag", "options", "error", "pattern"),
    [
        (_BAG[:, :0], {"logits": _LOGITS[:, :0]}, ValueError, "an instance"),
        (_BAG, {}, ValueError, "exactly one of logits and gates"),
        (_BAG, {"logits": _LOGITS, "where": jnp.zeros((2, 4))}, TypeError, "where must be boolean"),
        (_BAG, {"logits": _LOGITS, "where": jnp.ones(5, bool)}, ValueError, "where must broadcast"),
        (_BAG, {"logits": jnp.zeros((3, 4))}, ValueError, "logits must have shape"),
        (_BAG, {"logits": _LOGITS.astype(int)}, TypeError, "logits must have a floating type"),
        (_BAG.astype(int), {"logits": _LOGITS}, TypeError, "instances must have a floating type"),
        (
            _BAG,
            {"gates": _GATES._replace(output_kernel=jnp.ones((2, 3)))},
            ValueError,
            r"output_bias must have shape \(3,\)",
        ),
        (_BAG, {"logits": _LOGITS, "implementation": "mosaic"}, ValueError, "None or one of"),
        (_BAG, {"logits": _LOGITS.at[1, 2].set(jnp.nan)}, ValueError, r"logits\[1, 2\] = nan"),
        (_BAG, {"logits": _LOGITS.at[0, 0].set(jnp.inf)}, ValueError, r"logits\[0, 0\] = inf"),
        (_BAG, {"logits": _LOGITS - jnp.inf}, ValueError, "got a row without"),
        (_BAG, {"gates": _GATES, "where": jnp.zeros(4, bool)}, ValueError, "got a row without"),
        (_BAG * jnp.nan, {"gates": _GATES}, ValueError, "logits of the gates.*= nan"),
    ],
)
def test_bad_input(bag, options, error, pattern):
    with pytest.raises(error, match=pattern):
        attention.gated_attention_pooling(bag, **options)


def test_a_bag_without_instances_in_traced_code():
    where = jnp.array([[True] * 4, [False] * 4])

    def scalar(bag, gates):
        found = attention.gated_attention_pooling(bag, gates=gates, where=where)
        return jnp.sum(found.pooled) + jnp.sum(found.entropy), found

    gradients, found = jax.jit(jax.grad(scalar, (0, 1), has_aux=True))(_BAG, _GATES)
    np.testing.assert_array_equal(found.pooled[1], 0)
    np.testing.assert_array_equal(found.entropy[1], 0)
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(gradients))
    np.testing.assert_array_equal(gradients[0][1], 0)
    error, _ = checkify.checkify(jax.jit(lambda bag: scalar(bag, _GATES)[1].entropy))(_BAG)
    assert "with a finite one in each row" in str(error.get())


def test_rows_without_keys_have_no_entropy():
    logits = jnp.array([[0.0, 0.0, jnp.nan], [-jnp.inf] * 3, [1.0, 2.0, 3.0]])
    where = jnp.array([[True, True, False], [True] * 3, [False] * 3])

    def total(logits):
        return jnp.sum(attention.attention_entropy(logits, where=where))

    entropy = attention.attention_entropy(logits, where=where, base=2)
    np.testing.assert_allclose(entropy, [1, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(jax.grad(total)(logits), 0)
    with pytest.raises(ValueError, match="nan"):
        attention.attention_entropy(logits)
    assert np.isnan(jax.jit(attention.attention_entropy)(logits)[0])
