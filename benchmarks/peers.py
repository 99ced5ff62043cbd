"""Peers that infojax is timed against, in our own words and labelled with what they stand for."""

import heapq

import numpy as np


def stacked_argmax_greedy(
    *marginals: np.ndarray, dtype: type = np.longdouble
) -> dict[tuple, np.floating]:
    """Greedy coupling of any number of marginals, stacked in one array.

    This is how the public package of Sokota et al. (github.com/ssokota/mec; the package `mec` on
    PyPI is a different one) goes about it: it is on no index, so its way of working is written
    down here again, in our own words, with the same array operations a step and sparse output.
    Its first versions compute in extended precision; later ones in float64, or in a Rust
    extension of their own, for which nothing here stands.

    Args:
        *marginals: the marginals.
        dtype: the number type of the computation.

    Returns:
        The masses of the cells.
    """
    widest = max(p.size for p in marginals)
    residuals = np.zeros((len(marginals), widest), dtype)
    for row, p in zip(residuals, marginals, strict=True):
        row[: p.size] = p
        row /= row.sum()
    cells: dict[tuple, np.floating] = {}
    while True:
        largest = residuals.argmax(axis=1)
        mass = residuals[np.arange(len(residuals)), largest].min()
        if mass == 0:
            return cells
        for row, column in enumerate(largest):
            residuals[row, column] -= mass
        cells[tuple(largest)] = mass


def lean_argmax_greedy(p: np.ndarray, q: np.ndarray) -> list[tuple[int, int, float]]:
    """Greedy coupling of two marginals by an argmax of each at every step, as lean as numpy goes.

    Args:
        p: first marginal.
        q: second marginal.

    Returns:
        The cells as (row, column, mass).
    """
    p, q = p.astype(np.float64), q.astype(np.float64)
    cells = []
    for _ in range(p.size + q.size - 1):
        i, j = int(p.argmax()), int(q.argmax())
        mass = min(p[i], q[j])
        if mass <= 0:
            break
        cells.append((i, j, mass))
        p[i] -= mass
        q[j] -= mass
    return cells


def heap_greedy(p: np.ndarray, q: np.ndarray) -> list[tuple[int, int, float]]:
    """Greedy coupling with two of Python's heaps.

    Args:
        p: first marginal.
        q: second marginal.

    Returns:
        The cells as (row, column, mass).
    """
    rows = [(-mass, i) for i, mass in enumerate(p.tolist()) if mass > 0]
    cols = [(-mass, j) for j, mass in enumerate(q.tolist()) if mass > 0]
    heapq.heapify(rows)
    heapq.heapify(cols)
    cells = []
    while rows and cols:
        (a, i), (b, j) = rows[0], cols[0]
        mass = -max(a, b)
        cells.append((i, j, mass))
        if a < b:
            heapq.heapreplace(rows, (a + mass, i))
            heapq.heappop(cols)
        elif b < a:
            heapq.heapreplace(cols, (b + mass, j))
            heapq.heappop(rows)
        else:
            heapq.heappop(rows)
            heapq.heappop(cols)
    return cells


def sequential_code_entropy(p: np.ndarray, rate: float) -> float:
    """Entropy in nats of the greedy entropy-bounded code, by the published step-by-step search.

    Args:
        p: the source.
        rate: the bound in nats.

    Returns:
        H(T) of the code that is found.
    """

    def term(mass: float) -> float:
        return -mass * np.log(mass) if mass > 0 else 0.0

    cells = np.sort(p[p > 0].astype(np.float64))[::-1]
    entropy = float(sum(term(mass) for mass in cells))
    pile, start = cells[0], 1
    if entropy <= rate:
        return entropy
    while start < cells.size:
        second = cells[-2] if cells.size - start >= 2 else pile
        small = entropy - term(cells[-1]) - term(second) + term(cells[-1] + second)
        if small <= rate:
            return small
        entropy += term(pile + cells[start]) - term(pile) - term(cells[start])
        pile, start = pile + cells[start], start + 1
        if entropy <= rate:
            return entropy
    return 0.0
