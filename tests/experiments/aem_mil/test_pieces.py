"""Pieces of attention entropy's experiment: bags, metrics, training side by side, claims."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import runner
from experiments.aem_mil import bags, heat_maps, ledger, metrics, slides_arm, training
from experiments.aem_mil.architectures import builder
from experiments.aem_mil.config import get_config
from experiments.data import Slide


def _run(tmp_path, **changes):
    config = get_config("desk")
    config.update_from_flattened_dict(changes)
    return runner.open_run(
        experiment="aem_mil", config=config, workdir=tmp_path / "run", quiet=True
    )


def test_bags_hold_what_they_say():
    pool = bags.Pool(np.ones((5, 3), np.float32), np.arange(20.0).repeat(3).reshape(20, 3) - 50)
    drawn = bags.draw(pool, np.random.default_rng(0), bags=200, instances=10, most_positives=4)
    assert drawn.instances.shape == (200, 10, 3)
    np.testing.assert_array_equal(drawn.labels, np.arange(200) % 2)
    counts = (drawn.instances[..., 0] == 1).sum(1)
    np.testing.assert_array_equal(counts > 0, drawn.labels == 1)
    assert set(counts[1::2]) == {1, 2, 3, 4}
    for bag in drawn.instances[::2]:
        assert len(np.unique(bag[:, 0])) == 10, "an image comes twice"
    with pytest.raises(runner.UserError, match="up to 30 negative instances; there are 20"):
        bags.draw(pool, np.random.default_rng(0), bags=2, instances=30, most_positives=4)
    with pytest.raises(runner.UserError, match="up to 8 positive"):
        bags.draw(pool, np.random.default_rng(0), bags=2, instances=10, most_positives=8)


def test_no_digit_is_trained_on_and_tested_on(tmp_path):
    with _run(tmp_path) as run:
        train, test = bags.digits(run, 2)
    assert train.instances.shape == (2, 40, 50, 64) and test.instances.shape == (2, 200, 50, 64)
    assert not np.array_equal(train.instances[0], train.instances[1])
    # The source holds some images twice; what is compared is rare.
    seen = {row.tobytes() for row in train.instances[0].reshape(-1, 64)}
    again = [row.tobytes() in seen for row in test.instances[0].reshape(-1, 64)]
    assert np.mean(again) < 0.01


def test_tissue_is_tested_on_the_other_half(tmp_path):
    with _run(tmp_path) as run:
        made = bags.tissue(run)
    left, right = made.whole[:, :16].reshape(-1, 48), made.whole[:, 16:].reshape(-1, 48)
    for drawn, half in ((made.training, left), (made.test, right)):
        own = {row.tobytes() for row in half}
        assert all(row.tobytes() in own for row in drawn.instances[0].reshape(-1, 48))
    np.testing.assert_allclose(left.mean(0), 0, atol=1e-4)


def test_metrics_with_ties_and_missing_classes():
    labels = np.array([0, 0, 1, 1])
    scores = np.array([0.1, 0.5, 0.5, 0.9])
    two = np.stack([1 - scores, scores], 1)
    # Of four pairs three are in order and one is tied.
    assert metrics.auroc(two, labels) == pytest.approx(3.5 / 4)
    assert np.isnan(metrics.auroc(two, np.zeros(4, int)))
    three = np.eye(3)[[0, 1, 1, 0]]
    assert metrics.auroc(three, np.array([0, 1, 1, 0])) == 1
    guesses = np.eye(3)[[0, 0, 1, 1]]
    # Class 0: precision 1/2, recall 1; class 1: 1/2 and 1/2; class 2: never guessed.
    expected = (2 / 3 + 1 / 2 + 0) / 3
    assert metrics.macro_f1(guesses, np.array([0, 1, 1, 2])) == pytest.approx(expected)


def _small(seed, groups=2):
    rng = np.random.default_rng(seed)
    instances = rng.normal(size=(groups, 8, 6, 3)).astype(np.float32)
    labels = np.tile(np.arange(8, dtype=np.int32) % 2, (groups, 1))
    instances[labels == 1, 0] += 3
    return training.Bags(instances, labels)


def test_runs_side_by_side_learn_as_one_alone(tmp_path):
    build = builder("abmil", features=3, classes=2, embedding=8, gate=4)
    keys = jax.random.split(jax.random.key(0), 2)
    keys = jnp.repeat(keys[:, None], 3, axis=1)
    weights = np.tile(np.array([0.0, 0.5, 0.5], np.float32), (2, 1))
    annealed = np.tile([True, True, False], (2, 1))
    runs = training.Runs(keys, weights, annealed)
    changes = {"network.epochs": 8, "network.learning_rate": 1e-2}
    with _run(tmp_path, **changes) as run:
        both = training.train(run, "both", build, _small(0), runs)(_small(1))
    one = training.Runs(keys[:1, 1:2], weights[:1, 1:2], annealed[:1, 1:2])
    first = training.Bags(*(part[:1] for part in _small(0)))
    held_out = training.Bags(*(part[:1] for part in _small(1)))
    with _run(tmp_path / "alone", **changes) as run:
        alone = training.train(run, "both", build, first, one)(held_out)
    for name in ("probabilities", "losses", "entropy", "logits"):
        found, expected = getattr(both, name)[:1, 1:2], getattr(alone, name)
        if name == "logits":
            # Their common part has no gradient but rounding, which Adam enlarges.
            found, expected = (x - x.mean(-1, keepdims=True) for x in (found, expected))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    told = metrics.of_runs(both, _small(1).labels)
    assert told["auc"].shape == (2, 3) and told["auc"].min() > 0.9
    entropy = told["entropy"]
    assert np.all(entropy[:, 0] < entropy[:, 1]) and np.all(entropy[:, 1] < entropy[:, 2])


def test_the_weight_falls_from_the_first_to_nothing():
    weights, annealed = jnp.array([0.5, 0.5]), jnp.array([True, False])
    for share, expected in ((0.0, 0.5), (0.5, 0.25), (1.0, 0.0)):
        found = training.lambda_at(weights, annealed, share)
        np.testing.assert_allclose(found, [expected, 0.5], atol=1e-7)


@pytest.mark.parametrize("arch", ["dsmil", "max", "mha"])
def test_architectures_take_a_step(arch):
    import optax

    build = builder(arch, features=3, classes=2, embedding=8, gate=4)
    optimizer = optax.adamw(1e-2)
    graph, state = training.initialize(build, jax.random.split(jax.random.key(0), 1), optimizer)
    state = jax.tree.map(lambda leaf: leaf[0], state)
    step = jax.jit(training.update(graph, optimizer))
    bag, where = np.ones((5, 3), np.float32), np.arange(5) < 4
    arguments = bag, where, jnp.int32(1), jnp.float32(0.1), jax.random.key(1)
    state, before = step(state, *arguments)
    for _ in range(8):
        state, after = step(state, *arguments)
    assert after < before


def test_faults_of_weights_and_names():
    with pytest.raises(runner.UserError, match=r"lambda is -0\.5"):
        training.check_lambdas([0.1, -0.5], allow_minimise=False)
    training.check_lambdas([-0.5], allow_minimise=True)
    with pytest.raises(runner.UserError, match="lambda is nan"):
        training.check_lambdas([np.nan], allow_minimise=True)
    with pytest.raises(runner.UserError, match="unknown arch 'transmil'"):
        builder("transmil", features=3, classes=2, embedding=8, gate=4)
    with pytest.raises(runner.UserError, match="multiple of 8"):
        builder("mha", features=3, classes=2, embedding=12, gate=4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slides.lambda0": -0.1}, r"lambda is -0\.1; expected a number of at least 0"),
        ({"slides.subsampling": 1.5}, r"subsampling is 1\.5"),
        ({"arch": "abmill"}, "unknown arch 'abmill'; did you mean abmil"),
    ],
)
def test_faults_of_settings_for_slides(tmp_path, changes, message):
    slides = [Slide(f"s{n}", np.ones((2, 3), np.float32), n % 2) for n in range(8)]
    with _run(tmp_path, **changes) as run:
        parts = slides_arm.prepare(run, slides)
        with pytest.raises(runner.UserError, match=message):
            slides_arm.fit(run, parts, 2)


def test_splits_keep_classes_and_the_files_own_word(tmp_path):
    slides = [Slide(f"s{n}", np.ones((1, 2)), n % 2) for n in range(40)]
    with _run(tmp_path) as run:
        parts = slides_arm.split(run, slides)
        assert {name: len(part) for name, part in parts.items()} == {
            "train": 24,
            "val": 4,
            "test": 12,
        }
        names = [slide.name for part in parts.values() for slide in part]
        assert len(set(names)) == 40
        for part in parts.values():
            assert np.mean([slide.label for slide in part]) == 0.5
        told = [s._replace(split="val" if n < 2 else "train") for n, s in enumerate(slides)]
        with pytest.raises(runner.UserError, match="'test' of 40 slides holds none"):
            slides_arm.split(run, told)
        with pytest.raises(runner.UserError, match="all 3 slides have the label 0"):
            slides_arm.split(run, [slides[0]] * 3)


def test_claims_follow_the_numbers():
    lambdas = np.array([0.0, 0.05, 0.1, 0.5, 20.0])
    noise = 0.002 * np.random.default_rng(0).normal(size=(10, 5))

    def curve(auc, entropy):
        spread = np.linspace(-1, 1, 10)[:, None] * np.array([0.1, 0.05, 0.01, 0.01, 0.01])
        scattered = np.array(auc) + spread + noise
        return {
            "lambda": lambdas,
            "auc": scattered,
            "nll": 1 - scattered,
            "entropy": np.array(entropy) + noise,
        }

    rising = [1.0, 1.5, 2.0, 3.0, 3.5]
    hump = curve([0.8, 0.9, 0.95, 0.95, 0.8], rising)
    claims = {claim.name: claim for claim in ledger.curve_claims(hump, hump, 0)}
    assert len(claims) == 6 and all(claim.holds for claim in claims.values())
    assert claims["entropy_helps"].value == pytest.approx(0.15, abs=0.01)
    flat = curve([0.95, 0.95, 0.94, 0.95, 0.95], rising[::-1])
    assert not any(claim.holds for claim in ledger.curve_claims(flat, flat, 0)[:2])
    last = {claim.name: claim.holds for claim in ledger.curve_claims(flat, flat, 0)}
    assert not last["entropy_rises_with_lambda"] and not last["too_much_hurts"]
    (steady,) = ledger.annealing_claims(flat, hump)
    (unsteady,) = ledger.annealing_claims(hump, flat)
    assert steady.holds and not unsteady.holds
    found = {"entropy": np.arange(12.0).reshape(3, 4), "auc": np.arange(12.0).reshape(3, 4) ** 2}
    (claim,) = ledger.correlation_claims(found, 0)
    assert claim.holds and claim.value == pytest.approx(1)


def test_patches_of_a_slide_are_pixels():
    coords = np.array([[512.0, 0.0], [0.0, 256.0], [256.0, 256.0]])
    slide = Slide("a", np.ones((3, 2)), 1, coords)
    arrays = heat_maps.slide_arrays({"a": np.array([[0.0, 1.0, 3.0]])}, [slide])
    np.testing.assert_allclose(arrays["a/min_max"], [[0, 1 / 3, 1]], rtol=1e-6)
    figure = heat_maps.over_slides(arrays, [slide])
    (image,) = figure.axes[2].images
    expected = [[np.nan, np.nan, 0], [1 / 3, 1, np.nan]]
    np.testing.assert_allclose(np.ma.filled(image.get_array(), np.nan), expected, rtol=1e-6)
    assert heat_maps.over_slides({}, [slide._replace(coords=None)]) is None
