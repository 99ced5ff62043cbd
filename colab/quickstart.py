# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # infojax in ten minutes
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/infojax/infojax/blob/main/colab/quickstart.ipynb)
#
# Entropies, divergences and couplings as functions of arrays, under `jit`, `vmap` and `grad`;
# then a message hidden in the moves of a player. It runs unchanged on CPU, GPU and TPU.

# %%
try:
    import infojax
except ImportError:
    import subprocess
    import sys

    source = "infojax[experiments] @ git+https://github.com/infojax/infojax"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", source], check=True)
    import infojax

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from infojax import couplings, divergences, entropies, information

print(infojax.__version__, jax.devices())

# %% [markdown]
# ## Entropies
# $H(p) = -\sum_k p_k \log p_k$, in nats unless `base=` says otherwise. A batch is another axis.

# %%
p = jax.random.dirichlet(jax.random.key(0), jnp.ones(8), (5,))
print("bits:      ", infojax.entropy(p, base=2))
print("collision: ", entropies.renyi_entropy(p, 2, base=2))
print("of logits: ", entropies.entropy_from_logits(jnp.array([2.0, 1.0, -jnp.inf]), base=2))

# %% [markdown]
# Gradients are finite, also where a probability is 0. The order of Renyi's entropy may be traced,
# so that a whole curve is one `vmap`.

# %%
q = jnp.array([0.5, 0.25, 0.25, 0.0])
print("gradient:  ", jax.grad(infojax.entropy)(q))

orders = jnp.linspace(0.0, 6.0, 200)
laws = {"(.5, .25, .25)": q, "(.9, .05, .05)": jnp.array([0.9, 0.05, 0.05, 0.0])}
figure, ax = plt.subplots(figsize=(5, 3.2))
for label, law in laws.items():
    curve = jax.jit(jax.vmap(lambda order, law=law: entropies.renyi_entropy(law, order, base=2)))
    ax.plot(orders, curve(orders), label=label)
ax.axvline(1, color="0.7", linestyle=":")
ax.set(title="Renyi entropy (Shannon's at order 1)", xlabel="order", ylabel="bits")
ax.legend()
plt.show()

# %% [markdown]
# Wrong input is refused by name. In traced code it gives NaN, never a plausible number.

# %%
try:
    infojax.entropy(jnp.array([0.5, 0.75, -0.25]))
except ValueError as error:
    print("ValueError:", error)
print("under jit: ", jax.jit(infojax.entropy)(jnp.array([0.5, 0.75, -0.25])))

# %% [markdown]
# ## Divergences and information

# %%
a, b = p[0], p[1]
print("KL:            ", infojax.kl_divergence(a, b, base=2))
print("Jensen-Shannon:", divergences.jensen_shannon_divergence(a, b, base=2))
print("total variation:", divergences.total_variation(a, b))

noisy_copy = jnp.array([[0.45, 0.05], [0.05, 0.45]])
print("I(X; Y):       ", infojax.mutual_information(noisy_copy, base=2))
channel = information.channel_capacity(noisy_copy / 0.5, base=2)
print("capacity:      ", channel.capacity, "gap", channel.gap)

# %% [markdown]
# ## Minimum-entropy couplings
# A coupling of two laws is a joint law with these marginals. The one of least entropy shares the
# most information. It is hard to find; the greedy one is within 0.53 bits of it.

# %%
key_p, key_q = jax.random.split(jax.random.key(1))
left = jax.random.dirichlet(key_p, jnp.ones(24), (256,))
right = jax.random.dirichlet(key_q, jnp.ones(24), (256,))
batch = jax.jit(infojax.greedy_mec)(left, right)
above = batch.entropy(base=2) - couplings.mec_lower_bound(left, right, base=2)
print(f"256 couplings: {float(above.mean()):.3f} bits above the lower bound on average")

joint = batch.to_dense()[0]
independent = left[0][:, None] * right[0]
figure, axes = plt.subplots(1, 2, figsize=(7, 3.3), sharey=True)
for ax, table, name in ((axes[0], independent, "independent"), (axes[1], joint, "greedy")):
    ax.imshow(table, cmap="viridis")
    bits = infojax.entropy(table, axis=None, base=2)
    ax.set(title=f"{name}: {float(bits):.2f} bits", xlabel="y", ylabel="x")
