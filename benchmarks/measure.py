"""Timing of functions in turn with their peers: warm, blocked until ready, medians."""

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping

import jax
from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds of one contender.

    Attributes:
        first: the first call, which compiles.
        each: the counted calls.
    """

    first: float
    each: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the counted calls."""
        return statistics.median(self.each)

    def shared_by(self, count: int) -> "Times":
        """The times of one problem, where a call solves `count` of them."""
        return Times(self.first, tuple(seconds / count for seconds in self.each))

    def show(self) -> str:
        """The median and the range, with units."""
        return f"{show(self.median)} ({show(min(self.each))} .. {show(max(self.each))})"

    def numbers(self) -> dict[str, float]:
        """The figures in seconds, by name."""
        return {
            "median": self.median,
            "least": min(self.each),
            "most": max(self.each),
            "first_call": self.first,
        }


def _seconds(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - began


def in_turn(contenders: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Times]:
    """Times contenders A B C A B C ..., so that a machine's moods meet all of them.

    Args:
        contenders: functions without arguments by name.
        repeats: counted calls of each, after one that warms up.

    Returns:
        The times by name.
    """
    first = {name: _seconds(function) for name, function in contenders.items()}
    each = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, function in contenders.items():
            each[name].append(_seconds(function))
    return {name: Times(first[name], tuple(each[name])) for name in contenders}


def show(seconds: float) -> str:
    """Writes a time with a unit that suits it.

    Args:
        seconds: the time.

    Returns:
        Three significant digits and the unit.
    """
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * scale >= 1 or unit == "us":
            return f"{seconds * scale:.3g} {unit}"
    raise AssertionError


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of a benchmark's table.

    Attributes:
        case: what was run.
        ours: infojax's figure, with its unit.
        peer: the peer's name.
        peers: the peer's figure, with its unit.
        ratio: how the two compare; the header of the table says in which sense.
        bar: what the ratio must satisfy, such as ">= 50"; empty for none.
        seconds: the times behind the two figures, by contender, where they are times.
    """

    case: str
    ours: str
    peer: str
    peers: str
    ratio: float
    bar: str = ""
    seconds: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None without a bar."""
        if not self.bar:
            return None
        sign, number = self.bar.split()
        return self.ratio >= float(number) if sign == ">=" else self.ratio <= float(number)


def rows_against_peers(
    case: str,
    times: Mapping[str, Times],
    *,
    ratio: Callable[[Times, Times], float],
    bars: Mapping[str, str],
    extra: Mapping[str, str] | None = None,
) -> list[Row]:
    """Makes a row for each peer of infojax.

    Args:
        case: what was run.
        times: of every contender, one of them "infojax".
        ratio: of (infojax, peer), the number that the bar is about.
        bars: bars by peer.
        extra: a figure to show beside the times, by contender.

    Returns:
        The rows, in the order of `times`.
    """
    extra, mine = extra or {}, times["infojax"]

    def figure(name: str) -> str:
        return times[name].show() + (f", {extra[name]}" if name in extra else "")

    return [
        Row(
            case=case,
            ours=figure("infojax"),
            peer=name,
            peers=figure(name),
            ratio=ratio(mine, other),
            bar=bars.get(name, ""),
            seconds={"infojax": mine.numbers(), "peer": other.numbers()},
        )
        for name, other in times.items()
        if name != "infojax"
    ]


def times_faster(mine: Times, other: Times) -> float:
    """How many times faster infojax is, from medians."""
    return other.median / mine.median


def times_slower(mine: Times, other: Times) -> float:
    """How many times the peer's time infojax takes, from medians."""
    return mine.median / other.median


@dataclasses.dataclass(frozen=True)
class Table:
    """What a benchmark found.

    Attributes:
        title: what is measured.
        note: how, and in which sense the ratio is.
        rows: its lines.
        figure: a picture of it, or None.
    """

    title: str
    note: str
    rows: tuple[Row, ...]
    figure: Figure | None = None
