"""A quasi-Newton search whose every step is one evaluation, for many starts in lockstep."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def minimize_bfgs(
    function: Callable[[jax.Array], jax.Array],
    start: jax.Array,
    *,
    steps: int,
    low: jax.Array | float = -jnp.inf,
    high: jax.Array | float = jnp.inf,
    gradient_tolerance: float = 1e-5,
) -> tuple[jax.Array, jax.Array]:
    """Minimises a function of few variables in a box by BFGS with backtracking.

    A line search within each step would make all members of a batch wait for the slowest. Here a
    step tries one point: if it is low enough (Armijo) it is taken and the curvature learnt,
    else the next step tries a shorter one. NaN counts as too high. A fixed number of evaluations.

    Args:
        function: from an array (P,) to a number, differentiable.
        start: where to begin, (P,).
        steps: how many evaluations, static.
        low: lower bounds; steps are cut to the box.
        high: upper bounds.
        gradient_tolerance: the search stands still where the largest free derivative is below.

    Returns:
        The lowest point found and the function there.
    """
    identity = jnp.eye(start.size, dtype=start.dtype)
    both = jax.value_and_grad(function)
    value, gradient = both(start)

    def step(_, carry):
        x, value, gradient, inverse, size = carry
        # A variable at its bound that is pushed further out stays there.
        held = ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))
        free = jnp.where(held, 0, gradient)
        direction = jnp.where(held, 0, -(inverse @ free))
        slope = direction @ free
        uphill = ~(slope < 0)
        direction = jnp.where(uphill, -free, direction)
        # No variable moves further than 1 at once: an early step would leave the sensible range.
        direction /= jnp.maximum(1, jnp.max(jnp.abs(direction)))
        tried = jnp.clip(x + size * direction, low, high)
        moved = tried - x
        new_value, new_gradient = both(tried)
        finite = jnp.isfinite(new_value) & jnp.all(jnp.isfinite(new_gradient))
        done = jnp.max(jnp.abs(free)) < gradient_tolerance
        take = finite & (new_value <= value + 1e-4 * (moved @ gradient)) & ~done
        change = jnp.where(take, new_gradient - gradient, 0)
        curvature = moved @ change
        learn = take & (curvature > 1e-10 * jnp.sum(moved**2))
        rho = jnp.where(learn, 1 / jnp.where(learn, curvature, 1), 0)
        side = identity - rho * jnp.outer(moved, change)
        learnt = side @ inverse @ side.T + rho * jnp.outer(moved, moved)
        # A direction that has failed many times is worth nothing: begin with the gradient again.
        forget = size < 1e-4
        inverse = jnp.where(forget | uphill, identity, jnp.where(learn, learnt, inverse))
        size = jnp.where(take | forget, 1, 0.3 * size)
        return (
            jnp.where(take, tried, x),
            jnp.where(take, new_value, value),
            jnp.where(take, new_gradient, gradient),
            inverse,
            size.astype(start.dtype),
        )

    carry = (start, value, gradient, identity, jnp.ones((), start.dtype))
    found, value, *_ = jax.lax.fori_loop(0, steps, step, carry)
    return found, value
