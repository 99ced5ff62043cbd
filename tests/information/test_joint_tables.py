"""Information of joint tables against peers, golden values of dit and brute force."""

import json
import pathlib

import hypothesis
import hypothesis.extra.numpy
import hypothesis.strategies as st
import infomeasure
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from infojax import information

GOLDEN = json.loads(
    (pathlib.Path(__file__).parent.parent / "golden" / "dit" / "multivariate.json").read_text()
)
SLACK = 2e-6


def tables(shape):
    masses = st.sampled_from([0.0, 1e-6, 0.1, 0.25, 1.0, 2.0])
    arrays = hypothesis.extra.numpy.arrays(np.float64, shape, elements=masses)
    return arrays.filter(lambda t: t.sum() > 0).map(lambda t: jnp.asarray(t / t.sum(), jnp.float32))


@pytest.mark.parametrize("name", GOLDEN)
def test_equal_to_dit(name):
    golden = GOLDEN[name]
    with jax.enable_x64(True):
        joint = jnp.asarray(golden["joint"])
        values = {
            "mutual_information": information.mutual_information(joint, x=0, y=1, base=2),
            "conditional_mutual_information": information.conditional_mutual_information(
                joint, x=0, y=1, given=2, base=2
            ),
        }
        for measure in (
            "total_correlation",
            "dual_total_correlation",
            "o_information",
            "interaction_information",
        ):
            values[measure] = getattr(information, measure)(joint, base=2)
        for measure, value in values.items():
            np.testing.assert_allclose(value, golden[measure], atol=1e-9, err_msg=measure)


def test_equal_to_sklearn_and_infomeasure_on_labels():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, 500)
    y = (x + rng.integers(0, 3, 500)) % 5
    joint = np.zeros((4, 5))
    np.add.at(joint, (x, y), 1 / 500)
    with jax.enable_x64(True):
        joint = jnp.asarray(joint)
        value = information.mutual_information(joint)
        np.testing.assert_allclose(value, sklearn.metrics.mutual_info_score(x, y), rtol=1e-10)
        peer = infomeasure.mutual_information(x, y, approach="discrete")
        np.testing.assert_allclose(value, peer, rtol=1e-10)
        for normalization in ("arithmetic", "geometric", "min", "max"):
            value = information.normalized_mutual_information(joint, normalization=normalization)
            peer = sklearn.metrics.normalized_mutual_info_score(x, y, average_method=normalization)
            np.testing.assert_allclose(value, peer, rtol=1e-10)
        value = information.normalized_mutual_information(joint, normalization="joint")
        shared = information.mutual_information(joint)
        apart = information.variation_of_information(joint)
        np.testing.assert_allclose(value, shared / (shared + apart), rtol=1e-12)
        # Homogeneity is the fraction of the classes' entropy that the clusters know.
        peer = sklearn.metrics.homogeneity_score(x, y)
        np.testing.assert_allclose(information.uncertainty_coefficient(joint), peer, rtol=1e-10)


def test_constant_variables_as_in_sklearn():
    both = jnp.array([[1.0, 0.0], [0.0, 0.0]])
    one = jnp.array([[0.5, 0.5]])
    for normalization in ("arithmetic", "geometric", "min", "max", "joint"):
        options = {"normalization": normalization}
        assert information.normalized_mutual_information(both, **options) == 1
        assert information.normalized_mutual_information(one, **options) == 0
    with pytest.raises(ValueError, match="normalization must be one of"):
        information.normalized_mutual_information(both, normalization="mean")


def test_gradient_is_the_pointwise_information():
    with jax.enable_x64(True):
        joint = jnp.array([[0.3, 0.1], [0.2, 0.4]])
        gradient = jax.grad(information.mutual_information)(joint)
        table = information.pointwise_mutual_information(joint)
        np.testing.assert_allclose(gradient, table, rtol=1e-12)
        np.testing.assert_allclose(
            jnp.sum(joint * table), information.mutual_information(joint), rtol=1e-12
        )


def test_pointwise_information_at_zeros():
    joint = jnp.array([[0.5, 0.0, 0.0], [0.25, 0.25, 0.0]])
    table = information.pointwise_mutual_information(joint, base=2)
    expected = [[np.log2(4 / 3), -np.inf, 0], [np.log2(2 / 3), 1, 0]]
    np.testing.assert_allclose(table, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="2 axes"):
        information.pointwise_mutual_information(joint[None])


def test_near_independence_keeps_digits():
    rng = np.random.default_rng(1)
    product = np.outer(rng.dirichlet(np.ones(20)), rng.dirichlet(np.ones(30)))
    joint = (product * (1 + 1e-3 * rng.uniform(-1, 1, product.shape))).astype(np.float32)
    value = information.mutual_information(jnp.asarray(joint))
    with jax.enable_x64(True):
        exact = information.mutual_information(jnp.asarray(joint, jnp.float64))
    np.testing.assert_allclose(value, exact, rtol=2e-3)


