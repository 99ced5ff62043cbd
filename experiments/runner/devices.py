"""Devices and processes: the mesh, data laid out over it, and results brought back to the host.

Everything here gives the same numbers on one device, on many, and on many processes.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from experiments.runner.errors import UserError

AXIS = "data"


def initialize_distributed(
    coordinator_address: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> bool:
    """Joins the processes of one run, if there are several; call it before any other use of JAX.

    What is not given is taken from the environment: `JAX_COORDINATOR_ADDRESS`,
    `JAX_NUM_PROCESSES` and `JAX_PROCESS_ID`. Where those are absent too, JAX finds the processes
    of a TPU pod, Slurm or Open MPI by itself, and a lone process stays alone. All processes see
    the work directory under the same path.

    Args:
      coordinator_address: `host:port` of process 0.
      num_processes: How many processes there are.
      process_id: Which of them this one is.

    Returns:
      Whether this process is one of several.

    Raises:
      UserError: Only some of the three are known, or the processes did not find each other.
    """
    environment = os.environ
    address = coordinator_address or environment.get("JAX_COORDINATOR_ADDRESS")
    count = _first_int(num_processes, "JAX_NUM_PROCESSES")
    index = _first_int(process_id, "JAX_PROCESS_ID")
    given = (address, count, index)
    if all(value is None for value in given):
        if not _is_pod():
            return False
        given = ()
    elif any(value is None for value in given):
        raise UserError(
            "--coordinator_address, --num_processes and --process_id go together: "
            f"got {address}, {count}, {index}"
        )
    elif not 0 <= index < count:
        raise UserError(f"--process_id is {index}, expected 0 to {count - 1}")
    try:
        jax.distributed.initialize(*given)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"the processes of this run did not find each other: {reason}") from error
    return jax.process_count() > 1


def is_main_process() -> bool:
    """Whether this process writes the files and prints."""
    return jax.process_index() == 0


def on_main_process(function: Callable[[], int | None]) -> int:
    """Runs `function` on process 0 alone and gives its integer (0 for None) to every process.

    A UserError in it ends every process, not only process 0; the others would wait for ever.
    """
    if jax.process_count() == 1:
        return function() or 0
    error, status, value = None, 0, 0
    if is_main_process():
        try:
            value = function() or 0
        except UserError as caught:
            error, status = caught, caught.status
    status, value = multihost_utils.broadcast_one_to_all(np.array([status, value], np.int32))
    if error is not None:
        raise error
    if status:
        stopped = UserError("stopped with process 0")
        stopped.status = int(status)
        raise stopped
    return int(value)


def wait_for_all(label: str) -> None:
    """Waits until every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(label)


def data_mesh(devices=None) -> Mesh:
    """Returns a mesh over all devices of all processes (or `devices`) with the axis "data"."""
    return Mesh(np.asarray(jax.devices() if devices is None else devices), (AXIS,))


def shard_leading(tree: Any, mesh: Mesh) -> Any:
    """Spreads the leading axis of every leaf over the mesh.

    Args:
      tree: Arrays or typed keys, the same on every process, all with a leading axis whose length
        is a multiple of the number of devices (see `pad_to_multiple`).
      mesh: From `data_mesh`.

    Returns:
      The same tree with leaves sharded along their first axis.
    """
    return jax.tree_util.tree_map_with_path(lambda path, x: _shard(path, x, mesh), tree)


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Puts a whole copy of every leaf, the same on every process, on each device of the mesh."""
    return jax.tree.map(lambda x: _place(x, NamedSharding(mesh, PartitionSpec())), tree)


def pad_to_multiple(tree: Any, multiple: int) -> tuple[Any, jax.Array]:
    """Lengthens the leading axis of every leaf to a multiple, by repeating the last entry.

    Args:
      tree: Arrays or typed keys with equally long, non-empty leading axes.
      multiple: For `shard_leading`, `mesh.size`.

    Returns:
      The padded tree, and a boolean array `where`, True at the entries that are not padding.
    """
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(tree)}
    if len(lengths) != 1 or not (length := min(lengths)) or not length[0]:
        raise ValueError(f"leaves need equally long, non-empty leading axes, got {lengths}")
    (n,) = length
    rows = np.minimum(np.arange(n + -n % multiple), n - 1)
    return jax.tree.map(lambda x: x[rows], tree), jnp.arange(len(rows)) < n


def gather_to_host(tree: Any) -> Any:
    """Returns the tree as whole NumPy arrays on every process (keys as their key data)."""
    return jax.tree.map(lambda x: np.asarray(_whole(x)), tree)


def gather_arrays(tree: Any) -> Any:
    """Makes the arrays of a tree readable on every process and leaves everything else alone."""
    return jax.tree.map(_whole, tree)


def quick_options() -> dict[str, Any] | None:
    """Compiler options for programs that take longer to compile than to run.

    Returns:
      For CPUs those that about halve the time; None elsewhere.
    """
    if jax.default_backend() != "cpu":
        return None
    return {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}


def quick_jit(function: Callable, **keywords: Any) -> Callable:
    """`jax.jit` with `quick_options`, which are asked for at the first call.

    Args:
      function: What to compile.
      **keywords: Of `jax.jit`.

    Returns:
      The compiled function.
    """

    @functools.cache
    def compiled():
        return jax.jit(function, compiler_options=quick_options(), **keywords)

    @functools.wraps(function)
    def call(*arguments, **named):
        return compiled()(*arguments, **named)

    return call


def describe_devices(mesh: Mesh) -> str:
    """Returns the mesh in words, as "8 x TPU v5e, 2 processes"."""
    kind = mesh.devices.flat[0].device_kind
    processes = f", {jax.process_count()} processes" if jax.process_count() > 1 else ""
    return f"{mesh.size} x {kind}{processes}"


def _whole(x):
    """Returns an array that this process can read; anything else as it is."""
    if not isinstance(x, jax.Array):
        return x
    x = _key_data(x)
    if x.is_fully_addressable or x.is_fully_replicated:
        return x
    return multihost_utils.process_allgather(x, tiled=True)


def _shard(path, x, mesh: Mesh):
    shape = jnp.shape(x)
    if not shape or shape[0] % mesh.size:
        raise ValueError(
            f"leaf {jax.tree_util.keystr(path) or 'tree'} has shape {shape}; its leading axis must "
            f"be a multiple of the {mesh.size} devices (see pad_to_multiple)"
        )
    return _place(x, NamedSharding(mesh, PartitionSpec(AXIS)))


def _place(x, sharding: NamedSharding):
    if jax.process_count() == 1:
        return jax.device_put(x, sharding)
    if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        data = _place(jax.random.key_data(x), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(x))
    whole = np.asarray(x)
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])


def _key_data(x):
    return jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x


def _first_int(value: int | None, variable: str) -> int | None:
    if value is not None or variable not in os.environ:
        return value
    try:
        return int(os.environ[variable])
    except ValueError:
        raise UserError(f"{variable} is '{os.environ[variable]}', not a whole number") from None


def _is_pod() -> bool:
    """Whether the environment says that this process was started as one of several."""
    environment = os.environ
    return (
        "," in environment.get("TPU_WORKER_HOSTNAMES", "")
        or "MEGASCALE_COORDINATOR_ADDRESS" in environment
        or environment.get("SLURM_STEP_NUM_TASKS", "1") != "1"
        or environment.get("OMPI_COMM_WORLD_SIZE", "1") != "1"
    )
