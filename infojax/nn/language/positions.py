"""Rotary positions (Su et al. 2021, arXiv 2104.09864)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def rotary_embedding(
    x: Float[Array, "B T N H"], positions: Int[Array, "B T"], *, base: float = 10_000.0
) -> Float[Array, "B T N H"]:
    r"""Turns pairs of features by angles that grow with the position.

    Features j and j + H/2 are the two coordinates of a point that is turned by
    $t\, b^{-2j/H}$, with t the position: products of a query and a key then depend on their
    positions by the difference alone. In float32.

    Args:
        x: queries or keys; H is even.
        positions: t of each token; broadcasts to (B, T).
        base: b.

    Returns:
        The turned features, in the type of `x`.

    Raises:
        ValueError: H is odd.

    Reference:
        Su et al. 2021, arXiv 2104.09864.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax.nn import language
        >>> x = jnp.ones((1, 3, 1, 2))
        >>> turned = language.rotary_embedding(x, jnp.arange(3)[None])
        >>> print([round(float(x), 3) for x in turned[0, 1, 0]])  # cos 1 - sin 1, sin 1 + cos 1
        [-0.301, 1.382]
    """
    features = x.shape[-1]
    if features % 2:
        raise ValueError(f"x must have an even number of features; got shape {x.shape}.")
    half = features // 2
    frequencies = base ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angles = positions[..., None].astype(jnp.float32) * frequencies
    cosine, sine = (f(angles)[..., None, :] for f in (jnp.cos, jnp.sin))
    first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    turned = [first * cosine - second * sine, second * cosine + first * sine]
    return jnp.concatenate(turned, -1).astype(x.dtype)
