"""The arms on digits: learning, memorising, many models, and ways to begin."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import runner
from experiments.data import Digits, load_digits, split
from experiments.diffusion_spectral_entropy import measures
from experiments.diffusion_spectral_entropy.measures import Kernel
from experiments.diffusion_spectral_entropy.perceptron import Data, Settings, Snapshot, train

CLASSES = 10
ARMS = ("true labels", "random labels")


def kernel_of(config) -> Kernel:
    """The kernel of a configuration.

    Args:
        config: the run's configuration.

    Returns:
        Bandwidth, time and repetitions.
    """
    return Kernel(config.sigma, config.diffusion_time, config.repetitions)


def _split(run: runner.Run) -> tuple[Digits, Digits]:
    return split(load_digits(), run.seed, run.config.held_out)


def _settings(key: jax.Array, rates: np.ndarray, gains: np.ndarray) -> Settings:
    return Settings(
        jax.random.split(key, len(rates)),
        jnp.asarray(rates, jnp.float32),
        jnp.asarray(gains, jnp.float32),
    )


def _data(training: Digits, held_out: Digits, labels: np.ndarray | None = None) -> Data:
    labels = training.labels if labels is None else labels
    arrays = (training.images, labels, held_out.images, held_out.labels)
    return Data(*(jnp.asarray(array) for array in arrays))


def arm(run: runner.Run, name: str) -> dict[str, Any]:
    """Trains on true or on random labels, and measures the layer before the last one.

    On the training images the labels are those that were trained on; on the images held out they
    are always the true ones.

    Args:
        run: the run.
        name: one of `ARMS`.

    Returns:
        `epochs` (E,), and arrays (seeds, E): `dse`, `dsmi_labels` and `dsmi_inputs` of the held
        out images, the same with `_train` of the training images, both accuracies.
    """
    config, memorize = run.config.training, name == ARMS[1]
    training, held_out = _split(run)
    labels = np.broadcast_to(training.labels, (config.seeds, len(training.labels)))
    if memorize:
        drawn = jax.random.randint(run.key("random labels"), labels.shape, 0, CLASSES)
        labels = np.asarray(drawn, np.int32)
    ones = np.ones(config.seeds)
    settings = _settings(run.key(name), config.learning_rate * ones, ones)
    epochs = config.random_label_epochs if memorize else config.epochs
    most = run.config.measured_points
    groups = {
        part: measures.input_clusters(digits.images[:most], CLASSES, run.seed)
        for part, digits in (("test", held_out), ("train", training))
    }
    snapshots = train(
        settings,
        _data(training, held_out, labels),
        width=config.width,
        classes=CLASSES,
        batch=config.batch,
        epochs=epochs,
    )
    kernel, key = kernel_of(run.config), run.key("subsamples")
    recorded, rows = [], []
    with run.progress(name, epochs + 1, unit="epochs") as bar:
        for snapshot in snapshots:
            if snapshot.epoch % config.record_every == 0:
                recorded.append(snapshot.epoch)
                rows.append(_measure(snapshot, labels, held_out.labels, groups, key, kernel))
            bar.advance(1)
    columns = {name: np.array([row[name] for row in rows]).T for name in rows[0]}
    return {"epochs": np.array(recorded)} | columns


def _measure(snapshot: Snapshot, labels, held_out, groups, key, kernel) -> dict[str, list[float]]:
    """A row of an arm: each measure by name, a number a seed."""
    row: dict[str, list[float]] = {}
    for seed, own in enumerate(labels):
        parts = (
            ("", snapshot.test_hidden[seed], held_out, groups["test"]),
            ("_train", snapshot.train_hidden[seed], own, groups["train"]),
        )
        for suffix, hidden, classes, clusters in parts:
            hidden, classes = hidden[: len(clusters)], classes[: len(clusters)]
            found = {
                "dse": measures.entropy(hidden, kernel),
                "dsmi_labels": measures.information(hidden, classes, CLASSES, key, kernel),
                "dsmi_inputs": measures.information(hidden, clusters, CLASSES, key, kernel),
            }
            for name, value in found.items():
                row.setdefault(name + suffix, []).append(value)
    row["accuracy"] = [float(x) for x in snapshot.test_accuracy]
    row["accuracy_train"] = [float(x) for x in snapshot.train_accuracy]
    return row


def models(run: runner.Run, width: int) -> dict[str, np.ndarray]:
    """Trains models of one width that differ in learning rate and seed.

    Args:
        run: the run.
        width: of the hidden layers.

    Returns:
        A number for each model and recorded epoch: `width`, `learning_rate`, `seed`, `epoch`,
        and, on the images held out, `dse`, `dsmi_labels`, `accuracy`.
    """
    config = run.config.models
    training, held_out = _split(run)
    rates = np.repeat(config.learning_rates, config.seeds)
    settings = _settings(run.key(f"models {width}"), rates, np.ones(len(rates)))
    kernel, key = kernel_of(run.config), run.key("subsamples")
    rows = []
    batch, last = run.config.training.batch, max(config.epochs)
    data = _data(training, held_out)
    with run.progress(f"width {width}", last + 1, unit="epochs") as bar:
        for snapshot in train(
            settings, data, width=width, classes=CLASSES, batch=batch, epochs=last
        ):
            bar.advance(1)
            if snapshot.epoch not in config.epochs:
                continue
            for number, hidden in enumerate(snapshot.test_hidden):
                told = measures.information(hidden, held_out.labels, CLASSES, key, kernel)
                rows.append(
                    {
                        "width": width,
                        "learning_rate": float(rates[number]),
                        "seed": number % config.seeds,
                        "epoch": snapshot.epoch,
                        "dse": measures.entropy(hidden, kernel),
                        "dsmi_labels": told,
                        "accuracy": float(snapshot.test_accuracy[number]),
                    }
                )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def initializations(run: runner.Run) -> dict[str, np.ndarray]:
    """Trains networks whose initial weights are scaled, for a short while.

    Args:
        run: the run.

    Returns:
        Arrays (gains, seeds): `gain`, `dse` before training on the images held out, and
        `accuracy` on them after it.
    """
    config, training_config = run.config.initialization, run.config.training
    training, held_out = _split(run)
    gains = np.repeat(config.gains, config.seeds)
    rates = np.full(len(gains), training_config.learning_rate)
    settings = _settings(run.key("initialization"), rates, gains)
    kernel, before = kernel_of(run.config), np.zeros(len(gains))
    with run.progress("initialisations", config.epochs + 1, unit="epochs") as bar:
        for snapshot in train(
            settings,
            _data(training, held_out),
            width=training_config.width,
            classes=CLASSES,
            batch=training_config.batch,
            epochs=config.epochs,
        ):
            bar.advance(1)
            if snapshot.epoch == 0:
                before = np.array([measures.entropy(h, kernel) for h in snapshot.test_hidden])
            after = snapshot.test_accuracy
    shape = (len(config.gains), config.seeds)
    return {
        "gain": gains.reshape(shape),
        "dse": before.reshape(shape),
        "accuracy": after.reshape(shape),
    }
