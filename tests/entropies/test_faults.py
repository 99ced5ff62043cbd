"""Bad input of every kind: the message names the argument."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import entropies

_P = np.float32([0.5, 0.25, 0.25])
_TABLE = np.full((2, 2), 0.25, np.float32)
_OF_AXES = {
    "entropy": entropies.entropy,
    "perplexity": entropies.perplexity,
    "cross_entropy": lambda p, **k: entropies.cross_entropy(p, p, **k),
    "cross_entropy_from_logits": lambda p, **k: entropies.cross_entropy_from_logits(p, p, **k),
    "entropy_from_logits": entropies.entropy_from_logits,
    "renyi_entropy": lambda p, **k: entropies.renyi_entropy(p, 2, **k),
    "tsallis_entropy": lambda p, **k: entropies.tsallis_entropy(p, 2, **k),
    "entropy_from_counts": entropies.entropy_from_counts,
}
_OF_BASE = {
    **{k: v for k, v in _OF_AXES.items() if k not in ("perplexity", "tsallis_entropy")},
    "binary_entropy": entropies.binary_entropy,
    "joint_entropy": entropies.joint_entropy,
    "conditional_entropy": lambda p, **k: entropies.conditional_entropy(p, axis=0, given=(), **k),
    "entropy_rate": lambda p, **k: entropies.entropy_rate(np.eye(1, dtype=np.float32), **k),
    "gaussian_entropy": lambda p, **k: entropies.gaussian_entropy(np.eye(2), **k),
    "gamma_entropy": lambda p, **k: entropies.gamma_entropy(1.0, 1.0, **k),
    "von_mises_entropy": lambda p, **k: entropies.von_mises_entropy(1.0, **k),
}


@pytest.mark.parametrize("name", _OF_BASE)
@pytest.mark.parametrize(
    ("base", "error"),
    [
        (0, ValueError),
        (1, ValueError),
        (-2, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        ("2", TypeError),
        (True, TypeError),
        (2j, TypeError),
    ],
)
def test_base(name, base, error):
    p = np.float32([2, 1, 1]) if name == "entropy_from_counts" else _P
    with pytest.raises(error, match="base must"):
        _OF_BASE[name](p, base=base)


@pytest.mark.parametrize("name", _OF_AXES)
@pytest.mark.parametrize(
    ("axis", "error", "pattern"),
    [
        (1, ValueError, "axis=1 is out of range"),
        ((0, -2), ValueError, "axis=-2 is out of range"),
        ((0, 0), ValueError, "axis must name each axis once"),
        ((0, -1), ValueError, "axis must name each axis once"),
        (0.0, TypeError, "axis must hold whole numbers"),
        ("0", TypeError, "axis must hold whole numbers"),
        (True, TypeError, "axis must hold whole numbers"),
    ],
)
def test_axis(name, axis, error, pattern):
    with pytest.raises(error, match=pattern):
        _OF_AXES[name](_P, axis=axis)


@pytest.mark.parametrize("name", _OF_AXES)
@pytest.mark.parametrize(
    ("where", "error", "pattern"),
    [
        (np.ones(4, bool), ValueError, r"where must broadcast to \(3,\); got shape \(4,\)"),
        (np.ones((2, 3), bool), ValueError, "where must broadcast"),
        (np.ones(3), TypeError, "where must be boolean"),
        ("yes", TypeError, "where must be a boolean array"),
    ],
)
def test_where(name, where, error, pattern):
    with pytest.raises(error, match=pattern):
        _OF_AXES[name](_P, where=where)
    with pytest.raises(error, match=pattern):
        jax.jit(lambda p: _OF_AXES[name](p, where=where))(_P)


@pytest.mark.parametrize("name", _OF_AXES)
def test_type_and_rank(name):
    argument = {"entropy_from_logits": "logits", "entropy_from_counts": "counts"}.get(name, "p")
    for bad in (np.array([True]), np.array([1j]), "abc", None, [[1.0], [1.0, 2.0]]):
        with pytest.raises(TypeError, match=rf"^{argument} must"):
            _OF_AXES[name](bad)
    with pytest.raises(ValueError, match="scalar"):
        _OF_AXES[name](np.float32(1.0))


@pytest.mark.parametrize("function", [entropies.renyi_entropy, entropies.tsallis_entropy])
@pytest.mark.parametrize(
    ("order", "error", "pattern"),
    [
        (-0.5, ValueError, r"order must be a non-negative .*got order = -0\.5"),
        (np.nan, ValueError, "order must be .* nan"),
        (np.array([1.0, -1.0]), ValueError, r"order\[1\] = -1"),
        ("2", TypeError, "order must be a real number; got str"),
        (None, TypeError, "order must be a real number; got NoneType"),
        (True, TypeError, "order must"),
        (2j, TypeError, "order must"),
        (np.ones((2, 2)), ValueError, "order must .*batch"),
        (np.ones(3), ValueError, r"order must broadcast with the batch axes \(2,\)"),
    ],
)
def test_order(function, order, error, pattern):
    with pytest.raises(error, match=pattern):
        function(np.stack([_P, _P]), order)


def test_order_under_jit_and_infinity_of_tsallis():
    with pytest.raises(ValueError, match="order must be a non-negative finite"):
        entropies.tsallis_entropy(_P, np.inf)
    for function in (entropies.renyi_entropy, entropies.tsallis_entropy):
        values = jax.jit(jax.vmap(function, (None, 0)))(_P, jnp.array([-1.0, jnp.nan, 2.0]))
        assert np.isnan(values).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("call", "error", "pattern"),
    [
        (lambda: entropies.cross_entropy(_P, _P[:2]), ValueError, r"p \(3,\), q \(2,\)"),
        (lambda: entropies.cross_entropy(_P, -_P), ValueError, "q must hold probabilities"),
        (
            lambda: entropies.cross_entropy_from_logits(_P, _P[:2]),
            ValueError,
            r"p \(3,\), logits \(2,\)",
        ),
        (lambda: entropies.entropy(_P, where=np.zeros(3, bool)), ValueError, "empty support"),
        (
            lambda: entropies.entropy_from_counts([1, 2], correction="none "),
            ValueError,
            "correction",
        ),
        (lambda: entropies.entropy_from_counts([3, -1]), ValueError, r"counts\[1\] = -1"),
        (lambda: entropies.entropy_from_counts([0, 0]), ValueError, "counts .*got none"),
        (lambda: entropies.binary_entropy(np.float32([0.5, 1.5])), ValueError, r"p\[1\] = 1\.5"),
        (lambda: entropies.joint_entropy(_TABLE, axis="x"), ValueError, "axis='x' is a name"),
        (
            lambda: entropies.joint_entropy(_TABLE, axis="z", names=("x", "y")),
            ValueError,
            "axis='z' is none of the names",
        ),
        (lambda: entropies.joint_entropy(_TABLE, names=("x",)), ValueError, "names must be 2"),
        (lambda: entropies.joint_entropy(_TABLE, names=("x", "x")), ValueError, "names must be 2"),
        (lambda: entropies.joint_entropy(_TABLE, names="xy"), TypeError, "names must be a seq"),
        (lambda: entropies.joint_entropy(_TABLE, axis=2), ValueError, "axis=2 is out of range"),
        (lambda: entropies.joint_entropy(_TABLE, axis=0.5), TypeError, "axis must hold whole"),
        (
            lambda: entropies.conditional_entropy(_TABLE, axis=0, given=(0,)),
            ValueError,
            "axis and given must not share",
        ),
        (
            lambda: entropies.conditional_entropy(_TABLE, axis=0, given=5),
            ValueError,
            "given=5 is out of range",
        ),
        (lambda: entropies.entropy_rate(np.ones((2, 3))), ValueError, "transition must be square"),
        (
            lambda: entropies.entropy_rate(np.eye(2), stationary=np.ones(3) / 3),
            ValueError,
            "stationary must have 2 states",
        ),
        (
            lambda: entropies.entropy_rate(np.eye(2), stationary=np.ones(2)),
            ValueError,
            "stationary must hold probabilities",
        ),
        (
            lambda: entropies.entropy_rate(np.stack([np.eye(2)] * 2), stationary=_third()),
            ValueError,
            r"transition .*stationary \(3, 2\)",
        ),
        (lambda: entropies.log_normal_entropy(np.nan, 1.0), ValueError, "mean must be finite"),
        (lambda: entropies.uniform_entropy(0.0, np.inf), ValueError, "high - low must"),
        (
            lambda: entropies.uniform_entropy(np.zeros(2), np.ones(3)),
            ValueError,
            r"low \(2,\), high \(3,\)",
        ),
        (lambda: entropies.gamma_entropy("a", 1.0), TypeError, "concentration must be a real"),
        (lambda: entropies.gamma_entropy(1.0, np.float32([1, 0])), ValueError, r"rate\[1\] = 0"),
        (lambda: entropies.dirichlet_entropy(1.0), ValueError, "concentration must have at least"),
    ],
)
def test_other_faults(call, error, pattern):
    with pytest.raises(error, match=pattern):
        call()


def _third():
    return np.full((3, 2), 0.5)
