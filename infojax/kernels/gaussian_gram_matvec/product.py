"""The product exp(-|a_i - b_j|^2) v as one operation, with what transformations make of it.

It is linear in v, and its transpose is the product with a and b exchanged, so that derivatives
in v run on the same kernel as the product itself. The derivative in the points is blocked XLA.
All of them are again made of this operation or of plain XLA: every mode and order works.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from infojax.kernels import dispatch
from infojax.kernels.gaussian_gram_matvec import pallas_gpu, pallas_tpu, reference, xla
from infojax.kernels.varying import vary_like

IMPLEMENTATIONS = {
    "reference": reference.product,
    "xla": xla.product,
    "pallas_tpu": pallas_tpu.product,
    "pallas_gpu": pallas_gpu.product,
}
# What the kernels hold in one tile; more vectors are taken in several products.
_VECTORS = 64
_COORDINATES = 1024


def _in_turns(function, a, b, vectors, **options) -> jax.Array:
    """Takes many vectors a few at a time."""
    width = vectors.shape[2]
    parts = [
        function(a, b, vectors[:, :, start : start + _VECTORS], **options)
        for start in range(0, width, _VECTORS)
    ]
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, 2)


def evaluate(
    a: jax.Array,
    b: jax.Array,
    vectors: jax.Array,
    *,
    same: bool,
    implementation: str | None,
    interpret: bool,
) -> jax.Array:
    """Calls an implementation, without a derivative.

    Args:
        a: points of the rows, (B, N, D).
        b: points of the columns, (B, M, D).
        vectors: (B, M, R), of the same type.
        same: whether a and b are the same points.
        implementation: a name, or None for the platform's own.
        interpret: whether to interpret the named kernel.

    Returns:
        (B, N, R).

    Raises:
        NotImplementedError: the named implementation cannot take the arguments, or cannot run
            on the platform.
    """
    reason = None
    if 0 in (*a.shape, *vectors.shape):
        reason = f"takes no empty arrays, got {a.shape} and {vectors.shape}"
    elif a.dtype != jnp.float32:
        reason = f"computes in float32, got {a.dtype}"
    wide = f"takes up to {_COORDINATES} coordinates, got {a.shape[2]}"
    refused = {
        "pallas_tpu": reason or (wide if a.shape[2] > _COORDINATES else None),
        "pallas_gpu": reason,
    }
    functions = {
        name: functools.partial(function, same=same) for name, function in IMPLEMENTATIONS.items()
    }
    if 0 in (*a.shape, *vectors.shape):
        functions["xla"] = functions["reference"]
    for name in refused:
        options = {"interpret": True} if interpret else {}
        functions[name] = functools.partial(_in_turns, functions[name], **options)
    if interpret and implementation is not None and refused[implementation] is None:
        return functions[implementation](a, b, vectors)
    return dispatch.call(implementation, functions, (a, b, vectors), default="xla", refused=refused)


_product = Primitive("infojax_gaussian_gram_product")
mlir.register_lowering(_product, mlir.lower_fun(evaluate, multiple_results=False))


def product(a: jax.Array, b: jax.Array, vectors: jax.Array, **options) -> jax.Array:
    """Applies exp(-|a_i - b_j|^2) to vectors; differentiable in every argument, in every mode.

    Args:
        a: points of the rows, (B, N, D).
        b: points of the columns, (B, M, D).
        vectors: (B, M, R), of the same type.
        **options: those of `evaluate`.

    Returns:
        (B, N, R).
    """
    a, b, vectors = vary_like((a, b, vectors), a, b, vectors)
    return _product.bind(a, b, vectors, **options)


@_product.def_abstract_eval
def _(a, b, vectors, **options):
    return a.update(shape=(*a.shape[:2], vectors.shape[2]), weak_type=False)


_compiled = jax.jit(evaluate, static_argnames=("same", "implementation", "interpret"))


@_product.def_impl
def _(a, b, vectors, **options):
    return _compiled(a, b, vectors, **options)


def _jvp(primals, tangents, *, same, **options):
    a, b, vectors = primals
    a_dot, b_dot, vectors_dot = tangents
    value = product(a, b, vectors, same=same, **options)
    terms = []
    if not isinstance(vectors_dot, ad.Zero):
        terms.append(product(a, b, vectors_dot, same=same, **options))
    if not (isinstance(a_dot, ad.Zero) and isinstance(b_dot, ad.Zero)):
        a_dot, b_dot = (ad.instantiate_zeros(x) for x in (a_dot, b_dot))
        terms.append(xla.product_tangent(a, b, vectors, a_dot, b_dot, same=same))
    return value, functools.reduce(jnp.add, terms)


def _transpose(cotangent, a, b, vectors, **options):
    if isinstance(cotangent, ad.Zero):
        return None, None, ad.Zero(vectors.aval)
    return None, None, product(b, a, cotangent, **options)


def _batch(arguments, dimensions, **options):
    size = next(x.shape[d] for x, d in zip(arguments, dimensions, strict=True) if d is not None)
    a, b, vectors = arguments
    if dimensions[0] is None and dimensions[1] is None:
        # Several vectors for the same points share the Gram matrix.
        vectors = jnp.moveaxis(vectors, dimensions[2], 2)
        batch, others, _, width = vectors.shape
        out = product(a, b, vectors.reshape(batch, others, size * width), **options)
        return out.reshape(batch, a.shape[1], size, width), 2
    moved = [
        jnp.broadcast_to(x, (size, *x.shape)) if d is None else jnp.moveaxis(x, d, 0)
        for x, d in zip(arguments, dimensions, strict=True)
    ]
    out = product(*(x.reshape(math.prod(x.shape[:2]), *x.shape[2:]) for x in moved), **options)
    return out.reshape(*moved[0].shape[:2], *out.shape[1:]), 0


ad.primitive_jvps[_product] = _jvp
ad.primitive_transposes[_product] = _transpose
batching.primitive_batchers[_product] = _batch
