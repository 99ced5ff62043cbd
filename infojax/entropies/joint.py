"""Joint and conditional entropy of the variables of a joint table.

A joint table of n variables is an array with n axes that sums to one; its axes are addressed by
number, or by name where `names` gives each axis one. Batch by `jax.vmap`.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated, narrow, nats_to_base, normalize_axes, safe_divide, widen, xlogx

Variables = int | str | Sequence[int | str]


def variable_axes(
    argument: str,
    variables: Variables | None,
    ndim: int,
    names: Sequence[str] | None = None,
) -> tuple[int, ...]:
    """Turns variables of a joint table, given by number or by name, into its axes.

    Args:
        argument: what the caller's users call the argument.
        variables: one or several axis numbers or names; None for all.
        ndim: the number of axes of the table.
        names: a name for each axis.

    Returns:
        The axes, from 0.

    Raises:
        TypeError: a variable is neither a number nor a name.
        ValueError: a name is unknown or there are too few or repeated names; a number is out of
            range.
    """
    if isinstance(names, str):
        raise TypeError(f"names must be a sequence of names; got {names!r}.")
    if names is not None and (len(names) != ndim or len(set(names)) != ndim):
        raise ValueError(f"names must be {ndim} different names, one an axis; got {tuple(names)}.")
    if variables is None:
        return tuple(range(ndim))
    given = tuple(variables) if isinstance(variables, Sequence) else (variables,)
    if isinstance(variables, str):
        given = (variables,)
    numbers = []
    for one in given:
        if not isinstance(one, str):
            numbers.append(one)
        elif names is None:
            raise ValueError(f"{argument}={one!r} is a name; give the axes their names by names=.")
        elif one not in names:
            raise ValueError(f"{argument}={one!r} is none of the names {tuple(names)}.")
        else:
            numbers.append(tuple(names).index(one))
    return normalize_axes(numbers, ndim, argument)


def marginal(joint: jax.Array, axes: Sequence[int]) -> jax.Array:
    """Sums a joint table over all axes but some.

    Args:
        joint: a joint table.
        axes: the axes of the variables that stay, in the table's own order.

    Returns:
        The marginal table of those variables.
    """
    return jnp.sum(joint, tuple(set(range(joint.ndim)) - set(axes)))


@functools.partial(jax.jit, static_argnames="axes")
def marginal_entropy_nats(joint: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Entropy of some variables of a joint table.

    Args:
        joint: a joint table of at least float32, already checked.
        axes: the axes of the variables; with none the entropy is 0.

    Returns:
        Scalar, in nats.
    """
    return jnp.sum(-xlogx(marginal(joint, axes)))


def checked_joint(joint: jax.Array, *, min_ndim: int = 1) -> tuple[jax.Array, ...]:
    """Takes an argument as a joint table.

    Args:
        joint: the argument.
        min_ndim: the least number of variables.

    Returns:
        The table as given, the table of at least float32, and whether it is valid (scalar).

    Raises:
        TypeError: it is not of floating type.
        ValueError: it has too few axes, or is not a distribution.
    """
    given = checks.floating("joint", joint, min_ndim=min_ndim)
    axes = tuple(range(given.ndim))
    valid = checks.check_distribution("joint", given, axes)
    return given, widen(given)[0], jnp.reshape(valid, ())


def joint_entropy(
    joint: Float[Array, "..."],
    *,
    axis: Variables | None = None,
    names: Sequence[str] | None = None,
    base: float | None = None,
) -> Float[Array, ""]:
    r"""Joint entropy $H(X_A)$ of the variables A of a joint table.

    Args:
        joint: table of the joint probabilities, one axis a variable.
        axis: the variables, by axis number or name; None for all. The others are summed out.
        names: a name for each axis of `joint`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        Scalar entropy in units of `base`.

    Raises:
        TypeError: `joint` is not of floating type.
        ValueError: `joint` is not a distribution; an unknown axis or name.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> joint = jnp.array([[0.5, 0.0], [0.25, 0.25]])
        >>> print(entropies.joint_entropy(joint, axis="x", names=("x", "y"), base=2))
        1.0
    """
    given, table, valid = checked_joint(joint)
    axes = variable_axes("axis", axis, given.ndim, names)
    nats = gated(marginal_entropy_nats(table, axes), valid)
    return narrow(nats_to_base(nats, base), given)


def conditional_entropy(
    joint: Float[Array, "..."],
    *,
    axis: Variables,
    given: Variables,
    names: Sequence[str] | None = None,
    base: float | None = None,
) -> Float[Array, ""]:
    r"""Conditional entropy $H(X_A \mid X_B) = H(X_A, X_B) - H(X_B)$ of a joint table.

    Computed as $-\sum p(a, b) \log (p(a, b) / p(b))$, whose terms are all non-negative.

    Args:
        joint: table of the joint probabilities, one axis a variable.
        axis: the variables A, by axis number or name.
        given: the variables B that are known, by axis number or name. Variables in neither
            are summed out.
        names: a name for each axis of `joint`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        Scalar entropy in units of `base`.

    Raises:
        TypeError: `joint` is not of floating type.
        ValueError: `joint` is not a distribution; an unknown axis or name; a variable in both
            `axis` and `given`.

    Reference:
        Cover and Thomas, Elements of Information Theory, equation (2.10).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import entropies
        >>> joint = jnp.array([[0.5, 0.0], [0.25, 0.25]])
        >>> print(entropies.conditional_entropy(joint, axis=1, given=0, base=2))
        0.5
    """
    as_given, table, valid = checked_joint(joint)
    kept = variable_axes("axis", axis, table.ndim, names)
    known = variable_axes("given", given, table.ndim, names)
    if set(kept) & set(known):
        raise ValueError(
            f"axis and given must not share a variable; got axis={axis!r}, given={given!r}."
        )
    nats = _conditional_entropy_nats(table, valid, kept, known)
    return narrow(nats_to_base(nats, base), as_given)


@functools.partial(jax.jit, static_argnames=("kept", "known"))
def _conditional_entropy_nats(table, valid, kept: tuple[int, ...], known: tuple[int, ...]):
    others = tuple(set(range(table.ndim)) - set(kept) - set(known))
    pair = jnp.sum(table, others, keepdims=True)
    condition = jnp.sum(pair, kept, keepdims=True)
    nats = jnp.sum(-condition * xlogx(safe_divide(pair, condition)))
    return gated(nats, valid)
