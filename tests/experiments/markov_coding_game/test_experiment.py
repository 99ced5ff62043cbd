"""The whole experiment at a tiny size: files, claims, devices and processes."""

import csv
import json
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

from experiments.markov_coding_game import comparisons, ledger, pictures
from experiments.markov_coding_game.config import get_config
from experiments.markov_coding_game.play import Point
from experiments.runner import figures
from tests.devices import environment

_ROOT = pathlib.Path(__file__).parents[3]
_TINY = [
    "--size=full",
    "--config.game.message_bits=(3,)",
    "--config.game.grid_sides=(8,)",
    "--config.game.log_betas=(-5.0,-4.0)",
    "--config.game.compression_rates=(1.0,2.0)",
    "--config.game.episodes=6",
    "--config.game.shards=8",
    "--config.game.lanes_per_shard=2",
    "--config.game.max_steps=40",
    "--config.game.checkpoints=2",
    "--config.tables.pairs=4",
    "--config.tables.curve_rates=20",
    "--config.tables.encoder_rates=6",
    "--config.tables.stochasticity_symbols=16",
]


def _command(workdir, *extra):
    module = [sys.executable, "-m", "experiments.markov_coding_game"]
    return [*module, f"--workdir={workdir}", *_TINY, *extra]


def _run(workdir, *extra, devices=1):
    done = subprocess.run(
        _command(workdir, *extra),
        cwd=_ROOT,
        env=environment(devices),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("one") / "run"
    return workdir, _run(workdir, "--message=hé").stdout


def test_files_and_output(one_device):
    workdir, printed = one_device
    ledger_file = json.loads((workdir / "claims.json").read_text())
    assert ledger_file["experiment"] == "markov_coding_game"
    assert len(ledger_file["claims"]) >= 12
    rows = list(csv.DictReader((workdir / "games.csv").open()))
    assert len(rows) == 2 * 2 * 2
    assert {row["encoder"] for row in rows} == {"search", "uniform"}
    for name in ("games", "over_time", "mec_table", "code_curve", "encoders", "stochasticity"):
        assert (workdir / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert (workdir / "route.gif").read_bytes().startswith(b"GIF89a")
    assert "% of 24 bits received" in printed
    assert "claims" in printed


def test_eight_devices_give_the_results_of_one(one_device, tmp_path):
    _run(tmp_path / "eight", "--message=hé", devices=8)
    for name in ("games.csv", "claims.json", "message.csv", "games.png", "over_time.png"):
        assert (tmp_path / "eight" / name).read_bytes() == (one_device[0] / name).read_bytes()


def test_two_processes_give_the_results_of_one(one_device, tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    children = [
        subprocess.Popen(
            _command(
                tmp_path / "two",
                "--message=hé",
                f"--coordinator_address=localhost:{port}",
                "--num_processes=2",
                f"--process_id={number}",
            ),
            cwd=_ROOT,
            env=environment(4),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(2)
    ]
    try:
        printed = [child.communicate(timeout=600)[0] for child in children]
    finally:
        for child in children:
            child.kill()  # neither outlives the test, nor waits for the other for ever
    assert [child.returncode for child in children] == [0, 0], printed
    for name in ("games.csv", "claims.json", "message.csv"):
        assert (tmp_path / "two" / name).read_bytes() == (one_device[0] / name).read_bytes()


@pytest.mark.parametrize(
    ("extra", "pattern"),
    [
        (["--message=a", "--message_file=b"], "not both"),
        (["--message_file=/no/such/file"], "message_file"),
        (["--messages=a"], "message"),
    ],
)
def test_mistakes_are_one_line(tmp_path, extra, pattern):
    done = subprocess.run(
        _command(tmp_path / "run", *extra),
        cwd=_ROOT,
        env=environment(1),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert pattern in done.stderr
    assert "Traceback" not in done.stderr


def _point(encoder, rate, log_beta, accuracy, reward, episodes=100):
    rng = np.random.default_rng(0)
    correct = rng.random(episodes) < accuracy
    zeros = np.zeros(episodes)
    return Point(
        9,
        8,
        log_beta,
        rate,
        encoder,
        reward + 0.01 * rng.normal(size=episodes),
        correct,
        zeros,
        zeros + 3,
        np.zeros(5),
        np.zeros(5),
    )


def _points(search, uniform):
    return [
        _point(encoder, rate, beta, accuracy, 0.3 if beta < -4.5 else 0.1)
        for rate in (1.0, 2.0, 4.0)
        for beta, a, b in zip((-5.0, -4.0), search, uniform, strict=True)
        for encoder, accuracy in (("search", a), ("uniform", a if rate == 1 else b))
    ]


def test_claims_tell_a_good_figure_from_a_bad_one():
    good = {c.name: c.holds for c in ledger.game_claims(_points((0.5, 1.0), (0.0, 0.05)), 0)}
    assert all(good.values()), good
    bad = {c.name: c.holds for c in ledger.game_claims(_points((0.9, 0.2), (0.8, 0.3)), 0)}
    assert not bad["correct_slope_rate_2"]
    assert not bad["search_gain"]
    assert not bad["search_never_below_uniform"]


def test_reward_that_depends_on_the_encoder_is_noticed():
    points = _points((0.5, 1.0), (0.0, 0.05))
    shifted = [
        p
        if p.encoder == "search"
        else _point(*(p.encoder, p.compression_rate, p.log_beta), 0.1, 0.2)
        for p in points
    ]
    claim = next(c for c in ledger.game_claims(shifted, 0) if c.name.startswith("reward_indep"))
    assert not claim.holds
    assert claim.value > 0


def test_mec_table_and_its_claims():
    table = comparisons.mec_table(0, 6, 5)
    assert set(table) == set(comparisons.METHODS)
    for name in ("max-seeking greedy", "zero-seeking greedy", "quantile"):
        assert np.all(table[name] >= table["lower bound"] - 1e-5)
        assert np.all(table[name] <= table["independent"])
    claims = {claim.name: claim for claim in ledger.mec_claims(table)}
    assert claims["mec_independent_over_successive_linearisation"].holds
    assert "in [2.882, 3.010]" in claims["mec_greedy_as_published"].threshold
    assert figures.to_png(pictures.mec_table(table)).startswith(b"\x89PNG")


def test_sizes_of_the_configuration():
    desk, full = get_config("desk"), get_config("full")
    assert (desk.game.episodes, desk.game.message_bits) == (200, (9,))
    assert tuple(desk.game.log_betas) == (-6.0, -5.0, -4.0, -3.0)
    assert len(full.game.log_betas) == 20
    assert full.game.episodes == 10_000
    assert set(full.game.message_bits) == {10, 12, 14, 16}
    assert max(full.game.grid_sides) == 64
