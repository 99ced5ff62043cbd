"""Matrix-free Gaussian Gram products: values, derivatives, memory, and compiled kernels."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import ahead_of_time
from infojax.kernels import gaussian_gram_matvec as gram
from tests import devices

_IMPLEMENTATIONS = ("reference", "xla", "pallas_tpu", "pallas_gpu")
_KERNELS = ("pallas_tpu", "pallas_gpu")


def _options(implementation):
    return {"implementation": implementation, "interpret": implementation in _KERNELS}


def _draw(*shapes, seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def _exact(x, y, sigma):
    """The Gram matrix from differences, in float64."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    squares = ((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(-1)
    return np.exp(-squares / (2 * sigma**2))


@pytest.mark.parametrize("implementation", _IMPLEMENTATIONS)
@pytest.mark.parametrize(
    ("n", "m", "d", "r"), [(1, 1, 1, 1), (7, 131, 3, 4), (270, 67, 37, 5), (131, 1031, 2, 64)]
)
def test_values(implementation, n, m, d, r):
    x, y, vectors, own = _draw((n, d), (m, d), (m, r), (n, r))
    sigma = 0.7 * np.sqrt(d)
    for points, weights in ((y, vectors), (None, own)):
        found = gram.gaussian_gram_matvec(
            x, weights, sigma=sigma, y=points, **_options(implementation)
        )
        expected = _exact(x, x if points is None else points, sigma) @ weights.astype(float)
        assert found.dtype == jnp.float32
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=2e-6)


@pytest.mark.parametrize("implementation", _KERNELS)
def test_many_coordinates_vectors_and_batches(implementation):
    x, vectors = _draw((2, 3, 70, 300), (2, 3, 70, 131))
    sigma = np.array([9.0, 14.0, 20.0], np.float32)
    found = gram.gaussian_gram_matvec(x, vectors, sigma=sigma, **_options(implementation))
    expected = np.einsum("abnm,abmr->abnr", _exact(x, x, sigma[:, None, None]), vectors)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=3e-5)


@pytest.mark.parametrize("implementation", ["xla", *_KERNELS])
def test_data_far_from_the_origin(implementation):
    """Without a common centre the exponents would be off by 1e6 times float32's rounding."""
    (x,) = _draw((300, 16))
    x = x + np.float32(1e3)
    for sigma in (0.5, 2.0):
        found = gram.gaussian_gram_row_sums(x, sigma=sigma, **_options(implementation))
        np.testing.assert_allclose(found, _exact(x, x, sigma).sum(1), rtol=2e-6)


@pytest.mark.parametrize("implementation", ["xla", *_KERNELS])
def test_the_diagonal_is_one_and_coincident_points_do_not_overshoot(implementation):
    (x,) = _draw((600, 5))
    x = x * np.float32(40)
    alone = gram.gaussian_gram_row_sums(x, sigma=1e-3, **_options(implementation))
    np.testing.assert_array_equal(alone, 1)
    same = np.repeat(x[:1], 130, 0)
    twins = gram.gaussian_gram_row_sums(same, sigma=0.1, y=same, **_options(implementation))
    assert np.all(np.asarray(twins) <= 130)


@pytest.mark.parametrize("implementation", _IMPLEMENTATIONS)
def test_masked_points_may_hold_anything(implementation):
    x, y, vectors = _draw((9, 3), (140, 3), (140, 2))
    keep = np.arange(140) % 3 > 0
    y[~keep], vectors[~keep] = np.nan, np.inf
    found = gram.gaussian_gram_matvec(
        x, vectors, sigma=1.0, y=y, where=keep, **_options(implementation)
    )
    expected = _exact(x, y[keep], 1.0) @ vectors[keep]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    own = gram.gaussian_gram_row_sums(y, sigma=1.0, where=keep, **_options(implementation))
    np.testing.assert_allclose(own[keep], _exact(y[keep], y[keep], 1.0).sum(1), rtol=1e-5)


def _loss(x, y, vectors, sigma, options):
    return jnp.sum(jnp.sin(gram.gaussian_gram_matvec(x, vectors, sigma=sigma, y=y, **options)))


@functools.cache
def _true_derivatives():
    """By jax.grad of the materialised form, in float64."""
    arrays = _draw((9, 3), (6, 3), (6, 2))
    along = _draw((9, 3), (6, 3), (6, 2), (), seed=1)

    def plain(x, y, vectors, sigma):
        squares = jnp.sum((x[:, None] - y) ** 2, -1)
        return jnp.sum(jnp.sin(jnp.exp(-squares / (2 * sigma**2)) @ vectors))

    with jax.enable_x64(True):
        primals = [jnp.asarray(a, jnp.float64) for a in (*arrays, 1.3)]
        tangents = [jnp.asarray(a, jnp.float64) for a in along]
        gradient, second = jax.jvp(jax.grad(plain, (0, 1, 2, 3)), primals, tangents)
        return arrays, along, jax.tree.map(np.asarray, (gradient, second))


