"""Samplers over large vocabularies against transformers' processors in torch, on this machine."""

import functools
import importlib.util

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measure import Row, Table, in_turn
from infojax import decoding

# Name, our function, the name of the processor in transformers, its setting, the bar.
_SAMPLERS = (
    ("top_k", functools.partial(decoding.top_k, k=50), "TopKLogitsWarper", 50, ">= 1"),
    ("top_p", functools.partial(decoding.top_p, p=0.9), "TopPLogitsWarper", 0.9, ">= 2"),
    ("min_p", functools.partial(decoding.min_p, p=0.1), "MinPLogitsWarper", 0.1, ">= 2"),
    ("typical", functools.partial(decoding.typical, mass=0.9), "TypicalLogitsWarper", 0.9, ">= 2"),
    (
        "top_h, their rule,",
        functools.partial(decoding.top_h, alpha=0.4, rule="transformers"),
        "TopHLogitsWarper",
        0.4,
        ">= 2",
    ),
)
_SIZES = tuple((rows, length) for length in (32_000, 152_000) for rows in (1, 8, 256))


def _logits(kind: str, rows: int, length: int) -> np.ndarray:
    """Logits whose probabilities fall as a power of the rank, as those of language models do.

    Args:
        kind: "peaked": the nucleus of .9 holds some tens of tokens; "flat": thousands.
        rows: how many.
        length: tokens of the vocabulary.

    Returns:
        float32.
    """
    rng = np.random.default_rng(0)
    power = {"peaked": 1.8, "flat": 0.9}[kind]
    logits = -power * np.log(np.arange(1, length + 1)) + rng.normal(size=(rows, length)) * 0.5
    return rng.permuted(logits, axis=-1).astype(np.float32)


def _against_transformers(kind: str, size: tuple[int, int], repeats: int) -> list[Row]:
    import torch
    from transformers.generation import logits_process

    logits = _logits(kind, *size)
    array, tensor = jnp.asarray(logits), torch.tensor(logits)
    rows = []
    for name, ours, theirs, setting, bar in _SAMPLERS:
        compiled = jax.jit(ours)
        processor = getattr(logits_process, theirs)(setting)
        found = np.asarray(compiled(array)) > -np.inf
        counts = np.sum(found, -1)
        # Of tokens that are equal up to rounding they may keep others.
        theirs_kept = np.sum(processor(None, tensor).numpy() > -np.inf, -1)
        if np.any(np.abs(counts - theirs_kept) > 1 + counts / 1000):
            raise AssertionError(f"{name} and its peer keep other tokens.")
        kept = int(np.median(counts))
        times = in_turn(
            {
                "ours": functools.partial(compiled, array),
                "theirs": functools.partial(processor, None, tensor),
            },
            repeats,
        )
        rows.append(
            Row(
                case=f"{name} {setting}, {size[0]} x {size[1]}, {kind}, keeps {kept}",
                ours=times["ours"].show(),
                peer=f"transformers {theirs}",
                peers=times["theirs"].show(),
                ratio=times["theirs"].median / times["ours"].median,
                bar=bar,
            )
        )
    return rows


def _paper_rule_in_torch(logits, alpha: float):
    """Top-H by the paper's rule as one writes it in torch: sort, cumulative sums, scatter."""
    import torch

    found, order = torch.sort(logits, descending=True)
    log_p = torch.log_softmax(found, -1)
    p = torch.exp(log_p)
    own = torch.where(p > 0, -p * log_p, 0)
    mass, spread = torch.cumsum(p, -1), torch.cumsum(own, -1)
    kept = spread / mass + torch.log(mass) <= alpha * spread[..., -1:]
    kept[..., 0] = True
    return logits.masked_fill(~kept.scatter(-1, order, kept), -torch.inf)


def _top_h_against_sorting(kind: str, size: tuple[int, int], repeats: int) -> Row:
    import torch

    logits = _logits(kind, *size)
    array, tensor = jnp.asarray(logits), torch.tensor(logits)
    ours = jax.jit(functools.partial(decoding.top_h, alpha=0.4))
    kept = np.asarray(ours(array)) > -np.inf
    theirs = _paper_rule_in_torch(tensor, 0.4).numpy() > -np.inf
    if np.max(np.sum(kept != theirs, -1)) > 1:
        raise AssertionError("top-H and its peer keep other tokens.")
    times = in_turn(
        {"ours": lambda: ours(array), "sort": lambda: _paper_rule_in_torch(tensor, 0.4)}, repeats
    )
    return Row(
        case=f"top_h 0.4, {size[0]} x {size[1]}, {kind}, keeps {int(np.median(kept.sum(-1)))}",
        ours=times["ours"].show(),
        peer="torch, the paper's rule by sorting",
        peers=times["sort"].show(),
        ratio=times["sort"].median / times["ours"].median,
        bar=">= 2",
    )


def _against_sorting(size: tuple[int, int], repeats: int) -> Row:
    array = jnp.asarray(_logits("peaked", *size))
    ours = jax.jit(functools.partial(decoding.top_p, p=0.9))
    sorting = jax.jit(functools.partial(decoding.top_p, p=0.9, implementation="reference"))
    times = in_turn({"ours": lambda: ours(array), "sort": lambda: sorting(array)}, repeats)
    return Row(
        case=f"top_p 0.9, {size[0]} x {size[1]}, peaked",
        ours=times["ours"].show(),
        peer="the same by XLA's sort of the vocabulary",
        peers=times["sort"].show(),
        ratio=times["sort"].median / times["ours"].median,
    )


def _top_h_accuracy(alpha: float, length: int) -> Row:
    logits = (np.random.default_rng(1).normal(size=length) * 1.5).astype(np.float32)
    p = np.exp(logits.astype(np.float64))
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    mass, spread = np.cumsum(p[order]), np.cumsum(-(p * np.log(p))[order])
    exact = int(np.sum(spread / mass + np.log(mass) <= alpha * spread[-1]))
    found = int(np.sum(np.asarray(decoding.top_h(logits, alpha=alpha)) > -np.inf))
    return Row(
        case=f"top_h {alpha}, 1 x {length}: tokens kept in float32",
        ours=str(found),
        peer="numpy in float64",
        peers=str(exact),
        ratio=float(abs(found - exact)),
        bar="<= 1",
    )


def samplers(repeats: int, quick: bool) -> Table:
    """Times the samplers next to transformers' processors, where that is installed.

    Args:
        repeats: counted calls of each contender.
        quick: tiny sizes.

    Returns:
        The table.
    """
    length = 3000 if quick else 256_000
    rows = [_top_h_accuracy(alpha, length) for alpha in (0.4, 0.9)]
    note = "transformers is not installed: no peer but sorting."
    if importlib.util.find_spec("transformers") and importlib.util.find_spec("torch"):
        import torch
        import transformers

        note = (
            f"transformers {transformers.__version__}, torch {torch.__version__}, "
            f"{torch.get_num_threads()} threads."
        )
        for kind in ("peaked", "flat"):
            for size in ((2, 400),) if quick else _SIZES:
                rows += _against_transformers(kind, size, repeats)
                rows.append(_top_h_against_sorting(kind, size, repeats))
    rows.append(_against_sorting((2, 400) if quick else (8, 32_000), repeats))
    return Table(
        title="Samplers",
        note=f"{note} Compiled functions of float32 logits in memory; ratio = the peer's median "
        "over ours, in the rows of accuracy the difference in tokens. transformers' top-H looks at "
        "100 tokens, by the published code's rule; the paper's rule looks at all.",
        rows=tuple(rows),
    )
