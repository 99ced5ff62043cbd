"""Mutual information of the variables of a joint table: plain, conditional, pointwise.

With variables X, Y, Z the conditional mutual information is a divergence of p(x | y, z) from
p(x | z), averaged over (y, z): a sum of non-negative terms, so that it is never negative and
small values keep their digits (Shannon 1948; Cover and Thomas, chapter 2). Batch by `jax.vmap`.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from infojax.divergences.terms import log_ratio, relative_entropy_terms
from infojax.entropies.joint import Variables, checked_joint, variable_axes
from infojax.numerics import gated, narrow, nats_to_base, safe_divide, smallest_normal, xlogx


def separate_axes(
    ndim: int, names: Sequence[str] | None, **groups: Variables
) -> tuple[tuple[int, ...], ...]:
    """Turns groups of variables into their axes, and demands that they share none.

    Args:
        ndim: the number of axes of the table.
        names: a name for each axis.
        **groups: the groups, by the name of the argument.

    Returns:
        The axes of each group.

    Raises:
        TypeError: a variable is neither a number nor a name.
        ValueError: an unknown axis or name, or a variable in two groups.
    """
    axes = tuple(variable_axes(name, group, ndim, names) for name, group in groups.items())
    if len({axis for group in axes for axis in group}) != sum(map(len, axes)):
        listed = ", ".join(f"{name}={group!r}" for name, group in groups.items())
        raise ValueError(f"{', '.join(groups)} must not share a variable; got {listed}.")
    return axes


def _pair_axes(ndim, names, x, y):
    """The axes of X and Y, which are the two of the table unless they are named."""
    if x is None and y is None:
        if ndim != 2:
            raise ValueError(f"x and y must be given for a joint table of {ndim} axes.")
        x, y = 0, 1
    if x is None or y is None:
        raise ValueError(f"x and y must be given together; got x={x!r}, y={y!r}.")
    return separate_axes(ndim, names, x=x, y=y)


@functools.partial(jax.jit, static_argnames=("x", "y", "given"))
def conditional_mutual_information_nats(
    joint: jax.Array, x: tuple[int, ...], y: tuple[int, ...], given: tuple[int, ...] = ()
) -> jax.Array:
    """I(X; Y | Z) of groups of axes of a checked joint table.

    Args:
        joint: table of at least float32.
        x: the axes of X.
        y: the axes of Y.
        given: the axes of Z; none for the plain mutual information.

    Returns:
        Scalar, in nats.
    """
    kept = x + y + given
    table = jnp.sum(joint, tuple(set(range(joint.ndim)) - set(kept)), keepdims=True)
    yz = jnp.sum(table, x, keepdims=True)
    xz = jnp.sum(table, y, keepdims=True)
    z = jnp.sum(yz, y, keepdims=True)
    return jnp.sum(yz * relative_entropy_terms(safe_divide(table, yz), safe_divide(xz, z)))


def mutual_information(
    joint: Float[Array, "..."],
    *,
    x: Variables | None = None,
    y: Variables | None = None,
    names: Sequence[str] | None = None,
    base: float | None = None,
) -> Float[Array, ""]:
    r"""Mutual information $I(X; Y) = \sum p(x, y) \log \frac{p(x, y)}{p(x) p(y)}$.

    A sum of non-negative terms: never negative, accurate near independence. The derivative is
    the pointwise mutual information, and 0 by a mass that is zero.

    Args:
        joint: table of the joint probabilities, one axis a variable.
        x: the variables X, by axis number or name, one or several; the first axis of a table
            of two if None.
        y: the variables Y; the second axis of a table of two if None. Variables in neither are
            summed out.
        names: a name for each axis of `joint`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        Scalar, in units of `base`.

    Raises:
        TypeError: `joint` is not of floating type.
        ValueError: `joint` is not a distribution; an unknown axis or name; a variable in both
            `x` and `y`; more than two axes without `x` and `y`.

    Reference:
        Cover and Thomas, Elements of Information Theory, equation (2.28).

    Example:
        >>> import infojax, jax.numpy as jnp
        >>> print(infojax.mutual_information(jnp.array([[0.5, 0.0], [0.0, 0.5]]), base=2))
        1.0
    """
    as_given, table, valid = checked_joint(joint, min_ndim=2)
    x_axes, y_axes = _pair_axes(table.ndim, names, x, y)
    nats = conditional_mutual_information_nats(table, x_axes, y_axes)
    return narrow(nats_to_base(gated(nats, valid), base), as_given)


def conditional_mutual_information(
    joint: Float[Array, "..."],
    *,
    x: Variables,
    y: Variables,
    given: Variables,
    names: Sequence[str] | None = None,
    base: float | None = None,
) -> Float[Array, ""]:
    r"""Conditional mutual information $I(X; Y \mid Z)$ of a joint table.

    $\sum p(x, y, z) \log \frac{p(x, y, z) p(z)}{p(x, z) p(y, z)}$, as a sum of non-negative
    terms. The derivative by a mass that is zero is 0.

    Args:
        joint: table of the joint probabilities, one axis a variable.
        x: the variables X, by axis number or name, one or several.
        y: the variables Y.
        given: the variables Z that are known; `()` for none. Variables in no group are summed
            out.
        names: a name for each axis of `joint`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        Scalar, in units of `base`.

    Raises:
        TypeError: `joint` is not of floating type.
        ValueError: `joint` is not a distribution; an unknown axis or name; a variable in two
            groups.

    Reference:
        Cover and Thomas, Elements of Information Theory, equation (2.60).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> parity = jnp.array([[[0.25, 0.0], [0.0, 0.25]], [[0.0, 0.25], [0.25, 0.0]]])
        >>> print(information.conditional_mutual_information(parity, x=0, y=1, given=2, base=2))
        1.0
    """
    as_given, table, valid = checked_joint(joint)
    axes = separate_axes(table.ndim, names, x=x, y=y, given=given)
    nats = conditional_mutual_information_nats(table, *axes)
    return narrow(nats_to_base(gated(nats, valid), base), as_given)


@jax.jit
def _pointwise_nats(table: jax.Array) -> jax.Array:
    tiny = smallest_normal(table.dtype)
    px, py = jnp.sum(table, 1, keepdims=True), jnp.sum(table, 0, keepdims=True)
    occurs = table >= tiny
    row = safe_divide(table, px)
    nats = log_ratio(jnp.where(row >= tiny, row, 1), jnp.where(occurs, py, 1))
    return jnp.where(occurs, nats, jnp.where((px >= tiny) & (py >= tiny), -jnp.inf, 0))


def pointwise_mutual_information(
    joint: Float[Array, "n m"], *, base: float | None = None
) -> Float[Array, "n m"]:
    r"""Pointwise mutual information $\log \frac{p(x, y)}{p(x) p(y)}$ of each pair of symbols.

    Args:
        joint: table of the joint probabilities of two variables.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        Table in units of `base`: -inf at a pair that never occurs though both its symbols do,
        and 0 where a symbol never occurs. The derivatives are 0 at both.

    Raises:
        TypeError: `joint` is not of floating type.
        ValueError: `joint` has not two axes, or is not a distribution.

    Reference:
        Fano, Transmission of Information, 1961, equation (2.2); Church and Hanks 1990.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> joint = jnp.array([[0.5, 0.0], [0.25, 0.25]])
        >>> print(information.pointwise_mutual_information(joint, base=2))
        [[ 0.415 -inf]
         [-0.585  1.  ]]
    """
    as_given, table, valid = checked_joint(joint, min_ndim=2)
    if table.ndim != 2:
        raise ValueError(f"joint must have 2 axes; got shape {table.shape}.")
    nats = _pointwise_nats(table)
    return narrow(nats_to_base(gated(nats, valid), base), as_given)


def variation_of_information(
    joint: Float[Array, "..."],
    *,
    x: Variables | None = None,
    y: Variables | None = None,
    names: Sequence[str] | None = None,
    base: float | None = None,
) -> Float[Array, ""]:
    r"""Variation of information $H(X \mid Y) + H(Y \mid X)$, a metric between partitions.

    Computed from terms that are all non-negative. The derivative by a mass that is zero is 0.

    Args:
        joint: table of the joint probabilities, one axis a variable.
        x: the variables X; the first axis of a table of two if None.
        y: the variables Y; the second axis of a table of two if None.
        names: a name for each axis of `joint`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        Scalar, in units of `base`; 0 exactly where each of X and Y determines the other.

    Raises:
        TypeError: `joint` is not of floating type.
        ValueError: as in `mutual_information`.

    Reference:
        Meila, Comparing Clusterings: an Information Based Distance, 2007, equation (15).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> print(information.variation_of_information(jnp.full((2, 2), 0.25), base=2))
        2.0
    """
    as_given, table, valid = checked_joint(joint, min_ndim=2)
    x_axes, y_axes = _pair_axes(table.ndim, names, x, y)
    others = tuple(set(range(table.ndim)) - set(x_axes) - set(y_axes))
    table = jnp.sum(table, others, keepdims=True)
    nats = jnp.zeros((), table.dtype)
    for axes in (x_axes, y_axes):
        condition = jnp.sum(table, axes, keepdims=True)
        nats += jnp.sum(-condition * xlogx(safe_divide(table, condition)))
    return narrow(nats_to_base(gated(nats, valid), base), as_given)
