"""Attention pooling of bags of instances, with the entropy of the attention."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from infojax import checks
from infojax.kernels import gated_attention_pooling as kernel
from infojax.kernels.gated_attention_pooling import AttentionGates


class AttentionPooling(NamedTuple):
    """Pooled bags and their attention; unpacks as (pooled, entropy, logits).

    Attributes:
        pooled: the bags, (*B, D), or (*B, K, D) for K rows of attention.
        entropy: of the attention, in nats, (*B) or (*B, K).
        logits: of the attention, (*B, N) or (*B, K, N); -inf where masked.
    """

    pooled: jax.Array
    entropy: jax.Array
    logits: jax.Array


def gated_attention_pooling(
    instances: Float[Array, "*B N D"],
    *,
    logits: Float[Array, "..."] | None = None,
    gates: AttentionGates | None = None,
    where: Bool[Array, "..."] | None = None,
    implementation: str | None = None,
) -> AttentionPooling:
    r"""Pools bags of instances by attention, and measures its entropy in the same pass.

    With logits $A$ and $a = \mathrm{softmax}(A)$ over the instances $h_n$ of a bag, the pooled bag
    is $z = \sum_n a_n h_n$ and the entropy $H = -\sum_n a_n \log a_n = \log Z - \sum_n a_n A_n$.
    The logits are given, or those of gated attention,
    $A_n = w^\top (\tanh(W_v^\top h_n + b_v) \odot \sigma(W_u^\top h_n + b_u)) + b$, whose hidden
    units exist for one tile of instances at a time. One pass over the tiles keeps $m = \max A$,
    $\sum e^{A-m}$, $\sum e^{A-m} (A-m)$ and $\sum e^{A-m} h$. The derivative,
    $\mathrm{d}A_n = a_n [g_z \cdot (h_n - z) - g_H (\log a_n + H)]$, computes the attention and
    the hidden units again: memory beyond it is O(N).

    Args:
        instances: h, (*B, N, D), N >= 1.
        logits: A, (*B, N), or (*B, K, N) for K rows of attention (heads, branches or classes);
            -inf for instances that do not count.
        gates: the weights that give the logits instead, shared by all bags; K rows with
            an `output_kernel` of shape (L, K).
        where: instances that count, broadcast to (*B, N); the others may hold anything, and a
            padded bag gives what the bag without padding gives.
        implementation: None takes the kernel of the platform that the program is lowered for:
            `"pallas_tpu"`, `"pallas_gpu"`, or by tiles in `"xla"`, which runs anywhere;
            `"reference"` holds everything in memory and has every order and mode of derivative,
            where the others have reverse mode once.

    Returns:
        The pooled bags in the instances' type, the entropies in nats and the logits. The
        entropies, and logits that come from gates, are of at least float32. In traced code a
        bag without an instance has pooled and entropy 0 and gradient 0, so that a batch can be
        filled up; a bag with a logit that is NaN or +inf has pooled and entropy NaN.

    Raises:
        TypeError: an array is not of floating type, `where` not boolean, or `gates` not
            `AttentionGates`.
        ValueError: not exactly one of `logits` and `gates`; shapes that do not fit; N = 0; an
            unknown implementation; a logit that is NaN or +inf, or a bag without an instance
            that counts (at once on concrete arrays, under `checkify.checkify` in traced code).
        NotImplementedError: the named implementation cannot take these arguments, or cannot run
            on the platform.

    Reference:
        Ilse, Tomczak and Welling, ICML 2018, arXiv 1802.04712: gated attention pooling. Zhang et
        al., MICCAI 2025, arXiv 2406.15303: the negative entropy of its attention as a penalty.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import attention
        >>> bag = jnp.array([[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]])
        >>> where = jnp.array([True, True, False])
        >>> pooled, entropy, logits = attention.gated_attention_pooling(
        ...     bag, logits=jnp.zeros(3), where=where
        ... )
        >>> print(pooled, entropy)
        [0.5 0.5] 0.693147
    """
    instances = checks.floating("instances", instances, min_ndim=2)
    if logits is not None:
        logits = checks.floating("logits", logits)
    where = checks.mask("where", where, instances.shape[:-1])
    found = AttentionPooling(
        *kernel.gated_attention_pooling(
            instances, logits=logits, gates=gates, where=where, implementation=implementation
        )
    )
    valid = jnp.isfinite(jnp.max(found.logits, -1))
    name = "logits" if gates is None else "logits of the gates"
    checks.check_logits(name, found.logits, None, valid)
    return found
