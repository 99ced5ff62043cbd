"""The classifiers of bags by the names that the command line knows."""

from collections.abc import Callable

from flax import nnx

from experiments import runner
from experiments.runner.errors import near_matches
from infojax.nn import mil

_KINDS = {
    "abmil": mil.ABMIL,
    "acmil": mil.ACMIL,
    "dsmil": mil.DSMIL,
    "max": mil.MaxMIL,
    "mean": mil.MeanMIL,
    "mha": mil.MHAMIL,
}
_WITH_GATE = ("abmil", "acmil")
# Size of the embedding for the features of common encoders: ViT-S, ResNet18 or CLIP-B, CLIP-L.
_EMBEDDINGS = {384: 128, 512: 256, 768: 384}

Build = Callable[[nnx.Rngs], mil.BagClassifier]


def builder(arch: str, *, features: int, classes: int, embedding: int, gate: int) -> Build:
    """Gives a function that makes a classifier.

    Args:
        arch: its name.
        features: D.
        classes: C.
        embedding: size of embedded instances; 0 takes what goes with D.
        gate: hidden units of gated attention, where there is one.

    Returns:
        A function of the keys for the weights.

    Raises:
        UserError: an unknown architecture, or an embedding that it cannot have.
    """
    if arch not in _KINDS:
        raise runner.UserError(f"unknown arch '{arch}'{near_matches(arch, _KINDS)}")
    embedding = embedding or _EMBEDDINGS.get(features, 128)
    options = {"gate": gate} if arch in _WITH_GATE else {}
    if arch == "mha" and embedding % 8:
        raise runner.UserError(f"the embedding of mha is a multiple of 8; got {embedding}")

    def build(rngs: nnx.Rngs) -> mil.BagClassifier:
        return _KINDS[arch](features, classes, embedding=embedding, rngs=rngs, **options)

    return build
