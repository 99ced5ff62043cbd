"""Diffusion spectral mutual information of samples with labels (Liao et al. 2023)."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from infojax import checks
from infojax.numerics import gated, narrow, nats_to_base
from infojax.spectra.affinities import checked_alpha
from infojax.spectra.bandwidths import checked_bandwidth, checked_samples
from infojax.spectra.diffusion_spectra import spectrum
from infojax.spectra.spectral_entropy import checked_time, power_entropy_nats

_ENTRIES = 2**26  # of matrices in memory at a time
_STEP = 16  # capacities are multiples, so that few sizes are compiled


def _sets_of_one(key, labels, mask, num_classes: int, repetitions: int, capacity: int):
    """For each class its own samples and as many at random: places, masks, weights."""
    sizes = jnp.sum((labels == jnp.arange(num_classes)[:, None]) & mask, -1, dtype=jnp.int32)
    room = jnp.arange(capacity)

    def places_of(left_out):
        # In their order in x: where all are chosen, the matrix is that of the class itself.
        return jnp.argsort(left_out, stable=True)[:capacity]

    def of_class(number, size, key):
        # Integers, so that the draws are the same in every precision; 2^32 - 1 goes last.
        draws = jax.random.bits(key, (repetitions, labels.shape[0]), jnp.uint32) >> 1
        ranks = jnp.argsort(jnp.argsort(jnp.where(mask, draws, jnp.uint32(2**32 - 1))))
        own = ((labels != number) | ~mask)[None]
        left_out = jnp.concatenate([own, ranks >= size])
        return jax.vmap(places_of)(left_out), room < size

    keys = jax.random.split(key, num_classes)
    places, counted = jax.vmap(of_class)(jnp.arange(num_classes), sizes, keys)
    counted = jnp.broadcast_to(counted[:, None], places.shape)
    total = jnp.sum(sizes)
    return places, counted, sizes / jnp.maximum(total, 1), jnp.max(sizes)


@functools.partial(jax.jit, static_argnames=("num_classes", "repetitions", "capacity", "alpha"))
def _information_of_one(
    wide, sigma, time, labels, mask, key, num_classes, repetitions, capacity, alpha
):
    places, counted, weights, largest = _sets_of_one(
        key, labels, mask, num_classes, repetitions, capacity
    )
    places = places.reshape(-1, capacity)
    counted = counted.reshape(-1, capacity)

    def entropy(chosen):
        place, mask = chosen
        points = jnp.where(mask[:, None], wide[place], 0)
        return power_entropy_nats(spectrum(points, sigma, mask, alpha), time)

    at_once = min(places.shape[0], max(1, _ENTRIES // capacity**2))
    entropies = jax.lax.map(entropy, (places, counted), batch_size=at_once)
    own, *others = entropies.reshape(num_classes, 1 + repetitions).T
    # Differences first: where a draw is the class itself, they are 0 exactly.
    gains = sum(other - own for other in others) / repetitions
    return jnp.sum(weights * gains), largest <= capacity


def _capacity(capacity, labels, mask, num_classes: int) -> int:
    size = labels.shape[-1]
    if capacity is not None:
        return min(checks.positive_integer("capacity", capacity), size)
    if not checks.is_concrete(labels, mask):
        return size
    counted = np.asarray(labels)[..., None] == np.arange(num_classes)
    largest = int((counted & np.asarray(mask)[..., None]).sum(-2).max(initial=1))
    return min(-(-largest // _STEP) * _STEP, size)


def _checked_labels(labels, mask, shape, num_classes):
    array = checks.real_array("labels", labels)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"labels must be integers; got {array.dtype}.")
    if array.shape != shape:
        raise ValueError(f"labels must have shape {shape}; got {array.shape}.")
    known = (array >= 0) & (array < num_classes) | ~mask
    checks.check_real("labels", array, known, f"from 0 to {num_classes - 1}")
    return array, jnp.all(known, -1)


def diffusion_spectral_mutual_information(
    x: Float[Array, "*B N D"],
    labels: Int[Array, "*B N"],
    *,
    num_classes: int,
    key: Array,
    sigma: ArrayLike | str = 10.0,
    t: ArrayLike = 1,
    alpha: float = 0.0,
    num_repetitions: int = 5,
    capacity: int | None = None,
    base: float | None = None,
    where: Bool[Array, "..."] | None = None,
) -> Float[Array, "*B"]:
    r"""Diffusion spectral mutual information of samples with labels.

    $\sum_b p(b) [\overline{DSE}(A^*) - DSE(A \mid B = b)]$, where $A^*$ are as many samples as
    class b has, drawn from all without replacement, and the mean is over `num_repetitions`
    draws. Comparing equal sizes takes most of the bias of DSE's growth with N away; what is left
    may be slightly negative and is not clipped. 0 exactly for one class. For a variable that is
    not discrete give its cells or clusters: `information.discretize` for scalars (the paper has
    10 cells of equal width), any clustering for vectors.

    All classes and draws are one batch of eigenvalue problems, as many at a time as fit into
    256 MiB of matrices.

    Args:
        x: samples.
        labels: class of each, from 0 to `num_classes` - 1.
        num_classes: the number of classes, static; an empty class has weight 0.
        key: random key of the draws.
        sigma: the bandwidth, as in `diffusion_spectral_entropy`; a rule is applied to all
            samples, so that every class has the same.
        t: the diffusion time, as in `diffusion_spectral_entropy`.
        alpha: how much of the sampling density is divided out first, static: from 0 to 1.
        num_repetitions: draws for each class, static.
        capacity: room for the samples of a class, static; the size of the matrices. None takes
            the largest class where labels are known, and N where they are traced.
        base: the logarithm's base (2 for bits, as in the paper); None for nats.
        where: the samples that count, broadcasting to (*B, N).

    Returns:
        The estimate in units of `base`. Differentiable in `x` and `sigma`, once, with the draws
        held fixed.

    Raises:
        TypeError: `x` is not of floating type, `labels` not of integers, or `where` not boolean.
        ValueError: shapes that do not fit, `x` is not finite, `sigma` or `t` not positive, a
            label out of range, or a class that exceeds `capacity`; a base that is not positive
            or 1.

    Reference:
        Liao et al., Assessing Neural Network Representations During Training Using
        Noise-Resilient Diffusion Spectral Entropy, 2023, arXiv 2312.04823, section III.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import spectra
        >>> x = jnp.repeat(jnp.array([[0.0, 0.0], [99.0, 0.0]]), 20, axis=0)
        >>> labels = jnp.repeat(jnp.arange(2), 20)
        >>> print(spectra.diffusion_spectral_mutual_information(
        ...     x, labels, num_classes=2, key=jax.random.key(0), base=2) > 0.9)
        True
    """
    classes = checks.positive_integer("num_classes", num_classes)
    repetitions = checks.positive_integer("num_repetitions", num_repetitions)
    given, wide, mask, valid = checked_samples(x, where)
    width, positive = checked_bandwidth(sigma, wide, mask)
    time, forward = checked_time(t, wide.shape[:-2])
    counted = jnp.ones(wide.shape[:-1], bool) if mask is None else mask
    numbers, known = _checked_labels(labels, counted, wide.shape[:-1], classes)
    room = _capacity(capacity, numbers, counted, classes)
    batch = wide.shape[:-2]
    time = jnp.broadcast_to(time.astype(wide.dtype), batch)
    one = functools.partial(
        _information_of_one,
        num_classes=classes,
        repetitions=repetitions,
        capacity=room,
        alpha=checked_alpha(alpha),
    )
    keys = jax.random.split(key, math.prod(batch)) if batch else key
    if batch:
        count = math.prod(batch)
        arrays = (wide, width, time, numbers, counted)
        flat = [a.reshape(count, *a.shape[len(batch) :]) for a in arrays]
        found = jax.lax.map(lambda problem: one(*problem), (*flat, keys))
        nats, fits = (part.reshape(batch) for part in found)
    else:
        nats, fits = one(wide, width, time, numbers, counted, keys)
    checks.check(fits, f"capacity must be at least the size of the largest class; got {room}.")
    some = jnp.any(counted, -1)
    value = gated(nats_to_base(nats, base), valid, positive, forward, known, fits, some)
    return narrow(value, given)
