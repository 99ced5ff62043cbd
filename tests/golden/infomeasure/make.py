"""Writes neighbors.json: estimates from nearest neighbours by `infomeasure`.

The package is not among the tests' requirements: `pip install infomeasure==0.6.3`. Its noise is
switched off. The samples come from `samples`, which the tests call too.
"""

import json
import pathlib

import numpy as np


def samples(count=150):
    """Returns x (N, 2), y (N, 1) and z (N, 1), dependent, and a series y that x drives."""
    rng = np.random.default_rng(7)
    shared = rng.normal(size=(count, 1))
    x = rng.normal(size=(count, 2)) + shared
    z = rng.standard_t(3, size=(count, 1)) + 0.5 * shared
    y = np.tanh(x[:, :1]) + 0.3 * z + 0.2 * rng.normal(size=(count, 1))
    driven = 0.7 * np.roll(x[:, :1], 1, 0) + 0.4 * rng.normal(size=(count, 1))
    return x, y, z, driven


def main():
    import infomeasure

    x, y, z, driven = samples()
    quiet = {"noise_level": 0}
    made = {"infomeasure": "0.6.3"}
    for k in (1, 4):
        for metric, power in (("chebyshev", np.inf), ("euclidean", 2)):
            made[f"entropy_{metric}_{k}"] = infomeasure.entropy(
                x, approach="kl", k=k, minkowski_p=power, **quiet
            )
        # Its second variant counts within the joint distance, not within each variable's own
        # edge (equation 9 of the paper), and so is another estimator.
        made[f"mutual_information_{k}"] = infomeasure.mutual_information(
            x, y, approach="ksg", k=k, **quiet
        )
        made[f"conditional_{k}"] = infomeasure.conditional_mutual_information(
            x, y, cond=z, approach="ksg", k=k, **quiet
        )
        for length in (1, 2):
            made[f"transfer_entropy_{length}_{k}"] = infomeasure.transfer_entropy(
                x[:, 0],
                driven[:, 0],
                approach="ksg",
                k=k,
                src_hist_len=length,
                dest_hist_len=length,
                **quiet,
            )
    content = {name: v if isinstance(v, str) else float(v) for name, v in made.items()}
    text = json.dumps(content, indent=1) + "\n"
    (pathlib.Path(__file__).parent / "neighbors.json").write_text(text)


if __name__ == "__main__":
    main()
