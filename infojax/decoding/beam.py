"""Beam search of fixed size, compiled: any model that maps tokens and a state to logits."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from infojax import checks

Step = Callable[[jax.Array, Any], tuple[jax.Array, Any]]


class BeamSearch(NamedTuple):
    """The best continuations that were found, best first.

    Attributes:
        tokens: (B, K, L), filled up with the padding token after a stop.
        scores: log probability over a power of the length, (B, K); -inf where fewer than K
            continuations exist.
        lengths: number of tokens, the stop token included, (B, K).
    """

    tokens: Int[Array, "B K L"]
    scores: Float[Array, "B K"]
    lengths: Int[Array, "B K"]


class _Search(NamedTuple):
    number: jax.Array
    tokens: jax.Array  # of the beams that go on, (B, K, L)
    log_p: jax.Array  # (B, K)
    last: jax.Array  # (B, K)
    state: Any
    done: BeamSearch


def _pick(tree: Any, which: jax.Array) -> Any:
    """Reorders the beams, leaves (B, K, ...), by (B, K')."""

    def leaf(x):
        return jnp.take_along_axis(x, which.reshape(*which.shape, *[1] * (x.ndim - 2)), 1)

    return jax.tree.map(leaf, tree)


def _best(finished: BeamSearch, more: BeamSearch, number: int) -> BeamSearch:
    """The best of two sets of finished continuations."""
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b], 1), finished, more)
    scores, which = jax.lax.top_k(both.scores, number)
    return BeamSearch(_pick(both.tokens, which), scores, _pick(both.lengths, which))


def _flat(tree: Any, batch: int, beams: int) -> Any:
    return jax.tree.map(lambda x: x.reshape(batch * beams, *x.shape[2:]), tree)


def _advance(search: _Search, step: Step, stop_token: int | None, power: float) -> _Search:
    batch, beams, _ = search.tokens.shape
    logits, state = step(search.last.reshape(-1), _flat(search.state, batch, beams))
    if logits.ndim != 2 or logits.shape[0] != batch * beams:
        raise ValueError(f"step must give logits of shape ({batch * beams}, V); {logits.shape}.")
    state = jax.tree.map(lambda x: x.reshape(batch, beams, *x.shape[1:]), state)
    wide = logits.astype(search.log_p.dtype)
    size = logits.shape[-1]
    log_p = jax.nn.log_softmax(wide).reshape(batch, beams, size) + search.log_p[..., None]
    # With twice as many as beams, K go on even if a stop is best for each beam.
    found, at = jax.lax.top_k(log_p.reshape(batch, -1), min(2 * beams, beams * size))
    parent, token = at // size, at % size
    tokens = _pick(search.tokens, parent).at[:, :, search.number].set(token)
    number = search.number + 1
    stops = jnp.zeros_like(token, bool) if stop_token is None else token == stop_token
    length = jnp.full_like(token, number)
    ended = jnp.where(stops, found / number.astype(found.dtype) ** power, -jnp.inf)
    done = _best(search.done, BeamSearch(tokens, ended, length), beams)
    open_ = jnp.where(stops, -jnp.inf, found)
    fill = beams - open_.shape[1]
    if fill > 0:
        open_ = jnp.pad(open_, ((0, 0), (0, fill)), constant_values=-jnp.inf)
        parent, token = (jnp.pad(x, ((0, 0), (0, fill))) for x in (parent, token))
        tokens = jnp.pad(tokens, ((0, 0), (0, fill), (0, 0)))
    log_p, which = jax.lax.top_k(open_, beams)
    return _Search(
        number,
        _pick(tokens, which),
        log_p,
        _pick(token, which),
        _pick(state, _pick(parent, which)),
        done,
    )


def _may_improve(search: _Search, limit: int, power: float) -> jax.Array:
    """Whether a beam may still beat the worst of the finished ones.

    A log probability only falls; divided by a power of the length its best is at the greatest
    length where the power is positive, at the present one where it is negative.
    """
    length = limit if power > 0 else search.number + 1
    bound = search.log_p[:, 0] / jnp.asarray(length, search.log_p.dtype) ** power
    return jnp.any(bound > search.done.scores[:, -1])


