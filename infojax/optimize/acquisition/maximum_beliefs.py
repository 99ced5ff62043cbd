r"""What a process is believed to be once the place of its maximum is known, as a normal law.

Hernandez-Lobato, Hoffman and Ghahramani, Predictive Entropy Search, 2014, arXiv 1406.2541,
section 2.2. At the place $x^*$ the value, the gradient and the second derivatives by each
coordinate, $u$, are jointly normal given the observations. A gradient of 0 is an observation;
that the value is not below the best observation, and that no second derivative is positive, are
taken for observations too, the sites of expectation propagation.
"""

import dataclasses
import functools
from typing import Literal

import jax
import jax.numpy as jnp

from infojax.numerics import safe_sqrt
from infojax.optimize.acquisition.normal_gains import hazard
from infojax.optimize.covariance.jets import jet_correlations, jet_order, jet_prior
from infojax.optimize.covariance.stationary import Stationary
from infojax.optimize.gaussian_process.factors import least_jitter
from infojax.optimize.gaussian_process.regression import GaussianProcess, cross_covariance

Conditions = Literal["candidate", "observations", "stationarity"]

_GRADIENT = 1e-4  # its variance where it is 0, of the prior's: sure to a hundredth of a deviation
_SWEEPS, _STEP = 16, 0.7  # of expectation propagation: how many, and how far each goes


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("place", "whitened", "pull", "shift", "toward", "mean", "variance"),
    meta_fields=("order",),
)
@dataclasses.dataclass(frozen=True)
class MaximumBelief:
    """The posterior given that the maximum is at a place, as far as candidates feel it.

    Attributes:
        place: of the maximum, (D,).
        whitened: prior covariances of observations and u, times the process's whitener, (C, m).
        pull: A, with which a candidate's variance falls by $c^T A c$, c its covariance with u.
        shift: w, with which a candidate's mean moves by $c^T w$.
        toward: A times the covariances of u with the value at the place, (m,).
        mean: of the value at the place.
        variance: of it.
        order: how many derivatives u holds, static.
    """

    place: jax.Array
    whitened: jax.Array
    pull: jax.Array
    shift: jax.Array
    toward: jax.Array
    mean: jax.Array
    variance: jax.Array
    order: int


def _profile(gp: GaussianProcess) -> str:
    """The name of a stationary kernel; others have no derivatives in closed form."""
    if not isinstance(gp.kernel, Stationary):
        raise TypeError(f"gp must have a stationary kernel; got {type(gp.kernel).__name__}.")
    return gp.kernel.name


def _prior_cross(gp: GaussianProcess, points: jax.Array, place: jax.Array, order: int) -> jax.Array:
    """Prior covariances of the values at points with u, (N, m)."""
    if not order:
        return gp.kernel(points, place[None], gp.parameters)
    scales = gp.parameters.lengthscales
    matrix = jet_correlations(_profile(gp), points, place, jnp.asarray(scales))
    return gp.parameters.signal_variance * matrix


def _prior(gp: GaussianProcess, place: jax.Array, order: int) -> jax.Array:
    if not order:
        return gp.kernel.variances(place[None], gp.parameters)[:, None]
    return gp.parameters.signal_variance * jet_prior(_profile(gp), place.size, place.dtype)


def _conditioned(covariance, mean, precision, target):
    """Mean and covariance given observations of everything, of some precision, perhaps 0.

    Args:
        covariance: of u.
        mean: of u.
        precision: of the observation of each entry, (m,).
        target: precision times what was observed, (m,).

    Returns:
        The A and w of `MaximumBelief`.
    """
    root = safe_sqrt(precision)
    inner = jnp.eye(mean.size, dtype=mean.dtype) + root[:, None] * covariance * root
    factor = jnp.linalg.cholesky(inner)
    # Where nothing is observed both are 0. A difference of precisions times values would cancel.
    surprise = target / jnp.where(root > 0, root, 1) - root * mean
    columns = jnp.concatenate([jnp.diag(root), surprise[:, None]], 1)
    solved = jax.scipy.linalg.solve_triangular(factor, columns, lower=True)
    half = solved[:, :-1]
    return half.T @ half, half.T @ solved[:, -1]


def _propagated(covariance, mean, sure, sign, bound, noise):
    """Expectation propagation: sites for `sign * (u - bound) + noise >= 0`.

    Args:
        covariance: of u.
        mean: of u.
        sure: precisions of entries that are observed to be 0, (m,).
        sign: 1 or -1, and 0 where there is no such constraint.
        bound: (m,).
        noise: variance, (m,).

    Returns:
        The A and w of `MaximumBelief`.
    """
    is_site = sign != 0
    floor = 1e-6 * jnp.max(jnp.diag(covariance))

    def sweep(sites, _):
        precision, target = sites
        pull, shift = _conditioned(covariance, mean, precision, target)
        towards = pull @ covariance
        variance = jnp.maximum(jnp.diag(covariance) - jnp.sum(covariance * towards, 0), floor)
        place = mean + covariance @ shift
        # What the others say of each; a site never says all.
        left = jnp.maximum(1 - variance * precision, 1e-3)
        others = variance / left
        middle = (place - variance * target) / left
        total = others + noise
        deviation = jnp.sqrt(total)
        ratio, excess = hazard(sign * (middle - bound) / deviation)
        slope, curvature = sign * ratio / deviation, ratio * excess / total
        rest = jnp.maximum(1 - others * curvature, 1e-6)
        wanted = curvature / rest, (slope + middle * curvature) / rest
        moved = [
            jnp.where(is_site, old + _STEP * (new - old), old)
            for old, new in zip(sites, wanted, strict=True)
        ]
        return (moved[0], moved[1]), None

    start = sure, jnp.zeros_like(sure)
    (precision, target), _ = jax.lax.scan(sweep, start, length=_SWEEPS)
    return _conditioned(covariance, mean, precision, target)


