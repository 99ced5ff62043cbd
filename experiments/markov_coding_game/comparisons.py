"""The paper's smaller measurements: couplings of random pairs, code curves, stochasticity."""

import jax
import jax.numpy as jnp
import numpy as np

from infojax import couplings, entropies, information

# Mean and half-width of the joint entropy in bits over 100 random pairs, as the paper reports.
PAPER_MEC_TABLE = {
    "independent": (5.443, 0.101),
    "successive linearisation": (3.225, 0.141),
    "max-seeking greedy": (2.946, 0.064),
    "zero-seeking greedy": (2.937, 0.058),
}
METHODS = (
    "independent",
    "successive linearisation",
    "quantile",
    "max-seeking greedy",
    "zero-seeking greedy",
    "lower bound",
)


def scipy_transport(cost: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Solves a transport problem as a linear programme.

    Args:
        cost: cost matrix (n, m).
        p: supplies (n,).
        q: demands (m,).

    Returns:
        An optimal plan (n, m), at a vertex of the polytope.
    """
    from scipy import optimize, sparse

    n, m = cost.shape
    rows = sparse.kron(sparse.eye(n), np.ones((1, m)))
    cols = sparse.kron(np.ones((1, n)), sparse.eye(m))
    # One balance equation follows from the others; dropping it keeps the system of full rank.
    found = optimize.linprog(
        cost.ravel(),
        A_eq=sparse.vstack([rows, cols]).tocsr()[:-1],
        b_eq=np.concatenate([p, q])[:-1],
        method="highs-ds",
    )
    return np.maximum(found.x, 0).reshape(n, m)


def random_pairs(seed: int, pairs: int, symbols: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws pairs of marginals: independent uniform numbers, normalised.

    Args:
        seed: seed of the draw.
        pairs: how many pairs.
        symbols: symbols of each marginal.

    Returns:
        Two arrays (pairs, symbols).
    """
    p, q = np.random.default_rng(seed).random((2, pairs, symbols))
    return p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)


def mec_table(seed: int, pairs: int, symbols: int) -> dict[str, np.ndarray]:
    """Joint entropy in bits of five couplings, and the lower bound, for random pairs.

    Args:
        seed: seed of the pairs.
        pairs: how many pairs.
        symbols: symbols of each marginal.

    Returns:
        For each method the entropies, (pairs,).
    """
    p, q = random_pairs(seed, pairs, symbols)

    def linearised(p: np.ndarray, q: np.ndarray) -> float:
        table = couplings.successive_linearization_mec(p, q, scipy_transport)
        return float(entropies.entropy(table, axis=None, base=2))

    methods = {
        "independent": entropies.entropy(p, base=2) + entropies.entropy(q, base=2),
        "successive linearisation": [linearised(*pair) for pair in zip(p, q, strict=True)],
        "max-seeking greedy": couplings.greedy_mec(p, q).entropy(base=2),
        "zero-seeking greedy": couplings.zero_seeking_mec(p, q).entropy(base=2),
        "quantile": couplings.majorization_coupling(p, q).entropy(base=2),
        "lower bound": couplings.mec_lower_bound(p, q, base=2),
    }
    return {name: np.asarray(values, np.float64) for name, values in methods.items()}


def code_curve(rates: int) -> dict[str, np.ndarray]:
    """The paper's figure 2: best I(X; T) against the rate for p = (.7, .2, .1), in bits.

    Args:
        rates: points of the curve.

    Returns:
        Rates, the best information, the greedy code's, and the maps' own rates.
    """
    p = jnp.array([0.7, 0.2, 0.1])
    grid = jnp.linspace(0, 1.2, rates)
    curve = couplings.ebim_curve(p, grid, base=2)
    at_maps = couplings.ebim_curve(p, curve.map_rates, base=2)
    return {
        "rate": np.asarray(grid),
        "best": np.asarray(curve.information),
        "greedy": np.asarray(couplings.greedy_ebim(p, grid, base=2).entropy),
        "map_rate": np.asarray(curve.map_rates),
        "best_at_map_rate": np.asarray(at_maps.information),
    }


def encoder_inputs() -> dict[str, np.ndarray]:
    """The inputs of the paper's figure 9: a binomial and a truncated geometric law.

    Returns:
        The laws by name.
    """
    from scipy import stats

    k = np.arange(24)
    geometric = 0.2 * 0.8**k
    return {
        "Binomial(20, 1/2)": stats.binom.pmf(np.arange(21), 20, 0.5),
        "truncated geometric": geometric / geometric.sum(),
    }


def encoder_comparison(rates: int) -> dict[str, dict[str, np.ndarray]]:
    """Figure 9: I(X; T) in bits of the encoders on two inputs, rates up to H(X).

    Args:
        rates: points of the curve.

    Returns:
        For each input the rates and the information of each encoder.
    """
    encoders = {
        "search": couplings.greedy_ebim,
        "log-loss code": couplings.log_loss_code,
        "uniform": couplings.uniform_quantizer,
    }
    results = {}
    for name, p in encoder_inputs().items():
        top = float(entropies.entropy(p, base=2))
        grid = np.linspace(0.02, 1.0, rates) * top
        results[name] = {"rate": grid} | {
            label: np.asarray(encoder(p, grid, base=2).entropy)
            for label, encoder in encoders.items()
        }
    return results


def stochasticity(symbols: int, compression_rates: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Figure 10: couplings of two uniform laws through ever narrower bottlenecks.

    Args:
        symbols: symbols of both laws.
        compression_rates: H(X) / R.

    Returns:
        The joint laws, (rates, symbols, symbols), H(Y | X) and I(X; Y) in bits.
    """
    p = np.full(symbols, 1 / symbols)
    rates = np.log2(symbols) / np.asarray(compression_rates)
    chains = jax.vmap(lambda rate: couplings.mec_bottleneck(p, p, rate, base=2))(jnp.asarray(rates))
    joints = chains.joint()
    hidden = jax.vmap(lambda joint: entropies.conditional_entropy(joint, axis=1, given=0, base=2))
    shared = jax.vmap(lambda joint: information.mutual_information(joint, base=2))
    return {
        "compression_rate": np.asarray(compression_rates),
        "joint": np.asarray(joints),
        "conditional_entropy": np.asarray(hidden(joints)),
        "information": np.asarray(shared(joints)),
    }
