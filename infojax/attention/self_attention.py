"""Dot-product attention with the entropy of its weights, and attention over parts of the keys."""

from collections.abc import Hashable

import jax
from jaxtyping import Array, Bool, Float

from infojax.kernels import attention_statistics
from infojax.kernels import attention_with_entropy as kernel


def attention_with_entropy(
    query: Float[Array, "*B T N H"],
    key: Float[Array, "*B S K H"],
    value: Float[Array, "*B S K V"],
    *,
    bias: Float[Array, "..."] | None = None,
    mask: Bool[Array, "..."] | None = None,
    is_causal: bool = False,
    local_window_size: int | tuple[int, int] | None = None,
    scale: float | None = None,
    logits_soft_cap: float | None = None,
    return_log_normalizer: bool = False,
    implementation: str | None = None,
) -> tuple[jax.Array, ...]:
    r"""Dot-product attention, and the entropy of each query's weights from the same pass.

    With scores $s = \mathrm{scale}\; q \cdot k + \mathrm{bias}$ and $p = \mathrm{softmax}(s)$, the
    output is $\sum_j p_j v_j$ and the entropy $H = -\sum_j p_j \log p_j = \log Z - \sum_j p_j
    s_j$, in nats. One pass over the keys keeps $m = \max s$, $\sum e^{s-m}$ and
    $\sum e^{s-m}(s-m)$, so that the weights are never in memory; the derivative,
    $\partial H / \partial s_j = -p_j (\log p_j + H)$, computes them again from $\log Z$.

    Args:
        query: (*B, T, N, H).
        key: (*B, S, K, H), N a multiple of K: query heads n N/K to (n + 1) N/K - 1 share key
            head n.
        value: (*B, S, K, V).
        bias: added to the scores; broadcasts to (*B, N, T, S).
        mask: True where a key counts; broadcasts to (*B, N, T, S).
        is_causal: whether position i sees positions up to i alone.
        local_window_size: (left, right): position i sees those from i - left to i + right; one
            number stands for both.
        scale: a static number; $1/\sqrt{H}$ if None.
        logits_soft_cap: scores before the bias become cap tanh(score / cap); None for no cap.
        return_log_normalizer: whether to return $\log Z$ as well.
        implementation: None takes the kernel of the platform that the program is lowered for.
            `"pallas_tpu"` and `"pallas_gpu"` are these; `"xla_chunked"` works by blocks
            anywhere; `"xla"` holds all scores in memory and has every order and mode of
            derivative, where the others have reverse mode once.

    Returns:
        The output (*B, T, N, V) of the inputs' common type, and the entropy (*B, T, N) of at
        least float32, followed by the log normaliser of the same shape if asked for. A query
        without keys has output 0, entropy 0 and log normaliser -inf, and gradients 0.

    Raises:
        TypeError: an array or an option of the wrong type.
        ValueError: shapes that do not fit, heads that do not divide, a negative window, a cap
            that is not positive, or an unknown implementation.
        NotImplementedError: the named implementation cannot take the arrays or cannot run on
            the platform; the message says what can.

    Reference:
        Dao, Fu, Ermon, Rudra and Re, NeurIPS 2022, arXiv 2205.14135, algorithm 1, for the pass
        over the keys; its third sum, for the entropy, is ours.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import attention
        >>> x = jnp.zeros((4, 1, 8))
        >>> output, entropy = attention.attention_with_entropy(x, x, x, is_causal=True)
        >>> print(jnp.exp(entropy[:, 0]).round().astype(int))
        [1 2 3 4]
    """
    return kernel.attention_with_entropy(
        query,
        key,
        value,
        bias=bias,
        mask=mask,
        is_causal=is_causal,
        local_window_size=local_window_size,
        scale=scale,
        logits_soft_cap=logits_soft_cap,
        return_log_normalizer=return_log_normalizer,
        implementation=implementation,
    )


