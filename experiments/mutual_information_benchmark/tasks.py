"""The forty tasks of the benchmark: laws and their images, each with its exact information.

One-dimensional, embedded, normal, Student and transformed tasks of arXiv 2306.11078.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from experiments.mutual_information_benchmark import transforms
from experiments.mutual_information_benchmark.laws import (
    AdditiveNoise,
    Law,
    Normal,
    Student,
    dense_correlation,
    pair_correlation,
)

Transform = Callable[[jax.Array], jax.Array]

GROUPS = ("one-dimensional", "normal", "Student", "transformed")


@dataclasses.dataclass(frozen=True)
class Task:
    """A distribution of (X, Y) whose mutual information is known.

    Attributes:
        name: unique, in letters, digits and _.
        title: for tables and figures.
        group: one of `GROUPS`.
        law: the law before the transforms.
        transform_x: an invertible map of X, or None.
        transform_y: an invertible map of Y, or None.
    """

    name: str
    title: str
    group: str
    law: Law
    transform_x: Transform | None = None
    transform_y: Transform | None = None

    @property
    def truth(self) -> float:
        """I(X; Y) in nats: invertible maps of X and of Y do not change it."""
        return self.law.mutual_information()

    def sample(self, key: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
        """Draws independent pairs.

        Args:
            key: a random key.
            n: how many.

        Returns:
            Arrays (n, dimensions of X) and (n, dimensions of Y), float32.
        """
        x, y = self.law.sample(key, n)
        x = x if self.transform_x is None else self.transform_x(x)
        return x, y if self.transform_y is None else self.transform_y(y)

    def dimensions(self) -> tuple[int, int]:
        """Returns the dimensions of X and of Y after the transforms."""
        shapes = jax.eval_shape(lambda key: self.sample(key, 2), jax.random.key(0))
        return shapes[0].shape[1], shapes[1].shape[1]

    def image(self, prefix: str, transform_x: Transform, transform_y: Transform | None) -> "Task":
        """Makes the task whose variables are mapped once more.

        Args:
            prefix: what the map is called.
            transform_x: an invertible map of X.
            transform_y: an invertible map of Y, or None.

        Returns:
            The new task, of the group "transformed".
        """
        return Task(
            name=f"{prefix.lower().replace(' ', '_').replace('-', '_')}_{self.name}",
            title=f"{prefix} of {self.title}",
            group="transformed",
            law=self.law,
            transform_x=_after(self.transform_x, transform_x),
            transform_y=_after(self.transform_y, transform_y),
        )


def _after(first: Transform | None, then: Transform | None) -> Transform | None:
    if then is None:
        return first
    # Compiled here once, apart from the draws, whose programs tasks share.
    return jax.jit(then if first is None else lambda x: then(first(x)))


def asinh(task: Task) -> Task:
    """Shortens the tails of both variables.

    Args:
        task: the task.

    Returns:
        Its image.
    """
    return task.image("Asinh", jnp.arcsinh, jnp.arcsinh)


def half_cube(task: Task) -> Task:
    """Lengthens the tails of both variables.

    Args:
        task: the task.

    Returns:
        Its image.
    """
    return task.image("Half-cube", transforms.half_cube, transforms.half_cube)


def normal_cdf(task: Task) -> Task:
    """Makes the marginals uniform.

    Args:
        task: a task with standard normal marginals.

    Returns:
        Its image.
    """
    return task.image("Normal CDF", transforms.normal_cdf, transforms.normal_cdf)


def spiral(task: Task) -> Task:
    """Turns X in its first two coordinates, Y in its second and third.

    Args:
        task: a task of at least 3 dimensions.

    Returns:
        Its image.
    """
    return task.image("Spiral", transforms.spiral((0, 1)), transforms.spiral((1, 2)))


def _student(dim: int, dof: int) -> Task:
    # With the identity as dispersion the common divisor alone ties X to Y.
    law = Student(pair_correlation(dim, 0, 0.0), dim, dof)
    return Task(f"student_{dim}_dof{dof}", f"Student {dim}x{dim}, dof {dof}", "Student", law)


def _dense(dim: int) -> Task:
    law = Normal(dense_correlation(2 * dim), dim)
    return Task(f"normal_dense_{dim}", f"normal {dim}x{dim} dense", "normal", law)


def _pairs(dim: int) -> Task:
    # Two pairs of correlation s^2 / (1 + s^2) with strength s = 2.
    law = Normal(pair_correlation(dim, 2, 0.8), dim)
    return Task(f"normal_2pair_{dim}", f"normal {dim}x{dim} 2-pair", "normal", law)


def _additive(epsilon: float) -> Task:
    name = f"additive_{epsilon:g}".replace(".", "p")
    return Task(name, f"additive noise {epsilon:g}", "one-dimensional", AdditiveNoise(epsilon))


def _one_dimensional() -> list[Task]:
    normal = Task(
        "normal_1", "normal 1x1", "one-dimensional", Normal(pair_correlation(1, 1, 0.75), 1)
    )
    student = _student(1, 1)
    uniform = normal_cdf(normal)
    tasks = [
        normal,
        uniform,
        _additive(0.1),
        _additive(0.75),
        normal.image(
            "Bimodal", transforms.to_mixture(0.3, 0.0, 5.0), transforms.to_mixture(0.5, -1.0, 3.0)
        ),
        normal.image("Wiggly", transforms.wiggly_x, transforms.wiggly_y),
        half_cube(normal),
        student,
        asinh(student),
        uniform.image("Swiss roll", transforms.swiss_roll, None),
    ]
    return [dataclasses.replace(task, group="one-dimensional") for task in tasks]


def all_tasks() -> list[Task]:
    """Makes the forty tasks, in the order of the package `benchmark-mi`.

    Returns:
        The tasks: 10 one-dimensional (the Swiss roll has 2 x 1), 9 normal, 6 Student and 15
        transformed.
    """
    dense = [_dense(dim) for dim in (2, 3, 5, 25, 50)]
    pairs = [_pairs(dim) for dim in (2, 3, 5, 25)]
    wide = pairs[1:]
    return [
        *_one_dimensional(),
        *dense,
        *pairs,
        *(_student(*setting) for setting in ((2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3))),
        *(normal_cdf(task) for task in wide),
        *(half_cube(task) for task in wide),
        *(spiral(task) for task in wide),
        *(spiral(normal_cdf(task)) for task in wide),
        *(asinh(_student(*setting)) for setting in ((2, 1), (3, 2), (5, 2))),
    ]
