import io

import pytest
from rich.console import Console

from experiments.runner import terminal as module
from experiments.runner.terminal import Terminal, duration


def make(is_terminal=False, quiet=False):
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=100)
    return Terminal(console=console, quiet=quiet)


def text(terminal):
    return terminal.console.file.getvalue()


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by a second each time it is read."""
    now = [0.0]

    def tick():
        now[0] += 1
        return now[0]

    monkeypatch.setattr(module.time, "monotonic", tick)


def test_a_log_gets_a_line_in_ten_seconds_and_one_at_the_end(clock):
    terminal = make()
    with terminal.progress("episodes", 40) as bar:
        for _ in range(40):
            bar.advance(1, note="loss 0.1")
    lines = text(terminal).splitlines()
    assert 3 <= len(lines) <= 5
    assert lines[0].startswith("episodes ") and " left" in lines[0] and "loss 0.1" in lines[0]
    assert "episodes/s" in lines[0]
    assert "40/40  100 %" in lines[-1] and "done in" in lines[-1]


def test_a_resumed_bar_counts_this_process_alone(clock):
    terminal = make()
    with terminal.progress("x", 1000, unit="steps", start=990) as bar:
        bar.advance(10)
    # The clock is read twice: ten steps in two seconds.
    assert "1000/1000" in text(terminal) and " 5 steps/s" in text(terminal)


def test_a_log_shows_how_far_a_failed_run_came():
    terminal = make()
    with pytest.raises(KeyError), terminal.progress("x", 10) as bar:
        bar.advance(3)
        raise KeyError
    assert "3/10" in text(terminal)


def test_a_terminal_gets_a_bar():
    terminal = make(is_terminal=True)
    with terminal.progress("episodes", 4) as bar:
        bar.advance(4, note="loss [0.1]")
    assert "━" in text(terminal) and "4/4" in text(terminal) and "loss [0.1]" in text(terminal)


def test_a_bar_inside_a_bar_is_silent():
    terminal = make(is_terminal=True)
    with terminal.progress("outer", 2) as outer:
        with terminal.progress("inner", 3) as inner:
            inner.advance(3)
        outer.advance(2)
    assert "outer" in text(terminal) and "inner" not in text(terminal)
    with terminal.progress("later", 2):
        pass
    assert "later" in text(terminal)


def test_quiet_says_nothing_but_warnings(capsys):
    terminal = make(quiet=True)
    terminal.print("hello")
    with terminal.progress("x", 2) as bar:
        bar.advance(2)
    assert bar.completed == 2 and text(terminal) == ""
    terminal.warn("look")
    assert capsys.readouterr().err == "warning: look\n"


def test_print_neither_wraps_nor_reads_markup():
    terminal = make()
    terminal.print("[bold]" + "x" * 300)
    assert text(terminal) == "[bold]" + "x" * 300 + "\n"


@pytest.mark.parametrize(
    ("seconds", "words"), [(3.21, "3.2 s"), (83, "1 min 23 s"), (7500, "2 h 05 min")]
)
def test_duration(seconds, words):
    assert duration(seconds) == words
