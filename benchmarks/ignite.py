"""Benchmark of a training step with IGNITE against the plain step of the same surrogate."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from benchmarks.measure import Row, Table, in_turn, rows_against_peers, times_slower
from infojax import optimize

# The spec's bar: three gradients in place of one.
_BAR = "<= 3"
_STEPS = 20  # of one call, so that a call's own cost counts for little
_FEATURES, _BATCH = 60, 128


def _steps(width: int, wrap: Callable | None) -> Callable[[], object]:
    """Compiled steps of Adam on a batch, on a network of two hidden layers."""
    made = optimize.GaussianSurrogate(_FEATURES, hidden=(width, width), rngs=nnx.Rngs(0))
    structure, start = nnx.split(made, nnx.Param)
    x = jax.random.normal(jax.random.key(1), (_BATCH, _FEATURES))
    y = jnp.tanh(x[:, 0])

    def mean_fn(parameters, x):
        return nnx.merge(structure, parameters)(x)[0]

    def loss_fn(parameters, x):
        mean, log_std = nnx.merge(structure, parameters)(x)
        return jnp.mean(optimize.gaussian_negative_log_likelihood(y, mean, log_std))

    optimizer = optax.adam(3e-4)
    optimizer = optax.with_extra_args_support(wrap(optimizer, mean_fn) if wrap else optimizer)

    @jax.jit
    def run(parameters, moments):
        def step(_, state):
            parameters, moments = state
            gradient = jax.grad(loss_fn)(parameters, x)
            updates, moments = optimizer.update(gradient, moments, parameters, batch=x)
            return optax.apply_updates(parameters, updates), moments

        return jax.lax.fori_loop(0, _STEPS, step, (parameters, moments))

    return functools.partial(run, start, optimizer.init(start))


def _of_width(width: int, repeats: int) -> list[Row]:
    rows = []
    plain = _steps(width, None)
    for label, exact in (("Hessian-vector product", True), ("finite difference", False)):
        wrap = functools.partial(optimize.ignite, exact=exact)
        contenders = {"infojax": _steps(width, wrap), "plain step": plain}
        times = {k: t.shared_by(_STEPS) for k, t in in_turn(contenders, repeats).items()}
        rows += rows_against_peers(
            f"2 x {width}, {label}", times, ratio=times_slower, bars={"plain step": _BAR}
        )
    return rows


def ignite_step(repeats: int, quick: bool) -> Table:
    """Times training steps with and without IGNITE.

    Args:
        repeats: counted calls.
        quick: a tiny network.

    Returns:
        The table.
    """
    widths = (16,) if quick else (128, 512, 2048)
    return Table(
        title="A training step with IGNITE, seconds",
        note=f"A step of Adam on a Gaussian surrogate of two hidden layers, {_FEATURES} features, "
        f"batches of {_BATCH}, float32, {_STEPS} steps a call, contenders in turn. The ratio is "
        "how many plain steps one with IGNITE takes; three gradients in place of one are 3.",
        rows=tuple(row for width in widths for row in _of_width(width, repeats)),
    )
