"""An offline task: data of a black box, its normalisation, its oracle, and scores of proposals."""

import dataclasses
import functools
import warnings
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from infojax import checks


class PercentileScores(NamedTuple):
    """Scores of a set of proposals at three percentiles.

    Attributes:
        maximum: of the best proposal (the 100th percentile).
        percentile_80: the 80th percentile.
        median: the 50th.
    """

    maximum: Float[Array, ""]
    percentile_80: Float[Array, ""]
    median: Float[Array, ""]


def percentile_scores(
    values: Float[Array, " N"], *, low: ArrayLike = 0.0, high: ArrayLike = 1.0
) -> PercentileScores:
    """Maximum, 80th percentile and median of values, on a scale from `low` (0) to `high` (1).

    Args:
        values: true values of the proposals.
        low: the value whose score is 0: the least of the whole data set, in design-bench.
        high: the value whose score is 1: the greatest of the whole data set.

    Returns:
        The three scores, in the type of `values`.

    Raises:
        TypeError: `values` is not of floating type, or a bound is not real.
        ValueError: no value or not one axis; `high` is not above `low`, or a value is not finite
            (at once where concrete, under `checkify.checkify` in traced code; NaN where
            unchecked).

    Reference:
        Trabucco, Geng, Kumar and Levine, ICML 2022, arXiv 2202.08450, evaluation protocol.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import optimize
        >>> scores = optimize.percentile_scores(jnp.arange(11.0), low=0, high=20)
        >>> print(scores.maximum, scores.percentile_80, scores.median)
        0.5 0.4 0.25
    """
    array = checks.floating("values", values, ndim=1)
    if array.shape[0] == 0:
        raise ValueError(f"values must hold a value; got shape {array.shape}.")
    bottom, top = checks.real_number("low", low), checks.real_number("high", high)
    ordered = jnp.isfinite(bottom) & jnp.isfinite(top) & (top > bottom)
    checks.check_real("high", top, ordered, f"finite and above low = {_shown(bottom)}")
    finite = checks.check_real("values", array, jnp.isfinite(array), "finite")
    wide = array.astype(jnp.promote_types(array.dtype, jnp.float32))
    scores = jnp.where(ordered, (wide - bottom) / (top - bottom), jnp.nan)
    scores = jnp.where(jnp.all(finite), scores, jnp.nan).astype(wide.dtype)
    quantiles = jnp.quantile(scores, jnp.asarray([1.0, 0.8, 0.5], wide.dtype)).astype(array.dtype)
    return PercentileScores(quantiles[0], quantiles[1], quantiles[2])


