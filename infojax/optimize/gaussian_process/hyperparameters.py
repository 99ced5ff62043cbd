"""Hyper-parameters from the data: by maximum likelihood or maximum a posteriori."""

import dataclasses
import functools
import math
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from infojax import checks
from infojax.numerics import gated
from infojax.optimize.gaussian_process.likelihoods import likelihood_unchecked
from infojax.optimize.gaussian_process.parameters import Kernel, Parameters
from infojax.optimize.gaussian_process.regression import (
    GaussianProcess,
    Observations,
    condition_unchecked,
    observations,
)
from infojax.optimize.quasi_newton import minimize_bfgs

Method = Literal["map", "mle"]


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("lengthscales", "signal_variance", "noise_variance", "mean", "kernel"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class Free:
    """Hyper-parameters without units and bounds, or numbers about them: what is searched over.

    Logarithms relative to the inputs' ranges and the values' variance; the mean in standard
    deviations. `noise_variance` is None where it is given.
    """

    lengthscales: jax.Array
    signal_variance: jax.Array
    noise_variance: jax.Array | None
    mean: jax.Array
    kernel: tuple[jax.Array, ...]


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("extents", "center", "spread", "noise_variance"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class Units:
    """The scale of the data, and the noise variance where it is given."""

    extents: jax.Array
    center: jax.Array
    spread: jax.Array
    noise_variance: jax.Array | None


def units_of(data: Observations, noise_variance: jax.Array | None) -> Units:
    """Ranges of the inputs, mean and standard deviation of the values; 1 for a range of 0.

    Args:
        data: the observations.
        noise_variance: that of the observations, or None if it is to be found.

    Returns:
        The units.
    """
    scaled = data.inputs[:, : data.kernel.num_lengthscales(data.inputs.shape[1])]
    counted = data.where[:, None]
    top = jnp.max(scaled, 0, initial=-jnp.inf, where=counted)
    extents = top - jnp.min(scaled, 0, initial=jnp.inf, where=counted)
    # The mean is that of the function: rows to which it does not belong say nothing of it.
    heights = data.where & (data.kernel.mean_weights(data.inputs) > 0)
    center = jnp.mean(data.values, where=heights)
    spread = jnp.sqrt(jnp.mean((data.values - center) ** 2, where=heights))
    # Equal values differ by rounding alone.
    flat = ~(spread > 10 * jnp.finfo(spread.dtype).eps * jnp.abs(center))
    return Units(
        extents=jnp.where(extents > 0, extents, 1),
        center=jnp.where(jnp.isfinite(center), center, 0),
        spread=jnp.where(flat, 1, spread),
        noise_variance=noise_variance,
    )


def to_parameters(free: Free, units: Units, kernel: Kernel) -> tuple[Parameters, Kernel]:
    """Hyper-parameters and kernel in the units of the data.

    Args:
        free: the numbers without units.
        units: the units.
        kernel: the kernel whose array fields `free.kernel` multiplies or moves.

    Returns:
        The parameters, and the kernel with its fields.
    """
    power = units.spread**2
    noise = units.noise_variance
    if free.noise_variance is not None:
        noise = power * jnp.exp(free.noise_variance)
    parameters = Parameters(
        lengthscales=units.extents * jnp.exp(free.lengthscales),
        signal_variance=power * jnp.exp(free.signal_variance),
        noise_variance=noise,  # type: ignore[arg-type]
        mean=units.center + units.spread * free.mean,
    )
    moved = [
        old * jnp.exp(by) if name in kernel.positive else old + by
        for (name, old), by in zip(_array_fields(kernel), free.kernel, strict=True)
    ]
    leaves = iter(moved)
    found = jax.tree.map(lambda _: next(leaves), kernel)
    return parameters, found


def _array_fields(kernel: Kernel) -> list[tuple[str, jax.Array]]:
    paths = jax.tree_util.tree_flatten_with_path(kernel)[0]
    return [(path[0].name, jnp.asarray(leaf)) for path, leaf in paths]


def prior_of(data: Observations, finds_noise: bool) -> tuple[Free, Free, Free, Free]:
    """The normal prior of the free hyper-parameters, and the box they are searched in.

    Args:
        data: the observations.
        finds_noise: whether the noise variance is among them.

    Returns:
        Means, standard deviations, lower and upper bounds.
    """
    dtype = data.inputs.dtype
    features = data.kernel.num_lengthscales(data.inputs.shape[1])
    number = functools.partial(jnp.asarray, dtype=dtype)
    shapes = [jnp.shape(leaf) for _, leaf in _array_fields(data.kernel)]

    def free(lengthscale, signal, noise, mean, other):
        return Free(
            lengthscales=jnp.full(features, lengthscale, dtype),
            signal_variance=number(signal),
            noise_variance=number(noise) if finds_noise else None,
            mean=number(mean),
            kernel=tuple(jnp.full(shape, other, dtype) for shape in shapes),
        )

    # Distances between points grow with the root of the dimension, and so do lengthscales.
    typical = math.log(0.4) + 0.5 * math.log(max(features, 1))
    quiet = math.log(1e-6 if dtype == jnp.float32 else 1e-8)
    return (
        free(typical, 0.0, -7.0, 0.0, 0.0),
        free(1.0, 1.5, 3.0, 1.0, 1.0),
        free(-5.0, -10.0, quiet, -10.0, -5.0),
        free(6.0, 10.0, 2.0, 10.0, 5.0),
    )


@functools.partial(jax.jit, static_argnames=("method", "starts", "steps"))
def _fit(key, data: Observations, noise_variance, method: str, starts: int, steps: int):
    units = units_of(data, noise_variance)
    means, deviations, low, high = prior_of(data, noise_variance is None)
    center, unravel = ravel_pytree(means)
    spread, low, high = (ravel_pytree(part)[0] for part in (deviations, low, high))

    def negative(flat):
        parameters, kernel = to_parameters(unravel(flat), units, data.kernel)
        value = likelihood_unchecked(dataclasses.replace(data, kernel=kernel), parameters)
        if method == "map":
            value -= 0.5 * jnp.sum(((flat - center) / spread) ** 2)
        return -value

    scatter = jax.random.normal(key, (starts, center.size), center.dtype).at[0].set(0)
    begin = jnp.clip(center + spread * scatter, low, high)
    found, values = jax.vmap(
        lambda start: minimize_bfgs(negative, start, steps=steps, low=low, high=high)
    )(begin)
    best = found[jnp.argmin(jnp.where(jnp.isnan(values), jnp.inf, values))]
    parameters, kernel = to_parameters(unravel(best), units, data.kernel)
    return condition_unchecked(dataclasses.replace(data, kernel=kernel), parameters)


def checked_noise(noise_variance: ArrayLike | None, dtype) -> tuple[jax.Array | None, jax.Array]:
    """Takes a noise variance, or none.

    Args:
        noise_variance: what came.
        dtype: the type to work in.

    Returns:
        It, and whether it is valid.

    Raises:
        TypeError: it is not real.
        ValueError: not one number; eagerly, a negative one.
    """
    if noise_variance is None:
        return None, jnp.asarray(True)
    noise = checks.real_number("noise_variance", noise_variance)
    if noise.ndim:
        raise ValueError(f"noise_variance must be one number; got shape {noise.shape}.")
    good = (noise >= 0) & jnp.isfinite(noise)
    checks.check_real("noise_variance", noise, good, "non-negative and finite")
    return gated(noise.astype(dtype), good), good


def fit(
    key: PRNGKeyArray,
    inputs: Float[Array, "C D"],
    values: Float[Array, " C"],
    *,
    where: Bool[Array, " C"] | None = None,
    kernel: str | Kernel = "matern52",
    method: Method = "map",
    noise_variance: ArrayLike | None = None,
    starts: int = 5,
    steps: int = 60,
) -> GaussianProcess:
    r"""A Gaussian process with hyper-parameters found from the observations.

    By BFGS from several starts in lockstep, each step one evaluation of the likelihood, in
    logarithms relative to the data: shifting or scaling inputs or values changes nothing, and
    equal values are legal. The priors of "map" are normal in these: $\log$ of a lengthscale over
    its input's range about $\log(0.4 \sqrt D)$ with standard deviation 1, $\log$ of the signal
    variance over the values' variance about 0 with 1.5, of the noise variance about -7 with 3,
    the mean about the values' mean with their standard deviation. "mle" has no prior; few
    observations then leave lengthscales without limit, at the end of the searched box.

    Args:
        key: a random key, for the starts but the first.
        inputs: points, C of them with those that do not count.
        values: the observations there.
        where: the rows that count; all if None.
        kernel: as in `condition`. Of an object the array fields are found as well, beginning with
            what it holds.
        method: "map" or "mle".
        noise_variance: of the observations, if it is known (0 without noise); found if None.
        starts: how many searches, the first from the mode of the prior.
        steps: evaluations of each.

    Returns:
        The Gaussian process given the observations with these hyper-parameters.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: shapes that do not fit, an unknown kernel or method, a number below 1; eagerly,
            no row that counts, a counted entry that is not finite, a negative noise variance.

    Reference:
        Frazier, A Tutorial on Bayesian Optimization, 2018, arXiv 1807.02811, section 3.2; priors
        that grow with the dimension: Hvarfner, Hellsten and Nardi 2024, arXiv 2402.02229.

    Example:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> from infojax.optimize import gaussian_process
        >>> x = jnp.linspace(0.0, 1.0, 8)[:, None]
        >>> gp = gaussian_process.fit(jax.random.key(0), x, jnp.sin(6 * x[:, 0]))
        >>> mean, _ = gaussian_process.marginals(gp, jnp.array([[0.5]]))
        >>> print(bool(abs(mean[0] - jnp.sin(3.0)) < 0.01))
        True
    """
    checks.choice("method", method, get_args(Method))
    data = observations(inputs, values, where, kernel)
    noise, good = checked_noise(noise_variance, data.inputs.dtype)
    return _fit(
        key,
        dataclasses.replace(data, valid=data.valid & good),
        noise,
        method,
        checks.positive_integer("starts", starts),
        checks.positive_integer("steps", steps),
    )
