"""Makes processors.npz: what the logits processors of transformers (5.24, torch 2.13) keep.

Run in an environment that has both, from any place:  python tests/golden/transformers/make.py
"""

import pathlib

import numpy as np
import torch
from transformers.generation import logits_process as processors

SAMPLERS = {
    "top_k": (processors.TopKLogitsWarper, (1, 5, 60)),
    "top_p": (processors.TopPLogitsWarper, (0.1, 0.5, 0.9, 0.99)),
    "min_p": (processors.MinPLogitsWarper, (0.01, 0.1, 0.7)),
    "typical": (processors.TypicalLogitsWarper, (0.2, 0.5, 0.95)),
    "epsilon": (processors.EpsilonLogitsWarper, (3e-4, 0.01, 0.3)),
    "eta": (processors.EtaLogitsWarper, (3e-4, 0.01, 0.3)),
    "top_h": (processors.TopHLogitsWarper, (0.2, 0.4, 0.8)),
}


def rows():
    rng = np.random.default_rng(5)
    widths = np.array([0.05, 0.5, 1.0, 2.0, 4.0, 8.0])
    logits = rng.normal(size=(6, 300)) * widths[:, None]
    logits[3, rng.permutation(300)[:100]] = -np.inf
    return logits.astype(np.float32)


def main():
    logits = rows()
    arrays = {"logits": logits}
    for name, (processor, settings) in SAMPLERS.items():
        for setting in settings:
            scores = processor(setting)(None, torch.tensor(logits))
            arrays[f"{name}/{setting}"] = torch.isfinite(scores).numpy()
    tokens = np.random.default_rng(6).integers(0, 300, (6, 40))
    arrays["tokens"] = tokens
    penalty = processors.RepetitionPenaltyLogitsProcessor(1.3)
    arrays["repetition_penalty/1.3"] = penalty(torch.tensor(tokens), torch.tensor(logits)).numpy()
    np.savez_compressed(pathlib.Path(__file__).with_name("processors.npz"), **arrays)


if __name__ == "__main__":
    main()
