"""Critics score all pairs, and stay small in memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from infojax import nn
from infojax.nn import critics

_X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
_Y = np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32)


@pytest.mark.parametrize(
    "critic",
    [
        nn.SeparableCritic(3, 2, hidden=(8,), embedding=4, rngs=nnx.Rngs(0)),
        nn.JointCritic(3, 2, hidden=(8, 8), rngs=nnx.Rngs(0)),
    ],
)
def test_every_pair_by_itself(critic):
    scores = critic(_X, _Y)
    assert scores.shape == (5, 4)
    for i, j in ((0, 0), (4, 3), (2, 1)):
        alone = critic(_X[i : i + 1], _Y[j : j + 1])[0, 0]
        np.testing.assert_allclose(scores[i, j], alone, rtol=1e-5, atol=1e-6)


def test_joint_critic_some_rows_at_a_time(monkeypatch):
    critic = nn.JointCritic(3, 2, hidden=(8,), rngs=nnx.Rngs(0))
    structure, parameters = nnx.split(critic, nnx.Param)

    def total(parameters):
        return jnp.sum(jnp.sin(nnx.merge(structure, parameters)(_X, _Y)))

    whole = jax.value_and_grad(total)(parameters)
    monkeypatch.setattr(critics, "_PAIRS_AT_ONCE", 9)
    parts = jax.value_and_grad(total)(parameters)
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    # 4096 pairs of width 64 in rows of 64, never 2^20 at once.
    monkeypatch.setattr(critics, "_PAIRS_AT_ONCE", 4096)
    wide = nn.JointCritic(3, 2, hidden=(64,), rngs=nnx.Rngs(0))
    shapes = (
        jax.ShapeDtypeStruct((1024, 3), jnp.float32),
        jax.ShapeDtypeStruct((1024, 2), jnp.float32),
    )
    memory = jax.jit(wide).lower(*shapes).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 64 * 1024 * 1024 * 4 / 16


def test_joint_critic_starts_like_a_layer_of_all_inputs():
    x, y = (np.random.default_rng(2).normal(size=(256, d)).astype(np.float32) for d in (30, 2))
    critic = nn.JointCritic(30, 2, hidden=(512,), rngs=nnx.Rngs(0))
    inner = np.asarray(critic.of_x(x) + critic.of_y(y))
    np.testing.assert_allclose(inner.var(), 1, rtol=0.15)
