"""The command `python -m benchmarks.run NAME [--tables=DIR] [--repeats=N] [--quick]`."""

import dataclasses
import json
import os
import pathlib
import platform
import sys
from collections.abc import Callable, Sequence

import jax
import numpy as np
from absl import app, flags, logging

from benchmarks import (
    attention_kernels,
    bayesian_optimization,
    coupling_kernels,
    couplings,
    gram_kernels,
    ignite,
    information_accuracy,
    kernel_statistics,
    language,
    logits_kernels,
    measures,
    neighbors,
    pooling_kernels,
    samplers,
    spectra,
)
from benchmarks.measure import Table, show
from experiments.runner import figures

BENCHMARKS: dict[str, Callable[[int, bool], Table]] = {
    "greedy_coupling": couplings.greedy_coupling,
    "entropy_bounded_code": couplings.entropy_bounded_code,
    "entropy_from_logits": measures.entropy_from_logits,
    "entropy_accuracy": measures.entropy_accuracy,
    "import_time": measures.import_time,
    "ksg_accuracy": neighbors.ksg_accuracy,
    "ksg_mutual_information": neighbors.ksg_mutual_information,
    "attention_with_entropy": attention_kernels.attention_with_entropy,
    "attention_modelled": attention_kernels.attention_modelled,
    "bayesian_optimization": bayesian_optimization.bayesian_optimization,
    "bottleneck_step": coupling_kernels.fused_bottleneck_step,
    "gated_attention_pooling": pooling_kernels.gated_attention_pooling,
    "gaussian_gram_matvec": gram_kernels.gaussian_gram_matvec,
    "hsic_test": kernel_statistics.hsic_test,
    "diffusion_spectral_entropy": spectra.diffusion_spectral_entropy,
    "greedy_coupling_modelled": coupling_kernels.greedy_coupling_modelled,
    "ignite_step": ignite.ignite_step,
    "information_accuracy": information_accuracy.information_accuracy,
    "interval_coverage": information_accuracy.interval_coverage,
    "language_decode_step": language.language_decode_step,
    "logits_modelled": logits_kernels.logits_modelled,
    "pooling_modelled": pooling_kernels.pooling_modelled,
    "samplers": samplers.samplers,
}
_RESULTS = pathlib.Path(__file__).parent / "results"
_OUTPUT = flags.DEFINE_string("tables", str(_RESULTS), "Directory of the tables.")
_REPEATS = flags.DEFINE_integer("repeats", 7, "Counted calls of each contender.", lower_bound=1)
_QUICK = flags.DEFINE_bool("quick", False, "Tiny sizes: shows that it runs, measures nothing.")


def describe_machine() -> dict[str, str]:
    """Names what a table was measured on.

    Returns:
        Device, cores and versions.
    """
    return {
        "device": f"{jax.devices()[0].device_kind} x {jax.device_count()}",
        "processor": platform.machine(),
        "cores": str(os.cpu_count()),
        "jax": jax.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def to_markdown(command: str, table: Table, machine: dict[str, str]) -> str:
    """Writes a table as Markdown.

    Args:
        command: what was typed.
        table: what it found.
        machine: from `describe_machine`.

    Returns:
        The file's text.
    """
    lines = [f"# {table.title}", "", table.note, ""]
    lines += [
        "| case | infojax | peer | peer's | ratio | bar | met |",
        "|---|---|---|---|---|---|---|",
    ]
    words = {True: "yes", False: "**no**", None: ""}
    for row in table.rows:
        cells = (row.case, row.ours, row.peer, row.peers, f"{row.ratio:.3g}", row.bar)
        lines.append(f"| {' | '.join(cells)} | {words[row.met]} |")
    facts = ", ".join(f"{key} {value}" for key, value in machine.items())
    if compiled := _first_calls(table):
        lines += ["", f"First calls of infojax, compilation included: {compiled}."]
    return "\n".join([*lines, "", f"`{command}` on {facts}.", ""])


def _first_calls(table: Table) -> str:
    first = {row.case: row.seconds["infojax"]["first_call"] for row in table.rows if row.seconds}
    return "; ".join(f"{case}: {show(seconds)}" for case, seconds in first.items())


def _write(path: pathlib.Path, content: str | bytes) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        sys.exit(f"cannot write {path}: {error.strerror}")


def main(arguments: Sequence[str]) -> None:
    """Runs one benchmark.

    Args:
        arguments: the program's name and the benchmark's.
    """
    if len(arguments) != 2 or arguments[1] not in BENCHMARKS:
        given = " ".join(arguments[1:]) or "nothing"
        sys.exit(f"name one benchmark of {', '.join(BENCHMARKS)}; got {given}")
    name = arguments[1]
    # jax tells at INFO of each platform that is not there.
    logging.set_verbosity(logging.WARNING)
    output = pathlib.Path(_OUTPUT.value)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"cannot make --output={output}: {error.strerror}")
    table = BENCHMARKS[name](_REPEATS.value, _QUICK.value)
    machine = describe_machine()
    command = f"python -m benchmarks.run {name} --repeats={_REPEATS.value}"
    command += " --quick" if _QUICK.value else ""
    text = to_markdown(command, table, machine)
    content = {
        "benchmark": name,
        "command": command,
        "machine": machine,
        "rows": [dataclasses.asdict(row) | {"met": row.met} for row in table.rows],
    }
    _write(output / f"{name}.json", json.dumps(content, indent=1) + "\n")
    if table.figure is not None:
        text += f"\n![{table.title}]({name}.png)\n"
        _write(output / f"{name}.png", figures.to_png(table.figure))
    _write(output / f"{name}.md", text)
    print(text)


if __name__ == "__main__":
    app.run(main)
