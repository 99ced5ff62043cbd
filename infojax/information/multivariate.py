"""Information shared by more than two variables: total correlation, its dual, O-, interaction.

Each is a sum, or a difference of sums, of conditional mutual informations, which are
non-negative term by term.
"""

import functools
import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from infojax.entropies.joint import Variables, checked_joint
from infojax.information.joint_tables import conditional_mutual_information_nats, separate_axes
from infojax.numerics import gated, narrow, nats_to_base

Groups = tuple[tuple[int, ...], ...]


def _groups(ndim: int, axis: Sequence[Variables] | None, names: Sequence[str] | None) -> Groups:
    """The axes of each of the variables between which information is measured."""
    if axis is None:
        return tuple((number,) for number in range(ndim))
    if isinstance(axis, int | str) or len(axis) < 2:
        raise ValueError(f"axis must list at least two variables; got {axis!r}.")
    named = {f"axis[{i}]": group for i, group in enumerate(axis)}
    return separate_axes(ndim, names, **named)


def _merged(groups: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(axis for group in groups for axis in group)


@functools.partial(jax.jit, static_argnames="groups")
def _total_correlation_nats(table: jax.Array, groups: Groups) -> jax.Array:
    """The chain rule: the sum over i of I(X_i; X_1 ... X_{i-1})."""
    nats = jnp.zeros((), table.dtype)
    for i in range(1, len(groups)):
        nats += conditional_mutual_information_nats(table, groups[i], _merged(groups[:i]))
    return nats


@functools.partial(jax.jit, static_argnames="groups")
def _dual_total_correlation_nats(table: jax.Array, groups: Groups) -> jax.Array:
    """Its dual: the sum over i of I(X_i; X_{i+1} ... X_n | X_1 ... X_{i-1})."""
    nats = jnp.zeros((), table.dtype)
    for i in range(len(groups) - 1):
        rest, known = _merged(groups[i + 1 :]), _merged(groups[:i])
        nats += conditional_mutual_information_nats(table, groups[i], rest, known)
    return nats


@functools.partial(jax.jit, static_argnames="groups")
def _interaction_nats(table: jax.Array, groups: Groups) -> jax.Array:
    """The sum over subsets S of X_3 ... X_n of (-1)^(n - 2 - |S|) I(X_1; X_2 | S)."""
    x, y, *others = groups
    nats = jnp.zeros((), table.dtype)
    for size in range(len(others) + 1):
        for known in itertools.combinations(others, size):
            term = conditional_mutual_information_nats(table, x, y, _merged(known))
            nats += term if (len(others) - size) % 2 == 0 else -term
    return nats


def _measure(nats_of, joint, axis, names, base):
    as_given, table, valid = checked_joint(joint, min_ndim=2)
    nats = nats_of(table, _groups(table.ndim, axis, names))
    return narrow(nats_to_base(gated(nats, valid), base), as_given)


def total_correlation(
    joint: Float[Array, "..."],
    *,
    axis: Sequence[Variables] | None = None,
    names: Sequence[str] | None = None,
    base: float | None = None,
) -> Float[Array, ""]:
    r"""Total correlation $\sum_i H(X_i) - H(X_1, \ldots, X_n)$, also called multi-information.

    Never negative, 0 for independent variables; of two variables the mutual information. The
    derivative by a mass that is zero is 0.

    Args:
        joint: table of the joint probabilities, one axis a variable.
        axis: the variables X_i, each an axis number, a name or a tuple of them; None for every
            axis. Variables not named are summed out.
        names: a name for each axis of `joint`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        Scalar, in units of `base`.

    Raises:
        TypeError: `joint` is not of floating type.
        ValueError: `joint` is not a distribution or has fewer than two axes; an unknown or
            repeated axis or name; fewer than two variables.

    Reference:
        Watanabe, Information Theoretical Analysis of Multivariate Correlation, 1960.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> giant_bit = jnp.zeros((2, 2, 2)).at[0, 0, 0].set(0.5).at[1, 1, 1].set(0.5)
        >>> print(information.total_correlation(giant_bit, base=2))
        2.0
    """
    return _measure(_total_correlation_nats, joint, axis, names, base)


def dual_total_correlation(
    joint: Float[Array, "..."],
    *,
    axis: Sequence[Variables] | None = None,
    names: Sequence[str] | None = None,
    base: float | None = None,
) -> Float[Array, ""]:
    r"""Dual total correlation $H(X_1, \ldots, X_n) - \sum_i H(X_i \mid X_{-i})$.

    Never negative; of two variables the mutual information. Also called binding information or
    excess entropy. The derivative by a mass that is zero is 0.

    Args:
        joint: table of the joint probabilities, one axis a variable.
        axis: the variables X_i, each an axis number, a name or a tuple of them; None for every
            axis.
        names: a name for each axis of `joint`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        Scalar, in units of `base`.

    Raises:
        TypeError: `joint` is not of floating type.
        ValueError: as in `total_correlation`.

    Reference:
        Han, Linear Dependence Structure of the Entropy Space, 1975; Austin, Multi-Variate
        Correlation and Mixtures of Product Measures, 2018, arXiv:1809.10272 (the chain rule).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> giant_bit = jnp.zeros((2, 2, 2)).at[0, 0, 0].set(0.5).at[1, 1, 1].set(0.5)
        >>> print(information.dual_total_correlation(giant_bit, base=2))
        1.0
    """
    return _measure(_dual_total_correlation_nats, joint, axis, names, base)


def o_information(
    joint: Float[Array, "..."],
    *,
    axis: Sequence[Variables] | None = None,
    names: Sequence[str] | None = None,
    base: float | None = None,
) -> Float[Array, ""]:
    r"""O-information: total correlation minus dual total correlation.

    Positive where redundancy prevails, negative where synergy does, 0 for two variables.

    Args:
        joint: table of the joint probabilities, one axis a variable.
        axis: the variables X_i, each an axis number, a name or a tuple of them; None for every
            axis.
        names: a name for each axis of `joint`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        Scalar, in units of `base`.

    Raises:
        TypeError: `joint` is not of floating type.
        ValueError: as in `total_correlation`.

    Reference:
        Rosas, Mediano, Gastpar and Jensen, Quantifying High-Order Interdependencies via
        Multivariate Extensions of the Mutual Information, 2019, arXiv:1902.11239, equation (4).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> parity = jnp.array([[[0.25, 0.0], [0.0, 0.25]], [[0.0, 0.25], [0.25, 0.0]]])
        >>> print(information.o_information(parity, base=2))
        -1.0
    """

    def nats_of(table, groups):
        total = _total_correlation_nats(table, groups)
        return total - _dual_total_correlation_nats(table, groups)

    return _measure(nats_of, joint, axis, names, base)


def interaction_information(
    joint: Float[Array, "..."],
    *,
    axis: Sequence[Variables] | None = None,
    names: Sequence[str] | None = None,
    base: float | None = None,
) -> Float[Array, ""]:
    r"""Interaction information $-\sum_{S} (-1)^{n - |S|} H(X_S)$ over all sets S of variables.

    The sign is McGill's and Jakulin and Bratko's: of two variables it is I(X; Y), of three
    I(X; Y | Z) - I(X; Y), which is positive for synergy (parity: +1 bit). The co-information
    differs by the factor $(-1)^n$.

    Args:
        joint: table of the joint probabilities, one axis a variable.
        axis: the variables X_i, each an axis number, a name or a tuple of them; None for every
            axis. The work doubles with each.
        names: a name for each axis of `joint`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        Scalar, in units of `base`.

    Raises:
        TypeError: `joint` is not of floating type.
        ValueError: as in `total_correlation`.

    Reference:
        McGill, Multivariate Information Transmission, 1954; Jakulin and Bratko, Quantifying and
        Visualizing Attribute Interactions, 2003, arXiv:cs/0308002.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> parity = jnp.array([[[0.25, 0.0], [0.0, 0.25]], [[0.0, 0.25], [0.25, 0.0]]])
        >>> print(information.interaction_information(parity, base=2))
        1.0
    """
    return _measure(_interaction_nats, joint, axis, names, base)
