"""Conditioning by adaptive sampling: a variational autoencoder moves to designs of high value."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from infojax import checks
from infojax.numerics import gated
from infojax.optimize.searchers import SearchResult, starting_points
from infojax.optimize.surrogate_fitting import observations


class GaussianAutoencoder(nnx.Module):
    r"""A small variational autoencoder of real features.

    $z \sim N(0, I)$, $x | z \sim N(f(z), \mathrm{diag}(\sigma^2))$ with one learnable deviation
    for each feature, and an encoder $q(z | x)$ of independent normal laws.

    Attributes:
        encoder: hidden layer and the two outputs of the encoder, in one.
        decoder: hidden layer and mean of the decoder.
        log_std: $\log\sigma$.
    """

    def __init__(self, features: int, latent: int, hidden: int, *, rngs: nnx.Rngs):
        """Makes the networks.

        Args:
            features: of x.
            latent: of z.
            hidden: width of the hidden layers.
            rngs: keys for the weights.
        """
        self.encoder = nnx.Sequential(
            nnx.Linear(features, hidden, rngs=rngs),
            nnx.relu,
            nnx.Linear(hidden, 2 * latent, rngs=rngs),
        )
        self.decoder = nnx.Sequential(
            nnx.Linear(latent, hidden, rngs=rngs),
            nnx.relu,
            nnx.Linear(hidden, features, rngs=rngs),
        )
        self.log_std = nnx.Param(jnp.zeros(features))

    def log_likelihood(self, x: Float[Array, "*B D"], z: Float[Array, "*B Z"]) -> jax.Array:
        r"""$\log p(x | z)$ in nats.

        Args:
            x: features.
            z: latents.

        Returns:
            One number for each.
        """
        log_std = self.log_std[...]
        residual = (x - self.decoder(z)) * jnp.exp(-log_std)
        return -jnp.sum(log_std + 0.5 * math.log(2 * math.pi) + 0.5 * jnp.square(residual), -1)

    def evidence_bound(self, x: Float[Array, "*B D"], noise: Float[Array, "*B Z"]) -> jax.Array:
        """The evidence lower bound in nats, by one draw of the latents.

        Args:
            x: features.
            noise: standard normal draws.

        Returns:
            One number for each.
        """
        mean, log_std = jnp.split(self.encoder(x), 2, -1)
        z = mean + jnp.exp(log_std) * noise
        divergence = jnp.sum(0.5 * (jnp.exp(2 * log_std) + mean**2 - 1) - log_std, -1)
        return self.log_likelihood(x, z) - divergence

    def sample(self, key: PRNGKeyArray, z: Float[Array, "*B Z"]) -> Float[Array, "*B D"]:
        """Draws features of latents.

        Args:
            key: a random key.
            z: latents.

        Returns:
            The features.
        """
        mean = self.decoder(z)
        return mean + jnp.exp(self.log_std[...]) * jax.random.normal(key, mean.shape, mean.dtype)


def _fit_weighted(structure, parameters, optimizer, key, x, weights, steps: int, batch: int):
    """Adam on the weighted evidence bound; rows are drawn in proportion to their weights."""
    latent = nnx.merge(structure, parameters).decoder.layers[0].in_features

    def step(state, key):
        parameters, moments = state
        row_key, noise_key = jax.random.split(key)
        rows = jax.random.categorical(row_key, jnp.log(weights), shape=(batch,))
        noise = jax.random.normal(noise_key, (batch, latent), x.dtype)

        def loss(parameters):
            return -jnp.mean(nnx.merge(structure, parameters).evidence_bound(x[rows], noise))

        updates, moments = optimizer.update(jax.grad(loss)(parameters), moments, parameters)
        return (optax.apply_updates(parameters, updates), moments), None

    keys = jax.random.split(key, steps)
    return jax.lax.scan(step, (parameters, optimizer.init(parameters)), keys)[0][0]


def conditioning_by_adaptive_sampling(
    key: PRNGKeyArray,
    predict: Callable[[Array], tuple[Array, Array]],
    x: Float[Array, "N D"],
    y: Float[Array, " N"],
    *,
    proposals: int = 128,
    rounds: int = 20,
    samples: int = 512,
    quantile: float = 0.9,
    latent: int = 8,
    hidden: int = 64,
    steps: int = 500,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    lower: ArrayLike = -jnp.inf,
    upper: ArrayLike = jnp.inf,
) -> SearchResult:
    r"""Moves a generative model of the designs to those whose predicted value is high: CbAS.

    An autoencoder $p_0$ learns the designs. Then, round by round, $q$ (at first $p_0$) is sampled,
    the threshold $\gamma$ rises to a quantile of the predicted values, and $q$ learns the samples
    weighted by $\frac{p_0(x | z)}{q(x | z)} P(y \ge \gamma | x)$, which keeps it near the data.
    Proposals are drawn from the last q, and clipped to the bounds.

    Args:
        key: a random key.
        predict: from inputs (N, D) to means and log standard deviations (N,) of their values.
        x: designs, standardised.
        y: their values, standardised; the first threshold is their quantile.
        proposals: how many to draw at the end.
        rounds: how often q is sampled and fitted.
        samples: of a round.
        quantile: of the predicted values, for the threshold.
        latent: size of the autoencoder's latents.
        hidden: width of its hidden layers.
        steps: of its first fit; a round takes a tenth as many.
        batch_size: of its minibatches.
        learning_rate: of Adam.
        lower: lower bounds, of shape () or (D,).
        upper: upper bounds.

    Returns:
        The proposals, their predicted means and the mean prediction of each round's samples.

    Raises:
        TypeError: `x` or `y` is not of floating type, or a size is no whole number.
        ValueError: wrong shapes, no design, a number out of its range, or `x` or `y` is not finite
            (at once where concrete, under `checkify.checkify` in traced code; NaN where
            unchecked).

    Reference:
        Brookes, Park and Listgarten, *Conditioning by adaptive sampling for robust design*, ICML
        2019, arXiv 1901.10060, algorithm 1.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from infojax import optimize
        >>> x = jax.random.normal(jax.random.key(0), (256, 2))
        >>> def predict(x): return x[:, 0], jnp.full(len(x), -2.0)
        >>> found = optimize.conditioning_by_adaptive_sampling(
        ...     jax.random.key(1), predict, x, x[:, 0], rounds=5)
        >>> print(bool(jnp.mean(found.scores) > 0.5))  # the mean of the data is 0
        True
    """
    x, y, valid = observations(x, y)
    _, low, high, in_order = starting_points(x, lower, upper)
    if not 0 < quantile < 1:
        raise ValueError(f"quantile must be between 0 and 1; got {quantile!r}.")
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate must be positive and finite; got {learning_rate!r}.")
    count, size = checks.positive_integer("samples", samples), min(batch_size, x.shape[0])
    first_steps = checks.positive_integer("steps", steps)
    optimizer = optax.adam(learning_rate)
    init_key, fit_key, round_key, last_key = jax.random.split(key, 4)
    made = GaussianAutoencoder(x.shape[1], latent, hidden, rngs=nnx.Rngs(params=init_key))
    structure, fresh = nnx.split(made, nnx.Param)
    fresh = jax.tree.map(lambda leaf: leaf.astype(x.dtype), fresh)
    even = jnp.ones(x.shape[0], x.dtype)
    start = _fit_weighted(structure, fresh, optimizer, fit_key, x, even, first_steps, size)
    prior: Any = nnx.merge(structure, start)

    def draw(key, parameters, number):
        latent_key, noise_key = jax.random.split(key)
        z = jax.random.normal(latent_key, (number, latent), x.dtype)
        return nnx.merge(structure, parameters).sample(noise_key, z), z

    def one_round(state, key):
        parameters, threshold = state
        draw_key, refit_key = jax.random.split(key)
        points, z = draw(draw_key, parameters, count)
        mean, log_std = predict(jnp.clip(points, low, high))
        threshold = jnp.maximum(threshold, jnp.quantile(mean, quantile))
        model: Any = nnx.merge(structure, parameters)
        log_weights = prior.log_likelihood(points, z) - model.log_likelihood(points, z)
        log_weights += jax.scipy.stats.norm.logsf(threshold, mean, jnp.exp(log_std))
        weights = jax.nn.softmax(log_weights)
        parameters = _fit_weighted(
            structure,
            parameters,
            optimizer,
            refit_key,
            points,
            weights,
            max(first_steps // 10, 1),
            size,
        )
        return (parameters, threshold), jnp.mean(mean)

    keys = jax.random.split(round_key, checks.positive_integer("rounds", rounds))
    (parameters, _), history = jax.lax.scan(one_round, (start, jnp.quantile(y, quantile)), keys)
    last, _ = draw(last_key, parameters, checks.positive_integer("proposals", proposals))
    last = gated(jnp.clip(last, low, high), valid & in_order)
    return SearchResult(last, predict(last)[0], history)
