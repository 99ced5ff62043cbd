"""Baselines without attention: the mean and the maximum over instances."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from infojax.nn.mil.layers import linear, pool
from infojax.nn.mil.prediction import BagClassifier, BagPrediction, take_bags
from infojax.numerics import gated


class MeanMIL(BagClassifier):
    r"""Mean over the instances' logits: attention that is flat, of entropy log N.

    Logits $\tfrac1N \sum_n [W_c^\top \mathrm{relu}(W_1^\top x_n + b_1) + b_c]$, the mean being
    taken before $W_c$, which gives the same. The mean-pooling baseline of arXiv 2311.07125.
    Instances (*B, N, D), attention logits (*B, 1, N), all 0.

    Args:
        features: D.
        classes: C.
        embedding: size of the hidden layer.
        rngs: keys for the weights.

    Attributes:
        embed: the layer of $W_1$, $b_1$.
        classifier: the layer of $W_c$, $b_c$.
    """

    def __init__(self, features: int, classes: int, *, embedding: int = 128, rngs: nnx.Rngs):
        self.embed = linear(features, embedding, rngs=rngs)
        self.classifier = linear(embedding, classes, rngs=rngs)

    def __call__(
        self,
        instances: Float[Array, "*B N D"],
        *,
        where: Bool[Array, "..."] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> BagPrediction:
        """Classifies bags.

        Args:
            instances: the bags.
            where: instances that count, broadcast to (*B, N).
            key: not used: nothing in this classifier is random.

        Returns:
            The prediction; NaN logits in traced code for a bag with a NaN, or without an instance.

        Raises:
            TypeError: `instances` is not of floating type, or `where` not boolean.
            ValueError: a shape does not fit; an instance that counts is not finite, or a bag has
                none (at once on concrete arrays, under `checkify.checkify` in traced code).
        """
        instances, where, valid = take_bags(instances, where, self.embed.in_features)
        hidden = nnx.relu(self.embed(instances))
        found = pool(hidden, jnp.zeros_like(hidden[..., None, :, 0]), where)
        logits = self.classifier(found.pooled[..., 0, :])
        return BagPrediction(gated(logits, valid[..., None]), found.logits, found.entropy)


class MaxMIL(BagClassifier):
    r"""Maximum over the instances' logits: attention on one instance a class, of entropy 0.

    Logits $\max_n [W_c^\top \mathrm{relu}(W_1^\top x_n + b_1) + b_c]_k$ for each class k. The
    max-pooling baseline of arXiv 2311.07125. Instances (*B, N, D); attention logits (*B, C, N)
    are 0 at the best instance of the class, the first at ties, and -inf elsewhere.

    Args:
        features: D.
        classes: C.
        embedding: size of the hidden layer.
        rngs: keys for the weights.

    Attributes:
        embed: the layer of $W_1$, $b_1$.
        classifier: the layer of $W_c$, $b_c$.
    """

    def __init__(self, features: int, classes: int, *, embedding: int = 128, rngs: nnx.Rngs):
        self.embed = linear(features, embedding, rngs=rngs)
        self.classifier = linear(embedding, classes, rngs=rngs)

    def __call__(
        self,
        instances: Float[Array, "*B N D"],
        *,
        where: Bool[Array, "..."] | None = None,
        key: PRNGKeyArray | None = None,
    ) -> BagPrediction:
        """Classifies bags.

        Args:
            instances: the bags.
            where: instances that count, broadcast to (*B, N).
            key: not used: nothing in this classifier is random.

        Returns:
            The prediction; NaN logits in traced code for a bag with a NaN, or without an instance.

        Raises:
            TypeError: `instances` is not of floating type, or `where` not boolean.
            ValueError: a shape does not fit; an instance that counts is not finite, or a bag has
                none (at once on concrete arrays, under `checkify.checkify` in traced code).
        """
        instances, where, valid = take_bags(instances, where, self.embed.in_features)
        scores = self.classifier(nnx.relu(self.embed(instances)))
        if where is not None:
            scores = jnp.where(where[..., None], scores, -jnp.inf)
        place = jnp.argmax(scores, -2)
        logits = jnp.take_along_axis(scores, place[..., None, :], -2)[..., 0, :]
        best = jnp.arange(scores.shape[-2]) == place[..., None]
        attention_logits = jnp.where(best, 0.0, -jnp.inf).astype(logits.dtype)
        entropy = jnp.zeros_like(logits)
        return BagPrediction(gated(logits, valid[..., None]), attention_logits, entropy)
