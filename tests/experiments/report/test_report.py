import json
import subprocess
import sys

import pytest

from experiments import runner
from experiments.report import markdown
from experiments.report.__main__ import write_report
from experiments.report.reading import read_run
from tests.experiments.runner import children


def make_run(path, experiment="maze", size="desk", finished=True, seed=0):
    with runner.open_run(
        experiment=experiment, config={"n": 1}, workdir=path, size=size, seed=seed, quiet=True
    ) as run:
        run.save_table("small_table", [{"a|b": 1, "x": 0.123456789, "word": "up"}])
        run.save_table("long", [{"i": i} for i in range(100)])
        (path / "reward curve.png").write_bytes(b"png")
        if finished:
            run.save_claims(
                [
                    runner.claim(
                        name="gain",
                        statement="The gain | is high",
                        source="Fig. 2",
                        value=0.41234567,
                        interval=(0.38, 0.44),
                        threshold=">= 0.3",
                    ),
                    runner.claim(
                        name="exact", statement="Zero", source="Eq. 1", value=1, threshold="== 0"
                    ),
                ]
            )
    return path


def test_results(tmp_path):
    runs = [make_run(tmp_path / "runs/b", "zebra", finished=False), make_run(tmp_path / "runs/a")]
    output = tmp_path / "RESULTS.md"
    line = write_report([str(run) for run in runs], str(output), None)
    assert line.endswith("2 runs, claims that hold: 1 of 2")
    text = output.read_text()
    assert text.startswith("# Results\n\nClaims that hold: 1 of 2\n\n| experiment |")
    assert "| maze | desk | 1 of 2 | exact |" in text
    assert "| zebra | desk | not finished |  |" in text
    assert text.index("## maze (desk)") < text.index("## zebra (desk)")
    gain = "| The gain \\| is high | Fig. 2 | 0.4123 [0.38, 0.44] | >= 0.3 | holds |"
    assert gain in text
    assert "| Zero | Eq. 1 | 1 | == 0 | **does not hold** |" in text
    assert "| a\\|b | x | word |\n| --- | --- | --- |\n| 1 | 0.12346 | up |" in text
    assert "100 rows, 1 columns: [long.csv](runs/a/long.csv)" in text
    assert "![maze: reward curve](runs/a/reward%20curve.png)" in text
    assert str(tmp_path) not in text


def test_the_same_runs_give_the_same_bytes_in_any_order(tmp_path):
    runs = [make_run(tmp_path / f"runs/{i}", size=size) for i, size in enumerate(["full", "desk"])]
    texts = set()
    for order in (runs, runs[::-1], [*runs, *runs]):
        write_report([str(run) for run in order], str(tmp_path / "out.md"), None)
        texts.add((tmp_path / "out.md").read_bytes())
    assert len(texts) == 1


def test_the_readme_gets_the_summary_between_its_markers(tmp_path):
    run = make_run(tmp_path / "run")
    readme = tmp_path / "README.md"
    readme.write_text(f"# Hello\n{markdown.START}\nstale\n{markdown.END}\nbye\n")
    for _ in range(2):
        write_report([str(run)], None, str(readme))
    text = readme.read_text()
    assert text.startswith(f"# Hello\n{markdown.START}\nClaims that hold: 1 of 2\n")
    assert text.endswith(f"| maze | desk | 1 of 2 | exact |\n{markdown.END}\nbye\n")
    assert "stale" not in text


@pytest.mark.parametrize("text", ["", markdown.START, f"{markdown.END} {markdown.START}"])
def test_a_readme_without_markers_stops_all_writing(tmp_path, text):
    run = make_run(tmp_path / "run")
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(runner.UserError, match="needs one line <!-- claims:start -->"):
        write_report([str(run)], str(tmp_path / "out.md"), str(tmp_path / "README.md"))
    assert not (tmp_path / "out.md").exists()
    assert (tmp_path / "README.md").read_text() == text


def test_paths_that_are_no_runs(tmp_path):
    with pytest.raises(runner.UserError, match="is not the work directory of an experiment"):
        read_run(tmp_path)
    with pytest.raises(runner.UserError, match="is not a directory"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(runner.UserError, match="name the work directories"):
        write_report([], "out.md", None)
    run = make_run(tmp_path / "run")
    (run / "claims.json").write_text(json.dumps({"claims": [{"name": "x"}]}))
    with pytest.raises(runner.StorageError, match=r"claims\.json is damaged"):
        read_run(run)


def test_the_command(tmp_path):
    run = make_run(tmp_path / "run")

    def report(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "experiments.report", *arguments],
            cwd=children.ROOT,
            env=children.environment(),
            capture_output=True,
            text=True,
        )

    done = report(str(run), f"--output={tmp_path / 'out.md'}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.md").exists()
    done = report(str(tmp_path), f"--ouput={tmp_path / 'out.md'}")
    assert done.returncode == 2
    assert "did you mean --output?" in children.only_line(done.stderr)
    done = report(str(tmp_path))
    assert done.returncode == 2
    assert "is not the work directory" in children.only_line(done.stderr)
