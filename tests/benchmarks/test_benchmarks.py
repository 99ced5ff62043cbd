"""Every benchmark runs at a tiny size and writes a table; peers compute what infojax does."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.measure import Row, show
from benchmarks.run import BENCHMARKS, describe_machine, to_markdown
from infojax import couplings

_ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_runs(name):
    table = BENCHMARKS[name](1, True)
    assert table.rows
    text = to_markdown(name, table, describe_machine())
    assert text.count("\n|") == len(table.rows) + 2
    assert all(np.isfinite(row.ratio) for row in table.rows)


def test_command_writes_both_files_and_names_the_benchmarks(tmp_path):
    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "benchmarks.run", *arguments],
            cwd=_ROOT,
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            check=False,
        )

    done = command("entropy_accuracy", "--quick", f"--tables={tmp_path}")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "entropy_accuracy.json").read_text())["rows"]
    assert {row["bar"] for row in rows} == {"<= 2e-6"}
    assert "jax" in (tmp_path / "entropy_accuracy.md").read_text()
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".md"}
    unknown = command("entropy")
    assert unknown.returncode != 0
    assert "greedy_coupling" in unknown.stderr
    assert "Traceback" not in unknown.stderr


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_a_table_of_each_is_committed(name):
    rows = json.loads((_ROOT / f"benchmarks/results/{name}.json").read_text())["rows"]
    assert rows
    assert (_ROOT / f"benchmarks/results/{name}.md").exists()


def test_peers_agree_with_infojax():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(20)), rng.dirichlet(np.ones(30))
    ours = float(couplings.greedy_mec(p, q).entropy())
    for masses in (
        [float(mass) for mass in peers.stacked_argmax_greedy(p, q).values()],
        [float(mass) for mass in peers.stacked_argmax_greedy(p, q, dtype=np.float64).values()],
        [mass for *_, mass in peers.lean_argmax_greedy(p, q)],
        [mass for *_, mass in peers.heap_greedy(p, q)],
    ):
        masses = np.array([mass for mass in masses if mass > 0])
        np.testing.assert_allclose(-(masses * np.log(masses)).sum(), ours, rtol=1e-5)
    for rate in (0.0, 0.7, 1.9, 9.0):
        expected = float(couplings.greedy_ebim(p, rate).entropy)
        np.testing.assert_allclose(peers.sequential_code_entropy(p, rate), expected, atol=1e-5)


def test_rows_judge_their_bars():
    assert Row("", "", "", "", 60.0, ">= 50").met
    assert not Row("", "", "", "", 3.0, "<= 2.5").met
    assert Row("", "", "", "", 3.0).met is None
    assert [show(x) for x in (2.0, 0.0123, 4.5e-6)] == ["2 s", "12.3 ms", "4.5 us"]
