"""The step from logits to tokens: at random, or the most probable."""

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from infojax.decoding.arguments import check_rows, rows_are_valid, take_logits, wide
from infojax.decoding.temperatures import Transform

_BLOCK = 128


def _first_above(weights: jax.Array, share: jax.Array) -> jax.Array:
    """The first place of each row at which the running sum exceeds a share of the whole.

    A place of weight zero is never found: the sum does not grow there, and rounding at the end
    stops at the last place with a weight.
    """
    sums = jnp.cumsum(weights, -1)
    place = jnp.sum(sums <= share[:, None] * sums[:, -1:], -1)
    index = jnp.arange(weights.shape[-1])
    last = jnp.max(jnp.where(weights > 0, index, 0), -1)
    return jnp.minimum(place, last)


@jax.jit
def _sample(uniform, logits):
    s = wide(logits)
    peak = jnp.max(s, -1, keepdims=True)
    weights = jnp.exp(s - peak)
    fill = -weights.shape[-1] % _BLOCK
    blocks = jnp.pad(weights, ((0, 0), (0, fill))).reshape(weights.shape[0], -1, _BLOCK)
    sums = jnp.sum(blocks, -1)
    valid = rows_are_valid(peak[:, 0], jnp.sum(sums, -1))
    block = _first_above(sums, uniform[0])
    chosen = jnp.take_along_axis(blocks, block[:, None, None], 1)[:, 0]
    token = block * _BLOCK + _first_above(chosen, uniform[1])
    return jnp.where(valid, token, -1).astype(jnp.int32), valid


def sample(
    key: PRNGKeyArray, logits: Float[Array, "*B V"], transform: Transform | None = None
) -> Int[Array, "*B"]:
    """Draws a token of each row from softmax(transform(logits)).

    By the inverse of the cumulative law, in two steps (a block of tokens, a token of the block):
    two random numbers a row instead of one a token. A token with logit -inf is never drawn.

    Args:
        key: a random key. Row number i gives the same token whatever the other rows hold.
        logits: unnormalised log probabilities; -inf for impossible tokens.
        transform: a function of logits, such as those of this package or a `chain` of them.

    Returns:
        The tokens, int32.

    Raises:
        TypeError: `logits` is not of floating type, or `transform` cannot be called.
        ValueError: no token; `transform` changes the shape; a logit is NaN or +inf, or all of a
            row are -inf (at once on concrete arrays, under `checkify.checkify` in traced code,
            where the token is -1).

    Reference:
        Devroye, *Non-Uniform Random Variate Generation*, 1986, section III.2.

    Example:
        >>> import functools, jax, jax.numpy as jnp
        >>> from infojax import decoding
        >>> greedy = functools.partial(decoding.top_k, k=1)
        >>> print(decoding.sample(jax.random.key(0), jnp.array([[0.0, 2.0, 1.0]]), greedy))
        [1]
    """
    logits = take_logits("logits", logits)
    if transform is not None:
        if not callable(transform):
            raise TypeError(f"transform must be callable; got {transform!r}.")
        changed = take_logits("logits", transform(logits))
        if changed.shape != logits.shape:
            raise ValueError(
                f"transform must keep the shape {logits.shape}; it gave {changed.shape}."
            )
        logits = changed
    batch, length = logits.shape[:-1], logits.shape[-1]
    count = math.prod(batch)
    # One stream a row, so that a larger batch changes nothing in the rows before.
    keys = jax.vmap(functools.partial(jax.random.fold_in, key))(jnp.arange(count))
    kind = jnp.promote_types(logits.dtype, jnp.float32)
    uniform = jax.vmap(lambda one: jax.random.uniform(one, (2,), kind))(keys).T
    token, valid = _sample(uniform.reshape(2, count), logits.reshape(count, length))
    check_rows("logits", logits, valid.reshape(batch))
    return token.reshape(batch)


def greedy(logits: Float[Array, "*B V"]) -> Int[Array, "*B"]:
    """The most probable token of each row, the lowest of equal ones.

    Args:
        logits: unnormalised log probabilities.

    Returns:
        The tokens, int32.

    Raises:
        TypeError: `logits` is not of floating type.
        ValueError: no token; a logit is NaN or +inf, or all of a row are -inf (at once on
            concrete arrays, under `checkify.checkify` in traced code, where the token is -1).

    Reference:
        Sutskever, Vinyals and Le 2014, arXiv 1409.3215: a beam of one.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> print(decoding.greedy(jnp.array([[0.0, 2.0, 2.0], [1.0, 0.0, -jnp.inf]])))
        [1 0]
    """
    logits = take_logits("logits", logits)
    s = wide(logits)
    peak = jnp.max(s, -1)
    weight = jnp.sum(jnp.where(s == -jnp.inf, 0, s), -1)
    valid = rows_are_valid(peak, weight)
    check_rows("logits", logits, valid)
    return jnp.where(valid, jnp.argmax(s, -1), -1).astype(jnp.int32)
