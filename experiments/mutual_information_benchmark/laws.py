"""Joint laws of (X, Y) with their exact mutual information in closed form.

Normal: Gelfand and Yaglom 1957. Student: Arellano-Valle, Contreras-Reyes and Genton 2013, by
the entropies of their equation (7). Additive uniform noise: arXiv 2306.11078.
"""

import dataclasses
import functools
import math
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np


class Law(Protocol):
    """A joint law."""

    @property
    def dim_x(self) -> int:
        """Dimensions of X."""
        ...

    @property
    def dim_y(self) -> int:
        """Dimensions of Y."""
        ...

    def mutual_information(self) -> float:
        """Returns I(X; Y) in nats, exact up to float64."""
        ...

    def sample(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
        """Returns n independent draws, (n, dim_x) and (n, dim_y)."""
        ...

    def log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Returns log p(x, y) / (p(x) p(y)) of each pair, whose mean is I(X; Y)."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Normal:
    """Normal law with mean 0.

    Attributes:
        correlation: covariance of (X, Y), (dim_x + dim_y, dim_x + dim_y).
        dim_x: dimensions of X.
    """

    correlation: np.ndarray
    dim_x: int

    @property
    def dim_y(self) -> int:
        """Dimensions of Y."""
        return len(self.correlation) - self.dim_x

    def mutual_information(self) -> float:
        """Half of log det S_x + log det S_y - log det S."""
        whole = np.linalg.slogdet(self.correlation)[1]
        return 0.5 * float(sum(np.linalg.slogdet(block)[1] for block in _blocks(self)) - whole)

    def sample(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
        """Independent normals times the Cholesky factor."""
        return _draw_normal(key, _factor(self), n, self.dim_x)

    def log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The quadratic forms of the three normal densities."""
        whole, of_x, of_y = _forms(self, x, y)
        return self.mutual_information() + 0.5 * (of_x + of_y - whole)


@dataclasses.dataclass(frozen=True, eq=False)
class Student:
    """Multivariate Student law: a normal one over the root of one common chi-square mean.

    Attributes:
        correlation: dispersion matrix of (X, Y).
        dim_x: dimensions of X.
        dof: degrees of freedom.
    """

    correlation: np.ndarray
    dim_x: int
    dof: int

    @property
    def dim_y(self) -> int:
        """Dimensions of Y."""
        return len(self.correlation) - self.dim_x

    def mutual_information(self) -> float:
        """That of the normal law plus a term that depends on dimensions and dof alone.

        The common divisor ties X to Y even where the dispersion is the identity.
        """
        normal = Normal(self.correlation, self.dim_x).mutual_information()
        entropy = [_student_entropy(k, self.dof) for k in self._dimensions()]
        return normal + entropy[0] + entropy[1] - entropy[2]

    def sample(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
        """A normal draw divided by the root of chi-square over dof."""
        return _draw_student(key, _factor(self), self.dof, n, self.dim_x)

    def log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Logarithms of the three Student densities."""
        whole, of_x, of_y = _forms(self, x, y)
        of_parts = np.zeros(len(whole))
        for form, k, sign in zip((of_x, of_y, whole), self._dimensions(), (1, 1, -1), strict=True):
            half = (self.dof + k) / 2
            constant = math.lgamma(self.dof / 2) - math.lgamma(half)
            constant += 0.5 * k * math.log(self.dof * math.pi)
            of_parts = of_parts + sign * (constant + half * np.log1p(form / self.dof))
        return of_parts + Normal(self.correlation, self.dim_x).mutual_information()

    def _dimensions(self) -> tuple[int, int, int]:
        return self.dim_x, self.dim_y, self.dim_x + self.dim_y


@dataclasses.dataclass(frozen=True)
class AdditiveNoise:
    """X uniform on [0, 1], Y = X + noise, the noise uniform on [-epsilon, epsilon].

    Attributes:
        epsilon: half the width of the noise.
    """

    epsilon: float
    dim_x: int = dataclasses.field(default=1, init=False)
    dim_y: int = dataclasses.field(default=1, init=False)

    def mutual_information(self) -> float:
        """H(Y) - log(2 epsilon), where Y has a trapezoidal density."""
        if self.epsilon > 0.5:
            return 0.25 / self.epsilon
        return self.epsilon - math.log(2 * self.epsilon)

    def sample(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
        """A uniform draw, and the same plus uniform noise."""
        return _draw_additive(key, self.epsilon, n)

    def log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """p(y | x) / p(y) = 1 / the share of [0, 1] within epsilon of y; -inf off the support."""
        x, y = np.asarray(x, np.float64)[:, 0], np.asarray(y, np.float64)[:, 0]
        share = np.minimum(y + self.epsilon, 1) - np.maximum(y - self.epsilon, 0)
        inside = np.abs(y - x) <= self.epsilon + 1e-6  # float32 rounds y
        return np.where(inside, -np.log(np.where(inside, share, 1)), -np.inf)


def dense_correlation(dimensions: int, off_diagonal: float = 0.5) -> np.ndarray:
    """All pairs of variables are equally correlated.

    Args:
        dimensions: variables of X and Y together.
        off_diagonal: their correlation.

    Returns:
        Matrix (dimensions, dimensions).
    """
    return np.eye(dimensions) * (1 - off_diagonal) + off_diagonal


def pair_correlation(dim: int, pairs: int, correlation: float) -> np.ndarray:
    """The first variables of X are tied to those of Y, one to one; all others are independent.

    Args:
        dim: variables of X, and of Y.
        pairs: how many are tied.
        correlation: correlation of each pair.

    Returns:
        Matrix (2 dim, 2 dim).
    """
    matrix = np.eye(2 * dim)
    first = np.arange(pairs)
    matrix[first, dim + first] = matrix[dim + first, first] = correlation
    return matrix


# Compiled by shape and not by law: random numbers take long to compile.
@functools.partial(jax.jit, static_argnums=(2, 3))
def _draw_normal(key, factor, n, dim_x):
    z = jax.random.normal(key, (n, len(factor)))
    xy = jnp.matmul(z, factor.T, precision="highest")
    return xy[:, :dim_x], xy[:, dim_x:]


@functools.partial(jax.jit, static_argnums=(3, 4))
def _draw_student(key, factor, dof, n, dim_x):
    normal_key, divisor_key = jax.random.split(key)
    x, y = _draw_normal(normal_key, factor, n, dim_x)
    chi_square = 2 * jax.random.gamma(divisor_key, dof / 2, (n, 1))
    # 1e-30 keeps a draw that rounds to 0 from becoming infinite.
    scale = jax.lax.rsqrt(jnp.maximum(chi_square / dof, 1e-30))
    return x * scale, y * scale


@functools.partial(jax.jit, static_argnums=2)
def _draw_additive(key, epsilon, n):
    x_key, noise_key = jax.random.split(key)
    x = jax.random.uniform(x_key, (n, 1))
    return x, x + epsilon * jax.random.uniform(noise_key, (n, 1), minval=-1.0)


def _factor(law) -> np.ndarray:
    return np.linalg.cholesky(law.correlation).astype(np.float32)


def _student_entropy(k: int, dof: int) -> float:
    """Differential entropy of a k-dimensional Student law with identity dispersion."""
    from scipy.special import digamma

    half = (dof + k) / 2
    constant = math.lgamma(dof / 2) - math.lgamma(half) + 0.5 * k * math.log(dof * math.pi)
    return constant + half * float(digamma(half) - digamma(dof / 2))


def _blocks(law) -> tuple[np.ndarray, np.ndarray]:
    k = law.dim_x
    return law.correlation[:k, :k], law.correlation[k:, k:]


def _forms(law, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """The quadratic forms z' S^-1 z of (x, y), of x and of y."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    matrices = law.correlation, *_blocks(law)
    points = np.concatenate([x, y], 1), x, y
    return [np.sum(z * np.linalg.solve(s, z.T).T, 1) for s, z in zip(matrices, points, strict=True)]