@pytest.mark.parametrize("implementation", [None, *_KERNELS])
def test_derivatives_in_every_mode(implementation):
    arrays, along, (gradient, second) = _true_derivatives()
    primals = tuple(jnp.asarray(a) for a in (*arrays, np.float32(1.3)))
    tangents = tuple(jnp.asarray(a) for a in along)
    loss = functools.partial(_loss, options=_options(implementation))
    derive = jax.grad(loss, (0, 1, 2, 3))
    found, curved = jax.jit(lambda *p: jax.jvp(derive, p, tangents))(*primals)
    for value, expected in zip((*found, *curved), (*gradient, *second), strict=True):
        np.testing.assert_allclose(value, expected, rtol=2e-5, atol=1e-5)
    forward = jax.jit(lambda *p: jax.jvp(loss, p, tangents)[1])(*primals)
    expected = sum(np.sum(g * t) for g, t in zip(gradient, along, strict=True))
    np.testing.assert_allclose(forward, expected, rtol=1e-5)


@pytest.mark.parametrize("implementation", [None, *_KERNELS])
def test_the_derivative_in_the_points_of_both_sides(implementation):
    x, vectors = (jnp.asarray(a) for a in _draw((11, 3), (11, 2)))
    options = _options(implementation)

    def loss(x):
        return jnp.sum(vectors * gram.gaussian_gram_matvec(x, vectors, sigma=0.9, **options))

    def plain(x):
        squares = jnp.sum((x[:, None] - x) ** 2, -1)
        return jnp.sum(vectors * (jnp.exp(-squares / 1.62) @ vectors))

    found, expected = jax.jit(jax.grad(loss))(x), jax.jit(jax.grad(plain))(x)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5)
    keep = jnp.arange(11) != 4

    def masked_loss(x):
        sums = gram.gaussian_gram_row_sums(x, sigma=0.9, where=keep, **options)
        return jnp.sum(jnp.where(keep, sums, 0))

    masked = jax.jit(jax.grad(masked_loss))(x.at[4].set(jnp.nan))
    np.testing.assert_array_equal(masked[4], 0)
    assert np.all(np.isfinite(masked))


@pytest.mark.parametrize("implementation", [None, *_KERNELS])
def test_under_transformations(implementation):
    x, vectors = (jnp.asarray(a) for a in _draw((3, 40, 4), (3, 40)))

    def apply(x, vector):
        return gram.gaussian_gram_matvec(x, vector, sigma=1.5, **_options(implementation))

    whole = apply(x, vectors)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    close(jax.jit(jax.vmap(apply))(x, vectors), whole)
    close(jax.lax.map(lambda arrays: apply(*arrays), (x, vectors)), whole)
    probes = jax.vmap(apply, (None, 0))(x[0], vectors)
    close(probes, np.asarray(vectors) @ _exact(x[0], x[0], 1.5))
    points = jax.vmap(apply, (0, None))(x, vectors[0])
    close(points[1], apply(x[1], vectors[0]))
    gradient = jax.vmap(jax.grad(lambda x, v: jnp.sum(apply(x, v) ** 2)))(x, vectors)
    close(
        gradient[2], jax.grad(lambda x, v: jnp.sum(apply(x, v) ** 2))(x[2], vectors[2]), atol=1e-4
    )
    with jax.enable_x64(True):
        found = apply(x, vectors)
        assert found.dtype == jnp.float32
        close(found, whole)


def test_precision_of_the_input():
    x, vectors = _draw((40, 4), (40, 2))
    half = gram.gaussian_gram_matvec(jnp.asarray(x, jnp.bfloat16), vectors, sigma=1.5)
    rounded = np.asarray(jnp.asarray(x, jnp.bfloat16), np.float64)
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, _exact(rounded, rounded, 1.5) @ vectors, rtol=1e-5, atol=1e-5)
    with jax.enable_x64(True):
        exact = gram.gaussian_gram_matvec(x.astype(float), vectors, sigma=1.5)
        assert exact.dtype == jnp.float64
        np.testing.assert_allclose(exact, _exact(x, x, 1.5) @ vectors, rtol=1e-12)
        for implementation in _KERNELS:
            with pytest.raises(NotImplementedError, match="float32"):
                gram.gaussian_gram_row_sums(
                    x.astype(float), sigma=1.0, implementation=implementation
                )


