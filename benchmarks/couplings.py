"""Benchmarks of couplings and codes."""

import re

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import peers
from benchmarks.measure import Row, Table, in_turn, rows_against_peers, times_faster
from infojax import couplings


def _marginals(batch: int, n: int, m: int) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(n + m)
    return tuple(jnp.asarray(rng.dirichlet(np.ones(size), batch), jnp.float32) for size in (n, m))


def _entropy(masses) -> float:
    masses = np.asarray(list(masses), np.float64)
    masses = masses[masses > 0]
    return float(-(masses * np.log(masses)).sum())


def greedy_coupling(repeats: int, quick: bool) -> Table:
    """Times the greedy coupling against an argmax loop in numpy and a heap in Python.

    Args:
        repeats: counted calls.
        quick: whether to run tiny sizes.

    Returns:
        The table.
    """
    sizes = (
        ((16, 16, 4, "", ""),)
        if quick
        else (
            (64, 64, 256, "", ""),
            (256, 256, 256, ">= 50", ""),
            (512, 4, 128, "", ""),
            (1024, 1024, 32, "", ""),
            (4096, 4096, 4, ">= 8", ""),
            (65536, 65536, 1, None, ">= 0.5"),
        )
    )
    rows = []
    for n, m, batch, argmax_bar, heap_bar in sizes:
        rows += _greedy_rows(n, m, batch, argmax_bar, heap_bar, repeats)
    return Table(
        title="Greedy minimum-entropy coupling",
        note="Time a problem, median (least .. most), float32, Dirichlet(1) marginals; ratio = "
        "peer / infojax. A peer solves one problem a call, infojax a batch. The numpy peer of "
        "Sokota et al. is their way of working in our own words (see `benchmarks/peers.py`): the "
        "bars are about the extended precision of its first versions; the lean one is the best "
        "that we could do in numpy for two marginals.",
        rows=tuple(rows),
    )


def _greedy_rows(n, m, batch, argmax_bar, heap_bar, repeats) -> list[Row]:
    p, q = _marginals(batch, n, m)
    one_p, one_q = np.asarray(p[0]), np.asarray(q[0])
    couple = jax.jit(couplings.greedy_mec)
    contenders = {"infojax": lambda: couple(p, q)}
    if argmax_bar is not None:
        contenders["Sokota et al., longdouble"] = lambda: peers.stacked_argmax_greedy(one_p, one_q)
        contenders["Sokota et al., float64"] = lambda: peers.stacked_argmax_greedy(
            one_p, one_q, dtype=np.float64
        )
        contenders["lean numpy argmax"] = lambda: peers.lean_argmax_greedy(one_p, one_q)
    contenders["Python heapq"] = lambda: peers.heap_greedy(one_p, one_q)
    times = in_turn(contenders, repeats)
    _check_entropies(p, q, np.asarray(couple(p, q).entropy()))
    times["infojax"] = times["infojax"].shared_by(batch)
    return rows_against_peers(
        f"n={n}, m={m}, batch {batch}",
        times,
        ratio=times_faster,
        bars={"Sokota et al., longdouble": argmax_bar or "", "Python heapq": heap_bar},
    )


def _check_entropies(p, q, ours: np.ndarray, problems: int = 4) -> None:
    """Compares the first problems of a batch with the heap, which computes in float64."""
    for i, found in enumerate(ours[:problems]):
        cells = peers.heap_greedy(np.asarray(p[i]), np.asarray(q[i]))
        expected = _entropy(mass for *_, mass in cells)
        if abs(found - expected) > 1e-4:
            raise RuntimeError(f"entropies differ at n={p.shape[-1]}: {found} and {expected}")


def entropy_bounded_code(repeats: int, quick: bool) -> Table:
    """Times the entropy-bounded code against one sort, its limit, and the sequential search.

    Args:
        repeats: counted calls.
        quick: whether to run tiny sizes.

    Returns:
        The table.
    """
    rows = []
    for n in (100,) if quick else (1_000, 100_000, 1_000_000):
        rng = np.random.default_rng(n)
        p = jnp.asarray(rng.dirichlet(np.ones(n)), jnp.float32)
        host, rate = np.asarray(p), 0.5 * float(np.log(n))
        code = jax.jit(couplings.greedy_ebim)
        order = jax.jit(lambda p: jax.lax.sort((-p, jax.lax.iota(jnp.int32, p.size)), num_keys=1))
        times = in_turn(
            {
                "infojax": lambda p=p, rate=rate, code=code: code(p, rate),
                "one sort of (mass, index)": lambda p=p, order=order: order(p),
                "sequential search, numpy": lambda h=host, r=rate: peers.sequential_code_entropy(
                    h, r
                ),
            },
            repeats,
        )
        found, expected = float(code(p, rate).entropy), peers.sequential_code_entropy(host, rate)
        # Both stop at a step of their own rounding; a step at n symbols is worth p log p.
        if abs(found - expected) > 1e-3 * expected:
            raise RuntimeError(f"codes differ at n={n}: {found} and {expected}")
        program = code.lower(p, rate).compile().as_text()
        sorts = len(re.findall(r" sort\(", program))
        rows += rows_against_peers(f"n={n}", times, ratio=times_faster, bars={})
        rows.append(Row(f"n={n}", f"sorts: {sorts}", "the limit", "sorts: 1", float(sorts), "<= 1"))
    return Table(
        title="Entropy-bounded code (EBIM)",
        note="Median (least .. most), rate half of log n, float32; ratio = peer / infojax, so "
        "that 1 is the limit for the sort; the last row of each n counts the sorts of the compiled "
        "program.",
        rows=tuple(rows),
    )
