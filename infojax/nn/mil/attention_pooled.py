"""Attention-based classifiers of bags: gated attention, and attention of several heads."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from infojax import attention
from infojax.nn.mil.layers import (
    AttentionTransform,
    GatedAttention,
    linear,
    parameters_of,
    pool,
)
from infojax.nn.mil.prediction import BagClassifier, BagPrediction, take_bags
from infojax.numerics import gated


class ABMIL(BagClassifier):
    r"""Attention-based multiple-instance learning: gated attention over embedded instances.

    $h_n = \mathrm{relu}(W_1^\top x_n)$, $A_n = w^\top (\tanh(W_v^\top h_n + b_v) \odot
    \sigma(W_u^\top h_n + b_u)) + b$, $z = \sum_n \mathrm{softmax}(A)_n h_n$, logits $W_c^\top z +
    b_c$: Ilse, Tomczak and Welling, ICML 2018, arXiv 1802.04712. Instances (*B, N, D), one row of
    attention (*B, 1, N).

    Args:
        features: D.
        classes: C.
        embedding: size of h.
        gate: number of hidden units of the attention.
        rngs: keys for the weights.

    Attributes:
        embed: the layer of $W_1$.
        attention: the gated attention.
        classifier: the layer of $W_c$, $b_c$.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        embedding: int = 128,
        gate: int = 128,
        rngs: nnx.Rngs,
    ):
        self.embed = linear(features, embedding, bias=False, rngs=rngs)
        self.attention = GatedAttention(embedding, gate, 1, rngs=rngs)
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
            key: not used: nothing in this classifier is random.
            transform: what is done to the attention's logits before the softmax in training, such
                as `losses.attention_dropout`.

        Returns:
            The prediction; NaN logits in traced code for a bag with a NaN, or without an instance.

        Raises:
            TypeError: `instances` is not of floating type, or `where` not boolean.
            ValueError: a shape does not fit; an instance that counts is not finite, or a bag has
                none (at once on concrete arrays, under `checkify.checkify` in traced code).
        """
        features = self.embed.in_features
        instances, where, valid = take_bags(instances, where, features)
        hidden = nnx.relu(self.embed(instances))
        if transform is None:
            found = attention.gated_attention_pooling(
                hidden, gates=self.attention.gates(), where=where
            )
        else:
            found = pool(hidden, self.attention(hidden), where, transform)
        logits = self.classifier(found.pooled[..., 0, :])
        return BagPrediction(gated(logits, valid[..., None]), found.logits, found.entropy)


class MHAMIL(BagClassifier):
    r"""Multi-head attention of one learned query over embedded instances.

    With $h_n = \mathrm{relu}(W_1^\top x_n)$ head i has the logits $A_{i,n} = q_i \cdot k_{i,n} /
    \sqrt{d}$ with $q = W_q^\top q_0 + b_q$, $k_n = W_k^\top h_n + b_k$, $v_n = W_v^\top h_n +
    b_v$; its output is $\sum_n \mathrm{softmax}(A_i)_n v_{i,n}$. The heads' outputs side by side
    pass a linear layer, dropout, layer normalisation and the classifier. As the query is
    the same for every instance, keys and values are not formed: $q_i \cdot k_{i,n} = (W_{k,i}
    q_i) \cdot h_n + q_i \cdot b_{k,i}$, and the bag is pooled before $W_v$. The multi-head
    aggregator of Zhang et al., MICCAI 2025, arXiv 2406.15303. Instances (*B, N, D), attention
    (*B, heads, N).

    Args:
        features: D.
        classes: C.
        embedding: size of h, a multiple of `heads`.
        heads: number of heads.
        dropout: the share of units dropped where a key is given.
        rngs: keys for the weights.

    Attributes:
        embed: the layer of $W_1$.
        query: $q_0$; it begins near zero, so that the attention begins flat.
        query_projection: the layer of $W_q$, $b_q$.
        key_projection: the layer of $W_k$, $b_k$.
        value_projection: the layer of $W_v$, $b_v$.
        output_projection: the layer after the heads.
        normalization: the layer normalisation.
        classifier: the last layer.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        embedding: int = 128,
        heads: int = 8,
        dropout: float = 0.1,
        rngs: nnx.Rngs,
    ):
        if heads < 1 or embedding % heads:
            raise ValueError(f"embedding must be a multiple of heads; got {embedding} and {heads}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1; got {dropout!r}.")
        self.heads, self.dropout = heads, dropout
        self.embed = linear(features, embedding, bias=False, rngs=rngs)
        self.query = nnx.Param(1e-6 * jax.random.normal(rngs.params(), (embedding,)))
        self.query_projection = linear(embedding, embedding, rngs=rngs)
        self.key_projection = linear(embedding, embedding, rngs=rngs)
        self.value_projection = linear(embedding, embedding, rngs=rngs)
        self.output_projection = linear(embedding, embedding, rngs=rngs)
        self.normalization = nnx.LayerNorm(
            embedding, epsilon=1e-6, use_fast_variance=False, rngs=rngs
        )
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
            key: for the dropout in training; without it there is none.
            transform: what is done to the attention's logits before the softmax in training.

        Returns:
            The prediction; NaN logits in traced code for a bag with a NaN, or without an instance.

        Raises:
            TypeError: `instances` is not of floating type, or `where` not boolean.
            ValueError: a shape does not fit; an instance that counts is not finite, or a bag has
                none (at once on concrete arrays, under `checkify.checkify` in traced code).
        """
        instances, where, valid = take_bags(instances, where, self.embed.in_features)
        hidden = nnx.relu(self.embed(instances))
        found = pool(hidden, self._scores(hidden), where, transform)
        kernel, bias = parameters_of(self.value_projection)
        kernel = kernel.reshape(kernel.shape[0], self.heads, -1)
        heads = jnp.einsum("...hd,dhe->...he", found.pooled, kernel)
        merged = heads.reshape(*heads.shape[:-2], -1) + bias
        merged = self.output_projection(merged)
        if key is not None and self.dropout > 0:
            kept = jax.random.uniform(key, merged.shape, jnp.float32) >= self.dropout
            merged = jnp.where(kept, merged / (1 - self.dropout), 0)
        logits = self.classifier(self.normalization(merged))
        return BagPrediction(gated(logits, valid[..., None]), found.logits, found.entropy)

    def _scores(self, hidden: jax.Array) -> jax.Array:
        """The scaled products of query and keys, (*B, heads, N)."""
        query = self.query_projection(self.query[...]).reshape(self.heads, -1)
        kernel, bias = parameters_of(self.key_projection)
        kernel = kernel.reshape(kernel.shape[0], self.heads, -1)
        direction = jnp.einsum("dhe,he->hd", kernel, query)
        shift = jnp.sum(query * bias.reshape(query.shape), -1)
        scores = jnp.einsum("hd,...nd->...hn", direction, hidden) + shift[:, None]
        return scores / math.sqrt(query.shape[-1])
