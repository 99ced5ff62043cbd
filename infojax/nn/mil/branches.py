"""Attention-challenging multiple-instance learning: several branches of attention kept apart."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from infojax import losses
from infojax.nn.mil.layers import AttentionTransform, GatedAttention, linear, pool, uniform
from infojax.nn.mil.prediction import BagClassifier, BagPrediction, cross_entropy, take_bags
from infojax.numerics import gated


class ACMIL(BagClassifier):
    r"""Several branches of gated attention, each with a classifier, some top instances masked.

    $h_n = \mathrm{relu}(W_1^\top x_n)$; branch i pools $z_i = \sum_n \mathrm{softmax}(A_i)_n
    h_n$ by gated attention and has a classifier of its own; the bag is classified from the mean
    of the $z_i$, the pooling by the branches' mean attention. Where a key is given, `masked_share`
    of the `masked` most attended instances of each branch get the logit -inf
    (`losses.stochastic_top_k_masking`). The loss is $\mathrm{CE}(\text{bag}) + \tfrac1K \sum_i
    \mathrm{CE}(\text{branch}_i)$ plus the mean cosine similarity of the branches' attention
    (`losses.attention_diversity_penalty`): Zhang et al., ECCV 2024, arXiv 2311.07125. Instances
    (*B, N, D), attention (*B, K, N); `auxiliary_logits` holds the branches', (*B, K, C).

    Args:
        features: D.
        classes: C.
        embedding: size of h.
        gate: number of hidden units of the attention.
        branches: K.
        masked: of how many top instances some are masked in training; 0 masks none.
        masked_share: the share of them.
        rngs: keys for the weights.

    Attributes:
        embed: the layer of $W_1$.
        attention: the gated attention, a row for each branch.
        branch_kernel: of the branches' classifiers, (K, embedding, C).
        branch_bias: (K, C).
        classifier: of the bag.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        embedding: int = 128,
        gate: int = 128,
        branches: int = 5,
        masked: int = 10,
        masked_share: float = 0.6,
        rngs: nnx.Rngs,
    ):
        self.masked, self.masked_share = masked, masked_share
        self.embed = linear(features, embedding, bias=False, rngs=rngs)
        self.attention = GatedAttention(embedding, gate, branches, rngs=rngs)
        draw = uniform(embedding)
        self.branch_kernel = nnx.Param(draw(rngs.params(), (branches, embedding, classes)))
        self.branch_bias = nnx.Param(draw(rngs.params(), (branches, classes)))
        self.classifier = linear(embedding, classes, rngs=rngs)

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
            key: for the masking in training; without it there is none.
            transform: what is done to the attention's logits in training, before the masking.

        Returns:
            The prediction; NaN logits in traced code for a bag with a NaN, or without an instance.
            Masked instances have attention logits of -inf.

        Raises:
            TypeError: `instances` is not of floating type, or `where` not boolean.
            ValueError: a shape does not fit; an instance that counts is not finite, or a bag has
                none (at once on concrete arrays, under `checkify.checkify` in traced code).
        """
        instances, where, valid = take_bags(instances, where, self.embed.in_features)
        hidden = nnx.relu(self.embed(instances))

        def challenge(logits):
            logits = logits if transform is None else transform(logits)
            if key is None or not self.masked:
                return logits
            return losses.stochastic_top_k_masking(
                logits, key=key, k=self.masked, rate=self.masked_share
            )

        found = pool(hidden, self.attention(hidden), where, challenge)
        of_branches = jnp.einsum("...kd,kdc->...kc", found.pooled, self.branch_kernel[...])
        of_branches = of_branches + self.branch_bias[...]
        logits = self.classifier(jnp.mean(found.pooled, -2))
        valid = valid[..., None]
        return BagPrediction(
            gated(logits, valid),
            found.logits,
            found.entropy,
            gated(of_branches, valid[..., None]),
        )

    def bag_loss(self, prediction: BagPrediction, labels: Int[Array, "*B"]) -> Float[Array, ""]:
        """Cross-entropies of the bag and of the branches, and the branches' similarity.

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
        branches = prediction.auxiliary_logits
        assert branches is not None
        repeated = jnp.broadcast_to(jnp.asarray(labels)[..., None], branches.shape[:-1])
        return (
            jnp.mean(cross_entropy(prediction.logits, labels))
            + jnp.mean(cross_entropy(branches, repeated))
            + losses.attention_diversity_penalty(prediction.attention_logits)
        )
