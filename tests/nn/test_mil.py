"""Classifiers of bags: golden numbers, padding, order, masks, losses, faults."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.experimental import checkify

from infojax import losses
from infojax.nn import mil

_GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "aem"
_KINDS = (mil.ABMIL, mil.MHAMIL, mil.DSMIL, mil.MeanMIL, mil.MaxMIL, mil.ACMIL)
_OF_FILES = {"abmil": mil.ABMIL, "mha": mil.MHAMIL, "dsmil": mil.DSMIL}


def _model(kind, features=6, classes=3, seed=0):
    return kind(features, classes, embedding=16, rngs=nnx.Rngs(seed))


def _bag(count=9, features=6, seed=0):
    return np.random.default_rng(seed).normal(size=(count, features)).astype(np.float32)


@nnx.jit
def _predict(model, instances, where=None, key=None):
    return model(instances, where=where, key=key)


@pytest.mark.parametrize("name", [f"{k}_{s}" for k in _OF_FILES for s in ("17_s0", "1_s1")])
def test_golden_networks(name):
    """The reference networks of arXiv 2406.15303: outputs, losses, gradients of every weight."""
    golden = np.load(_GOLDEN / f"{name}.npz")
    features, classes = golden["x"].shape[-1], golden["logits"].shape[-1]
    model = _model(_OF_FILES[name.split("_")[0]], features, classes)
    weights = {key[2:]: golden[key] for key in golden if key.startswith("p.")}
    model = mil.load_torch_weights(model, weights)

    @nnx.jit
    def run(model):
        def loss(model):
            found = model(golden["x"])
            bag_loss = model.bag_loss(found, golden["y"])
            penalty = losses.attention_entropy_penalty(found.attention_logits, weight=golden["lam"])
            return bag_loss + penalty, (found, bag_loss)

        return nnx.value_and_grad(loss, has_aux=True)(model)

    (total, (found, bag_loss)), gradient = run(model)
    told = {
        "logits": found.logits,
        "attn_logits": found.attention_logits.reshape(golden["attn_logits"].shape),
        "bag_loss": bag_loss,
        "neg_entropy": -jnp.mean(found.entropy),
        "loss": total,
    }
    graph, _ = nnx.split(model)
    gradients = mil.torch_weights(nnx.merge(graph, gradient))
    assert gradients.keys() == weights.keys()
    told |= {f"g.{key}": value for key, value in gradients.items()}
    for key, value in told.items():
        np.testing.assert_allclose(value, golden[key], rtol=1e-4, atol=1e-5, err_msg=key)
    if "instance_logits" in golden:
        best = golden["instance_logits"].max(0)
        np.testing.assert_allclose(found.auxiliary_logits[0, 0], best, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", _KINDS)
def test_padding_and_order_and_neighbours_change_nothing(kind):
    model, bag = _model(kind), _bag()
    alone = _predict(model, bag)
    rows, classes = alone.attention_logits.shape[0], 3
    assert alone.logits.shape == (classes,) and alone.entropy.shape == (rows,)
    order = np.random.default_rng(1).permutation(9)
    padded = np.full((2, 26, 6), np.nan, np.float32)
    padded[0, :9], padded[1, 4:13] = bag, bag[order]
    where = np.zeros((2, 26), bool)
    where[0, :9] = where[1, 4:13] = True
    found = _predict(model, padded, where)
    for row in range(2):
        np.testing.assert_allclose(found.logits[row], alone.logits, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.entropy[row], alone.entropy, rtol=1e-5, atol=1e-6)
    kept = found.attention_logits[0, :, :9]
    np.testing.assert_allclose(kept, alone.attention_logits, rtol=1e-5, atol=1e-6)
    moved = found.attention_logits[1, :, 4:13]
    np.testing.assert_allclose(moved, alone.attention_logits[:, order], rtol=1e-5, atol=1e-6)
    assert np.all(found.attention_logits[0, :, 9:] == -np.inf)
    np.testing.assert_allclose(model.probabilities(found).sum(-1), 1, rtol=1e-6)

    def loss(model):
        found = model(padded, where=where)
        return model.bag_loss(found, jnp.array([0, 2])) - jnp.mean(found.entropy)

    gradients = mil.torch_weights(nnx.merge(nnx.graphdef(model), nnx.jit(nnx.grad(loss))(model)))
    assert all(np.isfinite(x).all() for x in gradients.values()), "padding reaches a gradient"


@pytest.mark.parametrize("kind", _KINDS)
def test_one_instance_is_the_bag(kind):
    model, one = _model(kind), _bag(1)
    found = _predict(model, one)
    np.testing.assert_array_equal(found.entropy, 0)
    # Five copies pool to the same: a bag is what it holds, not how often.
    copies = _predict(model, np.repeat(one, 5, 0))
    np.testing.assert_allclose(copies.logits, found.logits, rtol=1e-5, atol=1e-6)
    if kind is not mil.MaxMIL:
        np.testing.assert_allclose(copies.entropy, np.log(5), rtol=1e-6)


def test_the_baselines_pool_by_mean_and_maximum():
    bag = _bag()
    for kind, pool in ((mil.MeanMIL, np.mean), (mil.MaxMIL, np.max)):
        model = _model(kind)
        weights = mil.torch_weights(model)
        hidden = np.maximum(bag @ weights["head.0.weight"].T + weights["head.0.bias"], 0)
        scores = hidden @ weights["head.3.weight"].T + weights["head.3.bias"]
        found = model(bag)
        np.testing.assert_allclose(found.logits, pool(scores, 0), rtol=1e-5, atol=1e-6)
    places = np.argmax(found.attention_logits, -1)
    np.testing.assert_array_equal(places, scores.argmax(0))


def test_both_streams_of_dsmil_count():
    model, bag = _model(mil.DSMIL), _bag()
    found = model(bag)
    own = jax.nn.log_softmax(found.logits), jax.nn.log_softmax(found.auxiliary_logits[0])
    expected = -(own[0][1] + own[1][1]) / 2
    np.testing.assert_allclose(model.bag_loss(found, jnp.array(1)), expected, rtol=1e-6)
    both = (np.exp(own[0]) + np.exp(own[1])) / 2
    np.testing.assert_allclose(model.probabilities(found), both, rtol=1e-5)


def test_acmil_trains_branches_and_masks_the_most_attended():
    model, bag = _model(mil.ACMIL), _bag(40)
    calm = _predict(model, bag)
    assert calm.auxiliary_logits.shape == (5, 3)
    masked = _predict(model, bag, key=jax.random.key(0)).attention_logits
    gone = np.asarray(masked == -np.inf)
    np.testing.assert_array_equal(gone.sum(-1), 6)
    top = np.argsort(-np.asarray(calm.attention_logits), -1)[:, :10]
    for row in range(5):
        assert set(np.flatnonzero(gone[row])) <= set(top[row])
    assert len({tuple(row) for row in gone}) > 1, "branches are masked apart"
    a = np.asarray(jax.nn.softmax(calm.attention_logits))
    a = a / np.linalg.norm(a, axis=-1, keepdims=True)
    likeness = np.mean((a @ a.T)[np.triu_indices(5, 1)])
    of_branches = -np.mean(np.asarray(jax.nn.log_softmax(calm.auxiliary_logits))[:, 2])
    of_bag = -jax.nn.log_softmax(calm.logits)[2]
    expected = likeness + of_branches + of_bag
    np.testing.assert_allclose(model.bag_loss(calm, jnp.array(2)), expected, rtol=1e-5)


def test_dropout_of_heads_needs_a_key():
    model, bag = _model(mil.MHAMIL), _bag()
    calm = _predict(model, bag).logits
    found = [_predict(model, bag, key=jax.random.key(seed)).logits for seed in (0, 1)]
    assert not np.allclose(found[0], calm) and not np.allclose(found[0], found[1])


def test_a_transform_acts_on_attention_before_the_softmax():
    model, bag = _model(mil.ABMIL), _bag()

    @nnx.jit
    def predict(model, temperature):
        return model(bag, transform=lambda x: losses.attention_temperature(x, temperature))

    plain, same, hot = _predict(model, bag), predict(model, 1.0), predict(model, 1e6)
    np.testing.assert_allclose(plain.logits, same.logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(hot.entropy, np.log(9), rtol=1e-5)


def test_weight_zero_is_plain_attention_bit_for_bit():
    graph, weights = nnx.split(_model(mil.ABMIL))
    bag = _bag(50)

    def loss(weights, weight):
        model = nnx.merge(graph, weights)
        found = model(bag)
        value = model.bag_loss(found, jnp.array(1))
        if weight is None:
            return value
        return value + losses.attention_entropy_penalty(found.attention_logits, weight=weight)

    step = jax.jit(jax.value_and_grad(loss))
    plain, zero, some = (step(weights, x) for x in (None, jnp.float32(0), jnp.float32(0.1)))
    jax.tree.map(np.testing.assert_array_equal, plain, zero)
    assert some[0] != plain[0]


@pytest.mark.parametrize("kind", _KINDS)
def test_weights_go_to_torch_and_back(kind):
    source, other = _model(kind, seed=1), _model(kind, seed=2)
    weights = mil.torch_weights(source)
    loaded = mil.load_torch_weights(other, weights)
    jax.tree.map(np.testing.assert_array_equal, nnx.state(loaded), nnx.state(source))
    count = sum(np.size(x) for x in jax.tree.leaves(nnx.state(source)))
    assert sum(x.size for x in weights.values()) == count, "a parameter has no name in torch"
    name = next(iter(weights))
    assert not np.array_equal(mil.torch_weights(other)[name], weights[name])


def test_faults_of_weights_are_all_named():
    model = _model(mil.ABMIL)
    weights = mil.torch_weights(model)
    del weights["classifier.fc.bias"]
    weights["classifier.fc.weight"] = weights["classifier.fc.weight"].T
    weights["p.extra"] = np.ones(1)
    with pytest.raises(ValueError) as caught:
        mil.load_torch_weights(model, weights)
    for words in (
        "those of ABMIL",
        "missing classifier.fc.bias",
        "unknown p.extra",
        "classifier.fc.weight has shape (16, 3), expected (3, 16)",
    ):
        assert words in str(caught.value)
    whole = mil.torch_weights(model) | {"classifier.fc.bias": np.arange(3)}
    with pytest.raises(TypeError, match=r"'classifier.fc.bias'.*int"):
        mil.load_torch_weights(model, whole)
    with pytest.raises(TypeError, match="one of ABMIL"):
        mil.torch_weights(nnx.Linear(2, 2, rngs=nnx.Rngs(0)))


@pytest.mark.parametrize("kind", _KINDS)
def test_bags_without_an_instance_are_refused(kind):
    model, bag = _model(kind), _bag()
    nobody = np.zeros(9, bool)
    with pytest.raises(ValueError, match="an instance in each bag"):
        model(bag, where=nobody)
    with pytest.raises(ValueError, match=r"hold an instance; got shape \(0, 6\)"):
        model(bag[:0])
    spoilt = bag.copy()
    spoilt[4, 2] = np.nan
    with pytest.raises(ValueError, match=r"instances\[4, 2\] = nan"):
        model(spoilt)
    traced = _predict(model, np.stack([bag, spoilt, bag]), np.stack([~nobody, ~nobody, nobody]))
    assert np.isfinite(traced.logits[0]).all() and np.isnan(traced.logits[1:]).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"instances": np.ones((9, 5), np.float32)}, ValueError, "must have 6 features"),
        ({"instances": np.ones((9, 6), int)}, TypeError, "floating"),
        ({"where": np.ones(8, bool)}, ValueError, r"where must broadcast to \(9,\)"),
        ({"where": np.ones(9)}, TypeError, "where must be boolean"),
    ],
)
def test_faults_of_arguments(change, error, message):
    given = {"instances": _bag()} | change
    with pytest.raises(error, match=message):
        _model(mil.ABMIL)(given.pop("instances"), **given)


def test_faults_of_labels_and_sizes():
    model = _model(mil.ABMIL)
    found = model(_bag()[None])
    with pytest.raises(ValueError, match=r"0 to 2; got labels\[0\] = 3"):
        model.bag_loss(found, jnp.array([3]))
    with pytest.raises(ValueError, match=r"shape \(1,\); got \(2,\)"):
        model.bag_loss(found, jnp.array([0, 1]))
    with pytest.raises(TypeError, match="integer"):
        model.bag_loss(found, jnp.array([0.0]))
    assert np.isnan(jax.jit(model.bag_loss)(found, jnp.array([-1])))
    error, _ = jax.jit(checkify.checkify(model.bag_loss))(found, jnp.array([-1]))
    assert "labels" in error.get()
    with pytest.raises(ValueError, match="multiple of heads"):
        mil.MHAMIL(6, 2, embedding=12, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="dropout"):
        mil.MHAMIL(6, 2, embedding=16, dropout=1.0, rngs=nnx.Rngs(0))
