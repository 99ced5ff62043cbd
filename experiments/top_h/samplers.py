"""The samplers that are compared, each after the temperature, with the settings of the papers."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax

from experiments import runner
from infojax import decoding

ALPHA = 0.4  # of top-H, the paper's


class Sampler(NamedTuple):
    """A sampler.

    Attributes:
        title: for tables and figures.
        function: from a temperature and logits (B, V) to masked logits.
    """

    title: str
    function: Callable[[jax.Array, jax.Array], jax.Array]


def _then(truncate: Callable[[jax.Array], jax.Array]):
    def function(t, logits):
        return truncate(decoding.temperature(logits, t))

    return function


REGISTRY = {
    "temperature": Sampler("none", lambda t, logits: decoding.temperature(logits, t)),
    "top_k": Sampler("top-k 20", _then(lambda s: decoding.top_k(s, 20))),
    "top_p": Sampler("top-p .9", _then(lambda s: decoding.top_p(s, 0.9))),
    "min_p": Sampler("min-p .1", _then(lambda s: decoding.min_p(s, 0.1))),
    "typical": Sampler("typical .9", _then(lambda s: decoding.typical(s, 0.9))),
    "epsilon": Sampler("epsilon .001", _then(lambda s: decoding.epsilon(s, 1e-3))),
    "eta": Sampler("eta .001", _then(lambda s: decoding.eta(s, 1e-3))),
    "top_n_sigma": Sampler("top-n-sigma 1", _then(lambda s: decoding.top_n_sigma(s, 1.0))),
    "top_h": Sampler("top-H .4", lambda t, s: decoding.top_h(s, alpha=ALPHA, temperature=t)),
    "top_h_reference": Sampler(
        "top-H .4, code's rule",
        lambda t, s: decoding.top_h(s, alpha=ALPHA, temperature=t, rule="reference"),
    ),
}


def check_names(names: Sequence[str]) -> None:
    """Demands known samplers.

    Args:
        names: from the configuration.

    Raises:
        UserError: one is unknown, or none is left.
    """
    unknown = [name for name in names if name not in REGISTRY]
    if unknown or not names:
        raise runner.UserError(
            f"config.samplers must name samplers out of {', '.join(REGISTRY)}; "
            f"got {', '.join(unknown) or 'none'}"
        )
