"""The black boxes of the desk size: two functions of a box, and diabetes with a forest's oracle."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from experiments import runner
from infojax import optimize

DIMENSIONS, REACH = 8, 5.0


def styblinski_tang(x: jax.Array) -> jax.Array:
    """The function of Styblinski and Tang, its sign turned, averaged over the features.

    Args:
        x: (*B, D) in [-5, 5].

    Returns:
        Values (*B,), at most 39.166 at -2.9035 in all features.
    """
    return -0.5 * jnp.mean(x**4 - 16 * x**2 + 5 * x, -1)


def ackley(x: jax.Array) -> jax.Array:
    """Ackley's function, its sign turned.

    Args:
        x: (*B, D).

    Returns:
        Values (*B,), at most 0 at the origin.
    """
    radius = jnp.sqrt(jnp.mean(jnp.square(x), -1))
    waves = jnp.mean(jnp.cos(2 * jnp.pi * x), -1)
    return 20 * jnp.exp(-0.2 * radius) + jnp.exp(waves) - 20 - jnp.e


FUNCTIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "styblinski_tang": styblinski_tang,
    "ackley": ackley,
}
NAMES = (*FUNCTIONS, "diabetes")


def make(name: str, key: jax.Array, points: int) -> optimize.OfflineTask:
    """Makes an offline task; scores are relative to the whole data, of which the lower half is.

    Args:
        name: one of `NAMES`.
        key: of the points of a simulated task; diabetes has one data set.
        points: how many are drawn, half of which are offline.

    Returns:
        The task.

    Raises:
        UserError: there is no such task.
    """
    if name == "diabetes":
        return _diabetes()
    if name not in FUNCTIONS:
        raise runner.UserError(f"config.tasks names {name!r}; there are {', '.join(NAMES)}")
    oracle = FUNCTIONS[name]
    x = jax.random.uniform(key, (points, DIMENSIONS), minval=-REACH, maxval=REACH)
    return _lower_half(x, oracle(x), oracle, lower=-REACH, upper=REACH)


def _lower_half(x, y, oracle, **bounds) -> optimize.OfflineTask:
    order = jnp.argsort(y)[: len(y) // 2]
    ends = {"lowest": jnp.min(y), "highest": jnp.max(y)}
    return optimize.offline_task(x[order], y[order], oracle, **ends, **bounds)


@functools.cache
def _diabetes() -> optimize.OfflineTask:
    """Disease progression of 442 patients; the oracle is a random forest of all rows."""
    try:
        from sklearn.datasets import load_diabetes
        from sklearn.ensemble import RandomForestRegressor
    except ImportError as error:
        raise runner.UserError(
            'diabetes ships with scikit-learn: pip install "infojax[experiments]"'
        ) from error
    x, y = load_diabetes(return_X_y=True)
    x, y = x.astype(np.float32), y.astype(np.float32)
    forest = RandomForestRegressor(100, random_state=0).fit(x, y)

    def oracle(designs):
        rows = np.asarray(designs)
        return jnp.asarray(forest.predict(rows.reshape(-1, rows.shape[-1])), jnp.float32).reshape(
            rows.shape[:-1]
        )

    return _lower_half(jnp.asarray(x), jnp.asarray(y), oracle, lower=x.min(0), upper=x.max(0))
