r"""Prior means that are polynomials, $\mu + \sum_i \beta_i \Psi_i(x)$, as terms of the kernel.

With a normal prior on the coefficients the trend is a part of the process; as its variance grows
the posterior tends to that of universal kriging. Rasmussen and Williams, Gaussian Processes for
Machine Learning, 2006, section 2.7.
"""

import dataclasses
import functools
import itertools
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from infojax import checks
from infojax.optimize.covariance.stationary import NAMES, correlations


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("coefficient_variances",),
    meta_fields=("degree", "base"),
)
@dataclasses.dataclass(frozen=True)
class PolynomialTrend:
    r"""A stationary kernel and a polynomial: $k(x, x') + \sum_i v_i \Psi_i(x) \Psi_i(x')$.

    The $\Psi_i$ are all monomials up to a degree, from 1 on, in the order of `basis`; their
    coefficients are normal with mean 0 and variances $v_i$. Great variances leave them to the data
    (generalised least squares, universal kriging): far from the data the mean goes on as the
    polynomial, not back to a constant, and the uncertainty grows with it. `gaussian_process.fit`
    finds the variances too, beginning with what is given.

    The monomials are of the inputs as they are: let these be of order 1 (a search's are in the
    unit cube). In float32 a variance of 100 signal variances is great; more costs digits.

    Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, section 3.1; Rasmussen
    and Williams 2006, equations (2.39) to (2.42).

    Attributes:
        coefficient_variances: the v, (P,), or one for all, (); in units of the values squared.
        degree: of the polynomial, static, 0 or more; P is (D + degree) over degree.
        base: name of the stationary kernel.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import covariance, gaussian_process
        >>> x = jnp.array([[0.0], [0.5], [1.0]])
        >>> gp = gaussian_process.condition(
        ...     x, 1 + 2 * x[:, 0], gaussian_process.Parameters(0.5, 1.0, 1e-4),
        ...     kernel=covariance.PolynomialTrend(100.0, degree=1),
        ... )
        >>> print(gaussian_process.marginals(gp, jnp.array([[3.0]]))[0].round(1))
        [7.]
    """

    coefficient_variances: Float[Array, " P"] | Float[Array, ""] | float = 1.0
    degree: int = 1
    base: str = "matern52"

    positive: ClassVar[frozenset[str]] = frozenset({"coefficient_variances"})

    def __post_init__(self):
        checks.choice("base", self.base, NAMES)
        if isinstance(self.degree, bool) or not isinstance(self.degree, int) or self.degree < 0:
            raise ValueError(f"degree must be a whole number of at least 0; got {self.degree!r}.")

    def num_lengthscales(self, features: int) -> int:
        """How many lengthscales the kernel has.

        Args:
            features: number of columns of the inputs.

        Returns:
            One for each column.
        """
        count = math.comb(features + self.degree, self.degree)
        shape = jnp.shape(self.coefficient_variances)
        if shape not in ((), (count,)):
            raise ValueError(
                f"coefficient_variances must have shape () or ({count},) for {features} features "
                f"and degree {self.degree}; got {shape}."
            )
        return features

    def basis(self, x: jax.Array) -> jax.Array:
        """The monomials, by degree: 1, x1, ..., xD, x1 x1, x1 x2, ...

        Args:
            x: inputs, (N, D).

        Returns:
            Matrix (N, P).
        """
        columns = [jnp.ones(x.shape[:1], x.dtype)]
        for degree in range(1, self.degree + 1):
            for factors in itertools.combinations_with_replacement(range(x.shape[1]), degree):
                columns.append(functools.reduce(jnp.multiply, (x[:, i] for i in factors)))
        return jnp.stack(columns, 1)

    def __call__(self, x: jax.Array, y: jax.Array, parameters) -> jax.Array:
        """Covariances of all pairs.

        Args:
            x: inputs, (N, D).
            y: inputs, (M, D).
            parameters: what has `lengthscales` and `signal_variance`.

        Returns:
            Matrix (N, M).
        """
        matrix = parameters.signal_variance * correlations(self.base, x, y, parameters.lengthscales)
        weighted = self.basis(x) * self.coefficient_variances
        trend = jnp.matmul(weighted, self.basis(y).T, precision=jax.lax.Precision.HIGHEST)
        return (matrix + trend).astype(x.dtype)

    def variances(self, x: jax.Array, parameters) -> jax.Array:
        """Variances: the diagonal of `self(x, x, parameters)`.

        Args:
            x: inputs, (N, D).
            parameters: as above.

        Returns:
            Array (N,).
        """
        trend = jnp.sum(self.basis(x) ** 2 * self.coefficient_variances, 1)
        return (parameters.signal_variance + trend).astype(x.dtype)

    def mean_weights(self, x: jax.Array) -> jax.Array:
        """What the constant prior mean is multiplied by at each input.

        Args:
            x: inputs, (N, D).

        Returns:
            Ones, (N,).
        """
        return jnp.ones(x.shape[:1], x.dtype)
