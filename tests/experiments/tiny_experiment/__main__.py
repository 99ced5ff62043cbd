"""Fits a line by stochastic gradient descent: every part of the runner in one small experiment."""

import time
from typing import NamedTuple

import jax
import jax.numpy as jnp

from experiments import runner
from tests.experiments.tiny_experiment.config import get_config


class Fit(NamedTuple):
    """State of the fit: weights, a typed key, a count on the host and a weakly typed average."""

    weights: jax.Array
    key: jax.Array
    seen: int
    average: jax.Array


def make_data(key, n):
    """Returns inputs and noisy outputs of a line."""
    x = jnp.linspace(-1, 1, n)
    y = 2 * x - 0.5 + 0.1 * jax.random.normal(key, (n,))
    return {"x": x, "y": y, "truth": (2.0, -0.5), "note": "a line"}


def main(run: runner.Run) -> None:
    config = run.config
    data = run.stage("data", lambda: make_data(run.key("data"), config.points))
    run.log({"event": "data", "mean": data["y"].mean()})

    x, y = jnp.asarray(data["x"]), jnp.asarray(data["y"])

    @jax.jit
    def update(weights, key, average):
        key, subkey = jax.random.split(key)
        i = jax.random.randint(subkey, (4,), 0, config.points)

        def loss(w):
            return jnp.mean((w[0] * x[i] + w[1] - y[i]) ** 2)

        value, slope = jax.value_and_grad(loss)(weights)
        return weights - config.rate * slope, key, 0.9 * average + 0.1, value

    def step(state, index):
        time.sleep(config.pause)
        weights, key, average, loss = update(state.weights, state.key, state.average)
        state = Fit(weights, key, state.seen + 4, average)
        return state, {"loss": loss, "weights": weights}

    init = Fit(jnp.zeros(2), run.key("fit"), 0, jnp.asarray(0.0))
    fit = run.loop(
        "fit",
        init,
        step,
        num_steps=config.steps,
        checkpoint_every=config.checkpoint_every,
        unit="examples",
        units_per_step=4,
    )
    rows = [{"weight": i, "value": w} for i, w in enumerate(fit.weights)]
    run.save_table("weights", [*rows, {"weight": "seen", "value": fit.seen}])

    def residuals():
        run.log({"event": "residuals"})
        with run.progress("residuals", config.points) as bar:
            bar.advance(config.points)
        return {"residuals": fit.weights[0] * data["x"] + fit.weights[1] - data["y"]}

    residual = run.stage("residuals", residuals)["residuals"]
    draw(run, data, fit)
    estimate = runner.mean_interval(residual)
    run.log({"event": "end", "residual": estimate.value})
    run.save_claims(
        [
            runner.claim(
                name="slope",
                statement="The fit finds the slope within 0.5",
                source="this test | made up",
                value=fit.weights[0],
                threshold="in [1.5, 2.5]",
            ),
            runner.claim(
                name="perfect",
                statement="The residual is exactly 0",
                source="this test",
                value=estimate.value,
                interval=estimate.interval,
                threshold="== 0",
            ),
        ]
    )


def draw(run, data, fit):
    """Saves the figure."""
    from experiments.runner import figures

    figure, ax = figures.subplots()
    y = fit.weights[0] * data["x"] + fit.weights[1]
    figures.line_with_interval(ax, data["x"], y, y - 0.1, y + 0.1, "fit")
    figures.finish(ax, title="A line", x="x", y="y")
    run.save_figure("fit", figure)


if __name__ == "__main__":
    runner.main(main, get_config, experiment="tiny_experiment")
