r"""Matrix-based Renyi entropies of Gram matrices: single, joint, conditional and mutual.

A Gram matrix K, normalised to $A_{ij} = K_{ij} / (N \sqrt{K_{ii} K_{jj}})$, has non-negative
eigenvalues with sum 1; their Renyi entropy measures the samples' spread without a density.
Variables observed together are joined by the Hadamard product (Sanchez Giraldo, Rao and Principe
2015; several variables: Yu, Sanchez Giraldo, Jenssen and Principe 2019).
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.entropies import renyi_entropy
from infojax.entropies.generalized import checked_order
from infojax.numerics import gated, narrow, nats_to_base, safe_divide, smallest_normal, widen
from infojax.spectra.density_matrices import checked_symmetric, semidefinite_values
from infojax.spectra.spectral_entropy import eigenvalues


@jax.jit
def _normalized(gram: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The normalised matrices, and which have a positive diagonal."""
    diagonal = jnp.diagonal(gram, axis1=-2, axis2=-1)
    positive = diagonal >= smallest_normal(gram.dtype)
    roots = jnp.sqrt(jnp.where(positive, diagonal, 1))
    unit = gram / (roots[..., :, None] * roots[..., None, :])
    return unit / gram.shape[-1], jnp.all(positive, -1)


_eigenvalues = jax.jit(eigenvalues)


def _checked_gram(name: str, gram):
    given, wide, valid = checked_symmetric(name, gram)
    matrix, positive = _normalized(wide)
    checks.check(positive | ~valid, f"{name} must have a positive diagonal.")
    return given, matrix, valid & positive


def _nats(name, matrix, order, valid):
    """The entropy of a normalised matrix; NaN where it is not valid."""
    values, definite = semidefinite_values(name, matrix, _eigenvalues(matrix))
    shares = safe_divide(values, jnp.sum(values, -1, keepdims=True))
    first = jnp.arange(shares.shape[-1]) == 0
    # What is not valid is NaN in the end; the entropy itself is not to complain of it.
    known = (valid & definite & jnp.isfinite(values[..., 0]))[..., None]
    shares = jnp.where(known, shares, first.astype(shares.dtype))
    return gated(renyi_entropy(shares, order), valid, definite)