def _shown(number: jax.Array) -> str:
    return f"{float(number):g}" if checks.is_concrete(number) and number.ndim == 0 else "low"


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=(
        "x",
        "y",
        "x_mean",
        "x_std",
        "y_mean",
        "y_std",
        "lower",
        "upper",
        "lowest",
        "highest",
    ),
    meta_fields=("oracle", "vocabulary"),
)
@dataclasses.dataclass(frozen=True)
class OfflineTask:
    r"""What an offline optimiser may see of a black box, and the black box to judge it by.

    A surrogate works on standardised inputs and values. Designs of symbols are relaxed to logits
    of a softened one-hot, $\log((1 - s) / V + s [v = x_l])$ with s = .6, a row for each place, and
    then standardised as any other input. Make it by `offline_task`.

    Attributes:
        x: designs, (N, D) floating, or (N, L) whole numbers below `vocabulary`.
        y: their values, (N,).
        x_mean: means of the features that a surrogate is given.
        x_std: their standard deviations; 1 where constant.
        y_mean: mean of the values.
        y_std: their standard deviation; 1 where constant.
        lower: lower bounds of the features, -inf for none.
        upper: upper bounds, +inf for none.
        lowest: the value whose score is 0.
        highest: the value whose score is 1.
        oracle: from designs to true values; only `evaluate` calls it.
        vocabulary: how many symbols there are, or None where designs are continuous.
    """

    x: Array
    y: Float[Array, " N"]
    x_mean: Float[Array, " F"]
    x_std: Float[Array, " F"]
    y_mean: Float[Array, ""]
    y_std: Float[Array, ""]
    lower: Float[Array, " F"]
    upper: Float[Array, " F"]
    lowest: Float[Array, ""]
    highest: Float[Array, ""]
    oracle: Callable[[Array], ArrayLike]
    vocabulary: int | None

    def normalize(self, x: Array) -> Float[Array, "*B F"]:
        """Designs as a surrogate is given them.

        Args:
            x: designs.

        Returns:
            Standardised features; F = D, or L times the vocabulary.
        """
        features = x if self.vocabulary is None else _to_logits(x, self.vocabulary, self.y.dtype)
        return (features - self.x_mean) / self.x_std

    def denormalize(self, features: Float[Array, "*B F"]) -> Array:
        """The designs that standardised features stand for.

        Args:
            features: such as a search proposes.

        Returns:
            Designs within the bounds: clipped, or at each place the symbol of the largest logit.
        """
        raw = features * self.x_std + self.x_mean
        if self.vocabulary is None:
            return jnp.clip(raw, self.lower, self.upper)
        rows = raw.reshape(*raw.shape[:-1], -1, self.vocabulary)
        return jnp.argmax(rows, -1).astype(jnp.int32)

    def normalize_y(self, y: ArrayLike) -> jax.Array:
        """Standardised values.

        Args:
            y: values.

        Returns:
            (y - mean) / standard deviation.
        """
        return (jnp.asarray(y) - self.y_mean) / self.y_std

    def denormalize_y(self, y: ArrayLike) -> jax.Array:
        """Values of standardised ones.

        Args:
            y: such as a surrogate predicts.

        Returns:
            In the units of the data.
        """
        return jnp.asarray(y) * self.y_std + self.y_mean

    def bounds(self) -> tuple[Float[Array, " F"], Float[Array, " F"]]:
        """Bounds of standardised features, for a search.

        Returns:
            Lower and upper, infinite for none.
        """
        return (self.lower - self.x_mean) / self.x_std, (self.upper - self.x_mean) / self.x_std

    def best(self, count: int) -> Float[Array, "count F"]:
        """Standardised features of the best designs of the data, from which searches start.

        Args:
            count: how many; the best come again where the data are fewer.

        Returns:
            Their features, the best first.
        """
        order = jnp.argsort(-self.y, stable=True)
        return self.normalize(self.x[jnp.resize(order, (count,))])

    def evaluate(self, features: Float[Array, "N F"]) -> Float[Array, " N"]:
        """True values of proposals.

        Args:
            features: standardised, as a search proposes them.

        Returns:
            What the oracle says of their designs.

        Raises:
            ValueError: a proposal is not finite (at once where concrete, under
                `checkify.checkify` in traced code; NaN where unchecked), or the oracle's answer
                has another number of values.
        """
        features = checks.floating("proposals", features, ndim=2)
        finite = jnp.isfinite(features)
        checks.check_real("proposals", features, finite, "finite")
        values = jnp.asarray(self.oracle(self.denormalize(features)))
        if values.shape != features.shape[:1]:
            raise ValueError(
                f"oracle must return shape {features.shape[:1]}; got shape {values.shape}."
            )
        return jnp.where(jnp.all(finite, 1), values.astype(self.y.dtype), jnp.nan)

    def scores(self, values: Float[Array, " N"]) -> PercentileScores:
        """Normalised percentile scores of true values.

        Args:
            values: what `evaluate` returned.

        Returns:
            The scores; 0 and 1 are `lowest` and `highest`.
        """
        return percentile_scores(values, low=self.lowest, high=self.highest)


def _to_logits(x: Int[Array, "*B L"], vocabulary: int, dtype, share: float = 0.6) -> jax.Array:
    soft = (1 - share) / vocabulary + share * jax.nn.one_hot(x, vocabulary, dtype=dtype)
    return jnp.log(soft).reshape(*x.shape[:-1], -1)


