"""The keys and values of earlier tokens, as a plain pytree of fixed capacity."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("keys", "values", "starts", "next_slot"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class KeyValueCache:
    """Keys and values of every layer, in slots that all rows share.

    Rows end at the same slot: row b holds its tokens in slots `starts[b]` to `next_slot - 1`, in
    their order, and slots before are padding that no query sees. A new token goes to `next_slot`
    in every row, one slice of the array, which XLA updates in place inside a loop or where the
    cache is donated.

    Attributes:
        keys: for each layer (B, K, H, S), with positions turned in; S slots.
        values: for each layer (B, K, S, H).
        starts: the first slot of each row.
        next_slot: where the next token goes.
    """

    keys: tuple[Float[Array, "B K H S"], ...]
    values: tuple[Float[Array, "B K S H"], ...]
    starts: Int[Array, " B"]
    next_slot: Int[Array, ""]

    @property
    def capacity(self) -> int:
        """S, the number of slots."""
        return self.keys[0].shape[3]

    @property
    def lengths(self) -> Int[Array, " B"]:
        """How many tokens each row holds."""
        return self.next_slot - self.starts


def place_prompt(
    key: Float[Array, "B T K H"],
    value: Float[Array, "B T K H"],
    shifts: Int[Array, " B"],
    capacity: int,
) -> tuple[Float[Array, "B K H S"], Float[Array, "B K S H"]]:
    """Moves each row's first tokens so that all rows end at slot T, and appends empty slots.

    Args:
        key: of tokens first and padding behind.
        value: likewise.
        shifts: how much padding each row has.
        capacity: S, at least T.

    Returns:
        The slots of keys and of values.
    """
    length = key.shape[1]
    source = ((jnp.arange(length) - shifts[:, None]) % length)[:, :, None, None]
    keys, values = (jnp.take_along_axis(x, source, axis=1) for x in (key, value))
    room = (0, capacity - length)
    return (
        jnp.pad(jnp.transpose(keys, (0, 2, 3, 1)), ((0, 0), (0, 0), (0, 0), room)),
        jnp.pad(jnp.transpose(values, (0, 2, 1, 3)), ((0, 0), (0, 0), room, (0, 0))),
    )


def write_token(
    slots: tuple[Float[Array, "B K H S"], Float[Array, "B K S H"]],
    key: Float[Array, "B 1 K H"],
    value: Float[Array, "B 1 K H"],
    slot: Int[Array, ""],
) -> tuple[Float[Array, "B K H S"], Float[Array, "B K S H"]]:
    """Writes the key and value of one token a row.

    Args:
        slots: the keys and values that are there.
        key: what is written.
        value: likewise.
        slot: where, the same in every row.

    Returns:
        The slots with it.
    """
    keys, values = slots
    new_keys = jnp.transpose(key, (0, 2, 3, 1)).astype(keys.dtype)
    new_values = jnp.transpose(value, (0, 2, 1, 3)).astype(values.dtype)
    update = jax.lax.dynamic_update_slice_in_dim
    return update(keys, new_keys, slot, axis=3), update(values, new_values, slot, axis=2)
