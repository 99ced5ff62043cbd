"""The bottleneck coupling's laws and informations, linearisation, and invalid input under jit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify
from scipy import optimize

from infojax import couplings, information
from tests.couplings import oracles


@pytest.mark.parametrize("rate", [0.0, 0.4, 1.0, 2.0, 9.0])
@pytest.mark.parametrize(
    "encoder", [couplings.greedy_ebim, couplings.uniform_quantizer, couplings.log_loss_code]
)
def test_laws_and_informations(rate, encoder):
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        p_x, p_y = rng.dirichlet(np.ones(9)), rng.dirichlet(np.ones(5))
        chain = couplings.mec_bottleneck(p_x, p_y, rate, base=2, encoder=encoder)
        joint = np.asarray(chain.joint())
        np.testing.assert_allclose(joint.sum(1), p_x, atol=1e-12)
        np.testing.assert_allclose(joint.sum(0), p_y, atol=1e-12)
        exact = information.mutual_information(jnp.asarray(joint), base=2)
        np.testing.assert_allclose(chain.mutual_information(base=2), exact, atol=1e-9)
        code = chain.code_entropy(base=2)
        np.testing.assert_allclose(code, chain.encoder.entropy, atol=1e-12)
        assert code <= rate + 1e-9
        # I(X;Y) >= I(X;T) + I(T;Y) - H(T); here I(X;T) = H(T).
        assert exact >= chain.decoder.mutual_information(base=2) - 1e-9


def test_a_high_rate_gives_the_plain_coupling():
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(6), 2)
    chain = couplings.mec_bottleneck(p, q, 10.0)
    plain = couplings.greedy_mec(p, q)
    np.testing.assert_allclose(chain.joint(), plain.to_dense(), atol=1e-7)


def test_batches_and_zero_mass_inputs():
    rng = np.random.default_rng(2)
    p_x = rng.dirichlet(np.ones(6), 4)
    p_x[:, 2] = 0
    p_x /= p_x.sum(1, keepdims=True)
    chain = couplings.mec_bottleneck(p_x, np.full(3, 1 / 3), np.linspace(0.1, 2, 4), base=2)
    joint = np.asarray(chain.joint())
    assert joint.shape == (4, 6, 3)
    np.testing.assert_allclose(joint.sum(-1), p_x, atol=1e-6)
    np.testing.assert_array_equal(joint[:, 2], 0)


@pytest.mark.parametrize("encoder", [couplings.greedy_ebim, couplings.uniform_quantizer])
def test_the_step_gives_the_bits_of_its_parts(encoder):
    rng = np.random.default_rng(4)
    p_x = jnp.asarray(rng.dirichlet(np.ones(23), 5), jnp.float32)
    p_y = jnp.asarray(rng.dirichlet(np.ones(6), 5), jnp.float32)
    code = encoder(p_x, 2.0, base=2)
    parts = couplings.greedy_mec(code.masses, p_y)
    for implementation in (None, "xla", "reference"):
        chain = couplings.mec_bottleneck(
            p_x, p_y, 2.0, base=2, encoder=encoder, implementation=implementation
        )
        np.testing.assert_array_equal(chain.decoder.masses, parts.masses)
        made = np.asarray(parts.masses) > 0
        np.testing.assert_array_equal(chain.decoder.indices[made], parts.indices[made])
        np.testing.assert_allclose(chain.mutual_information(), parts.mutual_information(), 1e-5)
        np.testing.assert_allclose(chain.code_entropy(base=2), code.entropy, 1e-6)
    mapped = jax.jit(jax.vmap(lambda p, q: couplings.mec_bottleneck(p, q, 2.0, base=2)))(p_x, p_y)
    whole = couplings.mec_bottleneck(p_x, p_y, 2.0, base=2)
    np.testing.assert_array_equal(mapped.decoder.masses, whole.decoder.masses)
    np.testing.assert_allclose(mapped.mutual_information(), whole.mutual_information(), 1e-6)


def test_the_derivative_of_the_information_is_that_of_the_joint_law():
    rng = np.random.default_rng(5)
    with jax.enable_x64(True):
        p_x, p_y = (jnp.asarray(rng.dirichlet(np.ones(k))) for k in (7, 5))

        def by_the_step(p_x, p_y):
            return couplings.mec_bottleneck(p_x, p_y, 1.5, base=2).mutual_information(base=2)

        def by_the_table(p_x, p_y):
            chain = couplings.mec_bottleneck(p_x, p_y, 1.5, base=2)
            return information.mutual_information(chain.joint(), base=2)

        found = jax.grad(by_the_step, (0, 1))(p_x, p_y)
        wanted = jax.grad(by_the_table, (0, 1))(p_x, p_y)
        for ours, theirs in zip(found, wanted, strict=True):
            # Along the simplex: off it the two differ, as the cells leave mass out.
            np.testing.assert_allclose(ours - ours.mean(), theirs - theirs.mean(), atol=1e-9)


def test_invalid_rates_and_laws_gate_the_informations():
    good, bad = jnp.array([0.5, 0.5]), jnp.array([0.5, 0.6])
    for arguments in ((bad, good, 1.0), (good, bad, 1.0), (good, good, -1.0)):
        chain = jax.jit(couplings.mec_bottleneck)(*arguments)
        assert np.isnan(chain.mutual_information()) and np.isnan(chain.code_entropy())


def test_invalid_input_in_traced_code():
    bad = jnp.array([0.5, 0.6])
    good = jnp.array([0.5, 0.5])
    chain = jax.jit(couplings.mec_bottleneck)(bad, good, 1.0)
    assert np.all(np.isnan(chain.decoder.masses))
    error, _ = checkify.checkify(jax.jit(couplings.greedy_mec))(bad, good)
    with pytest.raises(ValueError, match="p must hold probabilities"):
        error.throw()
    assert np.all(np.isnan(jax.jit(couplings.greedy_ebim)(good, -1.0).entropy))


def _scipy_transport(cost, p, q):
    n, m = cost.shape
    rows = np.kron(np.eye(n), np.ones((1, m)))
    cols = np.kron(np.ones((1, n)), np.eye(m))
    found = optimize.linprog(
        cost.ravel(), A_eq=np.vstack([rows, cols])[:-1], b_eq=np.concatenate([p, q])[:-1]
    )
    return found.x.reshape(n, m)


def test_successive_linearization_lowers_the_entropy_of_the_product():
    rng = np.random.default_rng(3)
    for _ in range(3):
        p, q = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(4))
        table = np.asarray(couplings.successive_linearization_mec(p, q, _scipy_transport))
        np.testing.assert_allclose(table.sum(1), p, atol=1e-6)
        np.testing.assert_allclose(table.sum(0), q, atol=1e-6)
        assert (table > 1e-9).sum() <= 5 + 4 - 1
        value = oracles.entropy(table)
        assert float(couplings.mec_lower_bound(p, q)) - 1e-5 <= value
        assert value < oracles.entropy(p) + oracles.entropy(q) - 0.1
