"""Minimum-entropy coupling with a bottleneck: lossy compression with a given output law."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from infojax import checks
from infojax.couplings.ebim import EntropyBoundedCode, greedy_ebim
from infojax.couplings.greedy import as_sparse_coupling, checked_marginals
from infojax.couplings.sparse import SparseCoupling
from infojax.kernels.bottleneck_step import bottleneck_step
from infojax.numerics import gated, narrow, nats_to_base, widen


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("p_x", "encoder", "decoder", "code_nats", "information_nats"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class BottleneckCoupling:
    """A Markov chain X - T - Y of an encoder and a decoder; a pytree.

    Attributes:
        p_x: the law of the input, (*B, n).
        encoder: the code T = g(X).
        decoder: the coupling of T and Y; its rows are the code's labels.
        code_nats: H(T) in nats, (*B,): see `code_entropy()`.
        information_nats: I(T; Y) in nats, (*B,): see `mutual_information()`.
    """

    p_x: Float[Array, "*B n"]
    encoder: EntropyBoundedCode
    decoder: SparseCoupling
    code_nats: Float[Array, "*B"]
    information_nats: Float[Array, "*B"]

    def joint(self) -> Float[Array, "*B n m"]:
        """The joint law of X and Y, p(x) p(t, y) / p(t) at t = g(x), as a table."""
        masses = self.encoder.masses
        p_t = jnp.take_along_axis(masses, self.encoder.labels, -1)
        share = jnp.where(p_t > 0, self.p_x / jnp.where(p_t > 0, p_t, 1), 0)
        rows = jnp.take_along_axis(self.decoder.to_dense(), self.encoder.labels[..., None], axis=-2)
        return share[..., None] * rows

    def code_entropy(self, *, base: float | None = None) -> Float[Array, "*B"]:
        """H(T), which is I(X; T) as the code is a function of the input.

        Args:
            base: the logarithm's base (2 for bits); None for nats.

        Returns:
            The entropy, (*B,).
        """
        return nats_to_base(self.code_nats, base)

    def mutual_information(self, *, base: float | None = None) -> Float[Array, "*B"]:
        """I(X; Y), which is I(T; Y) as the code is a function of the input.

        Args:
            base: the logarithm's base (2 for bits); None for nats.

        Returns:
            The information, (*B,); 0 where rounding would make it negative.
        """
        return nats_to_base(self.information_nats, base)


def mec_bottleneck(
    p_x: Float[Array, "*B n"],
    p_y: Float[Array, "*B m"],
    rate: ArrayLike,
    *,
    base: float | None = None,
    encoder: Callable[..., EntropyBoundedCode] = greedy_ebim,
    implementation: str | None = None,
) -> BottleneckCoupling:
    r"""Minimum-entropy coupling with a bottleneck: max I(X; Y) over X - T - Y, H(T) <= R.

    The marginals of X and Y are given. As $I(X;Y) \ge I(X;T) + I(T;Y) - R$, the two terms are
    maximised one after the other: an entropy-bounded encoder, then a minimum-entropy coupling
    of the code with the output. A rate of H(X) or more gives the plain coupling of X and Y.

    Args:
        p_x: law of the input, summing to one along the last axis.
        p_y: law of the output; batch axes broadcast with `p_x`.
        rate: the bound R on H(T), in units of `base`; may be traced.
        base: the logarithm's base (2 for bits); None for nats.
        encoder: makes the code from (p_x, rate, base=...): `greedy_ebim`, `uniform_quantizer`,
            `log_loss_code` or one of the caller's.
        implementation: of the step that sums the code and couples it, see `greedy_mec`.

    Returns:
        The chain: encoder, decoder, `joint()`, `mutual_information()`, `code_entropy()`.

    Raises:
        TypeError: a law is not of floating type, or `rate` not real.
        ValueError: a law is no distribution, a rate is negative or NaN, or batch axes do not
            broadcast.

    Reference:
        Ebrahimi, Chen and Khisti, NeurIPS 2024, arXiv 2410.21666: the decomposition of
        the problem into encoder and decoder.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import couplings
        >>> p = jnp.full(4, 0.25)
        >>> chain = couplings.mec_bottleneck(p, p, 1.0, base=2)
        >>> print(chain.code_entropy(base=2), chain.mutual_information(base=2))
        1.0 1.0
    """
    p_x = checks.floating("p_x", p_x, min_ndim=1)
    checks.check_distribution("p_x", p_x, (p_x.ndim - 1,))
    checks.check_distribution("p_y", checks.floating("p_y", p_y, min_ndim=1), (jnp.ndim(p_y) - 1,))
    code = encoder(p_x, rate, base=base)
    (masses, wide_y), valid, like = checked_marginals({"p": code.masses, "q": p_y})
    (wide_x,) = widen(p_x.astype(like.dtype))
    source = jnp.broadcast_to(wide_x, masses.shape)
    labels = jnp.broadcast_to(code.labels, masses.shape)
    step = bottleneck_step(source, labels, wide_y, implementation=implementation)
    marginals = (step.code_masses, wide_y)
    return BottleneckCoupling(
        p_x=jnp.broadcast_to(p_x, code.labels.shape).astype(code.masses.dtype),
        encoder=code,
        decoder=as_sparse_coupling(marginals, step.indices, step.masses, valid, like),
        code_nats=narrow(gated(step.code_entropy, valid), like),
        information_nats=narrow(gated(step.information, valid), like),
    )
