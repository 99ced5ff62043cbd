"""Claims: what a paper says, what was measured, and whether it holds."""

import dataclasses
import math
import re
from typing import Any

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_COMPARISON = re.compile(rf"(>=|<=|==|>|<)\s*({_NUMBER})")
_RANGE = re.compile(rf"in\s*\[\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\]")


@dataclasses.dataclass(frozen=True)
class Claim:
    """One published statement and its measurement.

    Attributes:
      name: Short and unique within the experiment, as `mec_beats_independent`.
      statement: What is claimed, one sentence with its unit.
      source: Where it is claimed: paper, arXiv id, figure or table.
      value: What was measured.
      interval: The 95 % interval (low, high) over seeds, or None for an exact value.
      threshold: The condition in words that a reader can check, as ">= 0.3".
      holds: Whether the measurement meets it.
    """

    name: str
    statement: str
    source: str
    value: float
    interval: tuple[float, float] | None
    threshold: str
    holds: bool

    def to_json(self) -> dict[str, Any]:
        """Returns the claim as it stands in `claims.json`."""
        interval = None if self.interval is None else [_finite(bound) for bound in self.interval]
        return {
            "name": self.name,
            "statement": self.statement,
            "source": self.source,
            "value": _finite(self.value),
            "interval": interval,
            "threshold": self.threshold,
            "holds": self.holds,
        }


def claim(
    *,
    name: str,
    statement: str,
    source: str,
    value: float,
    threshold: str,
    interval: tuple[float, float] | None = None,
    by: str = "value",
    holds: bool | None = None,
) -> Claim:
    """Makes a claim and decides whether it holds.

    Args:
      name: See `Claim`.
      statement: See `Claim`.
      source: See `Claim`.
      value: What was measured.
      threshold: ">= x", "<= x", "> x", "< x", "== x" or "in [a, b]"; any text if `holds` is given.
      interval: The 95 % interval of `value`.
      by: "value" judges the measured value; "interval" is stricter: the whole interval must meet
        the threshold. An "== x" holds by "interval" if the interval contains x.
      holds: The verdict, for conditions that a threshold cannot express.

    Returns:
      The claim. A value that is not a number meets no threshold.

    Raises:
      ValueError: `threshold` cannot be read and `holds` is not given; or `by` is unknown, or is
        "interval" without an interval.

    Example:
      >>> claim(name="gain", statement="The gain is at least 0.3 nats", source="Figure 2",
      ...       value=0.41, interval=(0.38, 0.44), threshold=">= 0.3").holds
      True
    """
    if by not in ("value", "interval"):
        raise ValueError(f'by is "value" or "interval", got {by!r}')
    if by == "interval" and interval is None:
        raise ValueError('by="interval" needs an interval')
    if interval is not None:
        interval = (float(interval[0]), float(interval[1]))
    value = float(value)
    if holds is None:
        low, high = interval if by == "interval" else (value, value)
        holds = _meets(low, high, threshold)
    return Claim(name, statement, source, value, interval, threshold, bool(holds))


def _meets(low: float, high: float, threshold: str) -> bool:
    """Says whether every number in [low, high] meets the threshold (for "==": whether one does)."""
    if match := _RANGE.fullmatch(threshold.strip()):
        return float(match[1]) <= low and high <= float(match[2])
    match = _COMPARISON.fullmatch(threshold.strip())
    if match is None:
        raise ValueError(
            f"threshold {threshold!r} is not '>= x', '<= x', '> x', '< x', '== x' or 'in [a, b]'; "
            "give holds= for another condition"
        )
    bound = float(match[2])
    if match[1] == "==":
        # Without an interval both ends are the value: equal up to rounding.
        return low <= bound <= high or math.isclose(low, bound, rel_tol=1e-9)
    return {
        ">=": low >= bound,
        ">": low > bound,
        "<=": high <= bound,
        "<": high < bound,
    }[match[1]]


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
