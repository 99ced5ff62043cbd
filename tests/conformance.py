"""The one helper that takes any public function through what its users do with it.

A `Case` says how to draw valid arguments; `check_case` then runs the function eagerly, under
jit, vmap and grad (against finite differences), in float32, bfloat16 and x64, over batch shapes
and masks, and on empty, extreme and invalid input.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify


@dataclasses.dataclass(frozen=True)
class Case:
    """One public function with one setting of its options.

    Attributes:
        function: the public function.
        draw: from a numpy generator and a batch shape to its array arguments in float64; `batch`
            is always () where `batched` is False.
        options: its keyword options.
        label: tells apart several cases of one function.
        batched: whether leading axes are batch axes (else batches go through vmap alone).
        differentiable: the positions of the arguments to differentiate by.
        on_simplex: whether differences are taken within the simplex, sums along the last axis
            kept, because the function jumps outside of it.
        smooth: whether central differences are meaningful at a random point.
        forward_mode: whether it has a forward-mode derivative; a kernel's has reverse mode alone.
        masked: whether it takes `where` over the last axis of every argument.
        half: whether it takes bfloat16.
        half_tolerance: absolute and relative error allowed in bfloat16.
        tolerance: relative error allowed between float32 and float64.
        extremes: further arguments for which the value must not be NaN and every gradient must
            be finite.
        infinite: arguments whose value may be +inf and gradients infinite, but never NaN.
        invalid: arguments and a pattern that the error must match.
        traced_invalid: whether invalid values give NaN under jit and an error under checkify.
        result: picks the array to compare from the result.
    """

    function: Callable
    draw: Callable[[np.random.Generator, tuple[int, ...]], Sequence[np.ndarray]]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    label: str = ""
    batched: bool = True
    differentiable: tuple[int, ...] = (0,)
    on_simplex: bool = False
    smooth: bool = True
    forward_mode: bool = True
    masked: bool = False
    half: bool = True
    half_tolerance: float = 0.05
    tolerance: float = 2e-5
    extremes: Sequence[Sequence[np.ndarray]] = ()
    infinite: Sequence[Sequence[np.ndarray]] = ()
    invalid: Sequence[tuple[Sequence[np.ndarray], str]] = ()
    traced_invalid: bool = True
    result: Callable[[Any], jax.Array] = lambda value: value

    def __str__(self) -> str:
        return f"{self.function.__name__}{'-' + self.label if self.label else ''}"

    def __call__(self, *arguments):
        return self.result(self.function(*arguments, **self.options))


def simplex(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Random interior points of the simplex along the last axis."""
    p = rng.uniform(0.2, 1.0, shape)
    return p / p.sum(-1, keepdims=True)


