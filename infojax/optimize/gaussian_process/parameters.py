"""The hyper-parameters of a Gaussian process, and what may be said about a kernel."""

import dataclasses
import functools
from typing import ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.numerics import gated
from infojax.optimize.covariance.stationary import Stationary


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("lengthscales", "signal_variance", "noise_variance", "mean"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class Parameters:
    """Hyper-parameters, in the units of inputs and values (no logarithms).

    Attributes:
        lengthscales: one for each feature that the kernel scales, (D,), or one for all, ().
        signal_variance: prior variance of the function.
        noise_variance: variance of an observation about the function.
        mean: the constant prior mean.
    """

    lengthscales: Float[Array, " D"] | float
    signal_variance: Float[Array, ""] | float = 1.0
    noise_variance: Float[Array, ""] | float = 0.0
    mean: Float[Array, ""] | float = 0.0


@runtime_checkable
class Kernel(Protocol):
    """What a Gaussian process asks of a kernel: a pytree with these methods.

    Attributes:
        positive: the names of its array fields that `fit` is to keep positive.
    """

    positive: ClassVar[frozenset[str]]

    def num_lengthscales(self, features: int) -> int:
        """How many lengthscales belong to inputs of that many columns."""
        ...

    def __call__(self, x: jax.Array, y: jax.Array, parameters) -> jax.Array:
        """Covariances (N, M) of inputs (N, D) and (M, D)."""
        ...

    def variances(self, x: jax.Array, parameters) -> jax.Array:
        """Variances (N,) of inputs (N, D)."""
        ...

    def mean_weights(self, x: jax.Array) -> jax.Array:
        """What the prior mean is multiplied by at inputs (N, D)."""
        ...


def checked_kernel(kernel: "str | Kernel") -> "Kernel":
    """Takes a kernel, or the name of a stationary one.

    Args:
        kernel: a name, or an object with the methods of `Kernel`.

    Returns:
        The kernel as an object.

    Raises:
        TypeError: it is neither.
        ValueError: an unknown name.
    """
    if isinstance(kernel, str):
        return Stationary(kernel)
    if not (callable(kernel) and hasattr(kernel, "mean_weights")):
        raise TypeError(f"kernel must be a name or a kernel; got {type(kernel).__name__}.")
    return kernel


def _number(name: str, value: ArrayLike, dtype) -> jax.Array:
    array = checks.real_number(name, value)
    if array.ndim:
        raise ValueError(f"{name} must be one number; got shape {array.shape}.")
    return array.astype(dtype)


def checked_parameters(
    parameters: Parameters, features: int, dtype
) -> tuple[Parameters, jax.Array]:
    """Takes hyper-parameters as arrays of one type.

    Args:
        parameters: what came.
        features: how many lengthscales the kernel has.
        dtype: the type to work in.

    Returns:
        The parameters with harmless numbers where they are invalid, and whether they are valid.

    Raises:
        TypeError: they are not `Parameters`, or not real.
        ValueError: a wrong shape; eagerly, a lengthscale or signal variance that is not positive,
            a negative noise variance, a mean that is not finite.
    """
    if not isinstance(parameters, Parameters):
        raise TypeError(f"parameters must be Parameters; got {type(parameters).__name__}.")
    scales = checks.real_number("lengthscales", parameters.lengthscales).astype(dtype)
    if scales.shape not in ((), (features,)):
        raise ValueError(f"lengthscales must have shape () or ({features},); got {scales.shape}.")
    signal = _number("signal_variance", parameters.signal_variance, dtype)
    noise = _number("noise_variance", parameters.noise_variance, dtype)
    mean = _number("mean", parameters.mean, dtype)
    is_valid = {
        "lengthscales": (scales, (scales > 0) & jnp.isfinite(scales), "positive and finite"),
        "signal_variance": (signal, (signal > 0) & jnp.isfinite(signal), "positive and finite"),
        "noise_variance": (noise, (noise >= 0) & jnp.isfinite(noise), "non-negative and finite"),
        "mean": (mean, jnp.isfinite(mean), "finite"),
    }
    for name, (value, good, expected) in is_valid.items():
        checks.check_real(name, value, good, expected)
    valid = jnp.stack([jnp.all(good) for _, good, _ in is_valid.values()]).all()
    taken = Parameters(jnp.broadcast_to(scales, (features,)), signal, noise, mean)
    return jax.tree.map(lambda value: gated(value, valid), taken), valid
