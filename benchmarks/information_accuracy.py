"""Bias of estimators of information on correlated Gaussians, and coverage of intervals."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measure import Row, Table
from infojax import entropies, information

_SAMPLES = 256


@dataclasses.dataclass(frozen=True)
class _Pairs:
    """Correlated Gaussian samples with the scores of the best critic.

    Attributes:
        x: samples, (R, N, D).
        y: samples, correlated with those of x feature by feature.
        log_ratio: log density ratio of all pairs, (R, N, N).
        log_conditional: log density of y_j given x_i.
        truth: the mutual information in nats.
        lautum: the divergence of the product of marginals from the joint.
    """

    x: jax.Array
    y: jax.Array
    log_ratio: jax.Array
    log_conditional: jax.Array
    truth: float
    lautum: float


@functools.partial(jax.jit, static_argnames=("replications", "size"))
def _draw(key: jax.Array, rho: float, replications: int, size: int):
    x, noise = jax.random.normal(key, (2, replications, _SAMPLES, size))
    deviation = jnp.sqrt(1 - rho**2)
    y = rho * x + deviation * noise

    # In float32 the squared distance by products would cancel at rho = .99.
    def one(x, y, noise):
        def row(x_row):
            return jnp.sum(((y - rho * x_row) / deviation) ** 2, -1)

        residual = jax.lax.map(row, x).at[jnp.diag_indices(_SAMPLES)].set(jnp.sum(noise**2, -1))
        determinant = size * jnp.log1p(-(rho**2))
        ratio = (jnp.sum(y**2, -1) - residual - determinant) / 2
        return ratio, -(residual + determinant + size * jnp.log(2 * jnp.pi)) / 2

    return x, y, *jax.lax.map(lambda one_set: one(*one_set), (x, y, noise))


def _pairs(rho: float, size: int, replications: int) -> _Pairs:
    drawn = _draw(jax.random.key(size), rho, replications, size)
    variance = 1 - rho**2
    truth = size * np.log(1 / variance) / 2
    return _Pairs(*drawn, truth=truth, lautum=size * (rho**2 / variance + np.log(variance) / 2))


# What each returns on average, in words, and how far it may be off in standard errors.
_UNBIASED, _LOWER, _UPPER, _NONE = "unbiased", "at most", "at least", "either side"


@dataclasses.dataclass(frozen=True)
class _Estimator:
    """An estimator and what is published of its expectation.

    Attributes:
        estimate: of the pairs, one value a replication.
        expected: what its expectation is compared with.
        side: whether it is that, at most that, or at least that.
        limit: the largest information for which this can be seen from finitely many pairs.
    """

    estimate: Callable[[_Pairs], jax.Array]
    expected: Callable[[_Pairs], float]
    side: str
    limit: float = np.inf


def _truth(pairs: _Pairs) -> float:
    return pairs.truth


# Means of exponentials are seen by samples as long as exp(I) is well below their number.
_SEEN = np.log(_SAMPLES) - 1.5

_ESTIMATORS = {
    "donsker_varadhan_bound": _Estimator(
        lambda p: information.donsker_varadhan_bound(p.log_ratio), _truth, _UPPER
    ),
    "nwj_bound": _Estimator(
        lambda p: information.nwj_bound(p.log_ratio + 1), _truth, _UNBIASED, _SEEN
    ),
    "jensen_shannon_nwj_bound": _Estimator(
        lambda p: information.jensen_shannon_nwj_bound(p.log_ratio), _truth, _UNBIASED, _SEEN
    ),
    "smile_bound, clip 5": _Estimator(
        lambda p: information.smile_bound(p.log_ratio, 5.0), _truth, _NONE
    ),
    "info_nce_bound": _Estimator(
        lambda p: information.info_nce_bound(p.log_ratio),
        lambda p: min(p.truth, np.log(_SAMPLES)),
        _LOWER,
    ),
    "interpolated_bound, alpha 0.5": _Estimator(
        lambda p: information.interpolated_bound(p.log_ratio + 1, 0.5),
        lambda p: min(p.truth, 1 + np.log((_SAMPLES - 1) / 0.5)),
        _LOWER,
    ),
    "leave_one_out_bound": _Estimator(
        lambda p: information.leave_one_out_bound(p.log_conditional), _truth, _UPPER
    ),
    "club_bound": _Estimator(
        lambda p: information.club_bound(p.log_conditional),
        lambda p: p.truth + p.lautum,
        _UNBIASED,
    ),
    "gaussian_copula_mutual_information": _Estimator(
        lambda p: information.gaussian_copula_mutual_information(p.x, p.y), _truth, _LOWER
    ),
    "binned_mutual_information, 4 quantile bins": _Estimator(
        lambda p: information.binned_mutual_information(
            p.x[..., :1], p.y[..., :1], bins=4, method="quantile", correction="miller_madow"
        ),
        lambda p: p.truth / p.x.shape[-1],
        _LOWER,
    ),
}


def _accuracy_row(name: str, estimator: _Estimator, pairs: _Pairs, rho: float) -> Row:
    values = np.asarray(estimator.estimate(pairs), np.float64)
    mean = values.mean()
    # Rounding of float32 at the scale of the scores; at rho = 0 nothing else varies.
    error = max(values.std(ddof=1) / np.sqrt(values.size), 1e-6 * (1 + pairs.truth))
    expected = estimator.expected(pairs)
    excess = (mean - expected) / error
    off = {_UNBIASED: abs(excess), _LOWER: excess, _UPPER: -excess, _NONE: excess}[estimator.side]
    seen = estimator.side != _NONE and pairs.truth <= estimator.limit
    size = pairs.x.shape[-1]
    return Row(
        case=f"{name}, D = {size}, rho = {rho:g} (information {pairs.truth:.4g})",
        ours=f"{mean:.4g} +- {error:.2g}, bias {mean - pairs.truth:+.3g}",
        peer=f"published: {estimator.side}",
        peers=f"{expected:.4g}",
        ratio=float(off),
        bar="<= 4" if seen else "",
    )


def information_accuracy(repeats: int, quick: bool) -> Table:
    """Measures the mean of each estimator on Gaussians against what is published of it.

    Args:
        repeats: not used: the replications are the repeats.
        quick: whether to run few of them.

    Returns:
        The table.
    """
    del repeats
    grid = [(1, 0.9)] if quick else [(d, r) for d in (1, 4, 16) for r in (0.0, 0.5, 0.9, 0.99)]
    rows = []
    for size, rho in grid:
        pairs = _pairs(rho, size, 20 if quick else 200)
        for name, estimator in _ESTIMATORS.items():
            if quick and name not in ("info_nce_bound", "gaussian_copula_mutual_information"):
                continue
            if size == 1 or not name.startswith("binned"):
                rows.append(_accuracy_row(name, estimator, pairs, rho))
    return Table(
        title="Bias of estimators of information on correlated Gaussians",
        note=(
            f"Mean over 200 sets of {_SAMPLES} samples, nats, with its standard error. Bounds get "
            "the scores of the best critic: all that is off is the bound's own. The ratio is how "
            "many standard errors the mean lies on the wrong side of the published expectation; "
            "no bar where a mean of exponentials is beyond what so many samples show."
        ),
        rows=tuple(rows),
    )


def _plug_in_entropy(labels: jax.Array) -> jax.Array:
    counts = jnp.zeros(8).at[labels].add(1.0)
    return entropies.entropy_from_counts(counts)


_ZIPF = 1 / np.arange(1, 9.0) / (1 / np.arange(1, 9.0)).sum()


def _symbols(key: jax.Array, replications: int, count: int) -> tuple[jax.Array, ...]:
    return (jax.random.choice(key, 8, (replications, count), p=jnp.asarray(_ZIPF)),)


def _gaussian_pairs(key: jax.Array, replications: int, count: int) -> tuple[jax.Array, ...]:
    x, noise = jax.random.normal(key, (2, replications, count, 1))
    return x, 0.6 * x + 0.8 * noise


def _wrappers(resamples: int) -> dict[str, Callable]:
    """Each from (estimator, key, samples) to a result."""

    def by_bootstrap(method):
        def wrapped(estimator, key, samples):
            return information.bootstrap(
                estimator, *samples, key=key, num_resamples=resamples, method=method, batch_size=50
            )

        return wrapped

    return {
        "jackknife": lambda estimator, key, samples: information.jackknife(
            estimator, *samples, num_groups=50, batch_size=50
        ),
        **{f"bootstrap, {m}": by_bootstrap(m) for m in ("percentile", "basic", "normal")},
        "subsample_interval": lambda estimator, key, samples: information.subsample_interval(
            estimator, *samples, key=key, num_resamples=resamples, batch_size=50
        ),
    }


def _coverage_row(name, wrapper, estimator, draw, truth, replications, bar) -> Row:
    samples = draw(jax.random.key(0), replications, 200)
    keys = jax.random.split(jax.random.key(1), replications)
    found = jax.jit(
        lambda keys, samples: jax.lax.map(lambda one: wrapper(estimator, *one), (keys, samples))
    )(keys, samples)
    low, high = np.asarray(found.low), np.asarray(found.high)
    coverage = float(np.mean((low <= truth) & (truth <= high)))
    return Row(
        case=name,
        ours=f"{100 * coverage:.1f} %, width {np.mean(high - low):.3g} nats",
        peer="nominal",
        peers="95 %",
        ratio=coverage,
        bar=bar,
    )


def interval_coverage(repeats: int, quick: bool) -> Table:
    """Measures how often intervals of 95 % hold the truth.

    Args:
        repeats: not used: the replications are the repeats.
        quick: whether to run few of them.

    Returns:
        The table.
    """
    del repeats
    replications, resamples = (4, 10) if quick else (200, 200)
    mutual = -np.log(0.8)
    entropy = float(-(_ZIPF * np.log(_ZIPF)).sum())
    problems = (
        (
            "gaussian_copula_mutual_information",
            information.gaussian_copula_mutual_information,
            _gaussian_pairs,
            mutual,
        ),
        (
            "ksg_mutual_information, k = 3",
            information.ksg_mutual_information,
            _gaussian_pairs,
            mutual,
        ),
        ("plug-in entropy of 8 symbols", _plug_in_entropy, _symbols, entropy),
    )
    # Repeated samples are near neighbours; percentiles double the bias of what is biased.
    unfit = {
        *(("ksg", f"bootstrap, {method}") for method in ("percentile", "basic", "normal")),
        ("plug", "bootstrap, percentile"),
        ("plug", "subsample_interval"),
    }
    rows = []
    for name, estimator, draw, truth in problems:
        for wrapper_name, wrapper in _wrappers(resamples).items():
            if quick and wrapper_name != "subsample_interval":
                continue
            known = any(name.startswith(a) and wrapper_name == b for a, b in unfit)
            bar = "" if known or quick else ">= 0.9"
            rows.append(
                _coverage_row(
                    f"{name}: {wrapper_name}",
                    wrapper,
                    estimator,
                    draw,
                    truth,
                    replications,
                    bar,
                )
            )
    return Table(
        title="Coverage of intervals of 95 %",
        note=(
            f"{replications} sets of 200 samples: correlated Gaussians (rho = .6), a Zipf law of "
            "8 symbols. The ratio is the coverage. No bar where the docstring warns: bootstrap of "
            "nearest neighbours, percentiles and subsamples of a biased estimate."
        ),
        rows=tuple(rows),
    )
