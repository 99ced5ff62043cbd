"""Information from nearest neighbours: time against trees, accuracy on correlated Gaussians."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measure import Row, Table, in_turn, rows_against_peers, times_faster
from infojax import information

_K = 3
# What the estimator's own authors report: next to no bias at moderate dependence in one
# dimension. Other rows have no bar: they show where the bias is.
_UNBIASED = 0.9


def correlated(rho: float, count: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples of two standard normal vectors whose coordinates are correlated in pairs.

    Args:
        rho: the correlation.
        count: how many samples.
        size: coordinates of each.
        seed: of the generator.

    Returns:
        Two float32 arrays (count, size).
    """
    x, noise = np.random.default_rng(seed).normal(size=(2, count, size))
    return x.astype(np.float32), (rho * x + np.sqrt(1 - rho**2) * noise).astype(np.float32)


def _by_trees(x: np.ndarray, y: np.ndarray) -> float:
    """The first estimate of Kraskov et al. on scikit-learn's KD-trees."""
    from scipy.special import digamma
    from sklearn.neighbors import KDTree

    joint = np.hstack([x, y])
    radius = KDTree(joint, metric="chebyshev").query(joint, k=_K + 1)[0][:, -1]
    radius = np.nextafter(radius, 0)
    counts = [
        KDTree(z, metric="chebyshev").query_radius(z, radius, count_only=True) for z in (x, y)
    ]
    return float(digamma(_K) + digamma(len(x)) - sum(digamma(c).mean() for c in counts))


def _regression(x: np.ndarray, y: np.ndarray) -> float:
    from sklearn.feature_selection import mutual_info_regression

    return float(mutual_info_regression(x, y[:, 0], n_neighbors=_K)[0])


def ksg_mutual_information(repeats: int, quick: bool) -> Table:
    """Times one estimate at N = 10^4 against trees and scikit-learn's own function.

    Args:
        repeats: counted calls.
        quick: whether to run tiny sizes.

    Returns:
        The table.
    """
    count = 200 if quick else 10_000
    rows = []
    ours = jax.jit(functools.partial(information.ksg_mutual_information, k=_K))
    trees, regression = "KD-trees of scikit-learn", "mutual_info_regression"
    for size, bars in ((8, {trees: ">= 3"}), (3, {}), (1, {regression: ">= 1"})):
        x, y = correlated(0.6, count, size, 0)
        arrays = jnp.asarray(x), jnp.asarray(y)
        wide = x.astype(np.float64), y.astype(np.float64)
        contenders = {
            "infojax": functools.partial(ours, *arrays),
            trees: functools.partial(_by_trees, *wide),
        }
        if size == 1:
            contenders[regression] = functools.partial(_regression, *wide)
        times = in_turn(contenders, repeats)
        extra = {name: f"{float(call()):.4f} nats" for name, call in contenders.items()}
        case = f"N = {count}, D = {size} + {size}"
        rows += rows_against_peers(case, times, ratio=times_faster, bars=bars, extra=extra)
    return Table(
        title="Mutual information by nearest neighbours (KSG, k = 3)",
        note="Median (least .. most) and the estimate, float32 against the peers' float64; "
        "ratio = peer / infojax.",
        rows=tuple(rows),
    )


def ksg_accuracy(repeats: int, quick: bool) -> Table:
    """The bias of the estimates on correlated Gaussians, whose information is known.

    Args:
        repeats: not used; there are ten sets of samples.
        quick: whether to run tiny sizes.

    Returns:
        The table.
    """
    del repeats
    count, seeds = (100, 2) if quick else (2000, 10)
    estimators = {
        "KSG 1": functools.partial(information.ksg_mutual_information, k=_K),
        "KSG 2": functools.partial(information.ksg_mutual_information, k=_K, variant=2),
    }
    rows = []
    for size in (1,) if quick else (1, 2, 4, 8, 16):
        functions = dict(estimators)
        if size <= 2:  # 4 + 4 coordinates are more than the six that it takes
            functions["local non-uniformity"] = functools.partial(
                information.local_nonuniformity_mutual_information, k=2 * size + 3
            )
        mapped = {name: jax.jit(jax.vmap(function)) for name, function in functions.items()}
        for rho in (0.0, 0.6) if quick else (0.0, 0.3, 0.6, 0.9, 0.99):
            x, y = (
                np.stack(z)
                for z in zip(*(correlated(rho, count, size, s) for s in range(seeds)), strict=True)
            )
            truth = -size / 2 * np.log(1 - rho**2)
            for name, function in mapped.items():
                found = np.asarray(function(x, y))
                error = found.std(ddof=1) / np.sqrt(seeds)
                bias = found.mean() - truth
                near = name != "local non-uniformity" and size == 1 and rho <= _UNBIASED
                rows.append(
                    Row(
                        case=f"{name}, D = {size} + {size}, rho = {rho}",
                        ours=f"{found.mean():.3f} +- {error:.3f} nats",
                        peer="closed form",
                        peers=f"{truth:.3f} nats",
                        ratio=float(abs(bias)),
                        bar="<= 0.02" if near and not quick else "",
                    )
                )
    return Table(
        title=f"Bias of estimates by nearest neighbours, N = {count}",
        note=f"Mean over {seeds} sets of samples, with its standard error; ratio = |mean - truth| "
        "in nats. Estimates are too small where dimensions or dependence are large: a "
        "neighbourhood then is wider than the density's own scale.",
        rows=tuple(rows),
    )
