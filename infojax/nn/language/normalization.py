"""Normalisation of the residual stream by name, or by a factory of the caller's own."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from infojax import checks

_NAMES = ("rms_norm", "layer_norm", "none")
_EPSILON = 1e-6


def check_normalization(normalization: str | Callable[..., Any]) -> None:
    """Refuses what is neither a known name nor callable.

    Args:
        normalization: a name or a factory.

    Raises:
        ValueError: an unknown name.
        TypeError: neither a name nor callable.
    """
    if isinstance(normalization, str):
        checks.choice("normalization", normalization, _NAMES)
    elif not callable(normalization):
        raise TypeError(f"normalization must be a name or callable; got {normalization!r}.")


class RMSNorm(nnx.Module):
    r"""$x / \sqrt{\mathrm{mean}(x^2) + 10^{-6}} \cdot g$, over the last axis, in float32.

    Source: Zhang and Sennrich 2019, arXiv 1910.07467.

    Attributes:
        scale: g, (features,), ones at the start.
    """

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        """Makes the norm.

        Args:
            features: size of the last axis.
            rngs: not used: the scale starts at one.
        """
        del rngs
        self.scale = nnx.Param(jnp.ones(features))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalises the last axis.

        Args:
            x: (..., features).

        Returns:
            The same shape and type.
        """
        wide = x.astype(jnp.float32)
        power = jnp.mean(jnp.square(wide), -1, keepdims=True)
        return (wide * jax.lax.rsqrt(power + _EPSILON) * self.scale[...]).astype(x.dtype)


class LayerNorm(nnx.Module):
    r"""$(x - \mathrm{mean}(x)) / \sqrt{\mathrm{var}(x) + 10^{-6}} \cdot g + b$, in float32.

    Source: Ba, Kiros and Hinton 2016, arXiv 1607.06450.

    Attributes:
        scale: g, (features,), ones at the start.
        bias: b, (features,), zeros at the start.
    """

    def __init__(self, features: int, *, rngs: nnx.Rngs):
        """Makes the norm.

        Args:
            features: size of the last axis.
            rngs: not used: scale and bias start at one and zero.
        """
        del rngs
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalises the last axis.

        Args:
            x: (..., features).

        Returns:
            The same shape and type.
        """
        wide = x.astype(jnp.float32)
        centred = wide - jnp.mean(wide, -1, keepdims=True)
        power = jnp.mean(jnp.square(centred), -1, keepdims=True)
        scaled = centred * jax.lax.rsqrt(power + _EPSILON) * self.scale[...]
        return (scaled + self.bias[...]).astype(x.dtype)


def _identity(x: jax.Array) -> jax.Array:
    return x


def make_normalization(
    normalization: str | Callable[..., Any], features: int, rngs: nnx.Rngs
) -> Callable[[jax.Array], jax.Array]:
    """The norm of one place.

    Args:
        normalization: a name, or a factory that is called by `(features, rngs=rngs)`.
        features: size of the last axis.
        rngs: keys for weights, if it has any.

    Returns:
        A function of an array.
    """
    if not isinstance(normalization, str):
        return normalization(features, rngs=rngs)
    if normalization == "none":
        return _identity
    return {"rms_norm": RMSNorm, "layer_norm": LayerNorm}[normalization](features, rngs=rngs)
