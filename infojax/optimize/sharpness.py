r"""Sharpness of a surrogate in its parameters, and the gradient that lowers it (arXiv 2503.04242).

A surrogate $h(x; w)$ that was fitted to data misleads an optimiser outside of them. Its sharpness
$\max_{\|d\| \le \rho} |G(w + d) - G(w)|$, G being the mean prediction over a batch, is
$\rho \|\nabla_w G(w)\|$ to first order.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PyTree

from infojax import checks
from infojax.numerics import gated, safe_sqrt


class SharpnessTerms(NamedTuple):
    r"""What `ignite_gradient` met on its way.

    Attributes:
        loss: the loss without the penalty.
        mean_prediction: G, the mean prediction over the batch.
        gradient_norm: $\|\nabla_w G\|$ over all parameters.
        sharpness: $\rho \|\nabla_w G\|$.
    """

    loss: Float[Array, ""]
    mean_prediction: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    sharpness: Float[Array, ""]


def non_negative(name: str, value: ArrayLike) -> jax.Array:
    """Takes a number that is at least 0.

    Args:
        name: what the caller's users call the argument.
        value: what came.

    Returns:
        The number; NaN where it is traced and negative, NaN or infinite.

    Raises:
        TypeError: it is not real.
        ValueError: it is concrete, and negative, NaN or infinite.
    """
    number = checks.real_number(name, value)
    valid = jnp.isfinite(number) & (number >= 0)
    return gated(number, checks.check_real(name, number, valid, "at least 0 and finite"))


def positive(name: str, value: ArrayLike) -> jax.Array:
    """Takes a number above 0.

    Args:
        name: what the caller's users call the argument.
        value: what came.

    Returns:
        The number; NaN where it is traced and not positive and finite.

    Raises:
        TypeError: it is not real.
        ValueError: it is concrete, and not positive and finite.
    """
    number = checks.real_number(name, value)
    valid = jnp.isfinite(number) & (number > 0)
    return gated(number, checks.check_real(name, number, valid, "positive and finite"))


def global_norm(tree: PyTree) -> Float[Array, ""]:
    """The Euclidean norm over all leaves, with gradient 0 where it is 0.

    Args:
        tree: of floating arrays.

    Returns:
        The norm, in float32 at least.

    Raises:
        ValueError: the tree has no leaf.
    """
    leaves = jax.tree.leaves(tree)
    if not leaves:
        raise ValueError("params must hold at least one array; got none.")
    wide = (leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32)) for leaf in leaves)
    return safe_sqrt(jnp.sum(jnp.stack([jnp.sum(jnp.square(leaf)) for leaf in wide])))


def surrogate_sharpness(
    apply_fn: Callable[[Any, Any], Array],
    params: PyTree,
    x: Float[Array, "N D"],
    rho: ArrayLike,
) -> Float[Array, ""]:
    r"""How much the mean prediction can change by a small step of the parameters, to first order.

    $$R_\rho(w) = \max_{\|d\| \le \rho} |G(w + d) - G(w)| \approx \rho \|\nabla_w G(w)\|,
    \qquad G(w) = \frac{1}{N} \sum_n h(x_n; w)$$

    The two sides are equal for surrogates that are linear in w. Taken on training inputs it is
    what IGNITE penalises; on unseen inputs it tells whether that carried over.

    Args:
        apply_fn: the surrogate, (parameters, inputs) to predictions of any shape, whose mean is G.
        params: w, a tree of floating arrays.
        x: inputs, handed to `apply_fn` as they are.
        rho: radius of the steps, at least 0.

    Returns:
        The sharpness, in units of the predictions; NaN where a traced `rho` is negative.

    Raises:
        TypeError: `rho` is not real.
        ValueError: `rho` is negative or not finite (at once where concrete, under
            `checkify.checkify` in traced code), or `x` holds no input.

    Reference:
        Dao, Nguyen, Truong and Hoang, *Incorporating Surrogate Gradient Norm to Improve Offline
        Optimization Techniques*, NeurIPS 2024, arXiv 2503.04242, definition of sharpness.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import optimize
        >>> x = jnp.array([[3.0, 0.0], [3.0, 8.0]])
        >>> print(optimize.surrogate_sharpness(lambda w, x: x @ w, jnp.zeros(2), x, 0.1))
        0.5
    """
    radius = non_negative("rho", rho)
    if any(jnp.ndim(leaf) and jnp.shape(leaf)[0] == 0 for leaf in jax.tree.leaves(x)):
        raise ValueError("x must hold at least one input; got none.")
    gradient = jax.grad(lambda params: jnp.mean(apply_fn(params, x)))(params)
    return radius * global_norm(gradient)


def _shifted(params: PyTree, direction: PyTree, step: ArrayLike) -> PyTree:
    return jax.tree.map(lambda leaf, d: leaf + (step * d).astype(leaf.dtype), params, direction)


def gradient_of_the_norm(
    mean_fn: Callable[[Any, Any], Array], params: PyTree, batch: Any, r: ArrayLike, exact: bool
) -> tuple[PyTree, Float[Array, ""], Float[Array, ""]]:
    r"""The gradient of $\|\nabla_w G\|$, which is 0 where that norm is 0.

    Args:
        mean_fn: (parameters, batch) to predictions, whose mean is G.
        params: w.
        batch: what `mean_fn` is given.
        r: length of the finite difference; not used where it is exact.
        exact: whether to take $H u$, $u = \nabla G / \|\nabla G\|$, by the derivative of the
            gradient along u, instead of $(\nabla G(w + r u) - \nabla G(w)) / r$.

    Returns:
        The gradient, G and the norm.
    """

    def mean(params):
        value = jnp.mean(mean_fn(params, batch))
        return value, value

    def gradient(params):
        return jax.grad(mean, has_aux=True)(params)

    if exact:
        # Linearised once, the gradient and its derivative share all that they have in common.
        slope, along, value = jax.linearize(gradient, params, has_aux=True)
    else:
        (slope, value), along = gradient(params), None
    norm = global_norm(slope)
    scale = jnp.where(norm > 0, 1 / jnp.where(norm > 0, norm, 1), 0)
    direction = jax.tree.map(lambda leaf: leaf * scale.astype(leaf.dtype), slope)
    if along is not None:
        return along(direction), value, norm
    ahead, _ = gradient(_shifted(params, direction, r))
    change = jax.tree.map(lambda new, old: (new - old) / jnp.asarray(r, new.dtype), ahead, slope)
    return change, value, norm


def add_penalty(gradient: PyTree, penalty: PyTree, weight: ArrayLike) -> PyTree:
    """Adds a penalty's gradient; with a weight of 0 the gradient stays as it is, bit for bit.

    Args:
        gradient: of the loss.
        penalty: of the penalty.
        weight: of the penalty.

    Returns:
        The sum.
    """
    weight = jnp.asarray(weight)

    def add(leaf, more):
        # Selected, not multiplied: 0 times what overflowed would be NaN.
        return jnp.where(weight == 0, leaf, leaf + (weight * more).astype(leaf.dtype))

    return jax.tree.map(add, gradient, penalty)


def ignite_gradient(
    loss_fn: Callable[[Any, Any], Array],
    mean_fn: Callable[[Any, Any], Array],
    params: PyTree,
    batch: Any,
    lam: ArrayLike,
    rho: ArrayLike,
    r: ArrayLike,
    exact: bool = False,
) -> tuple[PyTree, SharpnessTerms]:
    r"""The gradient of a surrogate's loss with its sharpness as a penalty.

    $$\nabla_w L(w) + \lambda \rho \nabla_w \|\nabla_w G(w)\|$$

    The second term is the paper's finite difference,
    $\frac{\lambda \rho}{r} (\nabla G(w + r u) - \nabla G(w))$ with
    $u = \nabla G / \|\nabla G\|$, or exact: $\lambda \rho H u$ with the Hessian H of G, by the
    derivative of $\nabla G$ along u. In float32 a small r loses digits (half of them at 1e-4):
    prefer `exact=True` there. Where $\nabla G = 0$ the term is left out. The sharpness has the
    units of the predictions, so standardise what they are fitted to.

    Args:
        loss_fn: (parameters, batch) to the loss, a scalar.
        mean_fn: (parameters, batch) to predictions of any shape, whose mean is G.
        params: w, a tree of floating arrays.
        batch: handed to both functions.
        lam: weight of the penalty, at least 0.
        rho: radius of the sharpness, at least 0; with `lam` or `rho` of 0 the gradient is that of
            the loss, bit for bit.
        r: length of the finite difference, above 0.
        exact: whether to take the Hessian-vector product in place of the finite difference.

    Returns:
        The gradient, and loss, mean prediction, $\|\nabla_w G\|$ and sharpness. NaN where a traced
        number is out of its range.

    Raises:
        TypeError: a number is not real, or the loss is no scalar of floating type.
        ValueError: `lam` or `rho` is negative, `r` is not positive, or one is not finite (at once
            where concrete, under `checkify.checkify` in traced code).

    Reference:
        Dao, Nguyen, Truong and Hoang, NeurIPS 2024, arXiv 2503.04242, algorithm of IGNITE.

    Example:
        >>> import jax.numpy as jnp
        >>> from infojax import optimize
        >>> def predict(w, x): return jnp.exp(x * w)
        >>> def loss(w, x): return 0.0 * w
        >>> gradient, terms = optimize.ignite_gradient(
        ...     loss, predict, jnp.array(0.0), jnp.ones(1), 1.0, 0.1, 0.1, exact=True)
        >>> print(gradient, terms.sharpness)
        0.1 0.1
    """
    weight, radius, step = non_negative("lam", lam), non_negative("rho", rho), positive("r", r)
    loss, gradient = jax.value_and_grad(loss_fn)(params, batch)
    penalty, value, norm = gradient_of_the_norm(mean_fn, params, batch, step, exact)
    # A bad step shows in the exact form too, which does not use it.
    weight = gated(weight * radius, ~jnp.isnan(step))
    return add_penalty(gradient, penalty, weight), SharpnessTerms(loss, value, norm, radius * norm)
