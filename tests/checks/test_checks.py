"""What the checks say, when they say it, and that they cost nothing in compiled code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import infojax
from infojax import checks, numerics

_GOOD, _BAD = np.float32([0.5, 0.5, 0]), np.float32([0.5, 0.75, -0.25])


@pytest.mark.parametrize(
    ("p", "pattern"),
    [
        (
            [[1, 0], [0.75, 0.75]],
            r"^mass must hold .* axes \(1,\) with sum 1 .*got a sum of 1\.5\.$",
        ),
        ([[1, 0], [1.5, -0.5]], r"got mass\[1, 1\] = -0\.5\.$"),
        ([[np.nan, 1], [0.5, 0.5]], r"got mass\[0, 0\] = nan\.$"),
        ([[np.inf, 1], [0.5, 0.5]], r"got mass\[0, 0\] = inf\.$"),
        (np.zeros((2, 0)), r"got an empty support \(shape \(2, 0\)\)\.$"),
    ],
)
def test_distributions_name_argument_place_and_value(p, pattern):
    with pytest.raises(ValueError, match=pattern):
        checks.check_distribution("mass", jnp.asarray(p, jnp.float32), (1,))


def test_distributions_under_a_mask_and_in_half_precision():
    p = jnp.array([[0.5, 0.5, jnp.nan], [-1.0, 1.0, 0.0]])
    where = jnp.array([[True, True, False], [False, True, True]])
    assert checks.check_distribution("p", p, (1,), where).tolist() == [[True], [True]]
    with pytest.raises(ValueError, match=r"p\[1, 0\] = -1"):
        checks.check_distribution("p", p, (1,), where.at[1, 0].set(True))
    off = 1.005 * np.full(4, 0.25)
    checks.check_distribution("p", jnp.asarray(off, jnp.bfloat16), (0,))
    with pytest.raises(ValueError, match=r"sum of 1\.005"):
        checks.check_distribution("p", jnp.asarray(off, jnp.float32), (0,))


def test_real_arguments():
    x = jnp.array([[1.0, 2.0], [3.0, -4.0]])
    with pytest.raises(ValueError, match=r"^scale must be positive; got scale\[1, 1\] = -4\.0\.$"):
        checks.check_real("scale", x, x > 0, "positive")
    with pytest.raises(ValueError, match=r"got scale = -4\.0\.$"):
        checks.check_real("scale", x[1, 1], x[1, 1] > 0, "positive")


@pytest.mark.parametrize(
    ("call", "error", "pattern"),
    [
        (lambda: checks.floating("x", "a"), TypeError, "x must be an array; got str"),
        (lambda: checks.floating("x", np.ones(2, int)), TypeError, "x must have a floating.*int"),
        (lambda: checks.floating("x", np.ones(2), ndim=2), ValueError, r"x must have 2 .*\(2,\)"),
        (
            lambda: checks.floating("x", 1.0, min_ndim=1),
            ValueError,
            r"x must have at least 1 .*\(\)",
        ),
        (lambda: checks.real_array("x", [True]), TypeError, "x must have an integer or floating"),
        (
            lambda: checks.square_matrix("m", np.ones((2, 3))),
            ValueError,
            r"m must be square.*\(2, 3",
        ),
        (lambda: checks.choice("how", "c", ("a", "b")), ValueError, "how must be one of 'a', 'b'"),
        (lambda: checks.positive_integer("n", 0), ValueError, "n must be at least 1; got 0"),
        (lambda: checks.positive_integer("n", True), ValueError, "n must be at least 1; got True"),
        (lambda: checks.positive_integer("n", 1.0), TypeError, "n must be a whole number; got 1.0"),
        (lambda: checks.real_number("r", "1"), TypeError, "r must be a real number; got str"),
        (lambda: checks.real_number("r", True), TypeError, "r must have a floating type; got bool"),
        (
            lambda: checks.real_number("r", 1j),
            TypeError,
            "r must have a floating type; got complex",
        ),
        (
            lambda: checks.broadcast_shapes(core=1, a=np.ones((2, 3)), b=np.ones((4, 3))),
            ValueError,
            r"batch axes must broadcast; got a \(2, 3\), b \(4, 3\)",
        ),
        (lambda: checks.check_support("p", np.ones((3, 0))), ValueError, r"p must.*\(3, 0\)"),
        (lambda: checks.mask("where", np.ones(2), (2,)), TypeError, "where must be boolean; got"),
        (lambda: checks.mask("where", np.ones(3, bool), (1,)), ValueError, "where must broadcast"),
        (lambda: numerics.normalize_axes(None, 0, "over"), ValueError, "over=None needs an array"),
        (lambda: numerics.normalize_axes(2, 2, "over"), ValueError, "over=2 is out of range"),
    ],
)
def test_static_faults(call, error, pattern):
    with pytest.raises(error, match=pattern):
        call()


def _scanned(p):
    return jax.lax.scan(lambda carry, row: (carry, infojax.entropy(row)), 0, p)[1]


_TRACED = {
    "jit": lambda p: jax.jit(infojax.entropy)(p),
    "vmap": lambda p: jax.vmap(infojax.entropy)(jnp.stack([_GOOD, p])),
    "scan": lambda p: _scanned(jnp.stack([_GOOD, p])),
    "grad": lambda p: jax.jit(jax.grad(infojax.entropy))(p),
    "jit of grad of vmap": jax.jit(
        lambda p: jax.grad(lambda p: jax.vmap(infojax.entropy)(jnp.stack([_GOOD, p])).sum())(p)
    ),
}


@pytest.mark.parametrize("name", _TRACED)
def test_checkify_speaks_where_plain_code_is_silent(name):
    _TRACED[name](_BAD)  # no error
    error, _ = checkify.checkify(_TRACED[name])(_BAD)
    with pytest.raises(ValueError, match="p must hold probabilities along axes"):
        error.throw()
    error, _ = checkify.checkify(_TRACED[name])(_GOOD)
    assert error.get() is None


def test_jit_gives_nan_for_the_bad_row_alone():
    value = jax.jit(infojax.entropy)(jnp.stack([_GOOD, _BAD]))
    assert np.isnan(value).tolist() == [False, True]


def test_braces_in_a_message():
    def function(x):
        checks.check(x > 0, "names['{a}'] must be in {0, 1}")
        return x

    with pytest.raises(ValueError, match=r"names\['\{a\}'\] must be in \{0, 1\}"):
        function(jnp.float32(-1))
    error, _ = checkify.checkify(jax.jit(function))(jnp.float32(-1))
    assert "names['{a}'] must be in {0, 1}" in error.get()


def test_eager_gradients_see_values():
    with pytest.raises(ValueError, match="p must hold probabilities"):
        jax.grad(infojax.entropy)(_BAD)


def _program(function, *arguments):
    """The compiled HLO without what names its sources."""
    text = function.lower(*arguments).compile().as_text()
    return "\n".join(line.split(", metadata=")[0] for line in text.splitlines() if " = " in line)


def test_compiled_code_has_no_callback_no_transfer_and_no_check():
    function = jax.jit(lambda p: infojax.entropy(p, base=2))
    p = jax.device_put(np.full((4, 8), 0.125, np.float32))
    text = _program(function, p)
    assert "callback" not in text and "outfeed" not in text and "infeed" not in text
    function(p)
    with jax.transfer_guard("disallow"):
        value = function(p)
    np.testing.assert_allclose(value, 3, rtol=1e-6)
    checked = jax.jit(checkify.checkify(lambda p: infojax.entropy(p, base=2)))
    with_checks = _program(checked, p)

    def bare(p):  # the same formula, gate included, without the staged check
        valid = checks.distributions_are_valid(p, (-1,))[..., 0]
        return numerics.gated((0 - numerics.xlogx(p).sum(-1)) / jnp.log(2.0), valid)

    count = lambda text: text.count(" = ")  # noqa: E731
    plain = _program(jax.jit(bare), p)
    assert count(text) <= count(plain) + 12  # calls of the inner functions, no more
    assert count(with_checks) > count(text)


_CONTEXTS = {
    "plain": lambda f: f,
    "jit": jax.jit,
    "vmap": lambda f: lambda x: jax.vmap(f)(x[None]),
    "grad": lambda f: jax.grad(lambda x: jnp.sum(f(x))),
    "scan": lambda f: lambda x: jax.lax.scan(lambda c, y: (c, f(y)), 0, x[None])[1],
    "cond": lambda f: lambda x: jax.lax.cond(x[0] > 0, f, lambda x: x, x),
    "remat": jax.checkpoint,
    "while": lambda f: (
        lambda x: jax.lax.while_loop(lambda c: c[0] < 1, lambda c: (c[0] + 1, f(c[1])), (0, x))
    ),
}


@pytest.mark.parametrize("context", _CONTEXTS)
def test_a_staged_check_is_told_everywhere_and_has_no_effect(context):
    def checked(x):
        checks.check(x < 2, "x must be below {2}.")
        return x * x

    function = _CONTEXTS[context](checked)
    for x, wrong in ((jnp.array([1.0, 3.0]), True), (jnp.array([1.0, 1.5]), False)):
        error, _ = jax.jit(checkify.checkify(function))(x)
        assert bool(error.get()) == wrong
        assert not wrong or "x must be below {2}." in error.get()
    # An effect would send each call of a compiled function through Python.
    assert not jax.make_jaxpr(jax.jit(checked))(jnp.ones(2)).effects
    quiet, _ = checkify.checkify(function, errors=checkify.nan_checks)(jnp.array([1.0, 3.0]))
    assert quiet.get() is None
