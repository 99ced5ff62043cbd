"""Mutual information as a fraction of an entropy: normalised, and Theil's coefficient."""

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from infojax import checks
from infojax.entropies.joint import checked_joint, marginal_entropy_nats
from infojax.information.joint_tables import conditional_mutual_information_nats
from infojax.numerics import gated, narrow, safe_divide, safe_sqrt, smallest_normal

Normalization = Literal["arithmetic", "geometric", "min", "max", "joint"]

_NORMALIZATIONS = ("arithmetic", "geometric", "min", "max", "joint")


def _table_of_two(joint):
    as_given, table, valid = checked_joint(joint, min_ndim=2)
    if table.ndim != 2:
        raise ValueError(f"joint must have 2 axes; got shape {table.shape}.")
    return as_given, table, valid


def _fraction(part: jax.Array, whole: jax.Array, otherwise: jax.Array | float) -> jax.Array:
    """part / whole, at most 1, and `otherwise` where the whole is zero."""
    positive = whole >= smallest_normal(whole.dtype)
    value = jnp.where(positive, safe_divide(part, whole), otherwise)
    # Rounding alone can pass 1; taking it off as a constant leaves the derivative whole.
    return value - jax.lax.stop_gradient(jnp.maximum(value - 1, 0))


def normalized_mutual_information(
    joint: Float[Array, "n m"], *, normalization: Normalization = "arithmetic"
) -> Float[Array, ""]:
    r"""Mutual information over a mean of the two entropies, between 0 and 1.

    Args:
        joint: table of the joint probabilities of two variables, such as the contingency table
            of two clusterings over its sum.
        normalization: what divides I(X; Y): the arithmetic or geometric mean, the minimum or
            the maximum of H(X) and H(Y), or H(X, Y).

    Returns:
        Scalar. Where both variables are constant it is 1 (the partitions agree), where one is
        it is 0, in both cases with finite derivatives, as in scikit-learn.

    Raises:
        TypeError: `joint` is not of floating type.
        ValueError: `joint` has not two axes, or is not a distribution; an unknown
            `normalization`.

    Reference:
        Vinh, Epps and Bailey, Information Theoretic Measures for Clusterings Comparison, 2010,
        table 2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> joint = jnp.array([[0.25, 0.25, 0.0], [0.0, 0.0, 0.5]])
        >>> print(information.normalized_mutual_information(joint))
        0.8
        >>> print(information.normalized_mutual_information(joint, normalization="min"))
        1.0
    """
    checks.choice("normalization", normalization, _NORMALIZATIONS)
    as_given, table, valid = _table_of_two(joint)
    h_x, h_y = marginal_entropy_nats(table, (0,)), marginal_entropy_nats(table, (1,))
    if normalization == "arithmetic":
        whole = (h_x + h_y) / 2
    elif normalization == "geometric":
        whole = safe_sqrt(h_x) * safe_sqrt(h_y)
    elif normalization == "min":
        whole = jnp.minimum(h_x, h_y)
    elif normalization == "max":
        whole = jnp.maximum(h_x, h_y)
    else:
        whole = marginal_entropy_nats(table, (0, 1))
    nats = conditional_mutual_information_nats(table, (0,), (1,))
    constant = jnp.where(jnp.maximum(h_x, h_y) > 0, 0.0, 1.0)
    return narrow(gated(_fraction(nats, whole, constant), valid), as_given)


def uncertainty_coefficient(joint: Float[Array, "n m"]) -> Float[Array, ""]:
    r"""Theil's uncertainty coefficient $U(X \mid Y) = I(X; Y) / H(X)$, between 0 and 1.

    The fraction of X's entropy that Y removes; for that of Y's by X pass `joint.T`.

    Args:
        joint: table of the joint probabilities of X (rows) and Y (columns).

    Returns:
        Scalar; 1 where X is constant.

    Raises:
        TypeError: `joint` is not of floating type.
        ValueError: `joint` has not two axes, or is not a distribution.

    Reference:
        Theil, On the Estimation of Relationships Involving Qualitative Variables, 1970.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import information
        >>> joint = jnp.array([[0.25, 0.25, 0.0], [0.0, 0.0, 0.5]])
        >>> print(information.uncertainty_coefficient(joint))
        1.0
        >>> print(information.uncertainty_coefficient(joint.T))
        0.6666...
    """
    as_given, table, valid = _table_of_two(joint)
    nats = conditional_mutual_information_nats(table, (0,), (1,))
    value = _fraction(nats, marginal_entropy_nats(table, (0,)), 1.0)
    return narrow(gated(value, valid), as_given)
