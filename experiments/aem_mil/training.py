"""Training of many classifiers of bags side by side: data sets times runs in one program.

A group is a data set; its runs share the bags and their order and differ in initial weights and in
the weight of the attention's entropy. The products of a bag's instances with all runs' first
layers are then one matrix product.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from experiments import runner
from experiments.aem_mil.architectures import Build
from infojax import losses

_BAGS_AT_ONCE = 50


class Bags(NamedTuple):
    """Bags of one size with their labels, for each group.

    Attributes:
        instances: (G, B, N, D).
        labels: (G, B).
    """

    instances: Any
    labels: Any


class Runs(NamedTuple):
    """What tells runs apart.

    Attributes:
        keys: typed keys of initial weights and of what is random in training, (G, R).
        weights: lambda at the start, (G, R).
        annealed: whether it falls to 0, else it stays, (G, R).
    """

    keys: Any
    weights: Any
    annealed: Any


class State(NamedTuple):
    """What training changes; every leaf has leading axes (G, R)."""

    weights: Any
    moments: Any


class Found(NamedTuple):
    """Predictions on bags held out.

    Attributes:
        probabilities: (G, R, B, C).
        losses: cross-entropy in nats, (G, R, B).
        entropy: of the attention in nats, averaged over rows, (G, R, B).
        logits: of the attention, (G, R, B, N): of one row as they are, of several the logarithm
            of their mean attention.
    """

    probabilities: np.ndarray
    losses: np.ndarray
    entropy: np.ndarray
    logits: np.ndarray


def check_lambdas(lambdas, allow_minimise: bool) -> None:
    """Refuses weights of the entropy that a run cannot have.

    Args:
        lambdas: the weights.
        allow_minimise: whether negative ones are taken.

    Raises:
        UserError: one is negative without leave, or not finite.
    """
    for value in lambdas:
        if not np.isfinite(value) or (value < 0 and not allow_minimise):
            raise runner.UserError(
                f"lambda is {value}; expected a number of at least 0 (negative ones, which "
                "minimise the entropy, need --config.allow_minimise)"
            )


def initialize(build: Build, keys, optimizer: optax.GradientTransformation):
    """Draws initial weights for every key.

    Args:
        build: makes a classifier.
        keys: typed keys, any shape.
        optimizer: whose moments are begun.

    Returns:
        The structure of the classifier, and the state with the axes of the keys in front.
    """

    @jax.jit
    def one(key):
        weights = nnx.state(build(nnx.Rngs(params=key)))
        return State(weights, optimizer.init(weights))

    graph = nnx.graphdef(nnx.eval_shape(lambda: build(nnx.Rngs(params=jax.random.key(0)))))
    # One by one: mapped over keys, the same draws take four times as long to compile.
    states = [jax.device_get(one(key)) for key in keys.reshape(-1)]
    state = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
    return graph, jax.tree.map(lambda leaf: leaf.reshape(*keys.shape, *leaf.shape[1:]), state)


def update(graph, optimizer: optax.GradientTransformation) -> Callable:
    """Gives the step of one run on one bag.

    Args:
        graph: structure of the classifier.
        optimizer: changes the weights.

    Returns:
        A function of state, instances (N, D), mask (N,) or None, label, lambda and key, to the
        next state and the loss without the penalty.
    """

    def step(state: State, instances, where, label, weight, key):
        def loss(weights):
            model = nnx.merge(graph, weights)
            found = model(instances, where=where, key=key)
            of_bag = model.bag_loss(found, label)
            # Signs were looked at before: this is compiled.
            penalty = losses.attention_entropy_penalty(
                found.attention_logits, weight=weight, allow_minimise=True
            )
            return of_bag + penalty, of_bag

        (_, of_bag), gradient = jax.value_and_grad(loss, has_aux=True)(state.weights)
        change, moments = optimizer.update(gradient, state.moments, state.weights)
        return State(optax.apply_updates(state.weights, change), moments), of_bag

    return step


def lambda_at(weights, annealed, share) -> jax.Array:
    """The weight of the entropy.

    Args:
        weights: at the start.
        annealed: whether it falls to 0.
        share: of the training that is done, 0 to 1.

    Returns:
        Array of the shape of `weights`.
    """
    falling = losses.attention_entropy_schedule(1.0, total_steps=1)(share)
    return jnp.where(annealed, weights * falling, weights)


def train(run: runner.Run, name: str, build: Build, bags: Bags, runs: Runs) -> Callable:
    """Trains all runs of all groups, a bag a step, as a loop that is checkpointed.

    Args:
        run: the run; groups are spread over its mesh.
        name: of the loop.
        build: makes a classifier.
        bags: to train on.
        runs: what tells runs apart.

    Returns:
        A function from bags held out, (G, B, N, D) with labels, to what all runs find.
    """
    config = run.config.network
    optimizer = optax.adamw(config.learning_rate, weight_decay=config.weight_decay)
    groups = len(runs.weights)
    (bags, runs), _ = runner.pad_to_multiple((bags, runs), run.mesh.size)
    graph, state = initialize(build, runs.keys, optimizer)
    state, bags, runs = (runner.shard_leading(tree, run.mesh) for tree in (state, bags, runs))
    epoch = _epoch(update(graph, optimizer), config.epochs)

    def step(state, number):
        orders = runner.shard_leading(_orders(run.seed, number, *bags.labels.shape), run.mesh)
        state, loss = epoch(state, bags, runs, orders, number)
        return state, {"training_loss": loss}

    state = run.loop(name, state, step, num_steps=config.epochs, unit="epochs")
    look = _look(graph)

    def predict(held_out: Bags) -> Found:
        (held_out,), _ = runner.pad_to_multiple((held_out,), run.mesh.size)
        held_out = runner.shard_leading(held_out, run.mesh)
        found = runner.gather_to_host(look(state.weights, held_out))
        return Found(*(part[:groups] for part in found))

    return predict


def _orders(seed: int, epoch: int, groups: int, count: int) -> np.ndarray:
    """The order of every group's bags in an epoch, (G, B)."""
    return np.stack(
        [np.random.default_rng([seed, epoch, group]).permutation(count) for group in range(groups)]
    ).astype(np.int32)


