"""Benchmarks of couplings and codes."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import peers
from benchmarks.measure import Row, Table, in_turn, show
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
        note="Seconds a problem, float32, Dirichlet(1) marginals; ratio = peer / infojax. A peer "
        "solves one problem a call, infojax a batch. The numpy peer of Sokota et al. is their way "
        "of working in our own words (see `benchmarks/peers.py`); the lean one is the best that we "
        "could do in numpy for two marginals.",
        rows=tuple(rows),
    )


def _greedy_rows(n, m, batch, argmax_bar, heap_bar, repeats) -> list[Row]:
    p, q = _marginals(batch, n, m)
    one_p, one_q = np.asarray(p[0]), np.asarray(q[0])
    couple = jax.jit(couplings.greedy_mec)
    contenders = {"infojax": lambda: couple(p, q)}
    if argmax_bar is not None:
        contenders["Sokota et al., numpy"] = lambda: peers.stacked_argmax_greedy(one_p, one_q)
        contenders["lean numpy argmax"] = lambda: peers.lean_argmax_greedy(one_p, one_q)
    contenders["Python heapq"] = lambda: peers.heap_greedy(one_p, one_q)
    expected = _entropy(mass for *_, mass in peers.heap_greedy(one_p, one_q))
    ours = float(couple(p, q).entropy()[0])
    if abs(ours - expected) > 1e-4 * max(1.0, expected):
        raise RuntimeError(f"entropies differ at n={n}, m={m}: {ours} and {expected}")
    times = in_turn(contenders, repeats)
    mine = times["infojax"].median / batch
    bars = {"Sokota et al., numpy": argmax_bar, "Python heapq": heap_bar}
    return [
        Row(
            case=f"n={n}, m={m}, batch {batch}",
            ours=show(mine),
            peer=name,
            peers=show(times[name].median),
            ratio=times[name].median / mine,
            bar=bars.get(name) or "",
        )
        for name in contenders
        if name != "infojax"
    ]


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
        found, expected = float(code(p, rate).entropy), peers.sequential_code_entropy(host, rate)
        # Both stop at a step of their own rounding; a step at n symbols is worth p log p.
        if abs(found - expected) > 1e-3 * expected:
            raise RuntimeError(f"codes differ at n={n}: {found} and {expected}")
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
        sorts = code.lower(p, rate).as_text().count("stablehlo.sort")
        mine = times["infojax"].median
        rows += [
            Row(
                f"n={n}, {sorts} sort in the program",
                show(mine),
                name,
                show(t.median),
                t.median / mine,
            )
            for name, t in times.items()
            if name != "infojax"
        ]
    return Table(
        title="Entropy-bounded code (EBIM)",
        note="Rate half of log n, float32; ratio = peer / infojax, so that 1 is the limit for the "
        "sort.",
        rows=tuple(rows),
    )
