"""REINFORCE on a surrogate: a policy over designs, Gaussian or categorical, climbs its score."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int, PRNGKeyArray

from infojax import checks
from infojax.numerics import gated
from infojax.optimize.searchers import SearchResult, starting_points


def _ascend(
    key: PRNGKeyArray,
    policy: Any,
    sample: Callable,
    log_probability: Callable,
    score: Callable,
    steps: int,
    learning_rate: float,
) -> tuple[Any, jax.Array]:
    r"""Adam on $E[a \log \pi(x)]$, with scores standardised over a batch as advantages a."""
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate must be positive and finite; got {learning_rate!r}.")
    optimizer = optax.adam(learning_rate)

    def step(state, key):
        policy, moments = state
        points = sample(key, policy)
        scores = score(points)
        spread = jnp.std(scores)
        advantages = (scores - jnp.mean(scores)) / jnp.where(spread > 0, spread, 1)

        def loss(policy):
            return -jnp.mean(advantages * jax.vmap(log_probability, (None, 0))(policy, points))

        updates, moments = optimizer.update(jax.grad(loss)(policy), moments, policy)
        return (optax.apply_updates(policy, updates), moments), jnp.mean(scores)

    keys = jax.random.split(key, checks.positive_integer("steps", steps))
    (policy, _), history = jax.lax.scan(step, (policy, optimizer.init(policy)), keys)
    return policy, history


def reinforce(
    key: PRNGKeyArray,
    score_fn: Callable[[Array], Array],
    starts: Float[Array, "N D"],
    *,
    proposals: int = 128,
    steps: int = 100,
    samples: int = 256,
    learning_rate: float = 1e-2,
    lower: ArrayLike = -jnp.inf,
    upper: ArrayLike = jnp.inf,
) -> SearchResult:
    r"""Climbs a surrogate's expected score under a Gaussian policy.

    The policy has a mean and a standard deviation for each feature, at first those of the starts.
    $\nabla E[h(x)] = E[h(x) \nabla \log \pi(x)]$ is estimated from samples, whose scores are
    standardised. Points are clipped to the bounds before they are scored and proposed.

    Args:
        key: a random key.
        score_fn: from one point (D,) to its score, a scalar.
        starts: such as the best designs of the data.
        proposals: how many points to draw from the last policy.
        steps: of Adam.
        samples: of a step.
        learning_rate: of Adam.
        lower: lower bounds, of shape () or (D,).
        upper: upper bounds.

    Returns:
        The proposals, their scores and the mean score of each step's samples.

    Raises:
        TypeError: `starts` is not of floating type, or a size is no whole number.
        ValueError: wrong shapes, a number out of its range, or starts that are not finite (at once
            where concrete, under `checkify.checkify` in traced code; NaN where unchecked).

    Reference:
        Williams, *Machine Learning* 8 (1992); Trabucco et al., ICML 2022, arXiv 2202.08450.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import optimize
        >>> starts = jax.random.normal(jax.random.key(0), (16, 1))
        >>> found = optimize.reinforce(
        ...     jax.random.key(1), lambda x: -jnp.sum((x - 1) ** 2), starts, learning_rate=0.05)
        >>> print(bool(jnp.abs(jnp.mean(found.points) - 1) < 0.3))
        True
    """
    points, low, high, valid = starting_points(starts, lower, upper)
    spread = jnp.std(points, 0)
    # One start has no spread, and a policy of none would never move.
    policy = (jnp.mean(points, 0), jnp.log(jnp.where(spread > 1e-3, spread, 1e-3)))
    sizes = {
        name: checks.positive_integer(name, size)
        for name, size in (("samples", samples), ("proposals", proposals))
    }

    def draw(key, policy, count):
        mean, log_std = policy
        noise = jax.random.normal(key, (count, mean.size), mean.dtype)
        return mean + jnp.exp(log_std) * noise

    def log_probability(policy, point):
        mean, log_std = policy
        return -jnp.sum(log_std + 0.5 * jnp.square((point - mean) * jnp.exp(-log_std)))

    search_key, last_key = jax.random.split(key)
    policy, history = _ascend(
        search_key,
        policy,
        lambda key, policy: draw(key, policy, sizes["samples"]),
        log_probability,
        lambda points: jax.vmap(score_fn)(jnp.clip(points, low, high)),
        steps,
        learning_rate,
    )
    last = jnp.clip(draw(last_key, policy, sizes["proposals"]), low, high)
    last = gated(last, valid)
    return SearchResult(last, jax.vmap(score_fn)(last), history)


def reinforce_categorical(
    key: PRNGKeyArray,
    score_fn: Callable[[Array], Array],
    starts: Int[Array, "N L"],
    vocabulary: int,
    *,
    proposals: int = 128,
    steps: int = 100,
    samples: int = 256,
    learning_rate: float = 1e-2,
) -> SearchResult:
    r"""Climbs a surrogate's expected score under a law of symbols for each place of a design.

    Args:
        key: a random key.
        score_fn: from the symbols (L,) of one design to its score, such as
            `lambda x: fit.mean(task.normalize(x))`.
        starts: designs whose frequencies of symbols are the first policy, smoothed by one count.
        vocabulary: how many symbols there are.
        proposals: how many designs to draw from the last policy.
        steps: of Adam.
        samples: of a step.
        learning_rate: of Adam.

    Returns:
        The proposals, whole numbers (N, L), their scores and the mean score of each step's
        samples.

    Raises:
        TypeError: `starts` is not of whole numbers, or a size is no whole number.
        ValueError: wrong shapes, a number out of its range, or a symbol out of the vocabulary (at
            once where concrete).

    Reference:
        Williams, *Machine Learning* 8 (1992); Trabucco et al., ICML 2022, arXiv 2202.08450.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import optimize
        >>> starts = jax.random.randint(jax.random.key(0), (16, 4), 0, 3)
        >>> found = optimize.reinforce_categorical(
        ...     jax.random.key(1), lambda x: jnp.mean(x == 2.0), starts, 3, learning_rate=0.1)
        >>> print(bool(jnp.mean(found.points == 2) > 0.9))
        True
    """
    designs = checks.real_array("starts", starts)
    if not jnp.issubdtype(designs.dtype, jnp.integer) or designs.ndim != 2 or 0 in designs.shape:
        raise TypeError(
            f"starts must hold whole numbers (N, L); got {designs.dtype} {designs.shape}."
        )
    size = checks.positive_integer("vocabulary", vocabulary)
    known = (designs >= 0) & (designs < size)
    checks.check_real("starts", designs, known, f"symbols from 0 to {size - 1}")
    counts = jnp.sum(jax.nn.one_hot(designs, size), 0)
    policy = jnp.log((counts + 1) / (designs.shape[0] + size))
    drawn = checks.positive_integer("samples", samples)

    def draw(key, policy, count):
        return jax.random.categorical(key, policy, shape=(count, policy.shape[0]))

    def log_probability(policy, design):
        log_p = jax.nn.log_softmax(policy, -1)
        return jnp.sum(jnp.take_along_axis(log_p, design[:, None], -1))

    search_key, last_key = jax.random.split(key)
    policy, history = _ascend(
        search_key,
        policy,
        lambda key, policy: draw(key, policy, drawn),
        log_probability,
        jax.vmap(score_fn),
        steps,
        learning_rate,
    )
    last = draw(last_key, policy, checks.positive_integer("proposals", proposals))
    return SearchResult(last, jax.vmap(score_fn)(last), history)
