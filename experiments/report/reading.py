"""Reads what a run left in its work directory."""

import csv
import dataclasses
import json
from pathlib import Path

from experiments.runner.claims import Claim
from experiments.runner.errors import StorageError, UserError
from experiments.runner.workdir import read_identity


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """One run, as its work directory tells it.

    Attributes:
      path: The work directory.
      experiment: The experiment's name.
      size: "desk" or "full".
      seed: The run's seed.
      claims: Its claims, or None while it has not come to them.
      tables: The CSV files.
      figures: The PNG and GIF files.
    """

    path: Path
    experiment: str
    size: str
    seed: int
    claims: tuple[Claim, ...] | None
    tables: tuple[Path, ...]
    figures: tuple[Path, ...]

    @property
    def held(self) -> int:
        """How many claims hold."""
        return sum(claim.holds for claim in self.claims or ())


def read_run(path: Path) -> RunRecord:
    """Reads a work directory.

    Raises:
      UserError: It is none.
      StorageError: Its files are damaged.
    """
    try:
        identity = read_identity(path)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    if identity is None:
        kind = "the work directory of an experiment" if path.is_dir() else "a directory"
        raise UserError(f"{path} is not {kind}")
    try:
        return RunRecord(
            path=path,
            experiment=identity["experiment"],
            size=identity["size"],
            seed=identity["seed"],
            claims=_read_claims(path / "claims.json"),
            tables=tuple(sorted(path.glob("*.csv"))),
            figures=tuple(sorted([*path.glob("*.png"), *path.glob("*.gif")])),
        )
    except KeyError as error:
        raise StorageError(f"{path / 'config.json'} lacks {error}") from error


def read_table(path: Path) -> list[list[str]]:
    """Returns the rows of a CSV file, the header first."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def _read_claims(path: Path) -> tuple[Claim, ...] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_claim(entry) for entry in content["claims"])
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def _claim(entry: dict) -> Claim:
    interval = entry["interval"]
    return Claim(
        name=entry["name"],
        statement=entry["statement"],
        source=entry["source"],
        value=_number(entry["value"]),
        interval=None if interval is None else (_number(interval[0]), _number(interval[1])),
        threshold=entry["threshold"],
        holds=bool(entry["holds"]),
    )


def _number(value: float | None) -> float:
    """Reads a number of `claims.json`, where null stands for one that is not finite."""
    return float("nan") if value is None else float(value)
