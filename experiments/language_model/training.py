"""Training: windows of the text, cross-entropy, AdamW, over one device or many."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from experiments import runner
from experiments.data.text import Corpus, for_tuning, load_text
from experiments.language_model import evaluation
from experiments.language_model.prediction import bits_of, merge, new_model

_AXIS = "data"
_FINAL_SHARE = 0.02  # of the learning rate, where the cosine ends
_CLIP = 1.0
LOOP = "train"


def optimizer_of(config) -> optax.GradientTransformation:
    """AdamW after a warm-up and along half a cosine, gradients clipped.

    Args:
        config: the `training` part.

    Returns:
        The transformation.
    """

    def is_projection(path, leaf) -> bool:
        return leaf.ndim == 2 and "embedding" not in jax.tree_util.keystr(path)

    rate = config.learning_rate
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, rate, min(config.warmup, config.steps // 2), config.steps, rate * _FINAL_SHARE
    )
    return optax.chain(
        optax.clip_by_global_norm(_CLIP),
        optax.adamw(
            schedule,
            b2=0.99,
            weight_decay=config.weight_decay,
            mask=lambda weights: jax.tree_util.tree_map_with_path(is_projection, weights),
        ),
    )


def record_steps(config) -> list[int]:
    """After how many steps the model is looked at: not at all trained, evenly, at the end.

    Args:
        config: the `training` part.

    Returns:
        Counts of finished steps, rising; 0 first.
    """
    return sorted({int(n) for n in np.linspace(0, config.steps, config.records + 1).round()})


def initial_state(config, key: jax.Array) -> dict[str, Any]:
    """The state of the training loop before the first step.

    Args:
        config: the run's configuration.
        key: for the weights.

    Returns:
        `parameters` and `moments`, and `history`: what was seen of the model so far.
    """
    parameters = nnx.to_pure_dict(nnx.state(new_model(config, key)))
    records = len(record_steps(config.training))
    heads = (config.model.num_layers, config.model.num_heads)
    return {
        "parameters": parameters,
        "moments": optimizer_of(config.training).init(parameters),
        "history": {
            "held_out_bits": jnp.full(records, jnp.nan),
            "attention_entropies": jnp.full((records, *heads), jnp.nan),
        },
    }


def corpus_of(config, data: str | None = None) -> Corpus:
    """The text of a configuration in two parts.

    Args:
        config: the run's configuration.
        data: a path to take instead of the configuration's corpus.

    Returns:
        The text, of which the second part is for reports alone.

    Raises:
        UserError: the text is missing, or one of its parts is shorter than a context.
    """
    corpus = load_text(data or config.corpus, held_out=config.held_out)
    corpus = for_tuning(corpus) if config.tuning else corpus
    if min(len(corpus.held_out), len(corpus.train)) < config.context:
        raise runner.UserError(
            f"the text has {len(corpus.train)} bytes to train on and {len(corpus.held_out)} held "
            f"out; each must be at least the context, {config.context}"
        )
    return corpus


def make_step(config, mesh: Mesh, text: jax.Array, key: jax.Array) -> Callable:
    """One step of training as a compiled function that keeps its state in place.

    Args:
        config: the run's configuration.
        mesh: devices; each takes as many windows as the others.
        text: the bytes to train on.
        key: for the windows' places.

    Returns:
        A function of (parameters, moments, index) that gives both anew and the mean bits.

    Raises:
        UserError: windows that the devices cannot share.
    """
    batch, context = config.training.batch, config.context
    if batch % mesh.size:
        raise runner.UserError(f"batch is {batch}, not a multiple of the {mesh.size} devices")
    text = runner.replicate(jnp.asarray(text, jnp.int32), mesh)
    optimizer = optimizer_of(config.training)

    def mean_bits(parameters, windows):
        mean = jnp.mean(bits_of(merge(config, parameters), windows))
        return jax.lax.pmean(mean, _AXIS) if mesh.size > 1 else mean

    if mesh.size > 1:
        specs = (PartitionSpec(), PartitionSpec(_AXIS))
        mean_bits = jax.shard_map(mean_bits, mesh=mesh, in_specs=specs, out_specs=PartitionSpec())

    def step(parameters, moments, text, index):
        places = jax.random.randint(
            jax.random.fold_in(key, index), (batch, 1), 0, len(text) - context + 1
        )
        windows = text[places + jnp.arange(context)]
        shared = NamedSharding(mesh, PartitionSpec(_AXIS))
        windows = jax.lax.with_sharding_constraint(windows, shared)
        bits, gradient = jax.value_and_grad(mean_bits)(parameters, windows)
        updates, moments = optimizer.update(gradient, moments, parameters)
        return optax.apply_updates(parameters, updates), moments, bits

    compiled = jax.jit(step, donate_argnums=(0, 1))
    return lambda parameters, moments, index: compiled(parameters, moments, text, index)


def train(run: runner.Run, corpus) -> dict[str, Any]:
    """Trains, or goes on training; looks at the model on the way.

    Args:
        run: the run.
        corpus: the text.

    Returns:
        The loop's last state, of `initial_state`'s form.
    """
    config = run.config
    steps = record_steps(config.training)
    step = make_step(config, run.mesh, corpus.train, run.key("windows"))
    look = evaluation.make_look(config, corpus.held_out)
    state = runner.replicate(initial_state(config, run.key("weights")), run.mesh)

    def recorded(state, count):
        seen = look(state["parameters"])
        place = steps.index(count)
        history = {
            name: value.at[place].set(seen[name]) for name, value in state["history"].items()
        }
        return state | {"history": runner.replicate(history, run.mesh)}

    def advance(state, index):
        if index == 0:
            state = recorded(state, 0)
        parameters, moments, bits = step(state["parameters"], state["moments"], index)
        state = state | {"parameters": parameters, "moments": moments}
        if index + 1 in steps:
            state = recorded(state, index + 1)
        return state, {"train_bits": bits}

    return run.loop(
        LOOP,
        state,
        advance,
        num_steps=config.training.steps,
        unit="bytes",
        units_per_step=config.training.batch * config.context,
    )
