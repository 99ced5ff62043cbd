"""A bridge to Hugging Face transformers: any function of logits as a LogitsProcessor."""

from typing import Any

import jax
import jax.numpy as jnp

from infojax.decoding.temperatures import Transform


def to_transformers(transform: Transform) -> Any:
    """Wraps a function of logits as a `transformers.LogitsProcessor`, for `generate`.

    The scores pass as DLPack tensors without a copy where PyTorch and JAX share the device,
    and through host memory otherwise. The function is compiled once for each shape.

    Args:
        transform: from logits (B, V) to logits (B, V), such as those of this package or a `chain`
            of them.

    Returns:
        A `LogitsProcessor`: called with `input_ids` and `scores` it returns the new scores, a
        tensor on the device of `scores` and of its type.

    Raises:
        TypeError: `transform` cannot be called.
        ImportError: transformers is not installed.

    Reference:
        The `LogitsProcessor` interface of Hugging Face transformers.

    Example:
        >>> import functools
        >>> from infojax import decoding
        >>> transform = functools.partial(decoding.top_h, alpha=0.4)
        >>> # model.generate(ids, logits_processor=[decoding.to_transformers(transform)])
    """
    if not callable(transform):
        raise TypeError(f"transform must be callable; got {transform!r}.")
    try:
        import torch  # pyright: ignore[reportMissingImports]
        from transformers import LogitsProcessor  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            "to_transformers needs transformers and torch: pip install 'infojax[peers]'."
        ) from error
    compiled = jax.jit(transform)

    class TransformProcessor(LogitsProcessor):
        """A function of JAX arrays that takes and gives tensors."""

        def __call__(self, input_ids, scores):
            del input_ids
            tensor = scores.detach().contiguous()
            try:
                array = jnp.from_dlpack(tensor)
            except Exception:  # a device that JAX does not have here
                array = jnp.from_dlpack(tensor.cpu())
            value = compiled(array)
            return torch.from_dlpack(value).to(device=scores.device, dtype=scores.dtype).clone()

    return TransformProcessor()
