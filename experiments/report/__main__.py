"""The command `python -m experiments.report DIRECTORY... [--output=FILE] [--readme=FILE]`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import app, flags

from experiments.report import markdown
from experiments.report.reading import read_run
from experiments.runner import atomic
from experiments.runner.application import parse_flags
from experiments.runner.errors import StorageError, UserError

_OUTPUT = flags.DEFINE_string("output", "RESULTS.md", "file for the results; empty for none")
_README = flags.DEFINE_string(
    "readme", None, f"put the summary between {markdown.START} and {markdown.END} of this file"
)


def write_report(paths: Sequence[str], output: str | None, readme: str | None) -> str:
    """Writes the report of some work directories; returns one line that says what was written.

    Args:
      paths: The work directories.
      output: File for the results, or None.
      readme: File whose marked part is replaced by the summary, or None.

    Raises:
      UserError: A path is not a work directory, or `readme` has no markers; nothing is written.
    """
    if not paths:
        raise UserError("name the work directories: python -m experiments.report runs/*")
    records = [read_run(Path(path)) for path in dict.fromkeys(paths)]
    files = {}
    if output:
        files[Path(output)] = markdown.results(records, Path(output).parent)
    if readme:
        try:
            text = Path(readme).read_text(encoding="utf-8")
        except OSError as error:
            raise StorageError(f"cannot read {readme}: {error.strerror}") from error
        files[Path(readme)] = markdown.replace_summary(text, markdown.summary(records), readme)
    for path, text in files.items():
        atomic.write_text(path, text)
    held = sum(record.held for record in records)
    total = sum(len(record.claims or ()) for record in records)
    names = ", ".join(str(path) for path in files)
    runs = "1 run" if len(records) == 1 else f"{len(records)} runs"
    return f"{names}: {runs}, claims that hold: {held} of {total}"


def _parse(argv: Sequence[str]) -> list[str]:
    if {"--help", "-h", "-help", "--helpshort"} & set(argv[1:]):
        print(__doc__.replace("`", ""))
        for flag in (_OUTPUT, _README):
            print(f"  --{flag.name:<10}{flags.FLAGS[flag.name].help}")
        sys.exit(0)
    try:
        return parse_flags(argv, flags.FLAGS)
    except UserError as error:
        sys.exit(_say(error))


def _main(paths: Sequence[str]) -> int:
    try:
        print(write_report(paths, _OUTPUT.value, _README.value))
        return 0
    except UserError as error:
        return _say(error)


def _say(error: UserError) -> int:
    print("error:", *str(error).split(), file=sys.stderr)
    return error.status


if __name__ == "__main__":
    app.run(_main, flags_parser=_parse)
