"""What the compilers say of the logits kernels for accelerators that are not there."""

import jax.numpy as jnp

from benchmarks import ahead_of_time
from benchmarks.measure import Row, Table, show
from infojax.kernels.entropy_from_logits import logit_statistics

# Bytes a second between HBM and one device as JAX counts them (on tpu7x half of a chip), from
# the vendor's published figures.
HBM_BANDWIDTH = {
    "v4:2x2x1": 1.228e12,
    "v5e:2x2": 0.819e12,
    "v5p:2x2x1": 2.765e12,
    "v6e:2x2": 1.64e12,
    "tpu7x:2x2x1": 3.69e12,
}


def _tpu_row(generation: str, shape: tuple[int, int], dtype) -> Row:
    (logits,) = ahead_of_time.shapes(shape, dtype=dtype)
    compiled = ahead_of_time.compile_for_tpu(
        lambda x: logit_statistics(x, implementation="pallas_tpu"), logits, generation=generation
    )
    size = logits.size * logits.dtype.itemsize
    read = compiled.cost_analysis()["bytes accessed"]
    temporary = compiled.memory_analysis().temp_size_in_bytes
    bandwidth = HBM_BANDWIDTH[generation]
    return Row(
        case=f"{generation}, {shape[0]} x {shape[1]} {logits.dtype}, modelled",
        ours=f"{read / 2**20:.1f} MiB accessed, {temporary / 2**20:.1f} MiB temporary, "
        f"{show(read / bandwidth)} at {bandwidth / 1e9:.0f} GB/s",
        peer="one read of the logits (roofline)",
        peers=f"{size / 2**20:.1f} MiB, {show(size / bandwidth)}",
        ratio=read / size,
        bar="<= 1.1",
    )


def _cuda_row(shape: tuple[int, int], dtype, capability: int) -> Row:
    (logits,) = ahead_of_time.shapes(shape, dtype=dtype)
    (kernel,) = ahead_of_time.compile_for_cuda(
        lambda x: logit_statistics(x, implementation="pallas_gpu"), logits, capability=capability
    )
    count, stretches, _ = kernel.grid
    return Row(
        case=f"sm_{capability}, {shape[0]} x {shape[1]} {logits.dtype}, compiled",
        ours=f"{kernel.registers} registers of {kernel.threads} threads, {kernel.shared_bytes} B "
        f"shared, {kernel.stack_bytes} B stack; {count} x {stretches} programs",
        peer="registers alone",
        peers="0 B stack",
        ratio=float(kernel.stack_bytes),
        bar="<= 0",
    )


def logits_modelled(repeats: int, quick: bool) -> Table:
    """Compiles the kernels for TPU and CUDA and reports what their compilers say.

    Args:
        repeats: not used: the figures do not vary.
        quick: whether to compile for one of each alone.

    Returns:
        The table.
    """
    del repeats
    shape, dtypes = (64, 131_072), (jnp.float32, jnp.bfloat16)
    generations = ahead_of_time.TPUS[1:2] if quick else ahead_of_time.TPUS
    rows = [_tpu_row(generation, shape, dtype) for generation in generations for dtype in dtypes]
    for capability in (90,) if quick else (80, 90):
        rows += [_cuda_row(shape, dtype, capability) for dtype in dtypes]
    return Table(
        title="Entropy of logits: kernels, modelled",
        note="Nothing here was run on an accelerator. TPU: compiled by libtpu; bytes accessed are "
        "the kernel's own declaration (each block is fetched once) and what XLA adds around it; "
        "ratio = bytes accessed / bytes of the logits. CUDA: compiled by Triton and ptxas; ratio = "
        "bytes of stack.",
        rows=tuple(rows),
    )