def offline_task(
    x: Array,
    y: Float[Array, " N"],
    oracle: Callable[[Array], ArrayLike],
    *,
    vocabulary: int | None = None,
    lower: ArrayLike = -jnp.inf,
    upper: ArrayLike = jnp.inf,
    lowest: ArrayLike | None = None,
    highest: ArrayLike | None = None,
) -> OfflineTask:
    r"""Makes an `OfflineTask` of a data set.

    Args:
        x: designs, (N, D) floating, or whole numbers (N, L) of symbols, with `vocabulary`.
            Designs may come more than once.
        y: their values, which are to be maximised.
        oracle: from designs (M, D) or (M, L) to true values (M,).
        vocabulary: how many symbols there are; whole-numbered designs need it.
        lower: lower bounds of continuous designs; broadcasts to (D,).
        upper: upper bounds.
        lowest: the value whose score is 0; the least of `y` if None.
        highest: the value whose score is 1; the greatest of `y` if None. Benchmarks take both
            from the whole data set, of which offline data are the lower part.

    Returns:
        The task.

    Raises:
        TypeError: `y` is not of floating type, or `x` is of symbols without `vocabulary`.
        ValueError: no design, shapes that do not fit, a symbol out of range, NaN or infinite
            entries, or bounds that are crossed (at once where concrete).

    Reference:
        Trabucco, Geng, Kumar and Levine, *Design-Bench*, ICML 2022, arXiv 2202.08450.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import optimize
        >>> x = jnp.array([[0.0], [1.0], [2.0]])
        >>> task = optimize.offline_task(x, x[:, 0], lambda x: x[:, 0], upper=3.0, highest=3.0)
        >>> print(task.scores(task.evaluate(jnp.array([[9.0]]))).maximum)  # clipped at 3
        1.0
    """
    y = checks.floating("y", y, ndim=1)
    x = checks.real_array("x", x)
    if x.ndim != 2 or x.shape[0] == 0 or x.shape[1] == 0:
        raise ValueError(f"x must hold designs (N, D); got shape {x.shape}.")
    if y.shape[0] != x.shape[0]:
        raise ValueError(f"x and y must be of one number; got {x.shape[0]} and {y.shape[0]}.")
    _check_designs(x, vocabulary)
    finite = checks.check_real("y", y, jnp.isfinite(y), "finite")
    y = jnp.where(finite, y, jnp.nan).astype(jnp.promote_types(y.dtype, jnp.float32))
    features = _to_logits(x, vocabulary, y.dtype) if vocabulary else x
    features = features.astype(jnp.promote_types(features.dtype, jnp.float32))
    low, high = _bounds(lower, upper, features, vocabulary)
    y_std = jnp.std(y)
    if checks.is_concrete(y_std) and not float(y_std) > 0:
        warnings.warn("y is constant: no design is better than another", stacklevel=2)
    x_std = jnp.std(features, 0)
    return OfflineTask(
        x=x if vocabulary else features,
        y=y,
        x_mean=jnp.mean(features, 0),
        x_std=jnp.where(x_std > 0, x_std, 1),
        y_mean=jnp.mean(y),
        y_std=jnp.where(y_std > 0, y_std, 1),
        lower=low,
        upper=high,
        lowest=jnp.min(y) if lowest is None else jnp.asarray(lowest, y.dtype),
        highest=jnp.max(y) if highest is None else jnp.asarray(highest, y.dtype),
        oracle=oracle,
        vocabulary=vocabulary,
    )


def _check_designs(x: jax.Array, vocabulary: int | None) -> None:
    if jnp.issubdtype(x.dtype, jnp.integer):
        if vocabulary is None:
            raise TypeError(
                "x holds whole numbers: vocabulary must say how many symbols there are."
            )
        size = checks.positive_integer("vocabulary", vocabulary)
        checks.check_real("x", x, (x >= 0) & (x < size), f"symbols from 0 to {size - 1}")
        return
    if vocabulary is not None:
        raise TypeError(f"x must hold whole numbers where vocabulary is given; got {x.dtype}.")
    checks.check_real("x", x, jnp.isfinite(x), "finite")


def _bounds(lower, upper, features: jax.Array, vocabulary: int | None):
    shape = features.shape[1:]
    if vocabulary is not None:
        return jnp.full(shape, -jnp.inf), jnp.full(shape, jnp.inf)
    ends = []
    for name, value in (("lower", lower), ("upper", upper)):
        array = checks.real_number(name, value)
        if np.broadcast_shapes(array.shape, shape) != shape:
            raise ValueError(f"{name} must broadcast to {shape}; got shape {array.shape}.")
        ends.append(jnp.broadcast_to(array, shape).astype(features.dtype))
    checks.check_real("upper", ends[1], ends[1] > ends[0], "above lower")
    return ends[0], ends[1]