@pytest.mark.parametrize("derive", ["value", "reverse", "forward", "second"])
def test_memory_does_not_grow_with_the_matrix(derive):
    def loss(x, vector, sigma):
        return jnp.sum(gram.gaussian_gram_matvec(x, vector, sigma=sigma) ** 2)

    gradient = jax.grad(loss, (0, 1, 2))
    function = {
        "value": loss,
        "reverse": gradient,
        "forward": lambda *a: jax.jvp(loss, a, a)[1],
        "second": lambda *a: jax.jvp(gradient, a, a)[1],
    }[derive]
    count, size = 60_000, 16
    shapes = ahead_of_time.shapes((count, size), (count,), ())
    compiled = jax.jit(function).lower(*shapes).compile()
    # A few tiles and some arrays of the points' size; the matrix has 13.4 GiB.
    limit = (16 << 20) + 16 * 4 * count * size
    assert compiled.memory_analysis().temp_size_in_bytes <= limit


def _diffusion(x, alpha, kind):
    k = _exact(x, x, 0.8)
    q = k.sum(1) ** -alpha
    k = q[:, None] * k * q
    d = k.sum(1)
    return k / np.sqrt(d[:, None] * d) if kind == "symmetric" else k / d[:, None]


@pytest.mark.parametrize(
    ("alpha", "kind"), [(0.0, "symmetric"), (0.5, "random_walk"), (1.0, "symmetric")]
)
def test_diffusion_operators(alpha, kind):
    x, vectors = _draw((37, 3), (37, 2))
    apply = functools.partial(
        gram.normalized_gaussian_gram_matvec, sigma=0.8, alpha=alpha, kind=kind
    )
    expected = _diffusion(x, alpha, kind)
    np.testing.assert_allclose(apply(x, vectors), expected @ vectors, rtol=1e-4, atol=2e-6)
    degrees = gram.gaussian_gram_degrees(x, sigma=0.8, alpha=alpha)
    given = apply(x, vectors[:, 0], degrees=degrees)
    np.testing.assert_allclose(given, expected @ vectors[:, 0], rtol=1e-4, atol=2e-6)
    ones = np.ones(37, np.float32)
    fixed = np.sqrt(degrees.degree) if kind == "symmetric" else ones
    np.testing.assert_allclose(apply(x, fixed), fixed, rtol=3e-6)
    # Masked points are zero rows and columns, and hold anything.
    keep = np.arange(40) % 13 != 5
    wide = np.full((40, 3), np.nan, np.float32)
    wide[keep] = x
    weights = np.full((40, 2), np.nan, np.float32)
    weights[keep] = vectors
    masked = np.asarray(apply(wide, weights, where=keep))
    np.testing.assert_allclose(masked[keep], expected @ vectors, rtol=1e-4, atol=2e-6)
    np.testing.assert_array_equal(masked[~keep], 0)
    loss = jax.jit(jax.grad(lambda x, v, **options: jnp.sum(apply(x, v, **options) ** 2)))
    gradient, plain = loss(wide, weights, where=keep), loss(x, vectors)
    np.testing.assert_allclose(gradient[keep], plain, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(gradient[~keep], 0)


def test_empty_input():
    for x, vectors, shape in [
        ((0, 5, 2), (0, 5), (0, 5)),
        ((5, 2), (5, 0), (5, 0)),
        ((0, 2), (0, 3), (0, 3)),
    ]:
        found = gram.gaussian_gram_matvec(jnp.zeros(x), jnp.zeros(vectors), sigma=1.0)
        assert found.shape == shape
    nothing = gram.gaussian_gram_row_sums(jnp.zeros((4, 2)), y=jnp.zeros((0, 2)), sigma=1.0)
    np.testing.assert_array_equal(nothing, np.zeros(4))


def test_bad_input():
    x, vectors = jnp.zeros((2, 5, 3)), jnp.zeros((2, 5))
    for error, pattern, change in [
        (TypeError, "x must have a floating", {"x": jnp.zeros((2, 5, 3), int)}),
        (TypeError, "vectors must have a floating", {"vectors": jnp.zeros((2, 5), int)}),
        (ValueError, "x must have shape", {"x": jnp.zeros(3)}),
        (ValueError, "x must have shape", {"x": jnp.zeros((2, 5, 0))}),
        (ValueError, "y must have shape", {"y": jnp.zeros((2, 5, 4))}),
        (ValueError, "y must have shape", {"y": jnp.zeros((5, 3))}),
        (ValueError, "vectors must have shape", {"vectors": jnp.zeros((2, 4))}),
        (ValueError, "vectors must have shape", {"vectors": jnp.zeros((2, 5, 1, 1))}),
        (ValueError, "sigma must broadcast", {"sigma": jnp.ones(5)}),
        (TypeError, "where must be boolean", {"where": jnp.ones(5)}),
        (ValueError, "where must broadcast", {"where": jnp.ones(4, bool)}),
        (ValueError, "None or one of", {"implementation": "keops"}),
        (ValueError, "name of a kernel", {"interpret": True}),
    ]:
        arguments = {"x": x, "vectors": vectors, "sigma": 1.0, **change}
        with pytest.raises(error, match=pattern):
            gram.gaussian_gram_matvec(**arguments)
    with pytest.raises(ValueError, match="kind must be one of"):
        gram.normalized_gaussian_gram_matvec(x, vectors, sigma=1.0, kind="left")
    with pytest.raises(NotImplementedError, match="up to 1024 coordinates"):
        gram.gaussian_gram_row_sums(jnp.zeros((2, 1025)), sigma=1.0, implementation="pallas_tpu")
    with pytest.raises(NotImplementedError, match="runs on tpu alone"):
        gram.gaussian_gram_row_sums(x, sigma=1.0, implementation="pallas_tpu")


_SIZES = [(20_000, 16, 1), (20_000, 16, 64), (10_000, 1024, 64), (5_003, 513, 3)]


@pytest.mark.parametrize("generation", ahead_of_time.TPUS)
def test_compiles_for_tpu(generation):
    for count, size, width in (_SIZES[0], _SIZES[2]):
        compiled = ahead_of_time.compile_for_tpu(
            lambda x, vectors: gram.gaussian_gram_matvec(x, vectors, sigma=2.0),
            *ahead_of_time.shapes((count, size), (count, width)),
            generation=generation,
        )
        assert "tpu_custom_call" in compiled.as_text()
    # Backward in the vectors is the same kernel, in the points blocked XLA.
    position = (0, 1) if generation.startswith("v5e") else 0
    backward = ahead_of_time.compile_for_tpu(
        jax.grad(
            lambda v, x, y: jnp.sum(gram.gaussian_gram_matvec(x, v, sigma=2.0, y=y) ** 2), position
        ),
        *ahead_of_time.shapes((7_000,), (20_000, 16), (7_000, 16)),
        generation=generation,
    )
    assert backward.as_text().count("tpu_custom_call") == 2
    assert backward.memory_analysis().temp_size_in_bytes < 200 << 20


@pytest.mark.parametrize(("count", "size", "width"), _SIZES)
def test_compiles_for_cuda_without_much_spilling(count, size, width):
    kernels = ahead_of_time.compile_for_cuda(
        lambda x, vectors: gram.gaussian_gram_matvec(x, vectors, sigma=2.0),
        *ahead_of_time.shapes((count, size), (count, width)),
    )
    (kernel,) = kernels
    assert kernel.shared_bytes <= 99 * 1024 and kernel.stack_bytes <= 16


def test_one_trace_lowers_for_every_platform_in_both_directions():
    x, vectors = (jnp.asarray(a) for a in _draw((70, 3), (70, 2)))
    value = jax.jit(lambda v: gram.gaussian_gram_matvec(x, v, sigma=1.0)).trace(vectors)
    gradient = jax.jit(
        jax.grad(lambda v: jnp.sum(gram.gaussian_gram_matvec(x, v, sigma=1.0) * vectors))
    ).trace(vectors)
    for traced in (value, gradient):
        text = {
            platform: traced.lower(lowering_platforms=(platform,)).as_text()
            for platform in ("cpu", "cuda", "tpu")
        }
        assert "custom_call" not in text["cpu"] and "triton" in text["cuda"]
        assert "tpu_custom_call" in text["tpu"]


_SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from infojax.kernels.gaussian_gram_matvec import gaussian_gram_matvec
mesh = jax.make_mesh((8,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
x = jax.random.normal(jax.random.key(0), (8, 33, 3))
v = jax.random.normal(jax.random.key(1), (8, 33))
y = jax.random.normal(jax.random.key(2), (1, 33, 3))
spec = jax.P("batch")

def apply(x, v, y):  # y does not vary over the mesh, its derivative is a sum over it
    return gaussian_gram_matvec(x, v, sigma=1.0, y=jnp.broadcast_to(y, x.shape))

sharded = jax.jit(jax.shard_map(
    apply, mesh=mesh, in_specs=(spec, spec, jax.P()), out_specs=spec))
np.testing.assert_allclose(sharded(x, v, y), apply(x, v, y), rtol=1e-5, atol=1e-6)
def gradients(f):
    return jax.grad(lambda *a: jnp.sum(jnp.sin(f(*a))), (0, 1, 2))(x, v, y)
for mine, plain in zip(gradients(sharded), gradients(apply)):
    np.testing.assert_allclose(mine, plain, rtol=1e-4, atol=1e-5)
for platform, call in (("tpu", "tpu_custom_call"), ("cuda", "triton")):
    assert call in sharded.trace(x, v, y).lower(lowering_platforms=(platform,)).as_text()
print("fine")
"""


def test_inside_of_shard_map():
    assert devices.run_on_devices(_SHARDED).strip() == "fine"
