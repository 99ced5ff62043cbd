"""The information bottleneck by self-consistent iteration (Tishby, Pereira and Bialek 1999).

The encoder p(t|x) minimises I(X; T) - beta I(T; Y) for the Markov chain T - X - Y. Each iteration
of equations (28) to (31) lowers the objective; the limit depends on where it starts.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from infojax import checks
from infojax.entropies.joint import checked_joint
from infojax.information.joint_tables import conditional_mutual_information_nats
from infojax.numerics import (
    gated,
    narrow,
    nats_to_base,
    safe_log,
    smallest_normal,
    xlogx,
)


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("encoder", "compression", "relevance", "objective", "iterations", "converged"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class InformationBottleneck:
    """A stationary point of the bottleneck's objective.

    Attributes:
        encoder: p(t | x), a row for each x.
        compression: I(X; T), in units of the base.
        relevance: I(T; Y), in units of the base.
        objective: `compression - beta * relevance`.
        iterations: the number of iterations taken.
        converged: whether the encoder had settled.
    """

    encoder: Float[Array, "n K"]
    compression: Float[Array, ""]
    relevance: Float[Array, ""]
    objective: Float[Array, ""]
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]

    def cluster_distribution(self, joint: Float[Array, "n m"]) -> Float[Array, " K"]:
        """Probabilities of the clusters t.

        Args:
            joint: the table of p(x, y) for which the encoder was found.

        Returns:
            p(t).
        """
        return jnp.sum(joint, 1) @ self.encoder

    def decoder(self, joint: Float[Array, "n m"]) -> Float[Array, "K m"]:
        """The distribution of Y in each cluster.

        Args:
            joint: the table of p(x, y) for which the encoder was found.

        Returns:
            p(y | t), a row for each cluster; p(y) where a cluster is empty.
        """
        return _decoder(joint, self.encoder)


def _decoder(joint, encoder):
    together = encoder.T @ joint
    total = jnp.sum(together, 1, keepdims=True)
    occupied = total >= smallest_normal(total.dtype)
    return jnp.where(occupied, together / jnp.where(occupied, total, 1), jnp.sum(joint, 0))


def _step(joint, encoder, beta):
    """One round of the self-consistent equations: p(t), p(y|t), then p(t|x)."""
    source = jnp.sum(joint, 1, keepdims=True)
    present = source >= smallest_normal(source.dtype)
    given_x = jnp.where(present, joint / jnp.where(present, source, 1), 0)
    clusters = source[:, 0] @ encoder
    decoder = jnp.maximum(_decoder(joint, encoder), smallest_normal(joint.dtype))
    divergence = jnp.sum(xlogx(given_x), 1, keepdims=True) - given_x @ jnp.log(decoder).T
    log_clusters = jnp.where(
        clusters >= smallest_normal(clusters.dtype), safe_log(clusters), -jnp.inf
    )
    return jax.nn.softmax(log_clusters - beta * divergence, 1)


def _informations(joint, encoder):
    """I(X; T) and I(T; Y) of an encoder, in nats."""
    chain = jnp.sum(joint, 1, keepdims=True) * encoder
    compression = conditional_mutual_information_nats(chain, (0,), (1,))
    return compression, conditional_mutual_information_nats(encoder.T @ joint, (0,), (1,))


def _objective(joint, encoder, beta):
    compression, relevance = _informations(joint, encoder)
    return compression - beta * relevance


def _iterate(joint, encoder, beta, tolerance, max_iterations):
    """The settled encoder, its last change and the number of iterations."""
    source = jnp.sum(joint, 1)

    def unfinished(state):
        _, change, step = state
        return (change > tolerance) & (step < max_iterations)

    def improve(state):
        encoder, _, step = state
        after = _step(joint, encoder, beta)
        return after, 0.5 * source @ jnp.sum(jnp.abs(after - encoder), 1), step + 1

    infinite = jnp.asarray(jnp.inf, joint.dtype)
    return jax.lax.while_loop(unfinished, improve, (encoder, infinite, jnp.zeros((), jnp.int32)))


@functools.partial(jax.jit, static_argnames="max_iterations")
def _best(joint, starts, beta, tolerance, max_iterations):
    """The result of the start that leads to the lowest objective (the first of equals)."""

    def run(start):
        encoder, change, steps = _iterate(joint, start, beta, tolerance, max_iterations)
        return encoder, change, steps, _objective(joint, encoder, beta)

    *parts, objectives = jax.vmap(run)(starts)
    chosen = jnp.argmin(objectives)
    return tuple(part[chosen] for part in parts)


def _starts(table, num_clusters, key, initial_encoder, num_restarts):
    """Encoders to start from, stacked, and whether they are valid."""
    if (key is None) == (initial_encoder is None):
        raise ValueError("give either key= for random starts or initial_encoder=, and not both.")
    if initial_encoder is not None:
        encoder = checks.floating("initial_encoder", initial_encoder, ndim=2)
        if encoder.shape[0] != table.shape[0] or encoder.shape[1] != (
            num_clusters or encoder.shape[1]
        ):
            raise ValueError(
                f"initial_encoder must have {table.shape[0]} rows and one column a cluster; "
                f"got shape {encoder.shape}."
            )
        valid = jnp.all(checks.check_distribution("initial_encoder", encoder, (1,)))
        return encoder.astype(table.dtype)[None], valid
    count = checks.positive_integer("num_clusters", num_clusters or table.shape[0])
    restarts = checks.positive_integer("num_restarts", num_restarts)
    # Spread over the simplex: soft starts fall into the trivial solution more often.
    logits = 4 * jax.random.normal(key, (restarts, table.shape[0], count), table.dtype)
    return jax.nn.softmax(logits, -1), jnp.ones((), bool)


def _result(as_given, table, valid, beta, base, solution, tolerance):
    encoder, change, steps = solution
    compression, relevance = _informations(table, encoder)

    def finish(nats):
        return narrow(nats_to_base(gated(nats, valid), base), as_given)

    return InformationBottleneck(
        encoder=narrow(gated(encoder, valid), as_given),
        compression=finish(compression),
        relevance=finish(relevance),
        objective=finish(compression - beta * relevance),
        iterations=steps,
        converged=(change <= tolerance) & valid,
    )


def _checked(joint, beta_name, beta, tolerance):
    as_given, table, valid = checked_joint(joint, min_ndim=2)
    if table.ndim != 2:
        raise ValueError(f"joint must have 2 axes; got shape {table.shape}.")
    beta = checks.real_number(beta_name, beta).astype(table.dtype)
    usable = (beta >= 0) & jnp.isfinite(beta)
    beta_valid = checks.check_real(beta_name, beta, usable, "non-negative and finite")
    tolerance = checks.real_number("tolerance", tolerance).astype(table.dtype)
    valid &= checks.check_real("tolerance", tolerance, tolerance > 0, "positive")
    return as_given, table, valid, beta, beta_valid, tolerance


def information_bottleneck(
    joint: Float[Array, "n m"],
    beta: ArrayLike,
    *,
    num_clusters: int | None = None,
    key: jax.Array | None = None,
    initial_encoder: Float[Array, "n K"] | None = None,
    num_restarts: int = 1,
    base: float | None = None,
    tolerance: ArrayLike = 1e-6,
    max_iterations: int = 5_000,
) -> InformationBottleneck:
    r"""Encoder p(t|x) that minimises $I(X; T) - \beta I(T; Y)$, by self-consistent iteration.

    $p(t|x) \propto p(t) e^{-\beta D(p(y|x) \| p(y|t))}$ with p(t) and p(y|t) of the last encoder.
    The objective never rises. Of several random starts the one that ends lowest is kept. For
    beta <= 1 the solution is trivial: I(X; T) = 0. Batch by `jax.vmap`.

    The derivatives of `compression` and `relevance` by the joint table hold the encoder fixed;
    that of `objective` is then the envelope theorem's. `encoder` has none.

    Args:
        joint: table of p(x, y).
        beta: what a nat about Y is worth in nats about X; may be traced.
        num_clusters: K, the number of values of T; that of X, or of `initial_encoder`, if None.
        key: a key for random starts.
        initial_encoder: p(t|x) to start from, in place of a key.
        num_restarts: the number of random starts, run side by side.
        base: the logarithm's base (2 for bits); None for nats.
        tolerance: the change of the encoder (mean total variation) at which to stop.
        max_iterations: the most iterations.

    Returns:
        The encoder and its informations.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: `joint` has not two axes or is not a distribution; `beta` is negative,
            infinite or NaN; both or neither of `key` and `initial_encoder`; sizes below 1.

    Reference:
        Tishby, Pereira and Bialek, The Information Bottleneck Method, 1999, equations (16) and
        (28) to (31), arXiv:physics/0004057.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import information
        >>> joint = jnp.array([[0.25, 0.0], [0.25, 0.0], [0.0, 0.5]])
        >>> result = information.information_bottleneck(
        ...     joint, 20.0, num_clusters=2, key=jax.random.key(0), num_restarts=4, base=2)
        >>> print(result.compression, result.relevance)
        1.0 1.0
    """
    as_given, table, valid, beta, beta_valid, tolerance = _checked(joint, "beta", beta, tolerance)
    max_iterations = checks.positive_integer("max_iterations", max_iterations)
    starts, starts_valid = _starts(table, num_clusters, key, initial_encoder, num_restarts)
    beta = jnp.where(beta_valid, beta, 0)
    fixed = jax.lax.stop_gradient((table, starts, beta, tolerance))
    best = jax.lax.stop_gradient(_best(*fixed, max_iterations))
    valid = valid & beta_valid & starts_valid
    return _result(as_given, table, valid, beta, base, best, tolerance)


@functools.partial(jax.jit, static_argnames="max_iterations")
def _anneal(joint, start, betas, tolerance, max_iterations):
    """Solutions along descending betas, each started from the last."""

    def follow(encoder, beta):
        solution = _iterate(joint, encoder, beta, tolerance, max_iterations)
        return solution[0], solution

    return jax.lax.scan(follow, start, betas)[1]


def information_bottleneck_curve(
    joint: Float[Array, "n m"],
    betas: Float[Array, " k"],
    *,
    num_clusters: int | None = None,
    key: jax.Array | None = None,
    initial_encoder: Float[Array, "n K"] | None = None,
    num_restarts: int = 1,
    base: float | None = None,
    tolerance: ArrayLike = 1e-6,
    max_iterations: int = 5_000,
) -> InformationBottleneck:
    """Points of the information curve, by annealing from the largest beta downwards.

    The solution at the largest beta is the best of the random starts; each following one starts
    from the last, so that clusters merge as beta falls and the curve does not jump between
    branches.

    Args:
        joint: table of p(x, y).
        betas: the values of beta, in any order.
        num_clusters: K, the number of values of T; that of X, or of `initial_encoder`, if None.
        key: a key for random starts.
        initial_encoder: p(t|x) to start from, in place of a key.
        num_restarts: the number of random starts.
        base: the logarithm's base (2 for bits); None for nats.
        tolerance: the change of the encoder (mean total variation) at which to stop.
        max_iterations: the most iterations at each beta.

    Returns:
        The solutions in the order of `betas`, each part with a leading axis of their number.

    Raises:
        TypeError: an argument is not of floating type.
        ValueError: as in `information_bottleneck`; `betas` is empty.

    Reference:
        Tishby, Pereira and Bialek 1999, section 3.3; Slonim, The Information Bottleneck: Theory
        and Applications, 2002, section 3.1.2 (reverse annealing).

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import information
        >>> joint = jnp.array([[0.25, 0.0], [0.25, 0.0], [0.0, 0.5]])
        >>> curve = information.information_bottleneck_curve(
        ...     joint, jnp.array([0.5, 20.0]), key=jax.random.key(0), base=2)
        >>> print(jnp.abs(curve.relevance.round(4)))
        [0. 1.]
    """
    checked = _checked(joint, "betas", betas, tolerance)
    as_given, table, valid, betas, beta_valid, tolerance = checked
    if betas.ndim != 1 or betas.shape[0] == 0:
        raise ValueError(f"betas must be an axis of at least one number; got shape {betas.shape}.")
    max_iterations = checks.positive_integer("max_iterations", max_iterations)
    starts, starts_valid = _starts(table, num_clusters, key, initial_encoder, num_restarts)
    valid = valid & starts_valid
    betas = jnp.where(beta_valid, betas, 0)
    fixed, starts, ladder, limit = jax.lax.stop_gradient((table, starts, betas, tolerance))
    order = jnp.argsort(-ladder)
    first, _, _ = _best(fixed, starts, ladder[order[0]], limit, max_iterations)
    parts = _anneal(fixed, first, ladder[order], limit, max_iterations)
    back = jnp.argsort(order)
    encoders, changes, steps = jax.lax.stop_gradient(tuple(part[back] for part in parts))

    def point(beta, usable, *solution):
        return _result(as_given, table, valid & usable, beta, base, solution, tolerance)

    return jax.vmap(point)(betas, beta_valid, encoders, changes, steps)
