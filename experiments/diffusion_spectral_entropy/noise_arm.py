"""How entropies follow the dimension of a manifold under noise: spectral against binned."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from experiments import runner
from experiments.data import noisy_manifold
from infojax import information, spectra


def noise(run: runner.Run, shape: str) -> dict[str, np.ndarray]:
    """Measures both entropies of one shape at every dimension and level of noise.

    Args:
        run: the run.
        shape: "tree" or "swiss_roll".

    Returns:
        `dse` and `cse` in bits, (ambient dimensions, levels, dimensions, seeds).
    """
    config = run.config.noise
    size = tuple(
        len(getattr(config, name)) for name in ("ambient_dimensions", "levels", "dimensions")
    )
    found = {name: np.zeros((*size, config.seeds)) for name in ("dse", "cse")}
    keys = jax.random.split(run.key(f"manifold {shape}"), config.seeds)
    levels = jnp.asarray(config.levels)
    with run.progress(f"noise, {shape}", size[0] * size[2], unit="settings") as bar:
        for a, ambient in enumerate(config.ambient_dimensions):
            for d, dimension in enumerate(config.dimensions):
                points = _points(keys, levels, shape, config.points, dimension, ambient)
                found["dse"][a, :, d] = spectra.diffusion_spectral_entropy(
                    points, sigma=run.config.sigma, t=run.config.diffusion_time, base=2
                )
                found["cse"][a, :, d] = information.binned_entropy(points, bins=config.bins, base=2)
                bar.advance(1)
    return found


@functools.partial(jax.jit, static_argnums=(2, 3, 4, 5))
def _points(keys, levels, shape: str, count: int, dimension: int, ambient: int) -> jax.Array:
    """Points (levels, seeds, N, D); levels share shape, rotation and noise but for its size."""

    def of_one(level, key):
        return noisy_manifold(
            key, shape, count, dimension=dimension, ambient_dimension=ambient, noise=level
        ).points

    return jax.vmap(jax.vmap(of_one, (None, 0)), (0, None))(levels, keys)


def rank_correlations(values: np.ndarray) -> np.ndarray:
    """Spearman's correlation of an entropy with the manifold's dimension.

    Args:
        values: (..., dimensions, seeds).

    Returns:
        (...): over all pairs of dimension and seed; 0 where the entropy is constant.
    """
    from scipy import stats

    dimensions = np.repeat(np.arange(values.shape[-2]), values.shape[-1])
    flat = values.reshape(-1, dimensions.size)
    found = [0.0 if np.ptp(row) == 0 else stats.spearmanr(row, dimensions)[0] for row in flat]
    return np.array(found).reshape(values.shape[:-2])
