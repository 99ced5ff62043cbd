"""Samples of the function: exact at some points, and whole paths by random Fourier features."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.optimize.covariance.stationary import Stationary
from infojax.optimize.gaussian_process.factors import jittered_cholesky
from infojax.optimize.gaussian_process.regression import (
    GaussianProcess,
    checked_points,
    cross_covariance,
    posterior,
)

# Degrees of freedom of the spectral density, a multivariate Student t; None for a normal one.
_FREEDOM = {"matern12": 1.0, "matern32": 3.0, "matern52": 5.0, "squared_exponential": None}


@functools.partial(jax.jit, static_argnames="n")
def _sample(key, gp, points, n):
    mean, covariance = posterior(gp, points)
    scale = gp.parameters.signal_variance * jnp.ones_like(mean)
    factor, _ = jittered_cholesky(covariance, scale)
    return mean + jax.random.normal(key, (n, mean.size), mean.dtype) @ factor.T


def sample(
    key: PRNGKeyArray, gp: GaussianProcess, points: Float[Array, "M D"], n: int
) -> Float[Array, "n M"]:
    """Samples of the function at some points, jointly, without noise.

    Args:
        key: a random key.
        gp: the Gaussian process.
        points: where.
        n: how many samples, static.

    Returns:
        The samples, one a row. O(M^3) operations: for many points take `sample_paths`.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: points of another dimension than the inputs, `n` below 1.

    Reference:
        Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, appendix A.2.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import gaussian_process
        >>> x, y = jnp.array([[0.0]]), jnp.array([1.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(1.0))
        >>> print(gaussian_process.sample(jax.random.key(0), gp, x, 2).round(2))
        [[1.]
         [1.]]
    """
    return _sample(key, gp, checked_points(gp, points), checks.positive_integer("n", n))


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("gp", "frequencies", "amplitudes", "weights"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class Paths:
    """Sampled functions, to be evaluated anywhere.

    Attributes:
        gp: the Gaussian process.
        frequencies: of the features, (F, D).
        amplitudes: of the prior samples, (n, 2 F): cosines, then sines.
        weights: what makes each agree with the observations, (n, C).
    """

    gp: GaussianProcess
    frequencies: Float[Array, "F D"]
    amplitudes: Float[Array, "n G"]
    weights: Float[Array, "n C"]

    def __call__(self, points: Float[Array, "M D"]) -> Float[Array, "n M"]:
        """The functions at some points.

        Args:
            points: where.

        Returns:
            A row a function.
        """
        return _evaluate(self, checked_points(self.gp, points))


def _prior(paths: Paths, points: jax.Array) -> jax.Array:
    phases = points @ paths.frequencies.T
    features = jnp.concatenate([jnp.cos(phases), jnp.sin(phases)], -1)
    return paths.gp.parameters.mean + paths.amplitudes @ features.T


@jax.jit
def _evaluate(paths: Paths, points: jax.Array) -> jax.Array:
    return _prior(paths, points) + paths.weights @ cross_covariance(paths.gp, points)


@functools.partial(jax.jit, static_argnames=("n", "features", "freedom"))
def _sample_paths(key, gp, n, features, freedom):
    normal_key, scale_key, weight_key, noise_key = jax.random.split(key, 4)
    dtype = gp.inputs.dtype
    frequencies = jax.random.normal(normal_key, (features, gp.inputs.shape[1]), dtype)
    if freedom is not None:
        # A chi-squared variable of 2 nu degrees, over these, is a gamma variable.
        gamma = jax.random.gamma(scale_key, freedom / 2, (features, 1), dtype)
        frequencies *= jnp.sqrt(freedom / 2 / gamma)
    frequencies /= gp.parameters.lengthscales
    amplitudes = jax.random.normal(weight_key, (n, 2 * features), dtype)
    amplitudes *= jnp.sqrt(gp.parameters.signal_variance / features)
    prior = Paths(gp, frequencies, amplitudes, jnp.zeros((n, gp.where.size), dtype))
    deviation = jnp.sqrt(gp.parameters.noise_variance + gp.jitter)
    noise = deviation * jax.random.normal(noise_key, (n, gp.where.size), dtype)
    surprise = jnp.where(gp.where, gp.values - _prior(prior, gp.inputs) - noise, 0)
    weights = (surprise @ gp.whitener.T) @ gp.whitener
    return dataclasses.replace(prior, weights=weights)


def sample_paths(key: PRNGKeyArray, gp: GaussianProcess, n: int, *, features: int = 512) -> Paths:
    r"""Samples of the function as functions, for Thompson sampling and for samples of the maximum.

    A sample of the prior is a sum of cosines and sines at random frequencies; the exact kernel
    then takes it to the observations (Matheron's rule):
    $f(x) + k(x)^T K_y^{-1} (y - f(X) - \epsilon)$. Near the observations it is as exact as the
    posterior; far from them its error is the prior's, of order $F^{-1/2}$.

    Args:
        key: a random key.
        gp: a Gaussian process with a stationary kernel.
        n: how many functions, static.
        features: the F: random frequencies, static, shared by the functions.

    Returns:
        The functions: `paths(points)` is an array (n, M), and differentiable.

    Raises:
        TypeError: an argument of a wrong type, or a kernel that is not stationary.
        ValueError: a number below 1.

    Reference:
        Rahimi and Recht, Random Features for Large-Scale Kernel Machines, 2007; Wilson et al.,
        Efficiently Sampling Functions from Gaussian Process Posteriors, 2020, arXiv 2002.09309.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import gaussian_process
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([1.0, -1.0])
        >>> gp = gaussian_process.condition(x, y, gaussian_process.Parameters(1.0))
        >>> paths = gaussian_process.sample_paths(jax.random.key(0), gp, 3)
        >>> print(bool(jnp.all(jnp.abs(paths(x) - y) < 0.01)))
        True
    """
    if not isinstance(gp, GaussianProcess):
        raise TypeError(f"gp must be a GaussianProcess; got {type(gp).__name__}.")
    if not isinstance(gp.kernel, Stationary):
        raise TypeError(f"gp must have a stationary kernel; got {type(gp.kernel).__name__}.")
    count = checks.positive_integer("n", n)
    size = checks.positive_integer("features", features)
    return _sample_paths(key, gp, count, size, _FREEDOM[gp.kernel.name])
