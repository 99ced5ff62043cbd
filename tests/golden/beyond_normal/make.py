"""Writes tasks.json: information of the tasks, and images of fixed points, by `benchmark-mi`.

The package pins an old JAX: run this in an environment of its own,
`pip install benchmark-mi==0.1.3 jax==0.4.30 jaxlib==0.4.30`.
"""

import json
import pathlib

import jax.numpy as jnp
import numpy as np
from bmi.benchmark.task_list import BENCHMARK_TASKS_LIST
from bmi.benchmark.tasks import wiggly
from bmi.transforms import Spiral, half_cube, invert_cdf, normal_cdf, so_generator, swissroll2d

POINTS = [[-1.5, 0.3, 0.9], [0.2, -0.4, 2.1], [1.1, 0.7, -0.6]]


def images():
    """Returns what the package's maps make of POINTS, or of their first column."""
    points = jnp.asarray(POINTS)
    column = points[:, 0]
    bimodal_x = invert_cdf(lambda x: 0.3 * normal_cdf(x) + 0.7 * normal_cdf(x - 5))
    bimodal_y = invert_cdf(lambda x: 0.5 * normal_cdf(x + 1) + 0.5 * normal_cdf(x - 3))
    spirals = {
        "spiral_x": Spiral(so_generator(3, 0, 1), speed=1 / 3),
        "spiral_y": Spiral(so_generator(3, 1, 2), speed=1 / 3),
    }
    made = {name: [spiral(point) for point in points] for name, spiral in spirals.items()}
    made["half_cube"] = half_cube(column)
    made["normal_cdf"] = normal_cdf(column)
    made["wiggly_x"] = wiggly.wiggly_x(column)
    made["wiggly_y"] = wiggly.wiggly_y(column)
    made["bimodal_x"] = [bimodal_x(u) for u in normal_cdf(column)]
    made["bimodal_y"] = [bimodal_y(u) for u in normal_cdf(column)]
    made["swiss_roll"] = [swissroll2d(u[None]) for u in normal_cdf(column)]
    return {name: np.asarray(jnp.stack(list(rows))).tolist() for name, rows in made.items()}


content = {
    "points": POINTS,
    "tasks": [
        {"id": task.id, "dims": [task.dim_x, task.dim_y], "nats": float(task.mutual_information)}
        for task in BENCHMARK_TASKS_LIST
    ],
    "images": images(),
}
path = pathlib.Path(__file__).with_name("tasks.json")
path.write_text(json.dumps(content, indent=1) + "\n")
