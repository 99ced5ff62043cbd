"""Searches on a surrogate: gradient ascent, and CMA-ES of evosax, each one compiled loop."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.numerics import gated


class SearchResult(NamedTuple):
    """What a search proposes.

    Attributes:
        points: the proposals, (N, D).
        scores: what the surrogate says of them, (N,).
        history: the mean score of what each step looked at.
    """

    points: Float[Array, "N D"]
    scores: Float[Array, " N"]
    history: Float[Array, " steps"]


def starting_points(starts: Array, lower: ArrayLike, upper: ArrayLike) -> tuple[jax.Array, ...]:
    """Takes the designs that a search starts from, and its bounds.

    Args:
        starts: (N, D), finite.
        lower: lower bounds.
        upper: upper bounds.

    Returns:
        Starts, lower and upper bounds (D,), and whether the starts are valid.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: wrong axes, no start, not finite, or bounds that do not fit.
    """
    points = checks.floating("starts", starts, ndim=2)
    if points.shape[0] == 0 or points.shape[1] == 0:
        raise ValueError(f"starts must hold a point; got shape {points.shape}.")
    valid = checks.finite_samples("starts", points)
    ends = []
    for name, value in (("lower", lower), ("upper", upper)):
        end = checks.real_number(name, value)
        if end.shape not in ((), points.shape[1:]):
            raise ValueError(f"{name} must have shape {points.shape[1:]}; got shape {end.shape}.")
        ends.append(jnp.broadcast_to(end, points.shape[1:]).astype(points.dtype))
    ordered = ends[1] >= ends[0]
    checks.check_real("upper", ends[1], ordered, "at least lower")
    return points, *ends, valid & jnp.all(ordered)


def gradient_ascent(
    score_fn: Callable[[Array], Array],
    starts: Float[Array, "N D"],
    *,
    steps: int = 200,
    learning_rate: float | None = None,
    lower: ArrayLike = -jnp.inf,
    upper: ArrayLike = jnp.inf,
) -> SearchResult:
    r"""Climbs a surrogate from many starts side by side, and proposes where each ends.

    $x \leftarrow \mathrm{clip}(x + \alpha \nabla_x h(x))$. The last iterate is proposed, not the
    best one on the way: which is best nobody knows offline.

    Args:
        score_fn: from one point (D,) to its score, a scalar.
        starts: such as the best designs of the data, `OfflineTask.best`.
        steps: how many.
        learning_rate: $\alpha$; $.01 \sqrt D$ if None.
        lower: lower bounds, of shape () or (D,).
        upper: upper bounds.

    Returns:
        The proposals, their scores and the mean score before each step.

    Raises:
        TypeError: `starts` is not of floating type, or `steps` is no whole number.
        ValueError: wrong shapes, a number out of its range, or starts that are not finite (at once
            where concrete, under `checkify.checkify` in traced code; NaN where unchecked).

    Reference:
        Trabucco, Geng, Kumar and Levine, ICML 2022, arXiv 2202.08450, gradient ascent.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import optimize
        >>> found = optimize.gradient_ascent(
        ...     lambda x: -jnp.sum((x - 2) ** 2), jnp.zeros((1, 1)), steps=50, learning_rate=0.1)
        >>> print(jnp.round(found.points, 3))
        [[2.]]
    """
    points, low, high, valid = starting_points(starts, lower, upper)
    rate = 0.01 * math.sqrt(points.shape[1]) if learning_rate is None else float(learning_rate)
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"learning_rate must be positive and finite; got {learning_rate!r}.")
    climb = jax.vmap(jax.value_and_grad(score_fn))

    def step(points, _):
        scores, slopes = climb(points)
        return jnp.clip(points + rate * slopes, low, high), jnp.mean(scores)

    count = checks.positive_integer("steps", steps)
    points, history = jax.lax.scan(step, points, length=count)
    points = gated(points, valid)
    return SearchResult(points, jax.vmap(score_fn)(points), history)


def cma_es(
    key: PRNGKeyArray,
    score_fn: Callable[[Array], Array],
    starts: Float[Array, "N D"],
    *,
    generations: int = 100,
    population: int = 16,
    sigma: float = 0.5,
    lower: ArrayLike = -jnp.inf,
    upper: ArrayLike = jnp.inf,
) -> SearchResult:
    r"""Climbs a surrogate by CMA-ES of evosax, one search from each start, side by side.

    Each search proposes the mean of its last law, clipped to the bounds.

    Args:
        key: a random key.
        score_fn: from one point (D,) to its score, a scalar.
        starts: means of the first laws.
        generations: how many.
        population: points of a generation.
        sigma: standard deviation of the first law.
        lower: lower bounds, of shape () or (D,); points are clipped before they are scored.
        upper: upper bounds.

    Returns:
        The proposals, their scores and the mean score of each generation.

    Raises:
        ImportError: evosax is not installed; the extra `optimize` has it.
        TypeError: `starts` is not of floating type, or a size is no whole number.
        ValueError: wrong shapes, a number out of its range, or starts that are not finite (at once
            where concrete, under `checkify.checkify` in traced code; NaN where unchecked).

    Reference:
        Hansen, *The CMA Evolution Strategy: A Tutorial*, arXiv 1604.00772; Lange, *evosax*, arXiv
        2212.04180.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import optimize
        >>> try:
        ...     found = optimize.cma_es(
        ...         jax.random.key(0), lambda x: -jnp.sum((x - 2) ** 2), jnp.zeros((1, 2)))
        ... except ImportError:  # without the extra `optimize`
        ...     found = optimize.SearchResult(jnp.full((1, 2), 2.0), jnp.zeros(1), jnp.zeros(1))
        >>> print(bool(jnp.all(jnp.abs(found.points - 2) < 0.1)))
        True
    """
    try:
        from evosax.algorithms import CMA_ES  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError('CMA-ES needs evosax: pip install "infojax[optimize]"') from error
    points, low, high, valid = starting_points(starts, lower, upper)
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma must be positive and finite; got {sigma!r}.")
    size = checks.positive_integer("population", population)
    if size < 2:
        raise ValueError(f"population must be at least 2; got {population!r}.")
    strategy = CMA_ES(population_size=size, solution=points[0])
    options = strategy.default_params.replace(std_init=sigma)

    def generation(state, key):
        ask_key, tell_key = jax.random.split(key)
        asked, state = strategy.ask(ask_key, state, options)
        scores = jax.vmap(score_fn)(jnp.clip(asked, low, high))
        state, _ = strategy.tell(tell_key, asked, -scores, state, options)
        return state, jnp.mean(scores)

    def search(key, start):
        init_key, run_key = jax.random.split(key)
        keys = jax.random.split(run_key, checks.positive_integer("generations", generations))
        state = strategy.init(init_key, start, options)
        state, history = jax.lax.scan(generation, state, keys)
        return jnp.clip(strategy.get_mean(state), low, high), history

    found, history = jax.vmap(search)(jax.random.split(key, points.shape[0]), points)
    found = gated(found, valid)
    return SearchResult(found, jax.vmap(score_fn)(found), jnp.mean(history, 0))
