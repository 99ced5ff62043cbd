"""Small Gaussian processes that several tests share."""

import pathlib

import jax.numpy as jnp
import numpy as np

from infojax.optimize import gaussian_process

GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "bayesian_optimization"
# Sizes of the golden files are padded to these, so that both are the same compiled programs.
CAPACITY = 10


def golden(number):
    """A golden file, and its parameters."""
    data = dict(np.load(GOLDEN / f"gp_s{number}.npz"))
    parameters = gaussian_process.Parameters(
        jnp.asarray(data["ls"]), data["s2"], data["noise"], data["mu"]
    )
    return data, parameters


def padded(array, capacity=CAPACITY, filler=np.nan):
    """An array with rows of rubbish at its end."""
    array = np.asarray(array, float)
    wide = np.full((capacity, *array.shape[1:]), float(filler))
    wide[: len(array)] = array
    return wide


def counted(number, capacity=CAPACITY):
    """The mask that goes with it."""
    return np.arange(capacity) < number


def small(seed=0, number=5, features=2, noise=0.01, capacity=None):
    """A Gaussian process given random observations."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(number, features))
    y = np.sin(5 * x[:, 0]) + x.sum(1)
    capacity = capacity or number
    return gaussian_process.condition(
        padded(x, capacity),
        padded(y, capacity),
        gaussian_process.Parameters(jnp.full(features, 0.4), 1.5, noise, 0.3),
        where=counted(number, capacity),
    )
