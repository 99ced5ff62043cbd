"""Kernels over points with one column more: a task, a fidelity, a source or a partial derivative.

The last column of the inputs says which; the others are scaled by the lengthscales.
"""

import abc
import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated, widen
from infojax.optimize.covariance.stationary import NAMES, correlations


def _taken(array: jax.Array, codes: jax.Array) -> jax.Array:
    """Rows by their number; NaN where there is no such row (a negative one counts as none)."""
    codes = jnp.where(codes < 0, array.shape[0], codes)
    return array.at[codes].get(mode="fill", fill_value=jnp.nan)


class _OneColumnMore(abc.ABC):
    """What these kernels share: inputs are split, and each says what its last column means.

    Attributes:
        base: name of a stationary kernel of the other columns.
        is_code: whether the last column is a whole number.
    """

    base: str

    is_code: ClassVar[bool] = True

    def __post_init__(self):
        checks.choice("base", self.base, NAMES)

    def num_lengthscales(self, features: int) -> int:
        """How many lengthscales the kernel has.

        Args:
            features: number of columns of the inputs.

        Returns:
            One for each column but the last.
        """
        if features < 2:
            raise ValueError(
                f"inputs must have at least 2 columns for this kernel, the last one saying of "
                f"what kind a row is; got {features}."
            )
        return features - 1

    def mean_weights(self, x: jax.Array) -> jax.Array:
        """What the constant prior mean is multiplied by at each input.

        Args:
            x: inputs, (N, D + 1).

        Returns:
            Ones, (N,).
        """
        return jnp.ones(x.shape[:1], x.dtype)

    def _split(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Places, and what the rows are of."""
        last = x[:, -1]
        return x[:, :-1], jnp.round(last).astype(jnp.int32) if self.is_code else last

    def __call__(self, x: jax.Array, y: jax.Array, parameters) -> jax.Array:
        """Covariances of all pairs.

        Args:
            x: inputs, (N, D + 1).
            y: inputs, (M, D + 1).
            parameters: what has `lengthscales` and `signal_variance`.

        Returns:
            Matrix (N, M).
        """
        return self._covariances(self._split(x), self._split(y), parameters).astype(x.dtype)

    def variances(self, x: jax.Array, parameters) -> jax.Array:
        """Prior variances.

        Args:
            x: inputs, (N, D + 1).
            parameters: as above.

        Returns:
            Array (N,).
        """
        return self._variances(*self._split(x), parameters).astype(x.dtype)

    @abc.abstractmethod
    def _covariances(self, x, y, parameters) -> jax.Array:
        """Of all pairs; each side is (places, what the rows are of)."""

    @abc.abstractmethod
    def _variances(self, at, of, parameters) -> jax.Array:
        """Of rows, given places and what they are of."""


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=("factors", "diagonal"), meta_fields=("base",)
)
@dataclasses.dataclass(frozen=True)
class IntrinsicCoregionalization(_OneColumnMore):
    r"""Several tasks that share a kernel: $k(x, x') B_{t t'}$, $B = W W^T + \mathrm{diag}\,\kappa$.

    The last column of the inputs is the task, from 0. Ones everywhere in B make one task of all;
    the identity makes them independent. `gaussian_process.fit` finds W and kappa too (with a
    signal variance near 1 left to the priors); a kappa of 0 stays 0. Covariances of a task that
    there is not are NaN.

    Bonilla, Chai and Williams, Multi-task Gaussian Process Prediction, 2007; Frazier 2018,
    arXiv 1807.02811, section 5.5.

    Attributes:
        factors: the W, (T, R).
        diagonal: the kappa, (T,), non-negative.
        base: name of the stationary kernel.
    """

    factors: Float[Array, "T R"]
    diagonal: Float[Array, " T"]
    base: str = "matern52"

    positive: ClassVar[frozenset[str]] = frozenset({"diagonal"})

    @classmethod
    def from_covariance(
        cls, task_covariance: Float[Array, "T T"], base: str = "matern52"
    ) -> "IntrinsicCoregionalization":
        """The kernel with a given B.

        Args:
            task_covariance: the B, symmetric and positive semidefinite.
            base: name of the stationary kernel.

        Returns:
            The kernel, with the root of B for W.

        Raises:
            TypeError: B is not of floating type.
            ValueError: B is not square; eagerly, not symmetric or not positive semidefinite.
        """
        given = checks.square_matrix("task_covariance", task_covariance)
        (matrix,) = widen(given)
        values, vectors = jnp.linalg.eigh(matrix)
        slack = 1e-5 * jnp.max(jnp.abs(matrix))
        symmetric = jnp.all(jnp.abs(matrix - matrix.T) <= slack)
        valid = symmetric & jnp.all(values >= -slack)
        checks.check(
            valid,
            "task_covariance must be symmetric and positive semidefinite; got eigenvalues "
            f"{values if checks.is_concrete(values) else ''}.",
        )
        root = vectors * jnp.sqrt(jnp.maximum(values, 0))
        return cls(gated(root, valid), jnp.zeros(matrix.shape[:1], matrix.dtype), base)

    def task_covariance(self) -> jax.Array:
        """The B.

        Returns:
            Matrix (T, T).
        """
        return self.factors @ self.factors.T + jnp.diag(self.diagonal)

    def _covariances(self, x, y, parameters) -> jax.Array:
        (at_x, task_x), (at_y, task_y) = x, y
        matrix = correlations(self.base, at_x, at_y, parameters.lengthscales)
        tasks = self.task_covariance().astype(at_x.dtype)
        between = _taken(_taken(tasks, task_x).T, task_y).T
        return parameters.signal_variance * matrix * between

    def _variances(self, at, of, parameters) -> jax.Array:
        own = jnp.diag(self.task_covariance()).astype(at.dtype)
        return parameters.signal_variance * _taken(own, of)


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("difference_lengthscales", "difference_variance", "power"),
    meta_fields=("base",),
)
@dataclasses.dataclass(frozen=True)
class LinearTruncated(_OneColumnMore):
    r"""Fidelities from 0 to 1: $k_1(x, x') + (1 - s)(1 - s')(1 + s s')^p k_2(x, x')$.

    The last column of the inputs is the fidelity s. At the target, s = 1, there is $k_1$ alone,
    whose parameters are the process's; $k_2$ is what lower fidelities differ by, and has its own.
    `gaussian_process.fit` finds them too.

    Wu, Toscano-Palmerin, Frazier and Wilson 2019, arXiv 1903.04703, section 4.

    Attributes:
        difference_lengthscales: of the second kernel, (D,) or ().
        difference_variance: of the second kernel.
        power: the p, positive.
        base: name of both stationary kernels.
    """

    difference_lengthscales: Float[Array, " D"] | float
    difference_variance: Float[Array, ""] | float = 1.0
    power: Float[Array, ""] | float = 1.0
    base: str = "matern52"

    positive: ClassVar[frozenset[str]] = frozenset(
        {"difference_lengthscales", "difference_variance", "power"}
    )
    is_code: ClassVar[bool] = False

    def _covariances(self, x, y, parameters) -> jax.Array:
        (at_x, s), (at_y, t) = x, y
        target = correlations(self.base, at_x, at_y, parameters.lengthscales)
        other = correlations(self.base, at_x, at_y, jnp.asarray(self.difference_lengthscales))
        share = jnp.outer(1 - s, 1 - t) * (1 + jnp.outer(s, t)) ** self.power
        return parameters.signal_variance * target + self.difference_variance * share * other

    def _variances(self, at, of, parameters) -> jax.Array:
        share = (1 - of) ** 2 * (1 + of**2) ** self.power
        return parameters.signal_variance + self.difference_variance * share


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("source_variances", "source_lengthscales"),
    meta_fields=("base",),
)
@dataclasses.dataclass(frozen=True)
class InformationSources(_OneColumnMore):
    r"""Sources that each differ from the truth by a function of their own: $f_s = f_0 + \delta_s$.

    The last column of the inputs is the source: 0 is the truth, whose kernel has the process's
    parameters, s from 1 to S adds an independent $\delta_s$. `gaussian_process.fit` finds their
    variances and lengthscales too.

    Poloczek, Wang and Frazier, Multi-Information Source Optimization, 2017, arXiv 1603.00389,
    section 3.1.

    Attributes:
        source_variances: of the differences, (S,).
        source_lengthscales: of the differences, (S, D).
        base: name of all stationary kernels.
    """

    source_variances: Float[Array, " S"]
    source_lengthscales: Float[Array, "S D"]
    base: str = "matern52"

    positive: ClassVar[frozenset[str]] = frozenset({"source_variances", "source_lengthscales"})

    def _covariances(self, x, y, parameters) -> jax.Array:
        (at_x, source_x), (at_y, source_y) = x, y
        truth = correlations(self.base, at_x, at_y, parameters.lengthscales)
        total = parameters.signal_variance * truth
        for number in range(len(self.source_variances)):
            both = (source_x == number + 1)[:, None] & (source_y == number + 1)[None, :]
            own = correlations(self.base, at_x, at_y, self.source_lengthscales[number])
            total += jnp.where(both, self.source_variances[number] * own, 0)
        return total

    def _variances(self, at, of, parameters) -> jax.Array:
        extra = jnp.append(jnp.zeros(1, at.dtype), jnp.asarray(self.source_variances, at.dtype))
        return parameters.signal_variance + extra[of]


@functools.partial(jax.tree_util.register_dataclass, data_fields=(), meta_fields=("base",))
@dataclasses.dataclass(frozen=True)
class Derivatives(_OneColumnMore):
    r"""A function and its partial derivatives together.

    The last column of the inputs is 0 where a row is of the function, and i where it is of the
    partial derivative by the i-th coordinate, from 1. Covariances are
    $\partial_{x_i} \partial_{x'_j} k(x, x')$, by automatic differentiation of the kernel, with its
    exact values where points coincide. The prior mean is that of the function alone. Any part of
    a gradient may be observed.

    Frazier 2018, arXiv 1807.02811, section 5.6; Wu, Poloczek, Wilson and Frazier 2017,
    arXiv 1703.04389.

    Attributes:
        base: name of the stationary kernel; "matern12" has no derivative.
    """

    base: str = "squared_exponential"

    positive: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self):
        checks.choice("base", self.base, [name for name in NAMES if name != "matern12"])

    def mean_weights(self, x: jax.Array) -> jax.Array:
        """What the constant prior mean is multiplied by at each input.

        Args:
            x: inputs, (N, D + 1).

        Returns:
            Ones in rows of the function, zeros in rows of derivatives, (N,).
        """
        return (self._split(x)[1] == 0).astype(x.dtype)

    def _covariances(self, x, y, parameters) -> jax.Array:
        (at_x, kind_x), (at_y, kind_y) = x, y
        # Each entry depends on one row of either: all rows move at once, each along its own axis.
        along_x = jax.nn.one_hot(kind_x - 1, at_x.shape[1], dtype=at_x.dtype)
        along_y = jax.nn.one_hot(kind_y - 1, at_y.shape[1], dtype=at_x.dtype)

        def by_second(at_x):
            return jax.jvp(
                lambda at_y: correlations(self.base, at_x, at_y, parameters.lengthscales),
                (at_y,),
                (along_y,),
            )

        (value, second), (first, both) = jax.jvp(by_second, (at_x,), (along_x,))
        is_x, is_y = (kind_x > 0)[:, None], (kind_y > 0)[None, :]
        matrix = jnp.where(is_x, jnp.where(is_y, both, first), jnp.where(is_y, second, value))
        return parameters.signal_variance * matrix

    def _variances(self, at, of, parameters) -> jax.Array:
        def own(at, kind):
            row = at[None], kind[None]
            return self._covariances(row, row, parameters)[0, 0]

        return jax.vmap(own)(at, of)
