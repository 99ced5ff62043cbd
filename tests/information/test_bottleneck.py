"""The information bottleneck: monotone, bounded, exact at both ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from infojax import information
from infojax.information import bottleneck


def _joint(seed=0, shape=(5, 4)):
    return jnp.asarray(
        np.random.default_rng(seed).dirichlet(np.full(np.prod(shape), 0.5)).reshape(shape)
    )


def test_every_iteration_lowers_the_objective():
    with jax.enable_x64(True):
        joint = _joint()
        encoder = jax.nn.softmax(jax.random.normal(jax.random.key(0), (5, 3), jnp.float64), -1)
        values = []
        for _ in range(40):
            values.append(float(bottleneck._objective(joint, encoder, 5.0)))
            encoder = bottleneck._step(joint, encoder, 5.0)
        assert np.all(np.diff(values) <= 1e-12)
        result = information.information_bottleneck(joint, 5.0, initial_encoder=encoder)
        assert result.objective <= values[-1] + 1e-12


def test_bounds_and_limits():
    with jax.enable_x64(True):
        joint, key = _joint(), jax.random.key(1)
        shared = information.mutual_information(joint)
        solve = jax.jit(
            lambda beta: information.information_bottleneck(joint, beta, key=key, num_restarts=3)
        )
        for beta in (0.0, 0.7, 1.0, 3.0, 10.0, 1e3):
            result = solve(beta)
            assert -1e-12 <= result.relevance <= min(shared, result.compression) + 1e-12
            objective = result.compression - beta * result.relevance
            np.testing.assert_allclose(result.objective, objective, rtol=1e-9, atol=1e-12)
            # The trivial encoder is always allowed.
            assert result.objective <= 1e-6
            if beta <= 0.7:
                np.testing.assert_allclose(result.compression, 0, atol=1e-6)
        np.testing.assert_allclose(result.relevance, shared, rtol=1e-4)
        np.testing.assert_allclose(jnp.sum(result.encoder, 1), 1, rtol=1e-12)


def test_stationary_points_obey_the_equations():
    with jax.enable_x64(True):
        joint = _joint(2)
        result = information.information_bottleneck(
            joint, 8.0, num_clusters=3, key=jax.random.key(0), tolerance=1e-12
        )
        assert result.converged
        clusters, decoder = result.cluster_distribution(joint), result.decoder(joint)
        given_x = joint / joint.sum(1, keepdims=True)
        divergence = np.sum(given_x[:, None] * np.log(given_x[:, None] / decoder[None]), -1)
        encoder = clusters * np.exp(-8.0 * divergence)
        encoder /= encoder.sum(1, keepdims=True)
        np.testing.assert_allclose(result.encoder, encoder, atol=1e-9)


def test_merges_what_is_equal():
    joint = jnp.array([[0.25, 0.0], [0.25, 0.0], [0.0, 0.25], [0.0, 0.25]])
    result = information.information_bottleneck(
        joint, 50.0, num_clusters=2, key=jax.random.key(0), num_restarts=8, base=2
    )
    np.testing.assert_allclose(result.relevance, 1, atol=1e-5)
    np.testing.assert_allclose(result.compression, 1, atol=1e-5)
    np.testing.assert_array_equal(result.encoder[0] > 0.5, result.encoder[1] > 0.5)


def test_curve_in_the_order_of_its_betas():
    with jax.enable_x64(True):
        joint, key = _joint(3), jax.random.key(0)
        betas = jnp.array([2.0, 0.5, 100.0, 5.0, 20.0])
        curve = information.information_bottleneck_curve(joint, betas, key=key, num_restarts=4)
        rising = np.argsort(betas)
        assert np.all(np.diff(curve.relevance[rising]) >= -1e-6)
        assert np.all(np.diff(curve.compression[rising]) >= -1e-6)
        np.testing.assert_allclose(curve.relevance[1], 0, atol=1e-6)
        assert curve.encoder.shape == (5, 5, 5)
        first = information.information_bottleneck(joint, 100.0, key=key, num_restarts=4)
        np.testing.assert_allclose(curve.objective[2], first.objective, rtol=1e-6)
        single = information.information_bottleneck_curve(
            joint, betas[2:3], initial_encoder=curve.encoder[2]
        )
        np.testing.assert_allclose(single.objective[0], curve.objective[2], rtol=1e-6)


def test_objective_differentiates_by_the_envelope_theorem():
    with jax.enable_x64(True):
        joint = _joint(4, (4, 3))
        start = information.information_bottleneck(
            joint, 6.0, key=jax.random.key(0), tolerance=1e-12
        ).encoder

        def value(table):
            return information.information_bottleneck(
                table, 6.0, initial_encoder=start, tolerance=1e-12
            ).objective

        direction = np.random.default_rng(0).normal(size=joint.shape) * joint
        direction -= joint * direction.sum()
        slope = (value(joint + 1e-4 * direction) - value(joint - 1e-4 * direction)) / 2e-4
        np.testing.assert_allclose(jnp.sum(jax.grad(value)(joint) * direction), slope, rtol=1e-4)


def test_vmap_over_tables_and_bad_values_under_jit():
    joints = jnp.stack([_joint(5), _joint(6)]).astype(jnp.float32)

    def solve(joint):
        return information.information_bottleneck(joint, 4.0, num_clusters=2, key=jax.random.key(0))

    together = jax.vmap(solve)(joints)
    np.testing.assert_allclose(together.objective[1], solve(joints[1]).objective, rtol=1e-4)
    broken = jax.jit(solve)(joints[0] * 2)
    assert np.isnan(broken.relevance) and not broken.converged


def test_faults():
    joint, key = _joint().astype(jnp.float32), jax.random.key(0)

    def call(beta=2.0, table=joint, **options):
        return information.information_bottleneck(table, beta, **options)

    for options, message in (
        ({}, "not both"),
        ({"key": key, "initial_encoder": jnp.ones((5, 1))}, "not both"),
        ({"key": key, "beta": -1.0}, "beta"),
        ({"key": key, "beta": jnp.nan}, "beta"),
        ({"key": key, "num_restarts": 0}, "num_restarts"),
        ({"key": key, "num_clusters": -1}, "num_clusters"),
        ({"initial_encoder": jnp.ones((4, 1))}, "initial_encoder must have 5 rows"),
        ({"initial_encoder": jnp.ones((5, 2))}, "initial_encoder"),
        ({"key": key, "table": 2 * joint}, "joint"),
        ({"key": key, "table": joint[None]}, "2 axes"),
        ({"key": key, "tolerance": 0.0}, "tolerance"),
    ):
        with pytest.raises(ValueError, match=message):
            call(**options)
    with pytest.raises(ValueError, match="betas"):
        information.information_bottleneck_curve(joint, jnp.zeros(0), key=key)