def joint_table(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A random joint table without zeros."""
    p = rng.uniform(0.1, 1.0, shape)
    return p / p.sum()


def one_hot(size: int, index: int = 0) -> np.ndarray:
    """A point mass."""
    return np.eye(size)[index]


BAD_DISTRIBUTIONS = (
    (np.array([0.5, 0.75, -0.25]), r"= -0\.25"),
    (np.array([0.5, np.nan, 0.5]), "nan"),
    (np.array([0.5, np.inf, 0.5]), "inf"),
    (np.array([0.5, 0.25, 0.125]), r"sum of 0\.875"),
    (np.zeros(0), "empty support"),
)


def bad_distributions(position: int = 0, *others: np.ndarray):
    """Invalid argument lists with one bad distribution of three symbols at `position`."""
    rows = []
    for bad, pattern in BAD_DISTRIBUTIONS:
        filler = [np.full(bad.shape, 1 / max(bad.size, 1)) if o is None else o for o in others]
        rows.append(([*filler[:position], bad, *filler[position:]], pattern))
    return tuple(rows)


def _cast(arguments, dtype):
    # By numpy: a cast on the device would be compiled for each shape.
    return tuple(
        jnp.asarray(a.astype(dtype) if np.issubdtype(a.dtype, np.floating) else a)
        for a in map(np.asarray, arguments)
    )


def _scalar(case: Case, weights):
    return lambda *arguments: jnp.sum(case(*arguments) * weights)


def _draw(case: Case, seed: int = 0, batch: tuple[int, ...] = ()):
    return case.draw(np.random.default_rng(seed), batch if case.batched else ())


def _compiled(case: Case):
    # One compilation: primitive by primitive takes ten times as many. Eagerly it runs in float32.
    return jax.jit(case.__call__)


def check_case(case: Case) -> None:
    """Runs every check that applies to a case."""
    with jax.enable_x64(True):
        exact = _check_float64(case)
    assert np.all(np.isfinite(exact)), "the drawn point must have a finite value"
    _check_float32(case, exact)
    _check_transformations(case)
    if case.batched:
        _check_batches(case)
    if case.half:
        _check_half(case, exact)
    if case.masked:
        _check_mask(case)
    _check_extremes(case)
    _check_invalid(case)


def _check_float64(case):
    """The value; central differences along random directions against both derivatives."""
    arguments = _cast(_draw(case), jnp.float64)
    if not (case.differentiable and case.smooth):
        exact = np.asarray(_compiled(case)(*arguments))
        assert exact.dtype == np.float64
        return exact
    rng = np.random.default_rng(7)
    weights = jnp.asarray(rng.uniform(0.5, 1.5, jax.eval_shape(case, *arguments).shape))
    scalar = _scalar(case, weights)
    forward = not case.on_simplex and case.forward_mode

    @jax.jit
    def everything(*a):
        gradients = jax.grad(scalar, case.differentiable)(*a)
        ones = jax.tree.map(jnp.ones_like, a)
        slope = jax.jvp(scalar, a, ones)[1] if forward else None
        return case(*a), scalar(*a), gradients, slope

    exact = np.asarray(everything(*arguments)[0])
    assert exact.dtype == np.float64
    arguments = _cast(_draw(case, 3), jnp.float64)
    _, _, gradients, slope = everything(*arguments)
    step = 1e-5
    for position, gradient in zip(case.differentiable, gradients, strict=True):
        x = np.asarray(arguments[position])
        direction = rng.normal(size=x.shape)
        if case.on_simplex:
            direction -= direction.mean(-1, keepdims=True)
        ahead, behind = list(arguments), list(arguments)
        # A step of 1e-5 stays within the tolerance of the checks of values.
        ahead[position] = jnp.asarray(x + step * direction)
        behind[position] = jnp.asarray(x - step * direction)
        difference = (everything(*ahead)[1] - everything(*behind)[1]) / (2 * step)
        np.testing.assert_allclose(
            np.sum(gradient * direction), difference, rtol=2e-5, atol=2e-7, err_msg=f"{position}"
        )
    if forward and len(gradients) == len(arguments):
        np.testing.assert_allclose(slope, sum(jnp.sum(g) for g in gradients), 1e-6, 1e-9)
    return exact


def _check_float32(case, exact):
    arguments = _cast(_draw(case), jnp.float32)
    value = case(*arguments)
    assert value.dtype == jnp.float32
    scale = np.maximum(np.abs(exact), 1e-2)
    np.testing.assert_allclose(value / scale, exact / scale, rtol=0, atol=case.tolerance)
    jitted = _compiled(case)(*arguments)
    np.testing.assert_allclose(jitted, value, rtol=1e-5, atol=1e-6)
    arrays = tuple(np.asarray(a) for a in arguments)
    np.testing.assert_array_equal(case(*arrays), value)


def _check_transformations(case):
    rows = [_cast(_draw(case, seed), jnp.float32) for seed in range(3)]
    stacked = tuple(jnp.asarray(np.stack(column)) for column in zip(*rows, strict=True))
    expected = np.stack([np.asarray(case(*row)) for row in rows])
    differentiate = case.differentiable and case.smooth
    gradient = jax.grad(_scalar(case, 1.0), case.differentiable) if differentiate else None

    @jax.jit
    def everything(stacked, row):
        mapped = jax.vmap(case.__call__)(*stacked)
        scanned = jax.lax.map(lambda row: case(*row), stacked)
        gradients = (jax.vmap(gradient)(*stacked), gradient(*row)) if gradient else ((), ())
        return mapped, scanned, gradients

    mapped, scanned, gradients = everything(stacked, rows[1])
    np.testing.assert_allclose(mapped, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scanned, expected, rtol=1e-5, atol=1e-6)
    for batch, single in zip(*gradients, strict=True):
        np.testing.assert_allclose(batch[1], single, rtol=1e-4, atol=1e-5)


def _check_batches(case):
    batch = _cast(_draw(case, 1, (2, 3)), jnp.float32)
    nothing = tuple(jnp.asarray(np.asarray(a)[:, :0]) for a in batch)
    value, empty = jax.jit(lambda batch, nothing: (case(*batch), case(*nothing)))(batch, nothing)
    assert value.shape[:2] == (2, 3)
    for index in ((0, 0), (1, 2)):
        one = case(*(jnp.asarray(np.asarray(a)[index]) for a in batch))
        np.testing.assert_allclose(value[index], one, rtol=1e-5, atol=1e-6)
    assert empty.shape[:2] == (2, 0)


def _check_half(case, exact):
    arguments = _cast(_draw(case), jnp.bfloat16)
    value = _compiled(case)(*arguments)
    assert value.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        np.asarray(value, np.float64), exact, rtol=case.half_tolerance, atol=case.half_tolerance
    )


def _check_mask(case):
    """A masked call equals the call on the entries that count; rubbish elsewhere is harmless."""
    arguments = _draw(case, 5)
    width = arguments[0].shape[-1]
    keep = np.ones(width + 3, bool)
    keep[[1, 3, width + 2]] = False
    padded = []
    for a in arguments:
        wide = np.full((*a.shape[:-1], width + 3), np.nan)
        wide[..., keep] = a
        padded.append(wide)

    def call(*a):
        return case.result(case.function(*a, where=jnp.asarray(keep), **case.options))

    values = jax.jit(lambda padded, arguments: (call(*padded), case(*arguments)))
    value, expected = values(_cast(padded, jnp.float32), _cast(arguments, jnp.float32))
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)

    filled = _cast([np.where(keep, a, 0.125) for a in padded], jnp.float32)
    if not (case.smooth and case.differentiable):
        return
    gradients = jax.jit(jax.grad(lambda *a: jnp.sum(call(*a)), case.differentiable))
    for gradient in gradients(*filled):
        assert np.all(np.isfinite(gradient))
        np.testing.assert_array_equal(np.asarray(gradient)[..., ~keep], 0)


def _check_extremes(case):
    gradient = jax.grad(_scalar(case, 1.0), case.differentiable) if case.differentiable else None
    both = jax.jit(lambda *a: (case(*a), *(gradient(*a) if gradient else ())))
    finite = len(case.extremes)
    for number, extreme in enumerate((*case.extremes, *case.infinite)):
        # What the checks of values refuse is NaN here.
        for value in both(*_cast(extreme, jnp.float32)):
            value = np.asarray(value)
            assert not np.any(np.isnan(value)), (extreme, value)
            assert number >= finite or np.all(np.isfinite(value)), (extreme, value)
        # In half precision once is enough: the code behind it is the same.
        if case.half and not number:
            value = np.asarray(_compiled(case)(*_cast(extreme, jnp.bfloat16)), np.float32)
            assert not np.any(np.isnan(value)), (extreme, value)


def _check_invalid(case):
    compiled = _compiled(case)
    told = jax.jit(checkify.checkify(case.__call__))
    for arguments, pattern in case.invalid:
        arguments = _cast(arguments, jnp.float32)
        with pytest.raises(ValueError, match=pattern):
            case(*arguments)
        # An empty support is known from the shape, so it may be refused when traced.
        if not case.traced_invalid or any(a.size == 0 for a in arguments):
            continue
        assert np.all(np.isnan(compiled(*arguments))), arguments
        error, _ = told(*arguments)
        assert error.get() is not None, arguments
    if _draw(case) and case.half:
        integers = tuple(jnp.asarray(np.ones(np.shape(a), bool)) for a in _draw(case))
        with pytest.raises((TypeError, ValueError)):
            case(*integers)
