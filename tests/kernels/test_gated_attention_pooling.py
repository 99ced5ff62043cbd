"""Gated attention pooling: every implementation against the plain one in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax.kernels.gated_attention_pooling import AttentionGates, gated_attention_pooling
from tests import devices

# The kernels run in their interpreters.
_IMPLEMENTATIONS = ("xla", "pallas_tpu", "pallas_gpu")


def _gates(rng, features, hidden, rows):
    last = () if rows is None else (rows,)
    return AttentionGates(
        rng.normal(size=(features, hidden)) / features**0.5,
        rng.normal(size=hidden),
        rng.normal(size=(features, hidden)) / features**0.5,
        rng.normal(size=hidden),
        rng.normal(size=(hidden, *last)),
        rng.normal(size=last),
    )


def _problem(batch, count, features, rows, hidden=None, masked=False, seed=0):
    """Instances, logits or gates, a mask, and weights of all outputs for a scalar of them."""
    rng = np.random.default_rng(seed)
    middle = () if rows is None else (rows,)
    instances = rng.normal(size=(*batch, count, features))
    logits = gates = where = None
    if hidden is None:
        logits = 3 * rng.normal(size=(*batch, *middle, count))
    else:
        gates = _gates(rng, features, hidden, rows)
    if masked:
        where = rng.random((*batch, count)) > 0.4
        where[..., -1] = True
    weights = tuple(
        rng.normal(size=(*batch, *middle, *last)) for last in ((features,), (), (count,))
    )
    return instances, logits, gates, where, weights


def _solve(implementation, dtype, problem):
    """Outputs and derivatives of a scalar that depends on all of them."""

    def cast(x):
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), x)

    instances, logits, gates, where, weights = problem

    def scalar(instances, logits, gates):
        found = gated_attention_pooling(
            instances,
            logits=logits,
            gates=gates,
            where=where,
            implementation=implementation,
            interpret=implementation.startswith("pallas"),
        )
        outputs = (*found[:2], jnp.where(found[2] == -jnp.inf, 0, found[2]))
        pairs = zip(outputs, cast(weights), strict=True)
        return sum(jnp.sum((x * w).astype(x.dtype)) for x, w in pairs), found

    derive = jax.jit(jax.value_and_grad(scalar, (0, 1, 2), has_aux=True))
    (_, found), derivatives = derive(cast(instances), cast(logits), cast(gates))
    return jax.tree.map(np.asarray, (found, derivatives))


def _exact(problem):
    with jax.enable_x64(True):
        return _solve("reference", jnp.float64, problem)


def _compare(found, expected, tolerance):
    for mine, exact in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        mine, finite = np.asarray(mine, np.float64), np.isfinite(exact)
        np.testing.assert_array_equal(np.isfinite(mine), finite)
        scale = max(1.0, np.max(np.abs(exact[finite]), initial=0))
        np.testing.assert_allclose(mine[finite] / scale, exact[finite] / scale, 0, tolerance)


_PROBLEMS = {
    "one instance": ((), 1, 4, None, 3),
    "gates, a masked bag": ((2,), 7, 5, 2, 3, True),
    "gates, several tiles": ((), 1031, 300, 2, 130, True),
    "logits, masked": ((2, 1), 131, 6, 3, None, True),
    "logits, several tiles": ((), 2503, 40, None),
}


@pytest.fixture(scope="module")
def solved():
    problems = {}
    for name, arguments in _PROBLEMS.items():
        problem = _problem(*arguments)
        instances, *_, where, _ = problem
        if "masked bag" in name:
            where[0] = False
        problems[name] = problem, _exact(problem)
        if where is not None:
            instances[~where] = np.nan  # what is masked may hold anything
    return problems


@pytest.mark.parametrize("name", _PROBLEMS)
@pytest.mark.parametrize("implementation", _IMPLEMENTATIONS)
def test_values_and_derivatives(solved, implementation, name):
    problem, expected = solved[name]
    found = _solve(implementation, jnp.float32, problem)
    _compare(found, expected, 3e-6)
    (pooled, entropy, logits), (by_instances, by_logits, _) = found
    where = problem[3]
    if where is not None:
        np.testing.assert_array_equal(by_instances[~where], 0)
        assert np.all(np.isneginf(np.moveaxis(logits, -2, -1)[~where]))
    if name == "one instance":
        np.testing.assert_array_equal(entropy, 0)
        np.testing.assert_array_equal(pooled, problem[0][0].astype(np.float32))
    if "masked bag" in name:
        assert np.all(pooled[0] == 0) and np.all(entropy[0] == 0)
    assert (by_logits is None) == (problem[1] is None)


@pytest.mark.parametrize(
    ("implementation", "dtype"),
    [*((name, jnp.bfloat16) for name in _IMPLEMENTATIONS), ("pallas_gpu", jnp.float16)],
)
def test_half_precision(implementation, dtype):
    problem = _problem((), 301, 24, 2, 12, True, seed=3)
    rounded = jax.tree.map(
        lambda x: x if x.dtype == bool else np.asarray(jnp.asarray(x, dtype), np.float64), problem
    )
    found = _solve(implementation, dtype, rounded)
    _compare(found, _exact(rounded), 2e-2)
    (pooled, entropy, logits), (by_instances, _, by_gates) = found
    assert pooled.dtype == by_instances.dtype == by_gates.value_kernel.dtype == dtype
    assert entropy.dtype == logits.dtype == np.float32


@functools.partial(jax.jit, static_argnums=0)
def _entropy(implementation, logits):
    """The entropies of rows, and the derivative of their sum."""

    def entropies(logits):
        found = gated_attention_pooling(
            jnp.ones((300, 3)),
            logits=logits,
            implementation=implementation,
            interpret=implementation.startswith("pallas"),
        )[1]
        return jnp.sum(found), found

    gradient, found = jax.grad(entropies, has_aux=True)(logits)
    return found, gradient


@pytest.mark.parametrize("implementation", _IMPLEMENTATIONS)
def test_extreme_logits(implementation):
    rng = np.random.default_rng(0)
    rows = np.zeros((9, 300), np.float32)
    rows[0] = 1e4 + rng.normal(size=300)  # log Z would round the weights away
    rows[1] = 1e4 * rng.normal(size=300)
    rows[2], rows[2, 280] = -1e4, 1e4
    rows[3], rows[3, 5] = -20 - rng.random(300), 0  # an entropy of 1e-6 keeps its digits
    rows[4, :260] = -np.inf  # tiles without an instance
    rows[5], rows[5, 7] = -np.inf, -1e4
    rows[7, 299], rows[8, 0] = np.nan, np.inf
    exact = rows[:7].astype(np.float64)
    exact -= exact.max(-1, keepdims=True)
    weights = np.exp(exact)
    rest = np.sum(np.where(exact == 0, 0, weights), -1) + np.sum(exact == 0, -1) - 1
    tilt = np.sum(np.where(weights > 0, weights * np.maximum(exact, -1e9), 0), -1)
    expected = np.log1p(rest) - tilt / (1 + rest)
    entropy, gradient = _entropy(implementation, rows)
    np.testing.assert_allclose(entropy[:7], expected, rtol=2e-6, atol=1e-12)
    assert np.all(np.isfinite(gradient[:7]))
    np.testing.assert_allclose(np.sum(gradient[:7], -1), 0, atol=2e-6)
    assert np.all(np.isnan(entropy[7:]))


@pytest.mark.parametrize("implementation", _IMPLEMENTATIONS)
def test_padding_and_neighbours_change_nothing(implementation):
    instances, _, gates, _, _ = _problem((), 100, 5, 2, 4)
    arguments = jnp.asarray(instances, jnp.float32)
    options = {
        "gates": jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), gates),
        "implementation": implementation,
        "interpret": implementation != "xla",
    }
    pool = jax.jit(functools.partial(gated_attention_pooling, **options))
    alone = pool(arguments)
    where = np.zeros((2, 217), bool)
    where[0, 17:117] = where[1] = True
    batch = np.full((2, 217, 5), np.nan, np.float32)
    batch[0, 17:117] = instances
    padded = pool(jnp.asarray(batch), where=jnp.asarray(where))
    for mine, expected in zip(padded[:2], alone[:2], strict=True):
        np.testing.assert_allclose(mine[0], expected, rtol=2e-6, atol=1e-6)
        assert np.all(np.isnan(mine[1]))
    np.testing.assert_allclose(padded[2][0, :, 17:117], alone[2], rtol=1e-6, atol=1e-6)


def test_transformations():
    instances, _, gates, where, _ = _problem((3,), 40, 5, None, 4, True)
    cast = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), (instances, gates))
    stacked = jax.tree.map(lambda x: jnp.stack([x, 2 * x, -x]), cast[1])

    @jax.jit
    def one(instances, gates, where):
        def scalar(*arguments):
            pooled, entropy, logits = gated_attention_pooling(
                arguments[0], gates=arguments[1], where=where
            )
            return jnp.sum(pooled) + entropy + jnp.sum(jnp.where(where, logits, 0))

        return jax.value_and_grad(scalar, (0, 1))(instances, gates)

    expected = [
        one(*jax.tree.map(lambda x, i=i: x[i], (cast[0], stacked, where))) for i in range(3)
    ]
    expected = jax.tree.map(lambda *x: np.stack(x), *expected)
    arguments = cast[0], stacked, jnp.asarray(where)
    for found in (
        jax.jit(jax.vmap(one))(*arguments),
        jax.jit(lambda *x: jax.lax.map(lambda row: one(*row), x))(*arguments),
    ):
        jax.tree.map(
            lambda mine, exact: np.testing.assert_allclose(mine, exact, rtol=1e-5, atol=1e-5),
            found,
            expected,
        )
    batched = gated_attention_pooling(cast[0], gates=cast[1], where=where)
    assert [x.shape for x in batched] == [(3, 5), (3,), (3, 40)]
    empty = gated_attention_pooling(cast[0][:0], gates=cast[1])
    assert [x.shape for x in empty] == [(0, 5), (0,), (0, 40)]
    empty = gated_attention_pooling(cast[0][:0], logits=jnp.zeros((0, 2, 40)))
    assert [x.shape for x in empty] == [(0, 2, 5), (0, 2), (0, 2, 40)]


_SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import PartitionSpec as P
from infojax.kernels.gated_attention_pooling import AttentionGates, gated_attention_pooling
mesh = jax.make_mesh((8,), ("bags",), axis_types=(jax.sharding.AxisType.Auto,))
rng = np.random.default_rng(0)
draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)
gates = AttentionGates(draw(5, 4), draw(4), draw(5, 4), draw(4), draw(4, 2), draw(2))
instances, where = draw(8, 1100, 5), jnp.asarray(rng.random((8, 1100)) > 0.3)
def pool(instances, gates, where):
    return gated_attention_pooling(instances, gates=gates, where=where)[:2]
shard = jax.shard_map(pool, mesh=mesh, in_specs=(P("bags"), P(), P("bags")), out_specs=P("bags"))
def derive(of):
    scalar = lambda *x: sum(jnp.sum(part ** 2) for part in of(*x, where))
    return jax.jit(jax.value_and_grad(scalar, (0, 1)))(instances, gates)
jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-4), derive(shard), derive(pool)
)
print("fine")
"""


