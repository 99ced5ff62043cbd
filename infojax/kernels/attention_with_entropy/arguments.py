"""What callers of attention give, checked and brought to one form."""

import math

import jax
import jax.numpy as jnp

from infojax.kernels.attention_with_entropy.pattern import Pattern


def check_arrays(query, key, value) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Checks queries, keys and values, and promotes them to one type.

    Args:
        query: (*B, T, N, H).
        key: (*B, S, K, H).
        value: (*B, S, K, V).

    Returns:
        The arrays, of one floating type.

    Raises:
        TypeError: one is not of floating type.
        ValueError: shapes that do not fit, or heads that do not divide.
    """
    arrays = {"query": query, "key": key, "value": value}
    arrays = {name: jnp.asarray(x) for name, x in arrays.items()}
    for name, x in arrays.items():
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise TypeError(f"{name} must be of floating type; got {x.dtype}.")
        if x.ndim < 3:
            raise ValueError(f"{name} must be (..., length, heads, size); got shape {x.shape}.")
    query, key, value = arrays.values()
    if value.shape[:-1] != key.shape[:-1]:
        raise ValueError(
            f"value must be of key's shape but for its last axis; got {value.shape} "
            f"with key {key.shape}."
        )
    if key.shape[:-3] != query.shape[:-3] or key.shape[-1] != query.shape[-1]:
        raise ValueError(
            "key must share batch axes and the size of a head with query; "
            f"got key {key.shape} with query {query.shape}."
        )
    if 0 in (*query.shape[-2:], *key.shape[-2:], value.shape[-1]):
        raise ValueError(
            f"query, key and value must have heads of at least one feature; "
            f"got {query.shape}, {key.shape}, {value.shape}."
        )
    if query.shape[-2] % key.shape[-2]:
        raise ValueError(
            f"query must have a multiple of key's heads; got {query.shape[-2]} query heads and "
            f"{key.shape[-2]} key heads."
        )
    common = jnp.result_type(query, key, value)
    return query.astype(common), key.astype(common), value.astype(common)


def check_table(name: str, table, query: jax.Array, key: jax.Array) -> jax.Array | None:
    """Checks a bias or a mask, and gives it four axes.

    Args:
        name: "bias" or "mask".
        table: what broadcasts to (*B, N, T, S), or None.
        query: (*B, T, N, H).
        key: (*B, S, K, H).

    Returns:
        (B|1, N|1, T|1, S|1) with one batch axis, or None.

    Raises:
        TypeError: a bias that is not floating, a mask that is not boolean.
        ValueError: it does not broadcast.
    """
    if table is None:
        return None
    table = jnp.asarray(table)
    if name == "mask" and table.dtype != jnp.bool_:
        raise TypeError(f"mask must be boolean, True where a key counts; got {table.dtype}.")
    if name == "bias" and not jnp.issubdtype(table.dtype, jnp.floating):
        raise TypeError(f"bias must be of floating type; got {table.dtype}.")
    *batch, length, heads, _ = query.shape
    full = (*batch, heads, length, key.shape[-3])
    pairs = zip(table.shape[::-1], full[::-1], strict=False)
    if table.ndim > len(full) or any(size not in (1, whole) for size, whole in pairs):
        raise ValueError(
            f"{name} must broadcast to (*batch, heads, queries, keys) = {full}; "
            f"got shape {table.shape}."
        )
    table = table.reshape(*[1] * (len(full) - table.ndim), *table.shape)
    own, rest = table.shape[: len(batch)], table.shape[len(batch) :]
    if math.prod(own) == 1:
        return table.reshape(1, *rest)
    return jnp.broadcast_to(table, (*batch, *rest)).reshape(math.prod(batch), *rest)


def check_pattern(is_causal, local_window_size, scale, logits_soft_cap, head_size) -> Pattern:
    """Checks the static options.

    Args:
        is_causal: whether a query sees no later key.
        local_window_size: how far a query sees, one number or (left, right), or None.
        scale: of the products; None for one over the root of `head_size`.
        logits_soft_cap: bound on the scores, or None.
        head_size: H.

    Returns:
        The pattern.

    Raises:
        TypeError: an option of the wrong type.
        ValueError: a negative window, or a cap that is not positive.
    """
    left = right = None
    if local_window_size is not None:
        window = local_window_size
        window = (window, window) if isinstance(window, int) else window
        if not (isinstance(window, tuple) and [type(w) for w in window] == [int, int]):
            raise TypeError(
                "local_window_size must be an integer or a pair of them (left, right); "
                f"got {local_window_size!r}."
            )
        if min(window) < 0:
            raise ValueError(f"local_window_size must not be negative; got {local_window_size!r}.")
        left, right = window
    if is_causal:
        right = 0
    numbers = {"scale": scale, "logits_soft_cap": logits_soft_cap}
    for name, number in numbers.items():
        if number is not None and (isinstance(number, bool) or not isinstance(number, int | float)):
            raise TypeError(f"{name} must be a static number; got {type(number).__name__}.")
    if logits_soft_cap is not None and not logits_soft_cap > 0:
        raise ValueError(f"logits_soft_cap must be positive; got {logits_soft_cap}.")
    scale = 1 / math.sqrt(head_size) if scale is None else float(scale)
    return Pattern(scale, left, right, None if logits_soft_cap is None else float(logits_soft_cap))
