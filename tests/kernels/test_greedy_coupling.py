"""The greedy coupling in XLA against the plain scan, and the entry under every transformation."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax.kernels.greedy_coupling import greedy_coupling, reference
from tests import devices

_SHAPES = [
    (1, 1),
    (2, 2),
    (1, 2),
    (7, 13),
    (17, 1),
    (1, 17),
    (63, 64),
    (65, 130),
    (2, 3, 5),
    (1, 19, 1),
]


def _marginals(rng, sizes, batch=(), dtype=np.float32, kind="generic"):
    out = []
    for n in sizes:
        p = rng.exponential(size=(*batch, n))
        if kind == "ties":
            p = rng.integers(0, 5, (*batch, n)).astype(float)
        elif kind == "zeros":
            p *= rng.uniform(size=p.shape) < 0.3
        elif kind == "one_hot":
            p = np.eye(n)[rng.integers(0, n, batch)]
        elif kind == "unequal":
            p *= n
        if kind in ("generic", "zeros"):
            p = p / np.maximum(p.sum(-1, keepdims=True), 1e-9)
        out.append(jnp.asarray(p, dtype))
    return tuple(out)


def _agree(marginals):
    indices, masses = greedy_coupling(marginals, implementation="xla")
    wanted_indices, wanted_masses = greedy_coupling(marginals, implementation="reference")
    steps = sum(p.shape[-1] for p in marginals) - len(marginals) + 1
    assert indices.shape == (*masses.shape, len(marginals)) and masses.shape[-1] == steps
    assert indices.dtype == jnp.int32 and masses.dtype == marginals[0].dtype
    np.testing.assert_array_equal(masses, wanted_masses)
    # Cells that were not needed have mass 0; where they point to is nobody's business.
    made = np.asarray(masses) > 0
    np.testing.assert_array_equal(np.asarray(indices)[made], np.asarray(wanted_indices)[made])
    for side, p in enumerate(marginals):
        assert np.all(indices[..., side] >= 0) and np.all(indices[..., side] < p.shape[-1])
    return indices, masses


@pytest.mark.parametrize("sizes", _SHAPES, ids=str)
def test_same_bits_as_the_reference(sizes):
    rng = np.random.default_rng(sum(sizes))
    kinds = ("generic", "ties", "zeros", "one_hot", "unequal")
    rows = [_marginals(rng, sizes, (2,), kind=kind) for kind in kinds]
    marginals = tuple(jnp.concatenate(column) for column in zip(*rows, strict=True))
    _, masses = _agree(marginals)
    least = np.min([np.asarray(p, float).sum(-1) for p in marginals], axis=0)
    np.testing.assert_allclose(np.sum(masses, -1, dtype=float), least, rtol=1e-5, atol=1e-6)


def test_float64_and_three_large_marginals():
    with jax.enable_x64(True):
        rng = np.random.default_rng(3)
        _agree(_marginals(rng, (65, 33, 20), (2,), np.float64, "ties"))
        indices, masses = _agree(_marginals(rng, (40, 31), (2,), np.float64))
        assert masses.dtype == np.float64 and indices.dtype == np.int32


def test_ties_take_the_lowest_index_across_blocks():
    n = 130  # several blocks of several entries
    indices, masses = greedy_coupling((jnp.ones(n), jnp.ones(n)))
    assert indices[:n].tolist() == [[i, i] for i in range(n)]
    assert masses.tolist() == [1] * n + [0] * (n - 1)


def test_unequal_sums_leave_the_rest():
    indices, masses = greedy_coupling((jnp.array([3.0, 1.0]), jnp.array([2.0])))
    assert masses.tolist() == [2, 0] and indices[0].tolist() == [0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_invalid_masses_end_and_stay_in_range_and_in_their_row(bad):
    p, q = _marginals(np.random.default_rng(0), (20, 9), (3,))
    indices, masses = jax.jit(greedy_coupling)((p.at[1, 4].set(bad), q.at[1, 2].set(bad)))
    assert np.all(indices >= 0) and np.all(indices < np.array([20, 9]))
    good_indices, good_masses = greedy_coupling((p, q))
    for row in (0, 2):
        np.testing.assert_array_equal(masses[row], good_masses[row])
        np.testing.assert_array_equal(indices[row], good_indices[row])


def test_neighbours_padding_and_the_way_of_mapping_change_no_bit():
    rng = np.random.default_rng(1)
    p, q = _marginals(rng, (21, 34), (2, 3))
    indices, masses = greedy_coupling((p, q))
    alone_indices, alone_masses = greedy_coupling((p[1, 2], q[1, 2]))
    np.testing.assert_array_equal(masses[1, 2], alone_masses)
    np.testing.assert_array_equal(indices[1, 2], alone_indices)
    ways = (
        jax.jit(lambda p, q: greedy_coupling((p, q))),
        jax.vmap(jax.vmap(lambda p, q: greedy_coupling((p, q)))),
        lambda p, q: jax.lax.map(lambda rows: greedy_coupling(rows), (p, q)),
        lambda p, q: jax.lax.scan(lambda c, rows: (c, greedy_coupling(rows)), 0, (p, q))[1],
    )
    for way in ways:
        got_indices, got_masses = way(p, q)
        np.testing.assert_array_equal(got_masses, masses)
        np.testing.assert_array_equal(got_indices, indices)
    one_for_all, _ = greedy_coupling((p, q[0, 0]))
    np.testing.assert_array_equal(one_for_all[1, 1], greedy_coupling((p[1, 1], q[0, 0]))[0])
    # Symbols of mass zero behind the others only add cells of mass zero behind the others.
    wide = jnp.pad(p, [(0, 0), (0, 0), (0, 45)])
    wide_indices, wide_masses = greedy_coupling((wide, q))
    steps = masses.shape[-1]
    np.testing.assert_array_equal(wide_masses[..., :steps], masses)
    np.testing.assert_array_equal(wide_masses[..., steps:], 0)
    made = np.asarray(masses) > 0
    np.testing.assert_array_equal(np.asarray(wide_indices[..., :steps, :])[made], indices[made])


def test_empty_batch():
    indices, masses = greedy_coupling((jnp.zeros((2, 0, 3)), jnp.zeros((0, 4))))
    assert indices.shape == (2, 0, 6, 2) and masses.shape == (2, 0, 6)


@pytest.mark.parametrize("sizes", [(7, 5), (4, 3, 6)], ids=str)
def test_derivatives_are_those_of_the_reference(sizes):
    with jax.enable_x64(True):
        rng = np.random.default_rng(5)
        marginals = _marginals(rng, sizes, (3,), np.float64)
        dots = tuple(jnp.asarray(rng.normal(size=p.shape)) for p in marginals)
        weights = jnp.asarray(rng.normal(size=(3, sum(sizes) - len(sizes) + 1)))

        def of(function):
            return lambda *p: jnp.sum(weights * function(p)[1] ** 2)

        # The plain scan, differentiated by jax itself.
        plain = jax.jit(jax.grad(of(reference.greedy_coupling), tuple(range(len(sizes)))))(
            *marginals
        )
        for implementation in ("xla", "reference"):
            couple = lambda p, i=implementation: greedy_coupling(p, implementation=i)  # noqa: E731
            ours = jax.jit(jax.grad(of(couple), tuple(range(len(sizes)))))(*marginals)
            loss = of(couple)
            steps = jax.jit(lambda p, d, f=loss: jax.jvp(f, p, d)[1])(marginals, dots)
            # The last cell's mass is what either side has left: equal but for rounding. Directions
            # that keep all sums equal see no difference between them.
            centred = [d - d.mean(-1, keepdims=True) for d in dots]
            np.testing.assert_allclose(
                sum(jnp.sum(g * d) for g, d in zip(ours, centred, strict=True)),
                sum(jnp.sum(g * d) for g, d in zip(plain, centred, strict=True)),
                rtol=1e-9,
            )
            np.testing.assert_allclose(
                steps, sum(jnp.sum(g * d) for g, d in zip(ours, dots, strict=True)), rtol=1e-9
            )


def test_gradients_under_vmap_scan_and_at_ties():
    p, q = _marginals(np.random.default_rng(6), (6, 4), (3,))

    def loss(p, q):
        return jnp.sum(greedy_coupling((p, q))[1] ** 2)

    gradient = jax.jit(jax.grad(loss))
    each = [gradient(a, b) for a, b in zip(p, q, strict=True)]
    np.testing.assert_array_equal(jax.jit(jax.vmap(jax.grad(loss)))(p, q), each)
    scanned = jax.lax.scan(lambda c, rows: (c, jax.grad(loss)(*rows)), 0, (p, q))[1]
    np.testing.assert_array_equal(scanned, each)
    assert np.all(np.isfinite(jax.grad(loss)(jnp.ones(5), jnp.ones(5))))


@pytest.mark.parametrize("implementation", [None, "xla"])
def test_lowers_for_every_platform_from_one_trace(implementation):
    p = jnp.ones((2, 40))
    traced = jax.jit(lambda p: greedy_coupling((p, p), implementation=implementation)).trace(p)
    kernels = dict.fromkeys(("cpu", "cuda", "tpu"), "stablehlo.while")
    if implementation is None:
        kernels |= {"cuda": "triton", "tpu": "tpu_custom_call"}
    for platform, kernel in kernels.items():
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert kernel in text
        # Where there is a kernel the loop is inside of it.
        assert ("stablehlo.while" in text) == (kernel == "stablehlo.while")


def test_no_table_of_pairs():
    p = jnp.ones((1, 4096))
    compiled = jax.jit(lambda p, q: greedy_coupling((p, q))).lower(p, p).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 8 << 20  # a table has 64 MB


def test_large_marginals_are_not_copied_at_each_step():
    # Up to 8192 symbols XLA does copy the deep tree's levels at each step (twice; 64 kB in all at
    # 4096, a third of the time of a single problem), which pays off from batches of four on.
    p = jnp.ones((1, 65536))
    compiled = jax.jit(lambda p, q: greedy_coupling((p, q))).lower(p, p).compile()
    text = compiled.as_text()
    # The inner loop, over the steps of a chunk, is the one whose length is known.
    steps = [line for line in text.splitlines() if " while(" in line and "known_trip_count" in line]
    (body,) = {re.search(r"body=%?([\w.]+)", line)[1] for line in steps}
    lines = text.split(f"%{body} (")[1].split("\n}")[0].splitlines()
    assert any("f32[1,256,256]" in line for line in lines)
    copied = [re.search(r"= \w+\[([\d,]*)\]\S* copy\(", line) for line in lines]
    assert [c[0] for c in copied if c and c[1]] == []


@pytest.mark.parametrize(
    ("marginals", "options", "error", "pattern"),
    [
        ([np.ones(2)], {}, ValueError, "at least two arrays; got 1"),
        ([np.ones(2), np.ones((2, 0))], {}, ValueError, r"marginals\[1\] .*\(2, 0\)"),
        ([np.float32(1), np.ones(2)], {}, ValueError, r"marginals\[0\]"),
        ([np.ones(2), np.ones(2, int)], {}, TypeError, "float32 or float64; got .*int32"),
        ([jnp.ones(2, jnp.bfloat16)] * 2, {}, TypeError, "bfloat16"),
        ([np.ones((2, 3)), np.ones((3, 3))], {}, ValueError, r"marginals must broadcast .*\(2,\)"),
        ([np.ones(2)] * 2, {"implementation": "cuda"}, ValueError, "implementation must be None"),
        ([np.ones(2)] * 2, {"implementation": "pallas_gpu"}, NotImplementedError, "on cuda alone"),
        ([np.ones(2)] * 2, {"interpret": True}, ValueError, "interpret needs .*; got None"),
    ],
)
def test_faults(marginals, options, error, pattern):
    with pytest.raises(error, match=pattern):
        greedy_coupling(marginals, **options)


_SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from infojax.kernels.greedy_coupling import greedy_coupling
assert jax.device_count() == 8
mesh = Mesh(np.array(jax.devices()), ("batch",))
rng = np.random.default_rng(0)
p, q = (rng.dirichlet(np.ones(n), 16).astype(np.float32) for n in (23, 40))
couple = jax.jit(lambda p, q: greedy_coupling((p, q)))
loss = jax.jit(jax.grad(lambda p, q: jnp.sum(greedy_coupling((p, q))[1] ** 2)))
place = lambda x: jax.device_put(x, NamedSharding(mesh, P("batch")))
mapped = lambda f: jax.jit(jax.shard_map(f, mesh=mesh, in_specs=P("batch"), out_specs=P("batch")))
gpu = lambda p, q: greedy_coupling((p, q), implementation="pallas_gpu", interpret=True)
one = couple(p, q)
for way in (couple, mapped(couple)):
    for a, b in zip(one, way(place(p), place(q))):
        np.testing.assert_array_equal(a, b)
np.testing.assert_array_equal(mapped(gpu)(place(p), place(q))[1], one[1])
np.testing.assert_array_equal(loss(p, q), loss(place(p), place(q)))
np.testing.assert_array_equal(loss(p, q), mapped(loss)(place(p), place(q)))
for platform, kernel in (("cuda", "triton"), ("tpu", "tpu_custom_call")):
    for way in (mapped(couple), mapped(loss)):
        assert kernel in way.trace(p, q).lower(lowering_platforms=(platform,)).as_text()
print("same")
"""


def test_eight_devices_give_the_bits_of_one():
    assert devices.run_on_devices(_SHARDED).strip() == "same"
