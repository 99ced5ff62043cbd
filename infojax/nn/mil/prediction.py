"""What every classifier of bags has in common: its output, its loss, its input's checks."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from infojax import checks
from infojax.numerics import gated, widen


class BagPrediction(NamedTuple):
    r"""What a classifier says of bags; $\mathrm{softmax}$ of its attention logits is what pools.

    Attributes:
        logits: of the classes, (*B, C).
        attention_logits: (*B, K, N) for K rows of attention, before the softmax over instances;
            -inf where an instance does not count. `losses.attention_entropy_penalty` takes them.
        entropy: of each row, in nats, (*B, K).
        auxiliary_logits: of classifiers that are trained beside, (*B, A, C): of the critical
            instances in `DSMIL`, of the branches in `ACMIL`; None in the others.
    """

    logits: jax.Array
    attention_logits: jax.Array
    entropy: jax.Array
    auxiliary_logits: jax.Array | None = None


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Cross-entropy of class logits, in nats.

    Args:
        logits: (*B, C).
        labels: (*B), whole numbers from 0 to C - 1.

    Returns:
        (*B), of at least float32; NaN where a label is out of range.

    Raises:
        TypeError: `labels` is not of integer type.
        ValueError: the shapes do not fit, or a label is out of range (at once on concrete arrays,
            under `checkify.checkify` in traced code).
    """
    (logits,) = widen(logits)
    labels = jnp.asarray(labels)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"labels must have an integer type; got {labels.dtype}.")
    if labels.shape != logits.shape[:-1]:
        raise ValueError(f"labels must have shape {logits.shape[:-1]}; got {labels.shape}.")
    classes = logits.shape[-1]
    valid = (labels >= 0) & (labels < classes)
    checks.check_real("labels", labels, valid, f"whole numbers from 0 to {classes - 1}")
    chosen = jnp.take_along_axis(logits, jnp.where(valid, labels, 0)[..., None], -1)[..., 0]
    return gated(jax.nn.logsumexp(logits, -1) - chosen, valid)


class BagClassifier(nnx.Module):
    r"""Base of the classifiers of bags: how a prediction is trained and read.

    The loss is the cross-entropy $-\log p_y$ with $p = \mathrm{softmax}(\text{logits})$;
    subclasses with further classifiers have losses of their own.
    """

    def bag_loss(self, prediction: BagPrediction, labels: Int[Array, "*B"]) -> Float[Array, ""]:
        """What the classifier is trained by, without a penalty on the attention's entropy.

        Args:
            prediction: of bags.
            labels: their classes.

        Returns:
            The loss in nats, averaged over the bags.

        Raises:
            TypeError: `labels` is not of integer type.
            ValueError: the shapes do not fit, or a label is out of range (at once on concrete
                arrays, under `checkify.checkify` in traced code, else the loss is NaN).
        """
        return jnp.mean(cross_entropy(prediction.logits, labels))

    def probabilities(self, prediction: BagPrediction) -> Float[Array, "*B C"]:
        """Probabilities of the classes.

        Args:
            prediction: of bags.

        Returns:
            Array that sums to one along its last axis.
        """
        return jax.nn.softmax(widen(prediction.logits)[0], -1)


def take_bags(
    instances: jax.Array, where: jax.Array | None, features: int
) -> tuple[jax.Array, jax.Array | None, jax.Array]:
    """Checks bags, and puts zeros in place of instances that do not count.

    Args:
        instances: (*B, N, D).
        where: instances that count, broadcast to (*B, N); all if None.
        features: D, as the classifier was made for.

    Returns:
        The instances, the mask as (*B, N) or None, and which bags are valid, (*B).

    Raises:
        TypeError: `instances` is not of floating type, or `where` not boolean.
        ValueError: a shape does not fit, or N = 0; an instance that counts is not finite, or a bag
            has none (at once on concrete arrays, under `checkify.checkify` in traced code).
    """
    instances = checks.floating("instances", instances, min_ndim=2)
    if instances.shape[-1] != features:
        raise ValueError(f"instances must have {features} features; got shape {instances.shape}.")
    if instances.shape[-2] == 0:
        raise ValueError(f"instances must hold an instance; got shape {instances.shape}.")
    where = checks.mask("where", where, instances.shape[:-1])
    if where is not None:
        where = jnp.broadcast_to(where, instances.shape[:-1])
    valid = checks.finite_samples("instances", instances, where)
    if where is not None:
        some = jnp.any(where, -1)
        checks.check(some, "where must leave an instance in each bag; got a bag without.")
        valid &= some
        instances = jnp.where(where[..., None], instances, 0)
    return instances, where, valid
