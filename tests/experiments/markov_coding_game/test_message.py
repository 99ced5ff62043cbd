"""A user's message through the game: any bytes, what is shown, and mistakes."""

import io

import numpy as np
import pytest
from PIL import Image

from experiments import runner
from experiments.markov_coding_game import message
from experiments.markov_coding_game.config import get_config


@pytest.fixture
def run(tmp_path):
    config = get_config("desk")
    config.message.episodes_at_once = 8
    config.message.max_steps = 120
    with runner.open_run(
        experiment="markov_coding_game", config=config, workdir=tmp_path / "run", quiet=True
    ) as opened:
        yield opened


@pytest.mark.parametrize("text", ["Hi!", "wörld €", "\x00\x7f", "a" * 41])
def test_bytes_arrive(run, text):
    content = text.encode()
    sent = message.send(run, content)
    assert sent.sent.tobytes() == content
    assert sent.belief.shape == sent.received.shape == (len(content),)
    assert sent.share_of_bits() > 0.9
    assert len(sent.routes) == -(-len(content) // 2)
    rows = message.table_of(sent, 2)
    assert [row["right"] for row in rows] == list(sent.sent == sent.received)


def test_empty_message(run):
    sent = message.send(run, b"")
    assert sent.share_of_bits() == 1
    assert message.table_of(sent, 2) == []
    message.show(run, sent)


def test_share_of_bits_counts_wrong_bits():
    sent = message.Transmission(
        np.array([0b1111, 0], np.uint8), np.array([0b1100, 0], np.uint8), None, None, None
    )
    assert sent.share_of_bits() == 1 - 2 / 16


def test_the_same_run_sends_the_same_way(run):
    one, two = message.send(run, b"abc"), message.send(run, b"abc")
    np.testing.assert_array_equal(one.routes, two.routes)
    np.testing.assert_array_equal(one.belief, two.belief)


def test_animation_shows_the_route(run):
    world, policy = message.game_of(run.config)
    sent = message.send(run, b"ok")
    frames = Image.open(io.BytesIO(message.animation(world, policy, sent, 4)))
    assert frames.is_animated
    assert 2 <= frames.n_frames <= 4


def test_reading_a_message(tmp_path):
    path = tmp_path / "text.bin"
    path.write_bytes(b"\xff\x00")
    assert message.read_message(None, str(path)) == b"\xff\x00"
    assert message.read_message("é", None) == "é".encode()
    assert message.read_message(None, None) is None
    assert message.read_message("", None) == b""
    with pytest.raises(runner.UserError, match="not both"):
        message.read_message("a", str(path))
    with pytest.raises(runner.UserError, match="missing"):
        message.read_message(None, str(tmp_path / "missing"))
