"""Mutual information by a trained critic: one call from samples to an estimate with an interval.

Training, early stopping and the final estimate use three separate parts of the samples and are
one compiled program: a loop over epochs, each a scan over minibatches.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from infojax import checks
from infojax.nn.critics import JointCritic, SeparableCritic
from infojax.nn.objectives import ESTIMATES, OBJECTIVES, STOPPING, Bound
from infojax.numerics import gated, narrow, nats_to_base, widen

CriticName = Literal["separable", "joint"]


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=(
        "estimate",
        "low",
        "high",
        "batch_estimates",
        "history",
        "num_epochs",
        "best_epoch",
        "parameters",
        "centers",
        "scales",
    ),
    meta_fields=("structure",),
)
@dataclasses.dataclass(frozen=True)
class CriticFit:
    """An estimate of mutual information by a trained critic.

    Attributes:
        estimate: mean of the bound over the batches of the test part, in units of the base.
        low: lower end of the interval of the critic's bound, from the spread of these batches.
        high: upper end of it.
        batch_estimates: the bound of each batch.
        history: what early stopping looked at after each epoch, in nats, NaN after the last.
        num_epochs: how many epochs were run.
        best_epoch: the epoch, from 0, whose critic this is.
        parameters: the critic's weights.
        centers: means of x and y that the critic's inputs are relative to.
        scales: their standard deviations.
        structure: the critic's graph definition.
    """

    estimate: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    batch_estimates: Float[Array, " batches"]
    history: Float[Array, " epochs"]
    num_epochs: Int[Array, ""]
    best_epoch: Int[Array, ""]
    parameters: Any
    centers: tuple[Float[Array, " Dx"], Float[Array, " Dy"]]
    scales: tuple[Float[Array, " Dx"], Float[Array, " Dy"]]
    structure: nnx.GraphDef

    def critic(self) -> nnx.Module:
        """The critic as a Flax module, for standardised samples.

        Returns:
            A `SeparableCritic` or `JointCritic`.
        """
        return nnx.merge(self.structure, self.parameters)

    def scores(self, x: Float[Array, "N Dx"], y: Float[Array, "M Dy"]) -> Float[Array, "N M"]:
        """The critic's values on all pairs of samples, standardised as in training.

        Args:
            x: samples.
            y: samples.

        Returns:
            The score of (x_i, y_j) at (i, j), to be given to a bound.
        """
        x, y = (
            (v - center) / scale
            for v, center, scale in zip((x, y), self.centers, self.scales, strict=True)
        )
        return self.critic()(x, y)  # type: ignore[operator]


@dataclasses.dataclass(frozen=True)
class _Plan:
    """All that is static in a fit; hashable, so that equal plans compile once."""

    bound: str
    critic: str
    hidden: tuple[int, ...]
    embedding: int
    batch: int
    parts: tuple[int, int, int]
    max_epochs: int
    patience: int
    optimizer: optax.GradientTransformation


def _new_critic(plan: _Plan, x_features: int, y_features: int, key: jax.Array) -> nnx.Module:
    rngs = nnx.Rngs(params=key)
    if plan.critic == "joint":
        return JointCritic(x_features, y_features, hidden=plan.hidden, rngs=rngs)
    return SeparableCritic(
        x_features, y_features, hidden=plan.hidden, embedding=plan.embedding, rngs=rngs
    )


def _in_batches(plan: _Plan, score, bound, part):
    """A bound on each whole batch of a part of the samples."""
    count = part[0].shape[0] // plan.batch
    batches = tuple(v[: count * plan.batch].reshape(count, plan.batch, -1) for v in part)
    return jax.lax.map(lambda pair: bound(score(*pair)), batches)


def _train_epoch(plan: _Plan, structure, training, state, key):
    """One pass over the training part in a new order."""
    x, y = training
    steps = x.shape[0] // plan.batch
    order = jax.random.permutation(key, x.shape[0])[: steps * plan.batch]

    def loss(parameters, log_average, rows):
        critic: Callable = nnx.merge(structure, parameters)
        scores = critic(x[rows], y[rows])
        bound, log_average = OBJECTIVES[plan.bound](scores, log_average)
        return -bound, log_average

    def step(state, rows):
        parameters, moments, log_average = state
        gradient, log_average = jax.grad(loss, has_aux=True)(parameters, log_average, rows)
        updates, moments = plan.optimizer.update(gradient, moments, parameters)
        return (optax.apply_updates(parameters, updates), moments, log_average), None

    return jax.lax.scan(step, state, order.reshape(steps, plan.batch))[0]


def _train(plan: _Plan, structure, parameters, training, validation, key):
    """Epochs until the bound on the validation part has stopped to rise."""

    def unfinished(carry):
        _, _, _, best_epoch, epoch, _ = carry
        return (epoch < plan.max_epochs) & (epoch - best_epoch <= plan.patience)

    def epoch_step(carry):
        state, best, best_value, best_epoch, epoch, history = carry
        epoch_key = jax.random.fold_in(key, epoch)
        state = _train_epoch(plan, structure, training, state, epoch_key)
        critic: Callable = nnx.merge(structure, state[0])
        value = jnp.mean(_in_batches(plan, critic, STOPPING[plan.bound], validation))
        better = value > best_value
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), state[0], best)
        return (
            state,
            best,
            jnp.where(better, value, best_value),
            jnp.where(better, epoch, best_epoch),
            epoch + 1,
            history.at[epoch].set(value),
        )

    dtype = training[0].dtype
    start = (
        (parameters, plan.optimizer.init(parameters), jnp.asarray(-jnp.inf, dtype)),
        parameters,
        jnp.asarray(-jnp.inf, dtype),
        jnp.asarray(0, jnp.int32),
        jnp.asarray(0, jnp.int32),
        jnp.full(plan.max_epochs, jnp.nan, dtype),
    )
    _, best, _, best_epoch, epochs, history = jax.lax.while_loop(unfinished, epoch_step, start)
    return best, best_epoch, epochs, history


@functools.partial(jax.jit, static_argnames="plan")
def _fit(x, y, key, plan: _Plan):
    split_key, init_key, train_key = jax.random.split(key, 3)
    order = jax.random.permutation(split_key, x.shape[0])
    ends = (plan.parts[0], plan.parts[0] + plan.parts[1])
    centers, scales, standard = [], [], []
    for v in (x[order], y[order]):
        first = v[: ends[0]]
        center, scale = jnp.mean(first, 0), jnp.std(first, 0)
        scale = jnp.where(scale > 0, scale, 1)
        centers.append(center)
        scales.append(scale)
        standard.append((v - center) / scale)
    training, validation, test = (
        tuple(v[rows] for v in standard)
        for rows in (slice(0, ends[0]), slice(*ends), slice(ends[1], None))
    )
    made = _new_critic(plan, x.shape[-1], y.shape[-1], init_key)
    structure, parameters = nnx.split(made, nnx.Param)
    parameters = jax.tree.map(lambda leaf: leaf.astype(x.dtype), parameters)
    best, best_epoch, epochs, history = _train(
        plan, structure, parameters, training, validation, train_key
    )
    critic: Callable = nnx.merge(structure, best)
    values = _in_batches(plan, critic, ESTIMATES[plan.bound], test)
    return best, best_epoch, epochs, history, values, tuple(centers), tuple(scales)


@functools.cache
def _default_optimizer(learning_rate: float) -> optax.GradientTransformation:
    return optax.adam(learning_rate)


def _student_quantile(freedom: int, level: float) -> float:
    # scipy comes with jax, and takes long to import.
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))


def _parts(count: int, held_out: float, batch_size: int | None) -> tuple[int, tuple[int, int, int]]:
    """The batch size, and the sizes of the training, validation and test parts."""
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must be between 0 and 1; got {held_out!r}.")
    validation = test = max(round(count * held_out / 2), 1)
    training = count - validation - test
    if batch_size is None:
        # Eight batches to average over if there are so many samples, at least four.
        batch = max(min(128, test // 4), 2)
    else:
        batch = checks.positive_integer("batch_size", batch_size)
    if batch < 2 or test < 2 * batch or training < batch:
        raise ValueError(
            f"batch_size must be at least 2 and the parts hold 1 (training), 1 (validation) and "
            f"2 (test) batches; got batches of {batch} and parts of "
            f"{training}, {validation}, {test} of N = {count} samples."
        )
    return batch, (training, validation, test)


def fit_critic(
    x: Float[Array, "N Dx"],
    y: Float[Array, "N Dy"],
    *,
    key: PRNGKeyArray,
    bound: Bound = "info_nce",
    critic: CriticName = "separable",
    hidden: Sequence[int] = (128, 128),
    embedding: int = 32,
    batch_size: int | None = None,
    held_out: float = 0.4,
    max_epochs: int = 200,
    patience: int = 20,
    learning_rate: float = 1e-3,
    optimizer: optax.GradientTransformation | None = None,
    level: float = 0.95,
    base: float | None = None,
) -> CriticFit:
    r"""Estimates mutual information by training a critic to maximise a variational bound.

    The samples are split at random: a part to train on, a part whose bound says when to stop
    (the critic of the best epoch is kept), and a part that neither has seen, whose batches give
    the estimate, the mean bound, and its Student interval. The interval is of the bound that this
    critic attains, not of the mutual information: the lower bounds ("nwj", "info_nce",
    "jensen_shannon") lie below that in expectation, "info_nce" never above the logarithm of
    the batch size; "donsker_varadhan", "mine" and "smile" may lie on either side. Features are
    standardised first. Maps over several problems or seeds by `jax.vmap`. The same key gives the
    same result.

    Args:
        x: samples.
        y: samples observed together with `x`.
        key: a random key: split, initial weights, order of the minibatches.
        bound: what to estimate by. "mine" is the Donsker-Varadhan bound with corrected
            gradients; "smile" (with ratios clipped at $e^{\pm 5}$) and "jensen_shannon" (the NWJ
            estimate) train by `information.jensen_shannon_bound`.
        critic: "separable" or "joint".
        hidden: widths of the hidden layers.
        embedding: size of the separable critic's embedding.
        batch_size: samples of a minibatch, of the estimate too; if None a quarter of the test
            part, 128 at most. Remainders of less than a batch are not used.
        held_out: share of the samples that is not trained on, half of it for stopping and half
            for the estimate.
        max_epochs: the most passes over the training part.
        patience: how many epochs without a better validation bound end the training.
        learning_rate: of Adam.
        optimizer: an optax transformation in place of Adam at `learning_rate`; keep and pass the
            same object to compile once.
        level: coverage of the interval.
        base: the logarithm's base (2 for bits) of estimate and interval; None for nats.

    Returns:
        The estimate, its interval, history and critic.

    Raises:
        TypeError: `x` or `y` is not of floating type, or a size is no whole number.
        ValueError: not of two axes, of different number, too few samples for the parts, not
            finite; an unknown bound or critic; a number out of its range; a base that is not
            positive or is 1.

    Reference:
        Belghazi et al. 2018, arXiv 1801.04062; van den Oord et al. 2018, arXiv 1807.03748; Poole
        et al. 2019, arXiv 1905.06922; Song and Ermon 2020, arXiv 1910.06222.

    Example:
        >>> import jax
        >>> from infojax import nn
        >>> x, noise = jax.random.normal(jax.random.key(0), (2, 640, 1))
        >>> fit = nn.fit_critic(x, x + noise, key=jax.random.key(1), max_epochs=9, hidden=(32,))
        >>> print(bool(fit.low < 0.3466 < fit.high))  # log(2) / 2
        True
    """
    checks.choice("bound", bound, get_args(Bound))
    checks.choice("critic", critic, get_args(CriticName))
    widths = tuple(checks.positive_integer("hidden", width) for width in hidden)
    if not widths:
        raise ValueError("hidden must hold the width of at least one layer; got none.")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1; got {level!r}.")
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate must be positive and finite; got {learning_rate!r}.")
    given = checks.paired_samples(x=x, y=y)
    if given[0].ndim != 2:
        raise ValueError(f"x and y must have 2 axes (batch by jax.vmap); got {given[0].shape}.")
    batch, parts = _parts(given[0].shape[0], held_out, batch_size)
    valid = checks.finite_samples("x", given[0]) & checks.finite_samples("y", given[1])
    plan = _Plan(
        bound=bound,
        critic=critic,
        hidden=widths,
        embedding=checks.positive_integer("embedding", embedding),
        batch=batch,
        parts=parts,
        max_epochs=checks.positive_integer("max_epochs", max_epochs),
        patience=checks.positive_integer("patience", patience),
        optimizer=optimizer or _default_optimizer(float(learning_rate)),
    )
    wide = widen(*given)
    best, best_epoch, epochs, history, values, centers, scales = _fit(*wide, key, plan)
    structure = nnx.graphdef(_abstract_critic(plan, given[0].shape[-1], given[1].shape[-1]))
    values = gated(nats_to_base(values, base), valid)
    mean = jnp.mean(values)
    reach = _student_quantile(values.size - 1, level) * jnp.std(values, ddof=1)
    reach /= math.sqrt(values.size)
    return CriticFit(
        estimate=narrow(mean, *given),
        low=narrow(mean - reach, *given),
        high=narrow(mean + reach, *given),
        batch_estimates=narrow(values, *given),
        history=history,
        num_epochs=epochs,
        best_epoch=best_epoch,
        parameters=best,
        centers=centers,
        scales=scales,
        structure=structure,
    )


def _abstract_critic(plan: _Plan, x_features: int, y_features: int) -> nnx.Module:
    """The critic without weights, for its structure alone."""
    return nnx.eval_shape(lambda: _new_critic(plan, x_features, y_features, jax.random.key(0)))
