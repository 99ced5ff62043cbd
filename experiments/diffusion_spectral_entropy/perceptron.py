"""A perceptron with two hidden layers, and the training of several of them side by side."""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx


class Perceptron(nnx.Module):
    """Input - width - width - classes, with ReLU; the second hidden layer is what is measured."""

    def __init__(self, inputs: int, width: int, classes: int, gain, rngs: nnx.Rngs):
        """Draws the weights: He's normal initialisation, its standard deviation times `gain`."""
        draw = jax.nn.initializers.he_normal()

        def weights(key, shape, dtype=jnp.float32, out_sharding=None):
            return gain * draw(key, shape, dtype)

        sizes = (inputs, width, width, classes)
        self.first, self.second, self.last = (
            nnx.Linear(a, b, kernel_init=weights, rngs=rngs) for a, b in itertools.pairwise(sizes)
        )

    def hidden(self, x: jax.Array) -> jax.Array:
        """The activations before the last layer, (N, width)."""
        return nnx.relu(self.second(nnx.relu(self.first(x))))

    def __call__(self, x: jax.Array) -> jax.Array:
        """The logits, (N, classes)."""
        return self.last(self.hidden(x))


class Data(NamedTuple):
    """What the networks learn and are tested on.

    Attributes:
        train_images: (N, D).
        train_labels: (N,), or (networks, N) where each network has its own.
        test_images: (M, D).
        test_labels: (M,).
    """

    train_images: jax.Array
    train_labels: jax.Array
    test_images: jax.Array
    test_labels: jax.Array


class Settings(NamedTuple):
    """How each of several networks is made; arrays of one length.

    Attributes:
        keys: typed keys, (networks,).
        learning_rates: (networks,).
        gains: factors of the initial weights, (networks,).
    """

    keys: jax.Array
    learning_rates: jax.Array
    gains: jax.Array


class Snapshot(NamedTuple):
    """What is looked at after an epoch, for each network.

    Attributes:
        epoch: finished epochs; 0 before the first.
        test_hidden: activations on the test images, (networks, M, width).
        train_hidden: activations on the training images, (networks, N, width).
        test_accuracy: (networks,).
        train_accuracy: (networks,), against the labels that were trained on.
    """

    epoch: int
    test_hidden: np.ndarray
    train_hidden: np.ndarray
    test_accuracy: np.ndarray
    train_accuracy: np.ndarray


def train(
    settings: Settings, data: Data, *, width: int, classes: int, batch: int, epochs: int
) -> Iterator[Snapshot]:
    """Trains networks of one width with Adam, all in one compiled program.

    Args:
        settings: of each network.
        data: images and labels.
        width: size of the hidden layers.
        classes: number of classes.
        batch: images of a step; a rest that does not fill a batch is left out of the epoch.
        epochs: how many epochs.

    Yields:
        A snapshot before training and after each epoch.
    """
    own_labels = data.train_labels.ndim == 2
    graph, params = _initialize(settings, data.train_images.shape[1], width, classes)
    over = (0, 0, 0, 0, None, 0 if own_labels else None, None)
    step = jax.jit(jax.vmap(_epoch(graph, batch), over))
    look = jax.jit(jax.vmap(_look(graph), (0, None, 0 if own_labels else None, None, None)))
    moments = jax.vmap(optax.scale_by_adam().init)(params)
    for epoch in range(epochs + 1):
        if epoch:
            params, moments = step(
                params,
                moments,
                settings.learning_rates,
                settings.keys,
                data.train_images,
                data.train_labels,
                epoch,
            )
        parts = look(params, *data)
        yield Snapshot(epoch, *(np.asarray(part) for part in parts))


def _initialize(settings: Settings, inputs: int, width: int, classes: int):
    def parameters(key, gain):
        return nnx.split(Perceptron(inputs, width, classes, gain, nnx.Rngs(key)))[1]

    graph = nnx.split(Perceptron(inputs, width, classes, 1.0, nnx.Rngs(0)))[0]
    return graph, jax.vmap(parameters)(settings.keys, settings.gains)


def _epoch(graph, batch: int) -> Callable:
    """One pass over the training images of one network, in an order of its own."""

    def epoch(params, moments, rate, key, images, labels, number):
        order = jax.random.permutation(jax.random.fold_in(key, number), len(labels))
        steps = len(labels) // batch

        def loss(params, rows):
            logits = nnx.merge(graph, params)(images[rows])
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels[rows]).mean()

        def step(carry, rows):
            params, moments = carry
            updates, moments = optax.scale_by_adam().update(jax.grad(loss)(params, rows), moments)
            params = optax.apply_updates(params, jax.tree.map(lambda u: -rate * u, updates))
            return (params, moments), None

        rows = order[: steps * batch].reshape(steps, batch)
        return jax.lax.scan(step, (params, moments), rows)[0]

    return epoch


def _look(graph) -> Callable:
    def look(params, train_images, train_labels, test_images, test_labels):
        network = nnx.merge(graph, params)
        hidden = [network.hidden(images) for images in (test_images, train_images)]
        guesses = [jnp.argmax(network.last(h), -1) for h in hidden]
        accuracies = [
            jnp.mean(guess == labels)
            for guess, labels in zip(guesses, (test_labels, train_labels), strict=True)
        ]
        return (*hidden, *accuracies)

    return look