plt.show()

# %% [markdown]
# Through a bottleneck: X is first compressed to a code T with $H(T) \le R$ (greedy search over
# maps), then T is coupled with Y. The rate may be traced: the curve is one `vmap`.

# %%
rates = jnp.linspace(0.0, 5.0, 60)
chain = jax.vmap(lambda rate: infojax.mec_bottleneck(left[0], right[0], rate, base=2))(rates)
figure, ax = plt.subplots(figsize=(5, 3.2))
ax.plot(rates, rates, ":", color="0.6", label="R")
ax.plot(rates, chain.code_entropy(base=2), label="H(T) = I(X; T)")
ax.plot(rates, chain.mutual_information(base=2), label="I(X; Y)")
ax.set(title="Coupling through a bottleneck", xlabel="rate R [bits]", ylabel="bits")
ax.set_ylim(0, 4.5)
ax.legend()
plt.show()

# %% [markdown]
# ## A small coding game
# A walker on a 6 x 6 grid drifts to the upper right corner, by a random policy that everyone knows.
# A sender steers it and hides one of 64 messages in the moves. At each step the receiver's belief
# is coupled with the policy's law of the action; the sender draws the action given its message, the
# receiver conditions its belief on the action. Averaged over messages the actions follow the policy
# exactly: a watcher sees nothing unusual.

# %%
SIDE, MESSAGES, STEPS, GAMES = 6, 64, 16, 128
MOVES = jnp.array([[-1, 0], [0, 1], [1, 0], [0, -1]])  # up, right, down, left
POLICY = jnp.array([0.35, 0.35, 0.15, 0.15])


def play(key, message):
    """One game: the cells and the receiver's belief in the true message, step by step."""

    def step(carry, key):
        cell, belief = carry
        table = infojax.greedy_mec(belief, POLICY).to_dense()
        action = jax.random.categorical(key, jnp.log(table[message]))
        belief = table[:, action] / table[:, action].sum()
        cell = jnp.clip(cell + MOVES[action], 0, SIDE - 1)
        return (cell, belief), (cell, belief[message], jnp.argmax(belief) == message)

    start = jnp.array([SIDE - 1, 0]), jnp.full(MESSAGES, 1 / MESSAGES)
    return start[0], *jax.lax.scan(step, start, jax.random.split(key, STEPS))[1]


keys = jax.random.split(jax.random.key(2), GAMES)
messages = jax.random.randint(jax.random.key(3), (GAMES,), 0, MESSAGES)
start, cells, belief, right_answer = jax.jit(jax.vmap(play))(keys, messages)
print(f"{GAMES} games of {STEPS} moves: {100 * float(right_answer[:, -1].mean()):.0f} % decoded")

# %%
figure, (grid, over_time) = plt.subplots(1, 2, figsize=(8, 3.4))
route = np.concatenate([np.asarray(start[:1]), np.asarray(cells[0])])
wobble = 0.12 * np.stack([np.sin(1.7 * np.arange(len(route))), np.cos(2.3 * np.arange(len(route)))])
grid.plot(route[:, 1] + wobble[0], route[:, 0] + wobble[1], "o-", markersize=3)
grid.plot(*route[0, ::-1], "s", color="green", markersize=9)
grid.set(title=f"message {int(messages[0])}", xlim=(-0.5, SIDE - 0.5), ylim=(SIDE - 0.5, -0.5))
grid.set_xticks(np.arange(SIDE + 1) - 0.5, [])
grid.set_yticks(np.arange(SIDE + 1) - 0.5, [])
grid.set_aspect("equal")
grid.grid(True)
over_time.plot(np.arange(1, STEPS + 1), belief.mean(0), "o-")
over_time.set(
    title=f"mean of {GAMES} games",
    xlabel="moves",
    ylabel="belief in the true message",
    ylim=(0, 1.05),
)
plt.show()

# %% [markdown]
# The whole experiment, with a grid world, rewards, compression and the paper's figures, runs from a
# checkout: `python -m experiments.markov_coding_game --workdir=runs/markov_coding_game`.
