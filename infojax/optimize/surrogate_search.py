"""Bayesian optimisation of a surrogate: a Gaussian process chooses what the surrogate scores."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.numerics import gated, narrow, widen
from infojax.optimize.compiled_search import traced_search
from infojax.optimize.gaussian_process.parameters import Kernel
from infojax.optimize.proposals import Effort
from infojax.optimize.search_plan import checked_plan
from infojax.optimize.search_rules import Rule
from infojax.optimize.searchers import SearchResult, starting_points


def _box(starts: Array, lower: ArrayLike, upper: ArrayLike) -> tuple[jax.Array, ...]:
    """Starts within the bounds, these as (D, 2), and whether all is valid."""
    points, low, high, valid = starting_points(starts, lower, upper)
    finite = checks.check_real("lower", low, jnp.isfinite(low), "finite")
    above = jnp.isfinite(high) & (high > low)
    checks.check_real("upper", high, above, "finite and above lower")
    points, low, high = widen(points, low, high)
    return jnp.clip(points, low, high), jnp.stack([low, high], 1), valid & jnp.all(finite & above)


def surrogate_bayesian_optimization(
    key: PRNGKeyArray,
    score_fn: Callable[[Array], Array],
    starts: Float[Array, "N D"],
    *,
    lower: ArrayLike,
    upper: ArrayLike,
    evaluations: int = 64,
    batch_size: int = 4,
    acquisition: str | Rule = "q_expected_improvement",
    proposals: int | None = None,
    kernel: str | Kernel = "matern52",
    raw: int = 256,
    climbs: int = 8,
    steps: int = 30,
    fit_starts: int = 1,
    fit_steps: int = 30,
) -> SearchResult:
    r"""Searches a surrogate by Bayesian optimisation, and proposes the best points of all.

    A Gaussian process learns what the surrogate says of the starts. Then, round by round, the
    batch of greatest acquisition is scored by the surrogate, and learned. By default that is
    $q$EI, $E[\max(0, \max_i f(x_i) - f^*)]$ of the batch as a whole. The surrogate is the only
    one that is asked: what it overrates is proposed.

    It costs a factorisation of all points for each of the `fit_steps` of each round: some hundreds
    of points at most.

    Args:
        key: a random key.
        score_fn: from one point (D,) to its score, a scalar. A score that is not finite is not
            learned, and comes last.
        starts: such as the best designs of the data; what is outside the bounds is clipped.
        lower: lower bounds, of shape () or (D,), finite.
        upper: upper bounds, finite and above `lower`.
        evaluations: how many points are scored besides the starts.
        batch_size: how many of them a round chooses.
        acquisition: a name or a rule, see `bayesian_optimization`.
        proposals: how many points to propose; as many as there are starts if None.
        kernel: of the Gaussian process, see `gaussian_process.condition`.
        raw: batches at which the acquisition is evaluated.
        climbs: how many of them climb.
        steps: how many steps they climb.
        fit_starts: starts of each fit of the hyper-parameters.
        fit_steps: steps of the fit.

    Returns:
        The proposals, the best first, their scores and the mean score of each round.

    Raises:
        TypeError: `starts` is not of floating type, or a size is no whole number.
        ValueError: wrong shapes, a number out of its range, an unknown acquisition or kernel,
            `evaluations` that is no multiple of `batch_size`, more `proposals` than points, or
            starts or bounds that are not finite (at once where concrete, under
            `checkify.checkify` in traced code; NaN where unchecked).

    Reference:
        Trabucco, Geng, Kumar and Levine, ICML 2022, arXiv 2202.08450, BO-qEI; Balandat et al.,
        *BoTorch*, NeurIPS 2020, arXiv 1910.06403.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import optimize
        >>> found = optimize.surrogate_bayesian_optimization(
        ...     jax.random.key(0), lambda x: -jnp.sum((x - 1) ** 2), jnp.array([[-1.0], [0.0]]),
        ...     lower=-3.0, upper=3.0, evaluations=8, batch_size=2, proposals=1)
        >>> print(bool(jnp.abs(found.points[0, 0] - 1) < 0.1))
        True
    """
    points, limits, valid = _box(starts, lower, upper)
    count = points.shape[0]
    total = count + checks.positive_integer("evaluations", evaluations)
    size = checks.positive_integer("batch_size", batch_size)
    if evaluations % size:
        raise ValueError(
            f"evaluations must be a multiple of batch_size; got {evaluations!r} and {size!r}."
        )
    wanted = count if proposals is None else checks.positive_integer("proposals", proposals)
    if wanted > total:
        raise ValueError(
            f"proposals must be at most starts and evaluations, {total}; got {proposals!r}."
        )
    plan = checked_plan(
        points.shape[1],
        lambda _, point: score_fn(point),
        maximize=True,
        evaluations=total,
        initial=count,
        batch_size=size,
        acquisition=acquisition,
        constraints=None,
        noisy=False,
        drop_failed=False,
        kernel=kernel,
        effort=Effort(raw, checks.positive_integer("climbs", climbs), steps, fit_starts, fit_steps),
    )
    low, high = limits.T
    trace = traced_search(key, limits, (points - low) / (high - low), plan)
    heights = jnp.where(jnp.isfinite(trace.values), trace.values, -jnp.inf)
    _, best = jax.lax.top_k(heights, wanted)
    rounds = trace.values[count:].reshape(-1, size)
    given = jnp.asarray(starts)
    return SearchResult(
        *(
            narrow(gated(part, valid), given)
            for part in (trace.points[best], trace.values[best], jnp.mean(rounds, 1))
        )
    )
