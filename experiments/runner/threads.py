"""Independent work side by side: compiling and running leave Python's lock."""

import concurrent.futures
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any


def side_by_side(
    functions: Mapping[str, Callable[[], Any]], workers: int | None = None
) -> Iterator[tuple[str, Any, float]]:
    """Calls functions in threads, and yields each as it is done: name, result and seconds.

    Args:
        functions: by name; the first begin first.
        workers: How many at once; one calls in this thread. By default as many as there are
            processors, at least two.

    Yields:
        The results. What a function raises is raised here, and those that have not begun never
        will.
    """
    workers = min(workers or max(os.cpu_count() or 1, 2), len(functions))
    if workers <= 1:
        for name, function in functions.items():
            yield name, *_timed(function)
        return
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        names = {pool.submit(_timed, function): name for name, function in functions.items()}
        for done in concurrent.futures.as_completed(names):
            yield names[done], *done.result()
    finally:
        # A stopped run does not wait for programs whose results nobody takes.
        pool.shutdown(wait=False, cancel_futures=True)


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return function(), time.monotonic() - began
