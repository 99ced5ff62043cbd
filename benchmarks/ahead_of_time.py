"""Real compilation for accelerators that are not there: TPU by libtpu, CUDA by Triton.

A kernel that needs too much on-chip memory, or an operation that the target lacks, fails here.
What a compiled program says of its cost is a model of the compiler's, not a measurement.
"""

import contextlib
import dataclasses
import functools
import importlib.util
import os
import pathlib
import re
import subprocess
import tempfile
from collections.abc import Callable

import jax
import numpy as np

TPUS = ("v4:2x2x1", "v5e:2x2", "v5p:2x2x1", "v6e:2x2", "tpu7x:2x2x1")

# libtpu asks a cloud service which machine it is on unless it is told; it reads these when it is
# loaded, which is at the first topology and not at the import of jax.
_TPU_ENVIRONMENT = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_MIN_LOG_LEVEL": "3",
    # Two processes may compile at once: neither holds a device.
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}


class CompilerMissing(RuntimeError):
    """A compiler for an absent accelerator is not installed: nothing has been verified."""


def _demand(package: str, target: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise CompilerMissing(
            f"{package} is not installed, so nothing was verified for {target}: "
            f"pip install {package} (it is in the `test` extra; Linux on x86-64)."
        )


@functools.cache
def tpu_devices(generation: str):
    """The devices of a TPU topology that nobody has.

    Args:
        generation: one of `TPUS`.

    Returns:
        Devices to compile for.

    Raises:
        CompilerMissing: libtpu is not installed.
    """
    _demand("libtpu", "TPU")
    for name, value in _TPU_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from jax.experimental import topologies

    return topologies.get_topology_desc(platform="tpu", topology_name=generation).devices


@contextlib.contextmanager
def _unsaved():
    """Keeps programs out of the persistent cache: without the device they cannot be loaded."""
    name = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, name)
    jax.config.update(name, float("inf"))
    try:
        yield
    finally:
        jax.config.update(name, before)


def compile_for_tpu(function: Callable, *arguments, generation: str = "v5e:2x2"):
    """Compiles a function for one TPU core.

    Args:
        function: of arrays.
        *arguments: arrays or shapes, or pytrees of them.
        generation: one of `TPUS`.

    Returns:
        The compiled program, with `cost_analysis()` and `memory_analysis()`.

    Raises:
        CompilerMissing: libtpu is not installed.
    """
    sharding = jax.sharding.SingleDeviceSharding(tpu_devices(generation)[0])
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), arguments
    )
    with _unsaved():
        return jax.jit(function).lower(*shapes).compile()


@dataclasses.dataclass(frozen=True)
class CudaKernel:
    """One Triton kernel, compiled by ptxas.

    Attributes:
        name: the kernel's name.
        shared_bytes: shared memory of one program.
        registers: registers of one thread.
        stack_bytes: what one thread keeps in local memory, for want of registers or to index.
        threads: threads of one program.
        grid: the number of programs, by axis.
    """

    name: str
    shared_bytes: int
    registers: int
    stack_bytes: int
    threads: int
    grid: tuple[int, int, int]


def _operations(operation):
    for region in operation.regions:
        for block in region:
            for inner in block:
                yield inner.operation
                yield from _operations(inner.operation)


def lower_for_cuda(function: Callable, *arguments):
    """Lowers a function for CUDA, on any machine.

    Args:
        function: of arrays.
        *arguments: arrays or shapes, or pytrees of them.

    Returns:
        The lowered program.
    """
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arguments)
    return jax.jit(function).trace(*shapes).lower(lowering_platforms=("cuda",))


def compile_for_cuda(
    function: Callable, *arguments, capability: int = 90
) -> tuple[CudaKernel, ...]:
    """Compiles every Triton kernel of a function down to machine code.

    Args:
        function: of arrays.
        *arguments: arrays or shapes, or pytrees of them.
        capability: the compute capability without its point: 80 A100, 90 H100.

    Returns:
        The kernels, in the program's order.

    Raises:
        CompilerMissing: triton is not installed.
    """
    _demand("triton", "CUDA")
    module = lower_for_cuda(function, *arguments).compiler_ir("stablehlo")
    kernels = []
    for operation in _operations(module.operation):
        if operation.name != "stablehlo.custom_call":
            continue
        if "triton" in str(operation.attributes["call_target_name"]):
            kernels.append(_compile_triton(operation.attributes["mhlo.backend_config"], capability))
    return tuple(kernels)


def _compile_triton(config, capability: int) -> CudaKernel:
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")  # said aloud, it does not warn
    import triton
    from jax._src.lib import triton as jax_triton
    from jax._src.lib.mlir import ir
    from triton.backends.compiler import GPUTarget

    context = ir.Context()
    jax_triton.dialect.register_dialect(context)
    context.load_all_available_dialects()
    source = ir.Module.parse(ir.StringAttr(config["ir"]).value_bytes, context=context)
    number = {key: ir.IntegerAttr(config[key]).value for key in ("num_warps", "num_stages")}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "kernel.ttir")
        path.write_text(str(source))
        compiled = triton.compile(
            str(path), target=GPUTarget("cuda", capability, 32), options=number
        )
        registers, stack = _resources(compiled.asm["cubin"], folder)
    return CudaKernel(
        name=ir.StringAttr(config["name"]).value,
        shared_bytes=compiled.metadata.shared,
        registers=registers,
        stack_bytes=stack,
        threads=32 * number["num_warps"],
        grid=tuple(ir.IntegerAttr(config[f"grid_{axis}"]).value for axis in "xyz"),
    )


def _resources(machine_code: bytes, folder: str) -> tuple[int, int]:
    """Registers and the stack of one thread, as the disassembler reports them."""
    from triton import knobs

    path = pathlib.Path(folder, "kernel.cubin")
    path.write_bytes(machine_code)
    report = subprocess.run(
        [knobs.nvidia.cuobjdump.path, "--dump-resource-usage", str(path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return int(re.search(r"REG:(\d+)", report)[1]), int(re.search(r"STACK:(\d+)", report)[1])


def shapes(*sizes: tuple[int, ...], dtype=np.float32) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Shapes of one type.

    Args:
        *sizes: the shapes.
        dtype: their type.

    Returns:
        The abstract arrays.
    """
    return tuple(jax.ShapeDtypeStruct(size, dtype) for size in sizes)
