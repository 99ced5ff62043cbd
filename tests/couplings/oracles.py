"""Plain float64 oracles of the couplings, written to be obviously right."""

import heapq
import itertools
import math

import numpy as np


def heap_greedy(p, q):
    """Greedy coupling with two heaps: cells (row, column, mass) in order; lowest index first."""
    heaps = [[(-mass, index) for index, mass in enumerate(x) if mass > 0] for x in (p, q)]
    for heap in heaps:
        heapq.heapify(heap)
    cells = []
    while all(heaps):
        (a, i), (b, j) = (heapq.heappop(heap) for heap in heaps)
        mass = min(-a, -b)
        cells.append((i, j, mass))
        for heap, value, index in ((heaps[0], -a - mass, i), (heaps[1], -b - mass, j)):
            if value > 0:
                heapq.heappush(heap, (-value, index))
    return cells


def entropy(masses):
    """Shannon entropy in nats."""
    masses = np.asarray(masses, np.float64).ravel()
    masses = masses[masses > 0]
    return float(-np.sum(masses * np.log(masses)))


def optimal_entropy(p, q):
    """Least joint entropy, over all vertices of the transport polytope (n, m <= 4).

    The entropy is concave, so a vertex attains the minimum; the support of a vertex is a forest,
    so its masses follow from peeling leaves.
    """
    n, m = len(p), len(q)
    cells = list(itertools.product(range(n), range(m)))
    best = math.inf
    for support in itertools.combinations(cells, n + m - 1):
        masses = _solve_tree(support, list(p), list(q))
        if masses is not None and min(masses) >= -1e-12:
            best = min(best, entropy(np.maximum(masses, 0)))
    return best


def _solve_tree(support, rows, cols):
    remaining, masses = list(support), []
    while remaining:
        for i, j in remaining:
            row_alone = sum(a == i for a, _ in remaining) == 1
            column_alone = sum(b == j for _, b in remaining) == 1
            if row_alone or column_alone:
                mass = rows[i] if row_alone else cols[j]
                rows[i] -= mass
                cols[j] -= mass
                masses.append(mass)
                remaining.remove((i, j))
                break
        else:
            return None
    balanced = max(map(abs, rows + cols)) < 1e-9
    return masses if balanced else None


def sequential_ebim(p, rate):
    """Algorithm 1 of arXiv 2410.21666 step by step: the cells as sets of symbols."""
    cells = [({i}, mass) for i, mass in enumerate(p) if mass > 0]
    # Stable: equal masses keep the order of their symbols; the pile of merges comes first.
    cells.sort(key=lambda cell: -cell[1])

    def value(some):
        return entropy([mass for _, mass in some])

    def merged(some, a, b):
        rest = [cell for k, cell in enumerate(some) if k not in (a, b)]
        pile = (some[a][0] | some[b][0], some[a][1] + some[b][1])
        return [pile, *rest] if a == 0 else [*rest, pile]

    slack = 1e-12
    if value(cells) <= rate + slack:
        return [symbols for symbols, _ in cells]
    while len(cells) > 1:
        last = len(cells) - 1
        small, large = merged(cells, last - 1, last), merged(cells, 0, 1)
        for candidate in (small, large):
            if value(candidate) <= rate + slack:
                return [symbols for symbols, _ in candidate]
        cells = large
    return [symbols for symbols, _ in cells]


def all_partition_entropies(p):
    """H of every deterministic map of the symbols (Bell enumeration)."""

    def partitions(items):
        if not items:
            yield []
            return
        head, *tail = items
        for partition in partitions(tail):
            yield [[head], *partition]
            for k in range(len(partition)):
                yield [*partition[:k], [head, *partition[k]], *partition[k + 1 :]]

    return np.array([entropy([sum(cell) for cell in part]) for part in partitions(list(p))])