def test_bags_spread_over_devices():
    assert devices.run_on_devices(_SHARDED).strip() == "fine"


_BAG = jnp.ones((2, 7, 5))
_WEIGHTS = AttentionGates(*map(jnp.ones, ((5, 3), 3, (5, 3), 3, (3, 2), 2)))


@pytest.mark.parametrize(
    ("arguments", "error", "pattern"),
    [
        ({}, ValueError, "exactly one of logits and gates"),
        ({"logits": jnp.ones((2, 7)), "gates": _WEIGHTS}, ValueError, "exactly one"),
        ({"logits": jnp.ones((2, 6))}, ValueError, r"\(2, 7\) or \(2, K, 7\).*got \(2, 6\)"),
        ({"logits": jnp.ones((3, 2, 7))}, ValueError, "logits must have shape"),
        ({"logits": jnp.ones((2, 0, 7))}, ValueError, "logits must have shape"),
        ({"logits": jnp.ones((2, 7), int)}, TypeError, "logits must have a floating type"),
        ({"gates": tuple(_WEIGHTS)}, TypeError, "gates must be AttentionGates; got tuple"),
        (
            {"gates": _WEIGHTS._replace(value_kernel=jnp.ones((4, 3)))},
            ValueError,
            r"value_kernel must be \(5, L\)",
        ),
        (
            {"gates": _WEIGHTS._replace(gate_kernel=jnp.ones((5, 4)))},
            ValueError,
            r"gate_kernel must have shape \(5, 3\); got \(5, 4\)",
        ),
        (
            {"gates": _WEIGHTS._replace(output_bias=jnp.ones(()))},
            ValueError,
            r"output_bias must have shape \(2,\)",
        ),
        (
            {"gates": _WEIGHTS._replace(output_kernel=jnp.ones((4, 2)))},
            ValueError,
            r"output_kernel must be \(3,\) or \(3, K\)",
        ),
        (
            {"gates": _WEIGHTS._replace(gate_bias=jnp.ones(3, int))},
            TypeError,
            "gates.gate_bias must have a floating type",
        ),
        ({"gates": _WEIGHTS, "where": jnp.ones((2, 7))}, TypeError, "where must be boolean"),
        ({"gates": _WEIGHTS, "where": jnp.ones(6, bool)}, ValueError, r"broadcast to \(2, 7\)"),
        ({"gates": _WEIGHTS, "implementation": "cuda"}, ValueError, "None or one of"),
        ({"gates": _WEIGHTS, "implementation": "pallas_gpu"}, NotImplementedError, "on cuda alone"),
    ],
)
def test_bad_input(arguments, error, pattern):
    with pytest.raises(error, match=pattern):
        gated_attention_pooling(_BAG, **arguments)


@pytest.mark.parametrize("bag", [jnp.ones((2, 0, 5)), jnp.ones(5), jnp.ones((7, 0))])
def test_bad_instances(bag):
    with pytest.raises(ValueError, match="with an instance and a feature"):
        gated_attention_pooling(bag, logits=jnp.ones(bag.shape[:-1]))
    with pytest.raises(TypeError, match="instances must have a floating type"):
        gated_attention_pooling(bag.astype(int), logits=jnp.ones(bag.shape[:-1]))