def _epoch(step: Callable, epochs: int) -> Callable:
    """One pass over the bags of every group, in an order of its own."""
    over_runs = jax.vmap(step, (0, None, None, None, 0, 0))
    over_groups = jax.vmap(over_runs, (0, 0, None, 0, 0, 0))

    @jax.jit
    def epoch(state: State, bags: Bags, runs: Runs, orders, number):
        groups, count = bags.labels.shape
        numbers = jnp.arange(groups)

        def one(state, place):
            done = number * count + place
            bag = orders[:, place]
            weight = lambda_at(runs.weights, runs.annealed, done / (epochs * count))
            own = jax.vmap(jax.vmap(lambda k: jax.random.fold_in(k, done)))(runs.keys)
            arguments = bags.instances[numbers, bag], None, bags.labels[numbers, bag], weight, own
            return over_groups(state, *arguments)

        state, loss = jax.lax.scan(one, state, jnp.arange(count))
        return state, jnp.mean(loss)

    return epoch


def _one_row(logits: jax.Array) -> jax.Array:
    if logits.shape[-2] == 1:
        return logits[..., 0, :]
    shares = jax.nn.log_softmax(logits, -1) - jnp.log(logits.shape[-2])
    return jax.nn.logsumexp(shares, -2)


def _look(graph) -> Callable:
    def of_bag(model, instances, label):
        found = model(instances)
        probabilities = model.probabilities(found)
        least = jnp.finfo(probabilities.dtype).tiny
        return Found(
            probabilities,
            -jnp.log(jnp.maximum(probabilities[label], least)),
            jnp.mean(found.entropy, -1),
            _one_row(found.attention_logits),
        )

    def one(weights, instances, labels):
        model = nnx.merge(graph, weights)
        # Some bags at a time: of all of them the embedded instances may not fit into memory.
        return jax.lax.map(
            lambda bag: of_bag(model, *bag), (instances, labels), batch_size=_BAGS_AT_ONCE
        )

    over_groups = jax.vmap(jax.vmap(one, (0, None, None)))
    return jax.jit(lambda weights, bags: over_groups(weights, *bags))
