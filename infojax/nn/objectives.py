"""What each kind of critic is trained by, stopped by, and estimated by.

In all of them the best critic is the log density ratio (up to a constant, or a function of x, for
some), so that scores are comparable and a new critic, near zero, is a fair start.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Literal

import jax

from infojax import information

Bound = Literal["donsker_varadhan", "mine", "nwj", "info_nce", "smile", "jensen_shannon"]

_SMILE_CLIP = 5.0
# Of the average of exponentiated scores, ten steps long: a critic changes fast when it begins.
_MINE_DECAY = 0.9


def _plainly(bound: Callable[[jax.Array], jax.Array]) -> Callable:
    """An objective that carries no moving average."""
    return lambda scores, log_average: (bound(scores), log_average)


def _nwj(scores: jax.Array) -> jax.Array:
    # Tight where the critic is one plus the log density ratio.
    return information.nwj_bound(scores + 1)


def _smile(scores: jax.Array) -> jax.Array:
    return information.smile_bound(scores, _SMILE_CLIP)


# Maximised in training: from scores and the log of a moving average to the bound and the next.
OBJECTIVES: Mapping[str, Callable] = {
    "donsker_varadhan": _plainly(information.donsker_varadhan_bound),
    "mine": functools.partial(information.mine_bound, decay=_MINE_DECAY),
    "nwj": _plainly(_nwj),
    "info_nce": _plainly(information.info_nce_bound),
    "smile": _plainly(information.jensen_shannon_bound),
    "jensen_shannon": _plainly(information.jensen_shannon_bound),
}
# Reported of batches held out.
ESTIMATES: Mapping[str, Callable[[jax.Array], jax.Array]] = {
    "donsker_varadhan": information.donsker_varadhan_bound,
    "mine": information.donsker_varadhan_bound,
    "nwj": _nwj,
    "info_nce": information.info_nce_bound,
    "smile": _smile,
    "jensen_shannon": information.jensen_shannon_nwj_bound,
}
# Early stopping looks at what is trained where that is a bound of its own.
STOPPING: Mapping[str, Callable[[jax.Array], jax.Array]] = {
    **ESTIMATES,
    "smile": information.jensen_shannon_bound,
    "jensen_shannon": information.jensen_shannon_bound,
}