@pytest.mark.parametrize("shape", [(5, 7), (1000, 1000)])
def test_float32_is_within_two_millionths(shape):
    joint = np.random.default_rng(2).dirichlet(np.ones(np.prod(shape))).reshape(shape)
    joint = joint.astype(np.float32)
    value = np.asarray(information.mutual_information(jnp.asarray(joint)), np.float64)
    with jax.enable_x64(True):
        exact = information.mutual_information(jnp.asarray(joint, jnp.float64))
    np.testing.assert_allclose(value, exact, rtol=2e-6)


def test_tiny_masses_do_not_underflow():
    # The product of the two marginals, 1e-60, is no float32.
    joint = jnp.array([[1.0, 0.0], [0.0, 1e-30]])
    np.testing.assert_allclose(
        information.mutual_information(joint), 1e-30 * (np.log(1e30) + 1), rtol=1e-5
    )


def test_names_groups_and_faults():
    joint = np.random.default_rng(3).dirichlet(np.ones(24)).reshape(2, 3, 4)
    with jax.enable_x64(True):
        joint = jnp.asarray(joint)
        names = ("a", "b", "c")
        by_name = information.mutual_information(joint, x=("a", "c"), y="b", names=names)
        flat = jnp.moveaxis(joint, 1, 2).reshape(8, 3)
        np.testing.assert_allclose(by_name, information.mutual_information(flat), rtol=1e-12)
        chain = information.mutual_information(
            joint, x="c", y="b", names=names
        ) + information.conditional_mutual_information(joint, x="a", y="b", given="c", names=names)
        np.testing.assert_allclose(by_name, chain, rtol=1e-12)
        grouped = information.total_correlation(joint, axis=[("a", "c"), "b"], names=names)
        np.testing.assert_allclose(grouped, by_name, rtol=1e-12)
        none = information.conditional_mutual_information(joint, x=0, y=1, given=())
        plain = information.mutual_information(joint, x=0, y=1)
        np.testing.assert_allclose(none, plain, rtol=1e-12)
    for call, message in (
        (lambda: information.mutual_information(joint), "3 axes"),
        (lambda: information.mutual_information(joint, x=0), "together"),
        (lambda: information.mutual_information(joint, x=0, y=(0, 1)), "share"),
        (lambda: information.mutual_information(joint, x=0, y=5), "out of range"),
        (lambda: information.mutual_information(joint, x="a", y="d", names=names), "none of"),
        (lambda: information.total_correlation(joint, axis=[0]), "at least two"),
        (lambda: information.total_correlation(joint, axis=[0, (0, 1)]), "share"),
        (lambda: information.mutual_information(joint[0, 0]), "at least 2 axes"),
        (lambda: information.uncertainty_coefficient(joint), "2 axes"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@hypothesis.given(tables((3, 4)), tables((4, 3)))
def test_bounds_and_data_processing(joint, channel):
    value = float(information.mutual_information(joint))
    apart = float(information.variation_of_information(joint))
    assert value >= 0 and apart >= 0
    h_x, h_y = (
        -sum(p * np.log(p) for p in np.asarray(joint).sum(axis) if p > 0) for axis in (1, 0)
    )
    assert value <= min(h_x, h_y) + SLACK
    np.testing.assert_allclose(apart + 2 * value, h_x + h_y, atol=1e-5)
    np.testing.assert_allclose(value, information.mutual_information(joint.T), atol=SLACK)
    rows = np.asarray(channel, np.float64) + 1e-3
    rows = jnp.asarray(rows / rows.sum(1, keepdims=True), jnp.float32)
    assert float(information.mutual_information(joint @ rows)) <= value + SLACK
    for normalization in ("arithmetic", "geometric", "min", "max", "joint"):
        share = information.normalized_mutual_information(joint, normalization=normalization)
        assert 0 <= share <= 1


@hypothesis.given(tables((2, 3, 2)))
def test_multivariate_identities(joint):
    total = float(information.total_correlation(joint))
    dual = float(information.dual_total_correlation(joint))
    assert total >= 0 and dual >= 0
    np.testing.assert_allclose(information.o_information(joint), total - dual, atol=SLACK)
    # Of three variables the O-information is minus the interaction information.
    interaction = float(information.interaction_information(joint))
    np.testing.assert_allclose(total - dual, -interaction, atol=5 * SLACK)
    for order in ((1, 0, 2), (2, 1, 0)):
        swapped = jnp.transpose(joint, order)
        np.testing.assert_allclose(information.total_correlation(swapped), total, atol=5 * SLACK)
        np.testing.assert_allclose(
            information.dual_total_correlation(swapped), dual, atol=5 * SLACK
        )
