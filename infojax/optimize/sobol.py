"""Scrambled Sobol points: even in the unit cube, random, and made under jit.

The digital net is a constant of the program; Owen's scrambling of it, by a hash of each coordinate
(Burley 2020), is a few integer operations on every point.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, UInt32

from infojax import checks

_BITS = 30  # of a coordinate, as SciPy tabulates them
# The even multipliers of Laine and Karras' hash, as improved by Vegdahl (2021).
_MULTIPLIERS = (0x3D20ADEA, 0x05526C56, 0x53A22864)
_MOST_DIMENSIONS = 21201


@functools.lru_cache(maxsize=32)
def _reversed_net(count: int, dimensions: int) -> np.ndarray:
    """Bits of the unscrambled points, the first digit lowest, (count, dimensions) uint32."""
    from scipy.stats import qmc  # half a second to import; JAX depends on SciPy

    digits = 1 << max(count - 1, 1).bit_length()
    points = qmc.Sobol(dimensions, scramble=False, bits=_BITS).random(digits)[:count]
    numbers = np.round(points * 2.0**_BITS).astype(np.uint32) << np.uint32(32 - _BITS)
    return _reverse_bits(numbers)


def _reverse_bits(x):
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF)):
        low = np.uint32(mask)
        by = np.uint32(shift)
        x = ((x >> by) & low) | ((x & low) << by)
    return (x >> np.uint32(16)) | (x << np.uint32(16))


def _scramble(x: UInt32[Array, "N D"], seeds: UInt32[Array, " D"]) -> UInt32[Array, "N D"]:
    """A random permutation of each digit that depends on the digits before it: bits below."""
    x = x ^ (x * np.uint32(_MULTIPLIERS[0]))
    x = x + seeds
    x = x * ((seeds >> np.uint32(16)) | np.uint32(1))
    x = x ^ (x * np.uint32(_MULTIPLIERS[1]))
    return x ^ (x * np.uint32(_MULTIPLIERS[2]))


def sobol_points(key: Key[Array, ""], count: int, dimensions: int) -> Float[Array, "N D"]:
    r"""Draws points that fill the unit cube more evenly than independent ones.

    Each is uniform on $[0, 1)^D$; together, for a power of two of them, every elementary interval
    of the net holds its share, so that means over them have errors near $1/N$ for smooth
    functions.

    Args:
        key: a random key; another key scrambles anew.
        count: how many points, N; powers of two are the most even.
        dimensions: D, at most 21201.

    Returns:
        The points, (N, D), in JAX's default floating type.

    Raises:
        ValueError: `count` or `dimensions` is not a positive whole number, or is too large.

    Reference:
        Owen, "Randomly Permuted (t,m,s)-Nets and (t,s)-Sequences", 1995; the hash: Burley,
        "Practical Hash-based Owen Scrambling", 2020; directions: Joe and Kuo 2008.

    Example:
        >>> import jax
        >>> points = sobol_points(jax.random.key(0), 8, 2)
        >>> sorted((points[:, 0] * 8).astype(int).tolist())
        [0, 1, 2, 3, 4, 5, 6, 7]
    """
    count = checks.positive_integer("count", count)
    dimensions = checks.positive_integer("dimensions", dimensions)
    if dimensions > _MOST_DIMENSIONS or count > 1 << _BITS:
        raise ValueError(
            f"dimensions must be at most {_MOST_DIMENSIONS} and count at most 2**{_BITS}; "
            f"got {dimensions} and {count}."
        )
    seeds = jax.random.bits(key, (dimensions,), jnp.uint32)
    bits = _reverse_bits(_scramble(jnp.asarray(_reversed_net(count, dimensions)), seeds))
    dtype = jnp.zeros(()).dtype
    # As many leading bits as the type holds: rounding could give 1.
    kept = min(jnp.finfo(dtype).nmant + 1, 32)
    return (bits >> np.uint32(32 - kept)).astype(dtype) * dtype.type(2.0**-kept)
