"""Weights in the layout of the reference code in torch, in and out.

There a linear layer's weight is (outputs, inputs), and layers are called as in the code of arXiv
2406.15303 and arXiv 2311.07125.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import ArrayLike

from infojax.nn.mil.attention_pooled import ABMIL, MHAMIL
from infojax.nn.mil.branches import ACMIL
from infojax.nn.mil.critical_instances import DSMIL
from infojax.nn.mil.pooled import MaxMIL, MeanMIL
from infojax.nn.mil.prediction import BagClassifier

Model = TypeVar("Model", bound=BagClassifier)


class _Entry(NamedTuple):
    """Where one tensor of torch goes.

    Attributes:
        name: in torch.
        path: of our parameter.
        axes: the transposition from torch's layout to ours.
        leading: how many axes of size one torch has in front.
        index: the place along our parameter's first axis, if it stacks several tensors.
    """

    name: str
    path: str
    axes: tuple[int, ...]
    leading: int = 0
    index: int | None = None


def _linear(path: str, name: str, bias: bool = True) -> Iterator[_Entry]:
    yield _Entry(f"{name}.weight", f"{path}.kernel", (1, 0))
    if bias:
        yield _Entry(f"{name}.bias", f"{path}.bias", (0,))


def _gated(name: str = "attention") -> Iterator[_Entry]:
    yield from _linear("attention.value", f"{name}.attention_V.0")
    yield from _linear("attention.gate", f"{name}.attention_U.0")
    yield from _linear("attention.output", f"{name}.attention_weights")


def _abmil(model: ABMIL) -> Iterator[_Entry]:
    yield from _linear("embed", "dimreduction.fc1", bias=False)
    yield from _gated()
    yield from _linear("classifier", "classifier.fc")


def _mhamil(model: MHAMIL) -> Iterator[_Entry]:
    yield _Entry("q", "query", (0,), leading=2)
    yield from _linear("embed", "dimreduction.fc1", bias=False)
    for ours, theirs in (("query", "q"), ("key", "k"), ("value", "v"), ("output", "out")):
        yield from _linear(f"{ours}_projection", f"attention.{theirs}_proj")
    yield _Entry("attention.layer_norm.weight", "normalization.scale", (0,))
    yield _Entry("attention.layer_norm.bias", "normalization.bias", (0,))
    yield from _linear("classifier", "classifier.fc")


def _dsmil(model: DSMIL) -> Iterator[_Entry]:
    yield from _linear("instance_classifier", "i_classifier.fc.0")
    yield from _linear("query", "b_classifier.q")
    yield _Entry("b_classifier.fcc.weight", "bag_kernel", (1, 2, 0))
    yield _Entry("b_classifier.fcc.bias", "bag_bias", (0,))


def _acmil(model: ACMIL) -> Iterator[_Entry]:
    yield from _linear("embed", "dimreduction.fc1", bias=False)
    yield from _gated()
    for index in range(model.branch_bias.shape[0]):
        name = f"classifier.{index}.fc"
        yield _Entry(f"{name}.weight", "branch_kernel", (1, 0), index=index)
        yield _Entry(f"{name}.bias", "branch_bias", (0,), index=index)
    yield from _linear("classifier", "Slide_classifier.fc")


def _pooled(model: MeanMIL | MaxMIL) -> Iterator[_Entry]:
    # A ReLU and a dropout stand between them.
    yield from _linear("embed", "head.0")
    yield from _linear("classifier", "head.3")


_LAYOUTS = {
    ABMIL: _abmil,
    ACMIL: _acmil,
    DSMIL: _dsmil,
    MHAMIL: _mhamil,
    MaxMIL: _pooled,
    MeanMIL: _pooled,
}


def _entries(model: BagClassifier) -> list[_Entry]:
    for kind, layout in _LAYOUTS.items():
        if isinstance(model, kind):
            return list(layout(model))
    known = ", ".join(kind.__name__ for kind in _LAYOUTS)
    raise TypeError(f"model must be one of {known}; got {type(model).__name__}.")


def _parameter(model: BagClassifier, entry: _Entry) -> nnx.Variable:
    return functools.reduce(getattr, entry.path.split("."), model)  # type: ignore[return-value]


def torch_weights(model: BagClassifier) -> dict[str, np.ndarray]:
    """The weights of a classifier under torch's names and in torch's layout.

    A model that holds gradients in place of weights gives gradients.

    Args:
        model: one of the classifiers of this package.

    Returns:
        Arrays by name, as `state_dict` has them.

    Raises:
        TypeError: `model` is none of them.

    Example:
        >>> from flax import nnx
        >>> from infojax.nn import mil
        >>> model = mil.ABMIL(24, 2, embedding=16, rngs=nnx.Rngs(0))
        >>> mil.torch_weights(model)["dimreduction.fc1.weight"].shape
        (16, 24)
    """
    found = {}
    for entry in _entries(model):
        value = np.asarray(_parameter(model, entry)[...])
        value = value if entry.index is None else value[entry.index]
        value = value.transpose(np.argsort(entry.axes))
        found[entry.name] = value.reshape((1,) * entry.leading + value.shape)
    return found


def load_torch_weights(model: Model, weights: Mapping[str, ArrayLike]) -> Model:
    """A classifier with the weights of the reference code.

    Args:
        model: one of the classifiers of this package, of the sizes of the weights; it stays as
            it is.
        weights: arrays by torch's names, as `state_dict` has them: for `ABMIL`
            `dimreduction.fc1.weight`, `attention.attention_V.0.weight`, ...,
            `classifier.fc.bias`; the names of any classifier are those of `torch_weights(model)`.

    Returns:
        A new classifier of the same kind.

    Raises:
        TypeError: `model` is none of the classifiers, or a weight is not of floating type.
        ValueError: names that are missing or unknown, or shapes that do not fit, all listed.

    Example:
        >>> from flax import nnx
        >>> from infojax.nn import mil
        >>> weights = mil.torch_weights(mil.ABMIL(24, 2, embedding=16, rngs=nnx.Rngs(0)))
        >>> model = mil.ABMIL(24, 2, embedding=16, rngs=nnx.Rngs(1))
        >>> model = mil.load_torch_weights(model, weights)
        >>> bool((mil.torch_weights(model)["classifier.fc.bias"]
        ...       == weights["classifier.fc.bias"]).all())
        True
    """
    expected = torch_weights(model)
    arrays = {name: np.asarray(value) for name, value in weights.items()}
    faults = []
    if missing := [name for name in expected if name not in arrays]:
        faults.append(f"missing {', '.join(missing)}")
    if surplus := [name for name in arrays if name not in expected]:
        faults.append(f"unknown {', '.join(surplus)}")
    for name, like in expected.items():
        if name in arrays and arrays[name].shape != like.shape:
            faults.append(f"{name} has shape {arrays[name].shape}, expected {like.shape}")
    if faults:
        kind = type(model).__name__
        raise ValueError(f"weights must be those of {kind} in torch; {'; '.join(faults)}.")
    for name, value in arrays.items():
        if not jnp.issubdtype(value.dtype, jnp.floating):
            raise TypeError(f"weights[{name!r}] must have a floating type; got {value.dtype}.")
    loaded = nnx.clone(model)
    for entry in _entries(loaded):
        parameter = _parameter(loaded, entry)
        value = arrays[entry.name].reshape(arrays[entry.name].shape[entry.leading :])
        value = jnp.asarray(value.transpose(entry.axes), parameter.dtype)
        if entry.index is not None:
            value = parameter[...].at[entry.index].set(value)
        parameter[...] = value
    return loaded
