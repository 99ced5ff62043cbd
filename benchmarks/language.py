"""Benchmark of the language model's decode step against the products that it cannot avoid."""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from benchmarks.measure import Table, in_turn, rows_against_peers, times_slower
from infojax.nn import language

_LIMIT = "its matrix products alone"
_BAR = "<= 2"
_STEPS = 16  # of one call, so that a call's own cost counts for little


def _model(quick: bool) -> language.LanguageModel:
    config = language.LanguageModelConfig(
        width=32 if quick else 512,
        num_layers=2 if quick else 6,
        num_heads=4 if quick else 8,
        num_key_value_heads=2 if quick else 4,
    )
    return language.LanguageModel(config, rngs=nnx.Rngs(0))


def _decode(structure, state, token, cache):
    """Greedy steps in a loop that carries the cache, as `generate` makes them."""
    model = nnx.merge(structure, state)

    def step(_, carry):
        token, cache = carry
        logits, cache, _ = model.append_token(token, cache, False)
        return jnp.argmax(logits, -1).astype(jnp.int32), cache

    return jax.lax.fori_loop(0, _STEPS, step, (token, cache))


def _matrices(model: language.LanguageModel) -> list[list[jax.Array]]:
    """The weights that a step reads, by layer, and the table of logits last."""
    layers = [
        [
            block.attention.query_key_value.kernel[...],
            block.attention.output.kernel[...],
            block.feed_forward.inner.kernel[...],
            block.feed_forward.outer.kernel[...],
        ]
        for block in model.blocks
    ]
    return [*layers, [model.embedding[: model.config.vocabulary_size].T]]


def _products(matrices: Sequence[Sequence[jax.Array]], x: jax.Array) -> jax.Array:
    """As many steps of the bare products, each fed by the last, so that none is left out."""

    def step(_, x):
        for matrix in (matrix for layer in matrices for matrix in layer):
            inputs = matrix.shape[0]
            fed = x[:, :inputs] if x.shape[1] >= inputs else jnp.tile(x, -(-inputs // x.shape[1]))
            x = fed[:, :inputs] @ matrix
        return jnp.tile(x, (1, 2))[:, : matrices[0][0].shape[0]] * 1e-3

    return jax.lax.fori_loop(0, _STEPS, step, x)


def _contenders(model, batch: int, length: int, capacity: int) -> dict[str, Callable]:
    prompts = jax.random.randint(jax.random.key(1), (batch, length), 0, 256)
    prefill = jax.jit(functools.partial(model.prefill, capacity=capacity))
    logits, cache = prefill(prompts)
    token = jnp.argmax(logits, -1).astype(jnp.int32)
    structure, state = nnx.split(model)
    decode = jax.jit(_decode, static_argnums=0)
    products = jax.jit(_products)
    matrices = _matrices(model)
    x = jax.random.normal(jax.random.key(2), (batch, model.config.width))
    return {
        "infojax": lambda: decode(structure, state, token, cache),
        _LIMIT: lambda: products(matrices, x),
    }


def language_decode_step(repeats: int, quick: bool) -> Table:
    """Times a step of decoding against the bare products of the same step.

    Args:
        repeats: counted calls.
        quick: whether to run tiny sizes.

    Returns:
        The table.
    """
    model = _model(quick)
    weights = sum(x.size for layer in _matrices(model) for x in layer)
    length, capacity = (8, 32) if quick else (240, 512)
    rows = []
    for batch in (1, 8):
        contenders = _contenders(model, batch, length, capacity)
        times = {
            name: times.shared_by(_STEPS) for name, times in in_turn(contenders, repeats).items()
        }
        case = (
            f"batch {batch}, {model.config.num_layers} layers, width {model.config.width}, "
            f"{capacity} slots"
        )
        rows += rows_against_peers(case, times, ratio=times_slower, bars={_LIMIT: _BAR})
    return Table(
        title="A step of decoding with a cache",
        note=f"Seconds a step, median (least .. most), float32; {_STEPS} steps a call, in one "
        "compiled loop that carries the cache. The limit is the time, in the same run, of the "
        f"step's products with all its {weights / 1e6:.1f} million weights (attention's "
        "projections, feed-forward layers, logits) and nothing else: neither norms, positions, "
        f"attention over {capacity} slots nor the cache. ratio = infojax / limit.",
        rows=tuple(rows),
    )