def combine_attention(
    outputs: Float[Array, "..."],
    entropies: Float[Array, "..."],
    log_normalizers: Float[Array, "..."],
    *,
    axis: int = 0,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    r"""Attention over the union of disjoint sets of keys, from attention over each.

    With $w_i = Z_i / \sum_j Z_j$ the output is $\sum_i w_i o_i$, and by the chain rule of entropy
    $H = \sum_i w_i (H_i - \log w_i)$: exact, and free of cancellation.

    Args:
        outputs: of the shape of `log_normalizers` and one more trailing axis.
        entropies: in nats, of the shape of `log_normalizers`.
        log_normalizers: from `return_log_normalizer=True`; -inf for a part without keys.
        axis: the axis of `log_normalizers` along which the parts are stacked.

    Returns:
        Output, entropy and log normaliser of the whole, without `axis`; 0, 0 and -inf where no
        part has a key.

    Raises:
        ValueError: `entropies` or `outputs` of another shape, or a bad `axis`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import attention
        >>> x = jax.random.normal(jax.random.key(0), (6, 1, 4))
        >>> def attend(keys):
        ...     return attention.attention_with_entropy(x, keys, keys, return_log_normalizer=True)
        >>> parts = [jnp.stack(pair) for pair in zip(attend(x[:3]), attend(x[3:]))]
        >>> whole = attention.combine_attention(*parts)
        >>> print(jnp.allclose(whole[1], attend(x)[1], atol=1e-5))
        True
    """
    if entropies.shape != log_normalizers.shape:
        raise ValueError(
            f"entropies must have the shape of log_normalizers, {log_normalizers.shape}; "
            f"got {entropies.shape}."
        )
    if outputs.shape[:-1] != log_normalizers.shape:
        raise ValueError(
            "outputs must have the shape of log_normalizers and one more axis; got "
            f"{outputs.shape} with {log_normalizers.shape}."
        )
    if not -log_normalizers.ndim <= axis < log_normalizers.ndim:
        raise ValueError(f"axis must be one of {log_normalizers.ndim} axes; got {axis}.")
    return attention_statistics.combine(outputs, entropies, log_normalizers, axis)


def combine_attention_over_devices(
    output: Float[Array, "..."],
    entropy: Float[Array, "..."],
    log_normalizer: Float[Array, "..."],
    axis_name: Hashable | tuple[Hashable, ...],
) -> tuple[jax.Array, jax.Array, jax.Array]:
    r"""`combine_attention` where each device of a mesh axis holds some of the keys.

    Called inside `jax.shard_map`: each device attends over its own keys, then two reductions of
    the size of the statistics and one of the size of the output make the whole.

    Args:
        output: this device's, of the shape of `log_normalizer` and one more trailing axis.
        entropy: this device's, in nats.
        log_normalizer: this device's; -inf where it has no keys.
        axis_name: the mesh axis, or axes, over which the keys are spread.

    Returns:
        Output, entropy and log normaliser of the whole, the same on every device of the axis.

    Raises:
        NameError: `axis_name` is no axis of the mesh around it.

    Example:
        >>> import functools, jax, jax.numpy as jnp
        >>> from jax.sharding import PartitionSpec as P
        >>> from infojax import attention
        >>> mesh = jax.make_mesh((1,), ("keys",), axis_types=(jax.sharding.AxisType.Auto,))
        >>> def shard(x, keys):
        ...     parts = attention.attention_with_entropy(x, keys, keys, return_log_normalizer=True)
        ...     return attention.combine_attention_over_devices(*parts, "keys")[1]
        >>> spread = jax.shard_map(shard, mesh=mesh, in_specs=(P(), P("keys")), out_specs=P())
        >>> x = jnp.zeros((4, 1, 8))
        >>> print(jnp.exp(jax.jit(spread)(x, x))[:, 0].round().astype(int))
        [4 4 4 4]
    """
    return attention_statistics.combine_over_devices(output, entropy, log_normalizer, axis_name)
