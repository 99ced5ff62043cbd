"""Layers of the classifiers of bags, with initial weights as in the reference code."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from infojax import attention
from infojax.attention import AttentionGates, AttentionPooling
from infojax.numerics import widen

AttentionTransform = Callable[[jax.Array], jax.Array]


def uniform(fan_in: int) -> Callable[..., jax.Array]:
    """An initialiser: uniform within one over the root of the number of inputs.

    Args:
        fan_in: the number of inputs of the layer.

    Returns:
        A function of key, shape and type.
    """
    bound = 1 / math.sqrt(fan_in)

    def draw(key, shape, dtype=jnp.float32, out_sharding=None):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return draw


def linear(inputs: int, outputs: int, *, bias: bool = True, rngs: nnx.Rngs) -> nnx.Linear:
    """A linear layer whose weights and biases are drawn as torch draws them.

    Args:
        inputs: size of the input's last axis.
        outputs: size of the output's last axis.
        bias: whether to add a bias.
        rngs: keys for the weights.

    Returns:
        The layer.
    """
    draw = uniform(inputs)
    return nnx.Linear(inputs, outputs, use_bias=bias, kernel_init=draw, bias_init=draw, rngs=rngs)


class GatedAttention(nnx.Module):
    r"""Gated attention, $A = w^\top (\tanh(W_v^\top h + b_v) \odot \sigma(W_u^\top h + b_u)) + b$.

    Attributes:
        value: the layer of $W_v$, $b_v$.
        gate: the layer of $W_u$, $b_u$.
        output: the layer of w, b, with an output for each row of attention.
    """

    def __init__(self, features: int, width: int, rows: int, *, rngs: nnx.Rngs):
        """Makes the layers.

        Args:
            features: size of an instance.
            width: number of hidden units.
            rows: K, the rows of attention.
            rngs: keys for the weights.
        """
        self.value = linear(features, width, rngs=rngs)
        self.gate = linear(features, width, rngs=rngs)
        self.output = linear(width, rows, rngs=rngs)

    def gates(self) -> AttentionGates:
        """The weights as `attention.gated_attention_pooling` takes them."""
        layers = (self.value, self.gate, self.output)
        return AttentionGates(*(x for layer in layers for x in parameters_of(layer)))

    def __call__(self, instances: jax.Array) -> jax.Array:
        """The logits, (*B, K, N), of instances (*B, N, D)."""
        hidden = jnp.tanh(self.value(instances)) * jax.nn.sigmoid(self.gate(instances))
        return jnp.swapaxes(self.output(hidden), -1, -2)


def parameters_of(layer: nnx.Linear) -> tuple[jax.Array, jax.Array]:
    """The kernel and the bias of a layer that has one.

    Args:
        layer: the layer.

    Returns:
        Arrays (D, L) and (L,).
    """
    assert layer.bias is not None
    return layer.kernel[...], layer.bias[...]


def pool(
    instances: jax.Array,
    logits: jax.Array,
    where: jax.Array | None,
    transform: AttentionTransform | None = None,
) -> AttentionPooling:
    """Pools bags by attention whose logits are there.

    Args:
        instances: (*B, N, D).
        logits: (*B, K, N).
        where: instances that count, (*B, N); all if None.
        transform: what is done to the logits first, -inf in them where masked.

    Returns:
        The pooled bags, the entropies and the logits, all with an axis of rows.
    """
    (logits,) = widen(logits)
    if where is not None:
        logits = jnp.where(where[..., None, :], logits, -jnp.inf)
    if transform is not None:
        logits = transform(logits)
    return attention.gated_attention_pooling(instances, logits=logits, where=where)
