"""How much each pixel of the digits tells about the class, three ways.

Ross 2014 between a continuous pixel and the class, ours and scikit-learn's, and the plain table
of counts, which the 17 grey levels allow.
"""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data import load_digits
from infojax import entropies, information

_CLASSES = 10
_LEVELS = 17


def information_maps(config, seed: int) -> dict[str, np.ndarray]:
    """Information on the class of each pixel, in nats.

    The grey levels are full of ties, which both estimators break by a small random jitter: each
    is run with several.

    Args:
        config: `neighbors` and `repetitions`.
        seed: seed of the jitter.

    Returns:
        Maps "ours" and "scikit-learn", (repetitions, 64), and "table", (1, 64).
    """
    from sklearn.feature_selection import mutual_info_classif

    images, labels = load_digits()
    keys = jax.random.split(jax.random.key(seed), config.repetitions)
    peer = [
        mutual_info_classif(
            images, labels, n_neighbors=config.neighbors, random_state=seed + repetition
        )
        for repetition in range(config.repetitions)
    ]
    return {
        "ours": np.asarray(ross_map(images, labels, keys, config.neighbors), np.float64),
        "scikit-learn": np.stack(peer),
        "table": np.asarray(table_map(images, labels), np.float64)[None],
    }


def table_map(images: np.ndarray, labels: np.ndarray) -> jax.Array:
    """Information of the table of counts, with the Miller-Madow correction of each entropy.

    Args:
        images: (N, 64) in steps of 1/16.
        labels: (N,).

    Returns:
        Nats, (64,).
    """
    levels = jnp.asarray(np.round(images * (_LEVELS - 1)).astype(np.int32))

    @jax.jit
    @jax.vmap
    def one(pixel: jax.Array) -> jax.Array:
        table = jnp.zeros((_LEVELS, _CLASSES)).at[pixel, labels].add(1.0)
        parts = (table.sum(0), table.sum(1), table.ravel())
        h = [entropies.entropy_from_counts(part, correction="miller_madow") for part in parts]
        return h[0] + h[1] - h[2]

    return one(levels.T)


def rows(maps: dict[str, np.ndarray]) -> list[dict[str, object]]:
    """The table: a row a pixel, the most informative first.

    Args:
        maps: from `information_maps`.

    Returns:
        Rows with place and nats.
    """
    means = {name: values.mean(0) for name, values in maps.items()}
    order = np.argsort(-means["ours"], kind="stable")
    return [
        {"row": int(i // 8), "column": int(i % 8)}
        | {f"{name}_nats": float(values[i]) for name, values in means.items()}
        for i in order
    ]


def ross_map(images: np.ndarray, labels: np.ndarray, keys: jax.Array, neighbors: int) -> jax.Array:
    """Ross's estimate of each pixel, by `vmap` over pixels and over jitters.

    Args:
        images: (N, 64).
        labels: (N,).
        keys: keys of the jitter, (repetitions,).
        neighbors: k.

    Returns:
        Nats, (repetitions, 64).
    """
    pixels = jnp.asarray(images.T)[..., None]
    # Far below the grey levels' distance of 1/16, and so far above the steps of float32 that a
    # thousand jittered copies of one level stay apart.
    scale = 2e-3

    def one(pixel: jax.Array, key: jax.Array) -> jax.Array:
        jittered = pixel + scale * jax.random.normal(key, pixel.shape)
        return information.discrete_continuous_mutual_information(
            jittered, jnp.asarray(labels), num_classes=_CLASSES, k=neighbors
        )

    def repetition(key: jax.Array) -> jax.Array:
        return jax.vmap(one)(pixels, jax.random.split(key, len(pixels)))

    return jax.jit(lambda keys: jax.lax.map(repetition, keys))(keys)
