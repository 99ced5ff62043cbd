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
        keys: for each layer (B, K, S, H), with positions turned in; S slots.
        values: for each layer (B, K, S, H).
        starts: the first slot of each row.
        next_slot: where the next token goes.
    """

    keys: tuple[Float[Array, "B K S H"], ...]
    values: tuple[Float[Array, "B K S H"], ...]
    starts: Int[Array, " B"]
    next_slot: Int[Array, ""]

    @property
    def capacity(self) -> int:
        """S, the number of slots."""
        return self.keys[0].shape[2]

    @property
    def lengths(self) -> Int[Array, " B"]:
        """How many tokens each row holds."""
        return self.next_slot - self.starts


def place_prompt(
    x: Float[Array, "B T K H"], shifts: Int[Array, " B"], capacity: int
) -> Float[Array, "B K S H"]:
    """Moves each row's first tokens so that all rows end at slot T, and appends empty slots.

    Args:
        x: keys or values, tokens first and padding behind.
        shifts: how much padding each row has.
        capacity: S, at least T.

    Returns:
        The slots.
    """
    length = x.shape[1]
    source = (jnp.arange(length) - shifts[:, None]) % length
    moved = jnp.take_along_axis(x, source[:, :, None, None], axis=1)
    return jnp.pad(jnp.swapaxes(moved, 1, 2), ((0, 0), (0, 0), (0, capacity - length), (0, 0)))


def write_token(
    slots: Float[Array, "B K S H"], x: Float[Array, "B 1 K H"], slot: Int[Array, ""]
) -> Float[Array, "B K S H"]:
    """Writes the key or value of one token a row.

    Args:
        slots: what is there.
        x: what is written.
        slot: where, the same in every row.

    Returns:
        The slots with it.
    """
    zero = jnp.zeros((), slot.dtype)
    new = jnp.swapaxes(x, 1, 2).astype(slots.dtype)
    return jax.lax.dynamic_update_slice(slots, new, (zero, zero, slot, zero))