@functools.partial(
    jax.jit,
    static_argnames=("step", "beams", "limit", "stop_token", "pad_token", "power"),
)
def _search(step, first, state, beams, limit, stop_token, pad_token, power) -> BeamSearch:
    batch = first.shape[0]

    def repeat(x):
        return jnp.repeat(x[:, None], beams, 1)

    kind = jnp.result_type(float)
    empty = jnp.full((batch, beams, limit), pad_token, jnp.int32)
    nothing = jnp.full((batch, beams), -jnp.inf, kind)
    search = _Search(
        jnp.asarray(0, jnp.int32),
        empty,
        nothing.at[:, 0].set(0),
        repeat(first.astype(jnp.int32)),
        jax.tree.map(repeat, state),
        BeamSearch(empty, nothing, jnp.zeros((batch, beams), jnp.int32)),
    )
    search = jax.lax.while_loop(
        lambda search: (search.number < limit) & _may_improve(search, limit, power),
        lambda search: _advance(search, step, stop_token, power),
        search,
    )
    at_limit = search.number == limit
    scores = jnp.where(at_limit, search.log_p / jnp.asarray(limit, kind) ** power, -jnp.inf)
    rest = BeamSearch(search.tokens, scores, jnp.full((batch, beams), limit, jnp.int32))
    found = _best(search.done, rest, beams)
    places = jnp.arange(limit)
    tokens = jnp.where(places < found.lengths[..., None], found.tokens, pad_token)
    return found._replace(
        tokens=tokens, lengths=jnp.where(found.scores > -jnp.inf, found.lengths, 0)
    )


def beam_search(
    step: Step,
    first_token: Int[Array, " B"],
    state: Any,
    *,
    num_beams: int,
    max_new_tokens: int,
    stop_token: int | None = None,
    pad_token: int = 0,
    length_penalty: float = 0.0,
) -> BeamSearch:
    r"""Searches for the most probable continuations, K at a time.

    The K best beginnings are kept; each step extends them by every token. A continuation ends at
    the stop token or at `max_new_tokens`, and scores $\log p / L^{\gamma}$ with its length L. The
    search ends early once no beginning can beat the worst of K finished ones. With enough beams
    it is exhaustive.

    Args:
        step: from tokens (B * K,) and a state, a pytree whose leaves have that leading axis, to
            logits (B * K, V) and the new state. The same function object compiles once.
        first_token: what the first step is given, such as the prompt's last token.
        state: the state before it, a pytree of arrays with leading axis B.
        num_beams: K.
        max_new_tokens: the greatest length.
        stop_token: the token that ends a continuation; None for none.
        pad_token: fills the tokens after the end.
        length_penalty: gamma; 0 compares log probabilities, above 0 favours long continuations.

    Returns:
        K continuations of each row, best first, with scores and lengths.

    Raises:
        TypeError: `step` cannot be called, or `first_token` is not of integers.
        ValueError: `first_token` has not one axis; a size below 1; leaves of `state` or logits
            of another leading axis.

    Reference:
        Graves 2012, arXiv 1211.3711; Wu et al. 2016, arXiv 1609.08144, for the length penalty.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import decoding
        >>> law = jnp.log(jnp.array([[0.1, 0.6, 0.3], [0.4, 0.3, 0.3], [0.9, 0.05, 0.05]]))
        >>> found = decoding.beam_search(
        ...     lambda token, state: (law[token], state), jnp.array([0]), (),
        ...     num_beams=2, max_new_tokens=2,
        ... )
        >>> print(found.tokens[0].tolist(), jnp.exp(found.scores[0]))
        [[2, 0], [1, 0]] [0.27 0.24]
    """
    if not callable(step):
        raise TypeError(f"step must be callable; got {step!r}.")
    first_token = jnp.asarray(first_token)
    if not jnp.issubdtype(first_token.dtype, jnp.integer):
        raise TypeError(f"first_token must be integers; got {first_token.dtype}.")
    if first_token.ndim != 1:
        raise ValueError(f"first_token must have shape (B,); got {first_token.shape}.")
    for leaf in jax.tree.leaves(state):
        if jnp.shape(leaf)[:1] != first_token.shape:
            raise ValueError(
                f"state must have leaves with leading axis {first_token.shape[0]}; "
                f"got {jnp.shape(leaf)}."
            )
    return _search(
        step,
        first_token,
        jax.tree.map(jnp.asarray, state),
        checks.positive_integer("num_beams", num_beams),
        checks.positive_integer("max_new_tokens", max_new_tokens),
        stop_token,
        int(pad_token),
        float(length_penalty),
    )
