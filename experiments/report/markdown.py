"""Writes records of runs as Markdown; the same runs give the same bytes."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from experiments.report.reading import RunRecord, read_table
from experiments.runner.claims import Claim
from experiments.runner.errors import UserError

START = "<!-- claims:start -->"
END = "<!-- claims:end -->"
MAX_TABLE_ROWS = 40
MAX_TABLE_COLUMNS = 12


def results(records: Iterable[RunRecord], folder: Path) -> str:
    """Returns the text of RESULTS.md.

    Args:
      records: The runs, in any order.
      folder: Where the text will lie; links are relative to it.
    """
    records = _ordered(records)
    parts = ["# Results", summary(records)]
    for record in records:
        parts += _section(record, folder)
    return "\n\n".join(parts) + "\n"


def summary(records: Iterable[RunRecord]) -> str:
    """Returns the number of claims that hold, and a table with a line for each run."""
    records = _ordered(records)
    total = sum(len(record.claims or ()) for record in records)
    held = sum(record.held for record in records)
    rows = [["experiment", "size", "claims that hold", "claims that do not hold"]]
    for record in records:
        if record.claims is None:
            rows.append([record.experiment, record.size, "not finished", ""])
            continue
        failing = ", ".join(claim.name for claim in record.claims if not claim.holds)
        score = f"{record.held} of {len(record.claims)}"
        rows.append([record.experiment, record.size, score, failing])
    return f"Claims that hold: {held} of {total}\n\n{table(rows)}"


def replace_summary(text: str, new: str, name: str) -> str:
    """Returns `text` with `new` between its two markers.

    Raises:
      UserError: The markers are not there exactly once, in order.
    """
    if text.count(START) != 1 or text.count(END) != 1 or text.index(START) > text.index(END):
        raise UserError(f"{name} needs one line {START} and, after it, one line {END}")
    before, rest = text.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n{new}\n{END}{after}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Returns rows, the header first, as a Markdown table."""
    header, *body = [[_cell(cell) for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _ordered(records: Iterable[RunRecord]) -> list[RunRecord]:
    return sorted(records, key=lambda r: (r.experiment, r.size, r.seed, r.path.as_posix()))


def _section(record: RunRecord, folder: Path) -> list[str]:
    parts = [f"## {record.experiment} ({record.size})"]
    if record.claims is None:
        parts.append("This run has not come to its claims.")
    else:
        parts.append(f"Size {record.size}, seed {record.seed}. {_score(record)}")
        header = ["claim", "source", "measured", "expected", "verdict"]
        if record.claims:
            parts.append(table([header, *(_claim_row(claim) for claim in record.claims)]))
    for path in record.tables:
        parts += [f"### {_title(path)}", _table_or_link(path, folder)]
    for path in record.figures:
        parts.append(f"![{record.experiment}: {_title(path)}]({_link(path, folder)})")
    return parts


def _score(record: RunRecord) -> str:
    return f"Claims that hold: {record.held} of {len(record.claims or ())}."


def _claim_row(claim: Claim) -> list[str]:
    value = f"{claim.value:.4g}"
    if claim.interval is not None:
        value += f" [{claim.interval[0]:.4g}, {claim.interval[1]:.4g}]"
    verdict = "holds" if claim.holds else "**does not hold**"
    return [claim.statement, claim.source, value, claim.threshold, verdict]


def _table_or_link(path: Path, folder: Path) -> str:
    rows = read_table(path)
    if not rows or not rows[0]:
        return "(empty)"
    link = f"[{path.name}]({_link(path, folder)})"
    if len(rows) - 1 > MAX_TABLE_ROWS or len(rows[0]) > MAX_TABLE_COLUMNS:
        return f"{len(rows) - 1} rows, {len(rows[0])} columns: {link}"
    body = [[_shorten(cell) for cell in row] for row in rows[1:]]
    return table([rows[0], *body])


def _shorten(cell: str) -> str:
    """Returns a number with at most five digits; anything else as it is."""
    try:
        float(cell)
        int_like = cell.lstrip("+-").isdigit()
    except ValueError:
        return cell
    return cell if int_like else f"{float(cell):.5g}"


def _title(path: Path) -> str:
    return path.stem.replace("_", " ")


def _link(path: Path, folder: Path) -> str:
    return quote(Path(os.path.relpath(path, folder)).as_posix())


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
