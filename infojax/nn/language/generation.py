"""Sampling continuations of prompts: one compiled loop that carries the cache."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from infojax import checks
from infojax.entropies import entropy_from_logits
from infojax.nn.language.model import LanguageModel
from infojax.nn.language.prompts import Padding, take_prompts

_LEAST_PROMPT = 16  # prompts are padded to powers of two from here on, so that few sizes compile


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("tokens", "lengths", "log_likelihoods", "entropies", "attention_entropies"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class Generation:
    """Continuations of prompts; M stands for `max_new_tokens`.

    Attributes:
        tokens: the continuations. Behind a row's end stands the stop token; -1 is a token that
            could not be drawn, for the logits were NaN or nothing was left of them.
        lengths: tokens of each continuation, the stop token included.
        log_likelihoods: of each token under the model's own law, before the transform, in nats;
            0 behind the end.
        entropies: of that law, in nats, 0 behind the end; None if not asked for.
        attention_entropies: of the attention of the token before each new one, by layer and head,
            in nats, 0 behind the end; None if not asked for.
    """

    tokens: Int[Array, "B M"]
    lengths: Int[Array, " B"]
    log_likelihoods: Float[Array, "B M"]
    entropies: Float[Array, "B M"] | None
    attention_entropies: Float[Array, "B M L N"] | None


class _Plan(NamedTuple):
    """What is static in a call."""

    max_new_tokens: int
    capacity: int
    with_entropy: bool
    with_attention_entropy: bool


class _Records(NamedTuple):
    """What is kept of each step, (M, B, ...): a step is one slice."""

    tokens: jax.Array
    log_likelihoods: jax.Array
    entropies: jax.Array | None
    attention_entropies: jax.Array | None


def _draw(logits, keys, step, transform):
    """A token a row by its own key, and its log likelihood under the law before the transform."""
    masked = logits if transform is None else transform(logits)
    if masked.shape != logits.shape:
        raise ValueError(
            f"transform must return logits of the shape {logits.shape}; got {masked.shape}."
        )
    step_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, step)
    token = jax.vmap(jax.random.categorical)(step_keys, masked)
    peak = jnp.max(masked, -1)
    token = jnp.where(jnp.isfinite(peak), token, -1).astype(jnp.int32)
    log_law = jax.nn.log_softmax(logits)
    chosen = jnp.take_along_axis(log_law, jnp.maximum(token, 0)[:, None], axis=-1)[:, 0]
    return token, jnp.where(token < 0, jnp.nan, chosen)


def _write(records: _Records, step, row: _Records) -> _Records:
    def put(buffer, value):
        return jax.lax.dynamic_update_index_in_dim(buffer, value.astype(buffer.dtype), step, 0)

    return jax.tree.map(put, records, row)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _generate(plan: _Plan, structure, parameters, tokens, lengths, keys, transform, stop):
    model: LanguageModel = nnx.merge(structure, parameters)
    batch, most = tokens.shape[0], plan.max_new_tokens

    def unfinished(carry):
        step, ended, *_ = carry
        return (step < most) & ~jnp.all(ended)

    def advance(carry):
        step, ended, counts, logits, entropy, cache, records = carry
        token, likelihood = _draw(logits, keys, step, transform)
        token = jnp.where(ended, stop, token)
        alive = ~ended

        def of_alive(values):
            shape = (batch,) + (1,) * (values.ndim - 1)
            return jnp.where(alive.reshape(shape), values, 0)

        law_entropy = entropy_from_logits(logits) if plan.with_entropy else None
        row = _Records(token, likelihood, law_entropy, entropy)
        kept = row._replace(
            **{k: of_alive(v) for k, v in row._asdict().items() if k != "tokens" and v is not None}
        )
        records = _write(records, step, kept)
        ended |= token == stop
        logits, cache, entropy = model.append_token(token, cache, plan.with_attention_entropy)
        return step + 1, ended, counts + alive, logits, entropy, cache, records

    logits, cache, entropy = model.read_prompts(
        tokens, lengths, plan.capacity, plan.with_attention_entropy
    )

    def empty(shape, dtype=jnp.float32):
        return jnp.zeros((most, *shape), dtype)

    records = _Records(
        jnp.full((most, batch), stop, jnp.int32),
        empty((batch,)),
        empty((batch,)) if plan.with_entropy else None,
        None if entropy is None else empty(entropy.shape),
    )
    start = (
        jnp.asarray(0, jnp.int32),
        jnp.zeros(batch, bool),
        jnp.zeros(batch, jnp.int32),
        logits,
        entropy,
        cache,
        records,
    )
    _, _, counts, _, _, _, records = jax.lax.while_loop(unfinished, advance, start)
    rows = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), records)
    return Generation(rows.tokens, counts, *rows[1:])


def _row_keys(key: jax.Array, batch: int) -> jax.Array:
    """A key for each row; one key is split by the row's number, whatever the batch."""
    if key.shape == (batch,):
        return key
    if key.shape != ():
        raise ValueError(f"key must be one key or one for each of {batch} rows; got {key.shape}.")
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(batch))


