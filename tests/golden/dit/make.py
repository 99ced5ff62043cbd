"""Makes multivariate.json: measures of small joint tables in bits, by the package dit (2.3).

Run in an environment that has dit, from any place:  python tests/golden/dit/make.py
"""

import itertools
import json
import pathlib

import dit
import numpy as np
from dit import multivariate, shannon


def tables():
    rng = np.random.default_rng(20)
    bits = (0, 1)
    parity = np.zeros((2, 2, 2))
    for x, y in itertools.product(bits, bits):
        parity[x, y, x ^ y] = 0.25
    giant_bit = np.zeros((2, 2, 2))
    giant_bit[0, 0, 0] = giant_bit[1, 1, 1] = 0.5
    conjunction = np.zeros((2, 2, 2))
    for x, y in itertools.product(bits, bits):
        conjunction[x, y, x & y] = 0.25
    sparse = rng.uniform(size=(3, 2, 3)) * (rng.uniform(size=(3, 2, 3)) < 0.6)
    return {
        "parity": parity,
        "giant_bit": giant_bit,
        "conjunction": conjunction,
        "random": rng.dirichlet(np.ones(12)).reshape(2, 3, 2),
        "sparse": sparse / sparse.sum(),
        "four": rng.dirichlet(np.full(24, 0.4)).reshape(2, 3, 2, 2),
    }


def measures(table):
    n = table.ndim
    cells = [index for index in np.ndindex(table.shape) if table[index] > 0]
    d = dit.Distribution(cells, [table[index] for index in cells])
    return {
        "mutual_information": shannon.mutual_information(d, [0], [1]),
        "conditional_mutual_information": multivariate.coinformation(d, [[0], [1]], [2]),
        "total_correlation": multivariate.total_correlation(d),
        "dual_total_correlation": multivariate.dual_total_correlation(d),
        "o_information": multivariate.o_information(d),
        "interaction_information": (-1) ** n * multivariate.coinformation(d),
    }


def main():
    golden = {
        name: {"joint": table.tolist(), **{k: float(v) for k, v in measures(table).items()}}
        for name, table in tables().items()
    }
    path = pathlib.Path(__file__).with_name("multivariate.json")
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
