"""Ctrl-C and SIGTERM: stop at once, with nothing half written, by an exception of their own."""

import signal

from experiments.runner.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_received: list[int] = []
_installed = False


def install() -> None:
    """Makes SIGINT and SIGTERM raise `Interrupted` in the main thread.

    Files are only ever replaced whole, so stopping between any two instructions is safe. A second
    signal has its usual effect, in case the first does not get through.
    """
    global _installed
    _installed = True

    def interrupt(number, frame):
        del frame
        _received.append(number)
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        raise Interrupted(number)

    for each in _SIGNALS:
        signal.signal(each, interrupt)


def install_again() -> None:
    """Takes the signals back from `jax.distributed`, which listens to SIGTERM for preemption."""
    if _installed:
        install()


def received() -> Interrupted | None:
    """Returns what the first signal that came has raised, or None."""
    return Interrupted(_received[0]) if _received else None


def check() -> None:
    """Raises `Interrupted` if a signal came whose exception was swallowed, as in a finaliser."""
    if stop := received():
        raise stop