def _capacity(capacity: int | None, columns: int, most: int) -> tuple[int, int]:
    """The length to which prompts are padded, and the capacity of the cache."""
    padded = max(_LEAST_PROMPT, 1 << (columns - 1).bit_length())
    if capacity is None:
        return padded, padded + most
    slots = checks.positive_integer("capacity", capacity)
    if slots < columns + most:
        raise ValueError(
            f"capacity must hold the {columns} tokens of the prompts and max_new_tokens = {most}, "
            f"{columns + most} together; got {slots}."
        )
    return min(padded, slots - most), slots


def generate(
    model: LanguageModel,
    prompts: Int[Array, "B T"],
    lengths: Int[Array, " B"] | None = None,
    *,
    key: PRNGKeyArray,
    max_new_tokens: int,
    transform: Callable[[Float[Array, "B V"]], Float[Array, "B V"]] | None = None,
    stop_token: int | None = None,
    capacity: int | None = None,
    padding: Padding = "right",
    return_entropies: bool = False,
    return_attention_entropies: bool = False,
) -> Generation:
    r"""Samples a continuation of each prompt.

    Token t of a row is drawn from $\mathrm{softmax}(f(\ell_t))$, with $\ell_t$ the model's logits
    behind what the row holds so far and f the transform. Each row draws by a key of its own, so
    that its continuation depends neither on the rows beside it nor on the padding. One program for
    each shape, a `lax.while_loop` that ends when every row has met the stop token.

    Args:
        model: the model.
        prompts: tokens, padded to one length.
        lengths: of each prompt; None where all are whole.
        key: one key, from which row b takes `jax.random.fold_in(key, b)`; or a key for each row.
        max_new_tokens: M.
        transform: from logits to logits, such as a truncation that sets some to -inf; None for the
            model's law. Pass the same object again to compile once; as `jax.tree_util.Partial`
            its arguments are traced, so that other values of them compile nothing.
        stop_token: ends a row, and is its last token; None for none.
        capacity: slots of the cache, at least T + M; None for little more than that.
        padding: the side on which the prompts' padding is.
        return_entropies: whether to return the entropy of the model's law at each step.
        return_attention_entropies: whether to return those of its attention.

    Returns:
        The continuations.

    Raises:
        TypeError: `prompts` or `lengths` are not whole numbers, `transform` is not callable, or a
            size is no whole number.
        ValueError: an empty prompt, a token outside the vocabulary, a capacity that is too small,
            keys that do not fit, a stop token that is never predicted, or a transform that changes
            the shape.

    Example:
        >>> import jax
        >>> from flax import nnx
        >>> from infojax.nn import language
        >>> config = language.LanguageModelConfig(width=16, num_layers=1, num_heads=2)
        >>> model = language.LanguageModel(config, rngs=nnx.Rngs(0))
        >>> prompts, lengths = language.encode_texts(["To be", "or not"])
        >>> made = language.generate(
        ...     model, prompts, lengths, key=jax.random.key(0), max_new_tokens=8
        ... )
        >>> print(made.tokens.shape, made.lengths)
        (2, 8) [8 8]
    """
    most = checks.positive_integer("max_new_tokens", max_new_tokens)
    if transform is not None and not callable(transform):
        raise TypeError(f"transform must be callable or None; got {transform!r}.")
    vocabulary = model.config.vocabulary_size
    if stop_token is not None and not 0 <= stop_token < vocabulary:
        raise ValueError(f"stop_token must be 0 to {vocabulary - 1}; got {stop_token!r}.")
    tokens, counts = take_prompts(prompts, lengths, model.config, padding)
    padded, slots = _capacity(capacity, tokens.shape[1], most)
    tokens = jnp.pad(tokens, ((0, 0), (0, padded - tokens.shape[1])))
    keys = _row_keys(key, tokens.shape[0])
    plan = _Plan(most, slots, bool(return_entropies), bool(return_attention_entropies))
    structure, parameters = nnx.split(model)
    # -2 is no token and not the mark of one that could not be drawn.
    stop = jnp.asarray(-2 if stop_token is None else stop_token, jnp.int32)
    return _generate(plan, structure, parameters, tokens, counts, keys, _as_pytree(transform), stop)


def _as_pytree(transform: Callable | None) -> Any:
    """A function as something that passes through jit: static, but for a Partial's arguments."""
    if transform is None or isinstance(transform, jax.tree_util.Partial):
        return transform
    return jax.tree_util.Partial(transform)