def matrix_renyi_entropy(
    gram: Float[Array, "*B N N"], *, order: ArrayLike, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Matrix-based Renyi entropy $\frac{1}{1 - \alpha} \log \sum_i \lambda_i(A)^\alpha$.

    A is the Gram matrix divided by N and the roots of its diagonal. Continuous through order 1,
    the von Neumann entropy of A; order 2 is $-\log \mathrm{tr} A^2$. Eigenvalues below one unit
    of rounding of the largest count as 0 (which matters for orders near 0), with derivative 0.
    First order derivatives alone.

    Args:
        gram: positive semi-definite Gram matrices of samples, such as `gaussian_affinity` gives.
        order: non-negative number or infinity, or an array that broadcasts to *B.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy in units of `base`, from 0 for coincident samples to log N for samples that
        are far apart.

    Raises:
        TypeError: `gram` is not of floating type, or `order` not real.
        ValueError: `gram` is not finite, square, symmetric and positive semi-definite with a
            positive diagonal, or `order` is negative or NaN; a base that is not positive or 1.

    Reference:
        Sanchez Giraldo, Rao and Principe, Measures of Entropy from Data Using Infinitely
        Divisible Kernels, 2015, arXiv 1211.2459, equation (9).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> print(spectra.matrix_renyi_entropy(jnp.eye(4), order=2, base=2))
        2.0
    """
    return matrix_renyi_joint_entropy(gram, order=order, base=base)


def matrix_renyi_joint_entropy(
    *grams: Float[Array, "*B N N"], order: ArrayLike, base: float | None = None
) -> Float[Array, "*B"]:
    r"""Matrix-based joint Renyi entropy, of the Hadamard product of the normalised Gram matrices.

    $S_\alpha\!\left(\frac{A_1 \circ \dots \circ A_n}{\mathrm{tr}(A_1 \circ \dots \circ
    A_n)}\right)$; at least the entropy of each variable alone, at most their sum.

    Args:
        *grams: Gram matrices of variables that were observed together, of one shape.
        order: as in `matrix_renyi_entropy`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy in units of `base`.

    Raises:
        TypeError: one of `grams` is not of floating type, or `order` not real.
        ValueError: none is given or their shapes differ, and as in `matrix_renyi_entropy`; that
            it is semi-definite is checked of the product alone.

    Reference:
        Sanchez Giraldo et al. 2015, arXiv 1211.2459, equation (14); Yu et al. 2019, arXiv
        1808.07912, definition 2.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> x = jnp.kron(jnp.eye(2), jnp.ones((2, 2)))
        >>> y = jnp.kron(jnp.ones((2, 2)), jnp.eye(2))
        >>> print(spectra.matrix_renyi_joint_entropy(x, y, order=1, base=2))
        2.0
    """
    given, matrices, valid = _checked_grams(grams)
    order, order_valid = checked_order(order)
    value = gated(_nats("gram", _hadamard(*matrices), order, valid), order_valid)
    return narrow(nats_to_base(value, base), *given)


def _checked_grams(grams):
    if not grams:
        raise ValueError("grams must hold a matrix; got none.")
    names = ["gram"] if len(grams) == 1 else [f"gram {i}" for i in range(len(grams))]
    given, matrices, valid = zip(*map(_checked_gram, names, grams), strict=True)
    if len({g.shape for g in given}) > 1:
        raise ValueError(
            f"grams must have one shape; got {', '.join(str(g.shape) for g in given)}."
        )
    together = valid[0]
    for one in valid[1:]:
        together &= one
    return given, widen(*matrices), together


@jax.jit
def _hadamard(first: jax.Array, *others: jax.Array) -> jax.Array:
    """The Hadamard product, with trace one: each factor has the diagonal 1 / N."""
    product = first
    for other in others:
        product = product * (other * first.shape[-1])
    return product


def matrix_renyi_conditional_entropy(
    gram: Float[Array, "*B N N"],
    given: Float[Array, "*B N N"],
    *,
    order: ArrayLike,
    base: float | None = None,
) -> Float[Array, "*B"]:
    r"""Matrix-based conditional Renyi entropy $S_\alpha(A, B) - S_\alpha(B)$.

    Args:
        gram: Gram matrices of X.
        given: Gram matrices of the condition, of the same shape.
        order: as in `matrix_renyi_entropy`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The entropy in units of `base`, not negative but for rounding.

    Raises:
        TypeError: as in `matrix_renyi_joint_entropy`.
        ValueError: as in `matrix_renyi_joint_entropy`.

    Reference:
        Sanchez Giraldo et al. 2015, arXiv 1211.2459, equation (17).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> x = jnp.kron(jnp.eye(2), jnp.ones((2, 2)))
        >>> print(spectra.matrix_renyi_conditional_entropy(jnp.eye(4), x, order=1, base=2))
        1.0
    """
    arrays, (a, b), valid = _checked_grams((gram, given))
    order, order_valid = checked_order(order)
    value = _nats("gram", _hadamard(a, b), order, valid) - _nats("given", b, order, valid)
    return narrow(nats_to_base(gated(value, order_valid), base), *arrays)


def matrix_renyi_mutual_information(
    gram_x: Float[Array, "*B N N"],
    gram_y: Float[Array, "*B N N"],
    *,
    order: ArrayLike,
    base: float | None = None,
) -> Float[Array, "*B"]:
    r"""Matrix-based mutual information $S_\alpha(A) + S_\alpha(B) - S_\alpha(A, B)$.

    A functional of the samples and the kernel, no estimate of Shannon's mutual information: it
    goes to 0 for wide kernels and to log N for narrow ones.

    Args:
        gram_x: Gram matrices of X.
        gram_y: Gram matrices of Y, observed together with X, of the same shape.
        order: as in `matrix_renyi_entropy`.
        base: the logarithm's base (2 for bits); None for nats.

    Returns:
        The information in units of `base`. Not negative but for rounding at order 1; other
        orders may give slightly negative values.

    Raises:
        TypeError: as in `matrix_renyi_joint_entropy`.
        ValueError: as in `matrix_renyi_joint_entropy`.

    Reference:
        Sanchez Giraldo et al. 2015, arXiv 1211.2459, equation (18).

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import spectra
        >>> x = jnp.kron(jnp.eye(2), jnp.ones((2, 2)))
        >>> print(spectra.matrix_renyi_mutual_information(x, x, order=1, base=2))
        1.0
    """
    arrays, (a, b), valid = _checked_grams((gram_x, gram_y))
    order, order_valid = checked_order(order)
    value = _nats("gram_x", a, order, valid) + _nats("gram_y", b, order, valid)
    value -= _nats("gram", _hadamard(a, b), order, valid)
    return narrow(nats_to_base(gated(value, order_valid), base), *arrays)
