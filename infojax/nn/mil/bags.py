"""Bags of different sizes as arrays of few shapes: padding, buckets, random parts of bags."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, PRNGKeyArray

from infojax import checks


class Bucket(NamedTuple):
    """Bags padded to one size.

    Attributes:
        instances: (B, N, D), zeros where padded.
        where: (B, N), True at instances.
        positions: (B,), the place of each bag in the list that was given.
    """

    instances: np.ndarray
    where: np.ndarray
    positions: np.ndarray


def bucket_size(count: int, *, smallest: int = 16) -> int:
    """The size that a bag is padded to: `smallest` times the least power of two that suffices.

    Bags of N instances then have log2(N) shapes at most, and a compiled function as many versions.

    Args:
        count: the number of instances.
        smallest: the least size.

    Returns:
        The size, at least `count` and, above `smallest`, less than twice that.

    Raises:
        TypeError: an argument is no whole number.
        ValueError: an argument is below 1.

    Example:
        >>> from infojax.nn import mil
        >>> [mil.bucket_size(count) for count in (3, 16, 17, 1000)]
        [16, 16, 32, 1024]
    """
    size = checks.positive_integer("smallest", smallest)
    count = checks.positive_integer("count", count)
    while size < count:
        size *= 2
    return size


def _as_bags(bags: Sequence[ArrayLike]) -> list[np.ndarray]:
    arrays = [np.asarray(bag) for bag in bags]
    if not arrays:
        raise ValueError("bags must hold a bag; got none.")
    features = arrays[0].shape[-1:]
    for place, bag in enumerate(arrays):
        if not jnp.issubdtype(bag.dtype, jnp.floating):
            raise TypeError(f"bags[{place}] must have a floating type; got {bag.dtype}.")
        if bag.ndim != 2 or 0 in bag.shape or bag.shape[-1:] != features:
            raise ValueError(
                f"bags[{place}] must have shape (N, {features[0] if features else 'D'}) with an "
                f"instance; got {bag.shape}."
            )
    return arrays


def pad_bags(bags: Sequence[ArrayLike], *, size: int | None = None) -> Bucket:
    """Stacks bags of different sizes, with zeros and a mask where they end.

    Args:
        bags: arrays (N_i, D) with one D.
        size: instances of the padded bags; by default `bucket_size` of the largest.

    Returns:
        The bags on the host, in their order.

    Raises:
        TypeError: a bag is not of floating type.
        ValueError: no bag, an empty bag, bags of different D, or a bag larger than `size`.

    Example:
        >>> import numpy as np
        >>> from infojax.nn import mil
        >>> padded = mil.pad_bags([np.ones((2, 3)), np.ones((5, 3))])
        >>> print(padded.instances.shape, padded.where.sum(1))
        (2, 16, 3) [2 5]
    """
    arrays = _as_bags(bags)
    largest = max(len(bag) for bag in arrays)
    size = bucket_size(largest) if size is None else checks.positive_integer("size", size)
    if largest > size:
        raise ValueError(f"size must be at least {largest}, the largest bag; got {size}.")
    dtype = np.result_type(*(bag.dtype for bag in arrays))
    instances = np.zeros((len(arrays), size, arrays[0].shape[1]), dtype)
    for row, bag in zip(instances, arrays, strict=True):
        row[: len(bag)] = bag
    counts = np.array([len(bag) for bag in arrays])
    return Bucket(instances, np.arange(size) < counts[:, None], np.arange(len(arrays)))


def bucket_bags(bags: Sequence[ArrayLike], *, smallest: int = 16) -> list[Bucket]:
    """Sorts bags by size into buckets, each padded to `smallest` times a power of two.

    Args:
        bags: arrays (N_i, D) with one D.
        smallest: the least size of a padded bag.

    Returns:
        The buckets by size, each with its bags in their order.

    Raises:
        TypeError: a bag is not of floating type.
        ValueError: no bag, an empty bag, or bags of different D.

    Example:
        >>> import numpy as np
        >>> from infojax.nn import mil
        >>> buckets = mil.bucket_bags([np.ones((n, 3)) for n in (40, 2, 5)])
        >>> [(bucket.instances.shape, bucket.positions.tolist()) for bucket in buckets]
        [((2, 16, 3), [1, 2]), ((1, 64, 3), [0])]
    """
    arrays = _as_bags(bags)
    sizes = np.array([bucket_size(len(bag), smallest=smallest) for bag in arrays])
    buckets = []
    for size in np.unique(sizes):
        places = np.flatnonzero(sizes == size)
        padded = pad_bags([arrays[place] for place in places], size=int(size))
        buckets.append(padded._replace(positions=places))
    return buckets


def subsample_instances(
    key: PRNGKeyArray, where: Bool[Array, "*B N"], share: float
) -> Bool[Array, "*B N"]:
    r"""Keeps a random part of each bag's instances, drawn without replacement.

    $\max(1, \lfloor \rho N \rfloor)$ of the N instances of a bag stay, every set of them with the
    same probability: the subsampling augmentation of arXiv 2406.15303, as a mask, so that
    no shape changes.

    Args:
        key: a random key.
        where: instances that count.
        share: $\rho$, above 0 and at most 1, which keeps all.

    Returns:
        The mask of those that are kept, a part of `where`.

    Raises:
        TypeError: `where` is not boolean.
        ValueError: a share outside (0, 1].

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax.nn import mil
        >>> kept = mil.subsample_instances(jax.random.key(0), jnp.arange(16) < 10, 0.7)
        >>> print(kept.sum(), kept[10:].any())
        7 False
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1; got {share!r}.")
    mask = checks.mask("where", where, jnp.shape(where))
    assert mask is not None
    if share == 1:
        return mask
    draws = jnp.where(mask, jax.random.uniform(key, mask.shape, jnp.float32), jnp.inf)
    order = jnp.argsort(draws, -1)
    ranks = jnp.argsort(order, -1)
    count = jnp.sum(mask, -1, keepdims=True)
    # A rounded product just below a whole number must not lose an instance.
    kept = jnp.maximum(jnp.floor(share * count + 1e-4).astype(count.dtype), 1)
    return mask & (ranks < kept)