def _views(gp: GaussianProcess, place: jax.Array, order: int):
    """Posterior mean and covariance of u, and its whitened covariances with the observations."""
    cross = jnp.where(gp.where[:, None], _prior_cross(gp, gp.inputs, place, order), 0)
    whitened = gp.whitener @ cross
    jitter = least_jitter(place.dtype) * gp.parameters.signal_variance
    covariance = _prior(gp, place, order) - whitened.T @ whitened
    covariance += jitter * jnp.eye(len(covariance), dtype=place.dtype)
    mean = gp.weights @ cross
    height = gp.parameters.mean * gp.kernel.mean_weights(place[None])[0]
    return mean.at[0].add(height), covariance, whitened


def believe_maximum(
    gp: GaussianProcess, place: jax.Array, inside: jax.Array, conditions: Conditions
) -> MaximumBelief:
    """The belief given that the maximum is at a place.

    Args:
        gp: the Gaussian process.
        place: of the maximum, (D,).
        inside: the coordinates that are not at a bound, where alone the derivative is 0, (D,).
        conditions: what the place says: see `predictive_entropy_search`.

    Returns:
        The belief.
    """
    stationary = conditions == "stationarity" and isinstance(gp.kernel, Stationary)
    order = jet_order(_profile(gp)) if stationary else 0
    mean, covariance, whitened = _views(gp, place, order)
    size, features = mean.size, place.size
    parameters = gp.parameters
    sure, sign = jnp.zeros(size, mean.dtype), jnp.zeros(size, mean.dtype)
    bound, noise = jnp.zeros_like(sign), jnp.zeros_like(sign)
    if conditions != "candidate":
        highest = jnp.max(jnp.where(gp.where, gp.values, -jnp.inf))
        sign, bound = sign.at[0].set(1), bound.at[0].set(highest)
        noise = noise.at[0].set(parameters.noise_variance)
    if order:
        precision = inside / (_GRADIENT * parameters.signal_variance)
        sure = sure.at[1 : 1 + features].set(precision.astype(mean.dtype))
    if order == 2:
        sign = sign.at[1 + features :].set(-inside.astype(mean.dtype))
    if conditions == "candidate":
        pull, shift = jnp.zeros_like(covariance), jnp.zeros_like(mean)
    else:
        pull, shift = _propagated(covariance, mean, sure, sign, bound, noise)
    own = covariance[0]
    toward = pull @ own
    return MaximumBelief(
        place=place,
        whitened=whitened,
        pull=pull,
        shift=shift,
        toward=toward,
        mean=mean[0] + own @ shift,
        variance=covariance[0, 0] - own @ toward,
        order=order,
    )


def believed_variance(gp: GaussianProcess, belief: MaximumBelief, points: jax.Array) -> jax.Array:
    r"""Variances of the function at some points, given that it is no higher there.

    Of the difference d to the value at the place, of mean $m_d$ and deviation $\sigma_d$,
    $v - \mathrm{cov}(f, d)^2 / \sigma_d^2 \cdot r (r + \alpha)$ with $\alpha = m_d / \sigma_d$ and
    $r = \varphi(\alpha) / \Phi(\alpha)$.

    Args:
        gp: the Gaussian process.
        belief: what is believed of it.
        points: where, (M, D).

    Returns:
        Array (M,).
    """
    cross = cross_covariance(gp, points)
    whitened = gp.whitener @ cross
    prior = gp.kernel.variances(points, gp.parameters)
    means = gp.parameters.mean * gp.kernel.mean_weights(points) + gp.weights @ cross
    shared = _prior_cross(gp, points, belief.place, belief.order) - whitened.T @ belief.whitened
    pulled = jnp.sum((shared @ belief.pull) * shared, 1)
    variance = jnp.maximum(prior - jnp.sum(whitened**2, 0), 0) - pulled
    with_best = shared[:, 0] - shared @ belief.toward
    mean = means + shared @ belief.shift
    spread = belief.variance + variance - 2 * with_best
    floor = 10 * jnp.finfo(spread.dtype).eps * gp.parameters.signal_variance
    tiny = spread <= floor
    spread = jnp.where(tiny, 1, spread)
    ratio, excess = hazard((belief.mean - mean) / jnp.sqrt(spread))
    share = (variance - with_best) ** 2 / spread * ratio * excess
    return variance - jnp.where(tiny, 0, share)
