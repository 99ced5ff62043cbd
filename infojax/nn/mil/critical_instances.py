"""Dual-stream multiple-instance learning: attention by likeness to a class's best instance."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from infojax.nn.mil.layers import AttentionTransform, linear, pool, uniform
from infojax.nn.mil.prediction import BagClassifier, BagPrediction, cross_entropy, take_bags
from infojax.numerics import gated, widen


class DSMIL(BagClassifier):
    r"""Dual-stream classifier: the best instance of each class, and the bag seen from it.

    Instance logits $c_n = W_i^\top x_n + b_i$; the critical instance of class k is $m_k =
    \arg\max_n c_{n,k}$, the first at ties. With $Q_n = W_q^\top x_n + b_q$ of size E the attention
    of class k has the logits $A_{k,n} = Q_n \cdot Q_{m_k} / \sqrt{E}$ and pools the instances to
    $B_k$; the bag's logits are $\sum_{k,d} W_{k,d} B_{k,d} + b$. Both streams are trained,
    $\tfrac12 \mathrm{CE}(\max_n c_n) + \tfrac12 \mathrm{CE}(\text{bag})$, and the
    probabilities are the mean of both softmaxes: Li, Li and Eliceiri, CVPR 2021, arXiv
    2011.08939. Instances (*B, N, D), attention (*B, C, N); `auxiliary_logits` holds $\max_n c_n$.

    Args:
        features: D.
        classes: C.
        embedding: E.
        rngs: keys for the weights.

    Attributes:
        instance_classifier: the layer of $W_i$, $b_i$.
        query: the layer of $W_q$, $b_q$.
        bag_kernel: W, (C, D, C).
        bag_bias: b, (C,).
    """

    def __init__(self, features: int, classes: int, *, embedding: int = 128, rngs: nnx.Rngs):
        self.instance_classifier = linear(features, classes, rngs=rngs)
        self.query = linear(features, embedding, rngs=rngs)
        draw = uniform(features * classes)
        self.bag_kernel = nnx.Param(draw(rngs.params(), (classes, features, classes)))
        self.bag_bias = nnx.Param(draw(rngs.params(), (classes,)))

    def __call__(
        self,
        instances: Float[Array, "*B N D"],
        *,
        where: Bool[Array, "..."] | None = None,
        key: PRNGKeyArray | None = None,
        transform: AttentionTransform | None = None,
    ) -> BagPrediction:
        """Classifies bags.

        Args:
            instances: the bags.
            where: instances that count, broadcast to (*B, N).
            key: not used: nothing in this classifier is random.
            transform: what is done to the attention's logits before the softmax in training.

        Returns:
            The prediction; NaN logits in traced code for a bag with a NaN, or without an instance.

        Raises:
            TypeError: `instances` is not of floating type, or `where` not boolean.
            ValueError: a shape does not fit; an instance that counts is not finite, or a bag has
                none (at once on concrete arrays, under `checkify.checkify` in traced code).
        """
        instances, where, valid = take_bags(instances, where, self.query.in_features)
        scores = self.instance_classifier(instances)
        if where is not None:
            scores = jnp.where(where[..., None], scores, -jnp.inf)
        place = jnp.argmax(scores, -2)
        best = jnp.take_along_axis(scores, place[..., None, :], -2)
        critical = jnp.take_along_axis(instances, place[..., None], -2)
        query = self.query(critical)
        products = jnp.einsum("...ke,...ne->...kn", query, self.query(instances))
        found = pool(instances, products / math.sqrt(query.shape[-1]), where, transform)
        logits = jnp.einsum("...kd,kdc->...c", found.pooled, self.bag_kernel[...])
        logits = logits + self.bag_bias[...]
        valid = valid[..., None]
        return BagPrediction(
            gated(logits, valid), found.logits, found.entropy, gated(best, valid[..., None])
        )

    def bag_loss(self, prediction: BagPrediction, labels: Int[Array, "*B"]) -> Float[Array, ""]:
        """Half the cross-entropy of each stream.

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
        assert prediction.auxiliary_logits is not None
        of_instances = cross_entropy(prediction.auxiliary_logits[..., 0, :], labels)
        return jnp.mean((of_instances + cross_entropy(prediction.logits, labels)) / 2)

    def probabilities(self, prediction: BagPrediction) -> Float[Array, "*B C"]:
        """The mean of both streams' probabilities.

        Args:
            prediction: of bags.

        Returns:
            Array that sums to one along its last axis.
        """
        assert prediction.auxiliary_logits is not None
        best, logits = widen(prediction.auxiliary_logits[..., 0, :], prediction.logits)
        return (jax.nn.softmax(best, -1) + jax.nn.softmax(logits, -1)) / 2
