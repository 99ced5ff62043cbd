"""Bayesian optimisation of what JAX cannot trace: ask for points, evaluate them, tell the values.

A search is a value: asking and telling return a new one, and what it will ask next depends on
nothing else. As JSON it survives the process, to the last bit.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from infojax import checks
from infojax.optimize.box_search import box
from infojax.optimize.gaussian_process.parameters import checked_kernel
from infojax.optimize.proposals import Effort, best_mean, checked_effort, propose
from infojax.optimize.search_model import Evaluations, fit_model
from infojax.optimize.search_rules import BLIND, rule_entry
from infojax.optimize.search_settings import SAME, Settings, checked_places, reals
from infojax.optimize.sobol import sobol_points

_LEAST_CAPACITY = 32

_propose = jax.jit(
    propose, static_argnames=("entry", "batch_size", "kernel", "noisy", "believes", "effort")
)
_fit = jax.jit(fit_model, static_argnames=("kernel", "noisy", "believes", "starts", "steps"))


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    r"""A search for the optimum of a function that is evaluated elsewhere.

    Made by `start_search` or `load_search`. Points asked for and not told yet are pending: the
    model takes them to be at their posterior mean, $y = m(x)$, so that several can be evaluated
    at once. Points that failed stay so for ever.

    Attributes:
        key: the random key of the whole search.
        bounds: (D, 2).
        settings: what it was told once.
        points: told so far, in order, (N, D).
        values: theirs, (N,); NaN where the evaluation failed.
        constraint_values: at most 0 where feasible, (N, K).
        pending: points asked for and not told, (M, D).
        asked: how many points were ever asked for.

    Reference:
        Frazier, "A Tutorial on Bayesian Optimization", 2018, arXiv 1807.02811; pending points:
        Ginsbourger, Le Riche and Carraro 2010, the Kriging believer.

    Example:
        >>> import jax
        >>> from infojax import optimize
        >>> search = optimize.start_search(jax.random.key(0), [(-1.0, 1.0)], maximize=False)
        >>> search, points = search.ask(4)
        >>> search = search.tell(points, (points[:, 0] - 0.3) ** 2)
        >>> search, point = search.ask()
        >>> point.shape, len(search.points), len(search.pending)
        ((1, 1), 4, 1)
    """

    key: jax.Array
    bounds: np.ndarray
    settings: Settings
    points: np.ndarray
    values: np.ndarray
    constraint_values: np.ndarray
    pending: np.ndarray
    asked: int

    def ask(self, count: int = 1) -> tuple["Search", np.ndarray]:
        """Chooses points to evaluate next.

        Args:
            count: how many.

        Returns:
            The search, which remembers them as pending, and the points (count, D).

        Raises:
            TypeError: `count` is not a whole number.
            ValueError: it is not positive.
        """
        count = checks.positive_integer("count", count)
        known = len(self.points) + len(self.pending)
        even = min(count, max(self.settings.initial - max(self.asked, known), 0))
        # While nothing has come out, there is nothing to model.
        if self.settings.acquisition in BLIND or not self._came_out().any():
            even = count
        chosen = [self._blind(even)] if even else []
        if even < count:
            chosen.append(self._chosen(count - even, chosen))
        points = np.concatenate(chosen)
        search = dataclasses.replace(
            self, pending=np.concatenate([self.pending, points]), asked=self.asked + count
        )
        return search, points

    def tell(
        self,
        points: ArrayLike,
        values: ArrayLike,
        constraint_values: ArrayLike | None = None,
    ) -> "Search":
        """Takes what came out, of points that were asked for or of any others.

        Args:
            points: (N, D), or one point (D,).
            values: (N,), or one number; of an evaluation that failed NaN or infinite, if the
                search has `drop_failed=True`.
            constraint_values: (N, K), if the search has constraints.

        Returns:
            The search with them; what was pending there is not any more.

        Raises:
            TypeError: an argument is not real.
            ValueError: shapes that do not fit, a point outside the bounds, a value that is not
                finite.
        """
        places = checked_places("points", points, self.bounds)
        heights = reals("values", values).reshape(-1) if np.ndim(values) < 2 else None
        if heights is None or len(heights) != len(places):
            raise ValueError(
                f"values must have shape ({len(places)},), one a point; got {np.shape(values)}."
            )
        limits = self._checked_limits(constraint_values, len(places))
        failed = ~(np.isfinite(heights) & np.isfinite(limits).all(1))
        if failed.any() and not self.settings.drop_failed:
            first = int(np.argmax(failed))
            raise ValueError(
                f"values and constraint_values must be finite; got values[{first}] = "
                f"{heights[first]} (start the search with drop_failed=True to tell of failures)."
            )
        return dataclasses.replace(
            self,
            points=np.concatenate([self.points, places]),
            values=np.concatenate([self.values, np.where(failed, np.nan, heights)]),
            constraint_values=np.concatenate(
                [self.constraint_values, np.where(failed[:, None], np.nan, limits)]
            ),
            pending=self._without(places),
        )

    def withdraw(self, points: ArrayLike) -> "Search":
        """Takes back points that were asked for and will not be evaluated.

        Args:
            points: (N, D), or one point (D,).

        Returns:
            The search without them among its pending points.

        Raises:
            TypeError: the points are not real.
            ValueError: they do not fit or are outside the bounds.
        """
        return dataclasses.replace(
            self, pending=self._without(checked_places("points", points, self.bounds))
        )

    def recommend(self) -> tuple[np.ndarray, float]:
        """The evaluated point that one would take now.

        Returns:
            The best feasible point (D,) and its value; of noisy values the one with the best
            posterior mean, and that mean.

        Raises:
            ValueError: no evaluation that is feasible has come out.
        """
        good = self._came_out() & (self.constraint_values <= 0).all(1)
        if not good.any():
            raise ValueError("recommend needs a feasible evaluation; none was told.")
        sign = 1 if self.settings.maximize else -1
        if not self.settings.noisy:
            row = int(np.argmax(np.where(good, sign * self.values, -np.inf)))
            return self.points[row], float(self.values[row])
        data, effort = self._evaluations(self.pending, 0), self.settings.effort
        key = jax.random.fold_in(self.key, 2 * self.asked + 2)
        model = _fit(
            key,
            data,
            kernel=self.settings.kernel,
            noisy=True,
            believes=True,
            starts=effort.fit_starts,
            steps=effort.fit_steps,
        )
        row, mean = best_mean(model)
        told = self.values[self._came_out()]
        return self.points[int(row)], float(told.mean() + sign * told.std() * float(mean))

    def _came_out(self) -> np.ndarray:
        return np.isfinite(self.values)

    def _checked_limits(self, limits: ArrayLike | None, count: int) -> np.ndarray:
        wanted = (count, self.settings.constraints)
        if limits is None:
            found = np.zeros((count, 0))
        else:
            found = reals("constraint_values", limits)
            found = found.reshape(wanted) if found.size == np.prod(wanted) else found
        if found.shape != wanted:
            raise ValueError(
                f"constraint_values must have shape {wanted}; "
                f"got {'none' if limits is None else np.shape(limits)}."
            )
        return found

    def _without(self, places: np.ndarray) -> np.ndarray:
        """Pending points less one for each that is given."""
        left = list(self.pending)
        width = self.bounds[:, 1] - self.bounds[:, 0]
        for place in places:
            for number, point in enumerate(left):
                if (np.abs(point - place) <= SAME * width).all():
                    del left[number]
                    break
        return np.asarray(left).reshape(-1, len(self.bounds))

    def _blind(self, count: int) -> np.ndarray:
        """The next points of a sequence that looks at nothing."""
        last, dimensions = self.asked + count, len(self.bounds)
        key = jax.random.fold_in(self.key, 0)
        if self.settings.acquisition == "random":
            numbers = jnp.arange(self.asked, last)
            draw = jax.vmap(lambda n: jax.random.uniform(jax.random.fold_in(key, n), (dimensions,)))
            return self._placed(draw(numbers))
        # A longer sequence begins with the shorter one.
        return self._placed(sobol_points(key, last, dimensions)[self.asked :])

    def _chosen(self, count: int, just_now: Sequence[np.ndarray]) -> np.ndarray:
        settings = self.settings
        pending = np.concatenate([self.pending, *just_now])
        unit, _ = _propose(
            jax.random.fold_in(self.key, 2 * self.asked + 1),
            self._evaluations(pending, count),
            entry=rule_entry(settings.acquisition),
            batch_size=count,
            kernel=settings.kernel,
            noisy=settings.noisy,
            believes=True,
            effort=settings.effort,
        )
        return self._placed(unit)

    def _placed(self, unit: jax.Array) -> np.ndarray:
        low, high = self.bounds.T
        return np.clip(low + (high - low) * np.asarray(unit, np.float64), low, high)

    def _evaluations(self, pending: np.ndarray, free: int) -> Evaluations:
        """Everything on the unit cube, with room up to a power of two so that few shapes occur."""
        rows = len(self.points) + len(pending)
        capacity = max(_LEAST_CAPACITY, 1 << max(rows + free - 1, 1).bit_length())
        low, high = self.bounds.T
        dtype = jnp.zeros(()).dtype
        came_out = self._came_out()

        def padded(part: np.ndarray, fill=0.0) -> np.ndarray:
            out = np.full((capacity, *part.shape[1:]), fill, np.float64)
            out[: len(part)] = part
            return out

        unit = (np.concatenate([self.points, pending]) - low) / (high - low)
        values = np.where(came_out, self.values, 0) * (1 if self.settings.maximize else -1)
        limits = np.where(came_out[:, None], self.constraint_values, 0)
        observed = padded(came_out.astype(float)) > 0
        return Evaluations(
            points=jnp.asarray(padded(unit), dtype),
            values=jnp.asarray(padded(values), dtype),
            constraints=jnp.asarray(padded(limits), dtype),
            observed=jnp.asarray(observed),
            pending=jnp.asarray((np.arange(capacity) < rows) & ~observed),
        )


def start_search(
    key: jax.Array,
    bounds: ArrayLike,
    *,
    maximize: bool,
    acquisition: str = "log_expected_improvement",
    initial: int | None = None,
    constraints: int = 0,
    noisy: bool = False,
    drop_failed: bool = False,
    kernel: str = "matern52",
    raw: int = 1024,
    starts: int = 8,
    steps: int = 30,
    fit_starts: int = 2,
    fit_steps: int = 40,
) -> Search:
    """Begins a search by asking and telling.

    The number of points that were told may grow without end; the program that chooses the next
    one is compiled anew at each power of two.

    Args:
        key: a random key; it alone decides what is asked, given what is told.
        bounds: pairs of least and greatest coordinate, (D, 2).
        maximize: whether great values are good, or small ones. There is no default, and it is
            said nowhere else.
        acquisition: a name that `bayesian_optimization` knows.
        initial: how many points are asked before the first model; 2 (D + 1) by default.
        constraints: how many constraints are told with each value, K.
        noisy: whether values are noisy.
        drop_failed: whether values that are not finite may be told; the search goes on without.
        kernel: the name of the kernel.
        raw: points at which the acquisition is evaluated.
        starts: how many of them climb.
        steps: how many steps they climb.
        fit_starts: starts of each fit of the hyper-parameters.
        fit_steps: steps of the fit.

    Returns:
        The search, with nothing told.

    Raises:
        TypeError: an argument of a wrong type.
        ValueError: bounds that are not finite or not ordered, a number below 1, an unknown
            acquisition or kernel.

    Reference:
        Frazier, "A Tutorial on Bayesian Optimization", 2018, arXiv 1807.02811, algorithm 1.

    Example:
        >>> import jax
        >>> from infojax import optimize
        >>> search = optimize.start_search(jax.random.key(0), [(0.0, 1.0)] * 2, maximize=True)
        >>> search, points = search.ask(3)
        >>> points.shape, search.settings.initial
        ((3, 2), 6)
    """
    box(bounds)
    # In float64 whatever JAX's type: a bound is returned as it was given.
    limits = np.asarray(bounds, np.float64)
    if not isinstance(maximize, bool | np.bool_):
        raise TypeError(f"maximize must be True or False; got {maximize!r}.")
    if not isinstance(acquisition, str):
        raise TypeError(f"acquisition must be a name; got {type(acquisition).__name__}.")
    if acquisition not in BLIND:
        rule_entry(acquisition)
    if not isinstance(kernel, str):
        raise TypeError(f"kernel must be a name; got {type(kernel).__name__}.")
    checked_kernel(kernel)
    if constraints != 0:
        constraints = checks.positive_integer("constraints", constraints)
    elif acquisition == "constrained_expected_improvement":
        raise ValueError(f'acquisition "{acquisition}" needs constraints; got 0.')
    if not isinstance(key, jax.Array) or not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        raise TypeError(f"key must be a key of jax.random.key; got {type(key).__name__}.")
    dimensions = len(limits)
    settings = Settings(
        maximize=bool(maximize),
        acquisition=acquisition,
        initial=checks.positive_integer("initial", initial or 2 * (dimensions + 1)),
        constraints=constraints,
        noisy=bool(noisy),
        drop_failed=bool(drop_failed),
        kernel=kernel,
        effort=checked_effort(Effort(raw, starts, steps, fit_starts, fit_steps)),
    )
    none = np.zeros((0, dimensions))
    return Search(key, limits, settings, none, np.zeros(0), np.zeros((0, constraints)), none, 0)
