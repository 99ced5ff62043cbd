"""Searching and counting as operations of one batch axis, into which every `vmap` is folded.

The blocked implementation branches on what it meets (ties, windows that suffice): mapped by
`vmap` it would take every branch. Folded into a batch that it loops over itself, it does not.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

from infojax.kernels import dispatch
from infojax.kernels.nearest_neighbors import reference, xla
from infojax.kernels.varying import vary_like

IMPLEMENTATIONS = ("reference", "xla")


def _fold(primitive: Primitive, arguments, dimensions, **options):
    size = next(x.shape[d] for x, d in zip(arguments, dimensions, strict=True) if d is not None)
    moved = [
        jnp.broadcast_to(x, (size, *x.shape)) if d is None else jnp.moveaxis(x, d, 0)
        for x, d in zip(arguments, dimensions, strict=True)
    ]
    count = size * moved[0].shape[1]
    out = primitive.bind(*(x.reshape(count, *x.shape[2:]) for x in moved), **options)
    return [x.reshape(*moved[0].shape[:2], *x.shape[1:]) for x in out], [0] * len(out)


def _make(name: str, functions: dict[str, Callable], abstract: Callable) -> Primitive:
    """An operation with a function for each implementation, without a derivative."""

    def evaluate(*arguments, implementation, **options):
        empty = any(x.size == 0 for x in arguments)
        chosen = {key: functools.partial(f, **options) for key, f in functions.items()}
        if empty:
            chosen["xla"] = chosen["reference"]
        return dispatch.call(implementation, chosen, arguments, default="xla")

    compiled = jax.jit(
        evaluate,
        static_argnames=("implementation", "k", "metric", "same", "indices", "closed"),
    )
    primitive = Primitive(f"infojax_{name}")
    primitive.multiple_results = True
    primitive.def_abstract_eval(abstract)
    primitive.def_impl(compiled)
    mlir.register_lowering(primitive, mlir.lower_fun(evaluate, multiple_results=True))
    batching.primitive_batchers[primitive] = functools.partial(_fold, primitive)
    return primitive


def _search_shapes(a, b, *labels, k, indices, **options):
    distances = a.update(shape=(*a.shape[:2], k), weak_type=False)
    return [distances, distances.update(dtype=jnp.dtype("int32"))] if indices else [distances]


def _count_shapes(a, b, radius, **options):
    return [radius.update(dtype=jnp.dtype("int32"), weak_type=False)]


_search = _make(
    "nearest_neighbors", {"reference": reference.search, "xla": xla.search}, _search_shapes
)
_count = _make("count_neighbors", {"reference": reference.count, "xla": xla.count}, _count_shapes)


def search(a: jax.Array, b: jax.Array, labels: tuple[jax.Array, ...], **options) -> list[jax.Array]:
    """Finds the k nearest of b to each a, without a derivative.

    Args:
        a: points of the rows, (B, N, D).
        b: points of the columns, (B, M, D).
        labels: none, or those of a and of b.
        **options: those of `reference.search`, and `implementation`.

    Returns:
        Distances, and places where asked for.
    """
    arrays = jax.lax.stop_gradient((a, b, *labels))
    return _search.bind(*vary_like(arrays, *arrays), **options)


def count(a: jax.Array, b: jax.Array, radius: jax.Array, **options) -> jax.Array:
    """Counts the points of b within radii around each a.

    Args:
        a: points of the rows, (B, N, D).
        b: points of the columns, (B, M, D).
        radius: (B, N, R).
        **options: those of `reference.count`, and `implementation`.

    Returns:
        int32, (B, N, R).
    """
    arrays = jax.lax.stop_gradient((a, b, radius))
    return _count.bind(*vary_like(arrays, *arrays), **options)[0]
