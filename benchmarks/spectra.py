"""Diffusion spectral entropy against `dse-dsmi`, all eigenvalues and Lanczos; and at N = 50,000."""

import json
import math
import os
import pathlib
import resource
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measure import Row, Table, in_turn, rows_against_peers, show, times_faster
from infojax import spectra

_SIZE = 64
_PEER = "dse-dsmi"


def _samples(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, _SIZE)).astype(np.float32)


def _by_peer(x: np.ndarray) -> float:
    from dse_dsmi.dse import diffusion_spectral_entropy as entropy_in_bits

    return entropy_in_bits(x, max_N=None) * math.log(2)


def _lanczos(x: jax.Array) -> spectra.SpectralEntropyEstimate:
    return spectra.diffusion_spectral_entropy_estimate(x, key=jax.random.key(0))


def _against_peer(repeats: int, count: int) -> list[Row]:
    x = _samples(count)
    array = jnp.asarray(x)
    # Three of them take turns, so that one run of the peer serves both of ours.
    times = in_turn(
        {
            "exact": lambda: spectra.diffusion_spectral_entropy(array),
            "lanczos": lambda: _lanczos(array),
            _PEER: lambda: _by_peer(x),
        },
        repeats,
    )
    rows = []
    for name, bar in (("exact", ">= 2"), ("lanczos", ">= 8")):
        rows += rows_against_peers(
            f"{name}, N = {count}, D = {_SIZE}",
            {"infojax": times[name], _PEER: times[_PEER]},
            ratio=times_faster,
            bars={_PEER: bar},
        )
    exact, estimate = float(spectra.diffusion_spectral_entropy(array)), _lanczos(array)
    for name, value, bar in (
        ("exact", exact, "<= 1e-5"),
        ("lanczos", float(estimate.entropy), "<= 0.01"),
    ):
        other = float(_by_peer(x))
        rows.append(
            Row(
                case=f"{name}, N = {count}: relative difference",
                ours=f"{value:.6f}",
                peer=_PEER,
                peers=f"{other:.6f}",
                ratio=abs(value - other) / other,
                bar=bar,
            )
        )
    return rows


def report_large(count: int) -> None:
    """Estimates once and prints the error, the time and the peak of this process' memory.

    Args:
        count: the number of samples.
    """
    x = jnp.asarray(_samples(count))
    began = time.perf_counter()
    found = jax.block_until_ready(_lanczos(x))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    facts = {
        "entropy": float(found.entropy),
        "standard_error": float(found.standard_error),
        "quadrature_change": float(found.quadrature_change),
        "seconds": seconds,
        "bytes": peak * (1 if sys.platform == "darwin" else 1024),
    }
    print(json.dumps(facts))


def _large(count: int) -> list[Row]:
    """In a process of its own, whose peak of memory is that of the estimate."""
    done = subprocess.run(
        [sys.executable, "-c", f"from benchmarks.spectra import report_large as r; r({count})"],
        cwd=pathlib.Path(__file__).parents[1],
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(done.stdout.splitlines()[-1])
    error = facts["standard_error"] + facts["quadrature_change"]
    return [
        Row(
            case=f"lanczos, N = {count}: error, random and of quadrature",
            ours=f"{facts['entropy']:.5f} +- {error:.2g} in {show(facts['seconds'])}",
            peer="log N",
            peers=f"{math.log(count):.4f}",
            ratio=error / math.log(count),
            bar="<= 0.01",
        ),
        Row(
            case=f"lanczos, N = {count}: peak memory of the process",
            ours=f"{facts['bytes'] / 2**20:.0f} MiB",
            peer="2 GiB (the matrix: " + f"{4 * count**2 / 2**30:.2g} GiB)",
            peers="2048 MiB",
            ratio=facts["bytes"] / 2**31,
            bar="<= 1",
        ),
    ]


def diffusion_spectral_entropy(repeats: int, quick: bool) -> Table:
    """Times both methods against the peer and runs the large case.

    Args:
        repeats: counted calls.
        quick: whether to run tiny sizes.

    Returns:
        The table.
    """
    count, many = (200, 200) if quick else (4000, 50_000)
    return Table(
        title="Diffusion spectral entropy",
        note="Standard normal samples, sigma = 10, t = 1, float32. Times: median (least .. most) "
        "and ratio = peer / infojax. Other rows: ratio as named.",
        rows=(*_against_peer(repeats, count), *_large(many)),
    )
