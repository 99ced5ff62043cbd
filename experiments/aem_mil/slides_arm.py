"""The user's own slides: training by bags of any size, best epoch by validation, test and export.

Seeds are trained side by side and spread over the devices; slides are padded to powers of two and
taken one at a time. In a step all seeds take slides of one size, each its own.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from experiments import runner
from experiments.aem_mil import metrics
from experiments.aem_mil.architectures import builder
from experiments.aem_mil.training import check_lambdas, initialize, lambda_at, update
from experiments.data import Slide
from infojax.nn import mil

PARTS = ("train", "val", "test")


class Part(NamedTuple):
    """Slides of one part of the split, in buckets.

    Attributes:
        slides: in the order of `labels`.
        labels: (B,).
        buckets: of the slides' features, on the devices; `positions` are places in `slides`.
    """

    slides: list[Slide]
    labels: np.ndarray
    buckets: list[mil.Bucket]


class Fit(NamedTuple):
    """Trained classifiers.

    Attributes:
        graph: their structure.
        best: weights of each seed's best epoch, (S, ...).
        epochs: that epoch, from 1, (S,).
        score: F1 plus area under the ROC curve on the validation slides, (S,).
    """

    graph: Any
    best: Any
    epochs: np.ndarray
    score: np.ndarray


def split(run: runner.Run, slides: Sequence[Slide]) -> dict[str, list[Slide]]:
    """Splits slides as the file says, or at random with the same shares of every class.

    Args:
        run: the run.
        slides: all of them.

    Returns:
        Slides by the names of `PARTS`.

    Raises:
        UserError: a part would be without slides, or all slides are of one class.
    """
    config = run.config.slides
    parts: dict[str, list[Slide]] = {name: [] for name in PARTS}
    labels = np.array([slide.label for slide in slides])
    if len(np.unique(labels)) < 2:
        raise runner.UserError(f"all {len(slides)} slides have the label {labels[0]}")
    generator = np.random.default_rng(run.seed)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        test = max(1, round(config.test_share * len(members)))
        held = test + max(1, round(config.validation_share * len(members)))
        for place, number in enumerate(members):
            drawn = "test" if place < test else "val" if place < held else "train"
            parts[slides[number].split or drawn].append(slides[number])
    for name, members in parts.items():
        if not members:
            raise runner.UserError(f"the part '{name}' of {len(slides)} slides holds none")
    return parts


def prepare(run: runner.Run, slides: Sequence[Slide]) -> dict[str, Part]:
    """Splits slides, pads them and puts them on the devices.

    Args:
        run: the run.
        slides: all of them.

    Returns:
        The parts by the names of `PARTS`.
    """
    prepared = {}
    for name, members in split(run, slides).items():
        members = sorted(members, key=lambda slide: slide.name)
        found = mil.bucket_bags(
            [slide.features for slide in members], smallest=run.config.slides.smallest_bucket
        )
        buckets = [
            b._replace(
                instances=runner.replicate(b.instances, run.mesh),
                where=runner.replicate(b.where, run.mesh),
            )
            for b in found
        ]
        labels = np.array([slide.label for slide in members], np.int32)
        prepared[name] = Part(members, labels, buckets)
    return prepared


def fit(run: runner.Run, parts: dict[str, Part], classes: int) -> Fit:
    """Trains all seeds, and keeps the weights of each one's best epoch.

    Args:
        run: the run.
        parts: the slides.
        classes: how many classes there are.

    Returns:
        The classifiers.

    Raises:
        UserError: an unknown architecture, or a lambda or a share that cannot be.
    """
    config = run.config.slides
    check_lambdas([config.lambda0], run.config.allow_minimise)
    if not 0 < config.subsampling <= 1:
        raise runner.UserError(
            f"subsampling is {config.subsampling}; expected a share above 0 and at most 1"
        )
    training = parts["train"]
    build = builder(
        run.config.arch,
        features=training.slides[0].features.shape[1],
        classes=classes,
        embedding=config.embedding,
        gate=config.gate,
    )
    total = config.epochs * len(training.slides)
    rate = optax.cosine_decay_schedule(config.learning_rate, total)
    optimizer = optax.adamw(rate, weight_decay=config.weight_decay)
    keys, _ = runner.pad_to_multiple(
        jax.random.split(run.key("slides"), config.seeds), run.mesh.size
    )
    keys = runner.shard_leading(keys, run.mesh)
    graph, state = initialize(build, keys, optimizer)
    state = runner.shard_leading(state, run.mesh)
    advance, look = _advance(update(graph, optimizer), config, total), _predictor(graph)

    def step(carry, number):
        state, best, score, epochs = carry
        for place, (bucket, rows) in enumerate(_order(run, training, len(keys), number)):
            done = number * len(training.slides) + place
            labels = jnp.asarray(training.labels[bucket.positions])
            rows = runner.shard_leading(rows, run.mesh)
            state = advance(state, bucket.instances, bucket.where, labels, rows, keys, done)
        found = _scores(look, state.weights, parts["val"])
        now = found["f1"] + np.nan_to_num(found["auc"])
        better = now > score
        chosen = runner.shard_leading(better, run.mesh)
        best = _choose(chosen, state.weights, best)
        carry = state, best, np.where(better, now, score), np.where(better, number + 1, epochs)
        own = slice(config.seeds)
        told = {f"validation_{key}": float(np.mean(found[key][own])) for key in found}
        return carry, told

    start = state, state.weights, np.full(len(keys), -1.0), np.zeros(len(keys), np.int64)
    carry = run.loop(
        "slides",
        start,
        step,
        num_steps=config.epochs,
        unit="slides",
        units_per_step=len(training.slides),
    )
    _, best, score, epochs = carry
    return Fit(graph, best, epochs[: config.seeds], score[: config.seeds])


def _order(run: runner.Run, part: Part, seeds: int, epoch: int):
    """Buckets in a random order, one for each slide, and each seed's own row in them."""
    generator = np.random.default_rng([run.seed, epoch])
    sizes = [len(bucket.positions) for bucket in part.buckets]
    rows = [
        np.stack([generator.permutation(size) for _ in range(seeds)]).astype(np.int32)
        for size in sizes
    ]
    taken = [0] * len(sizes)
    for number in generator.permutation(np.repeat(np.arange(len(sizes)), sizes)):
        yield part.buckets[number], rows[number][:, taken[number]]
        taken[number] += 1


def _advance(step, config, total: int):
    """One slide for every seed; compiled once for each size of a bucket."""

    @jax.jit
    def advance(state, instances, where, labels, rows, keys, done):
        weight = lambda_at(jnp.float32(config.lambda0), config.anneal, done / total)

        def one(state, row, key):
            key = jax.random.fold_in(key, done)
            kept = mil.subsample_instances(
                jax.random.fold_in(key, 1), where[row], config.subsampling
            )
            return step(state, instances[row], kept, labels[row], weight, key)[0]

        return jax.vmap(one)(state, rows, keys)

    return advance


@jax.jit
def _choose(chosen, new, old):
    def pick(a, b):
        return jnp.where(chosen.reshape(-1, *(1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(pick, new, old)


def _predictor(graph):
    """Predictions of every seed on a bucket; one slide at a time, as memory is for training."""

    @jax.jit
    def look(weights, instances, where):
        def one(weights):
            model = nnx.merge(graph, weights)

            def of_slide(slide):
                found = model(slide[0], where=slide[1])
                return model.probabilities(found), found.entropy, found.attention_logits

            return jax.lax.map(of_slide, (instances, where))

        return jax.vmap(one)(weights)

    return look


def _predict(look, weights, part: Part):
    """Probabilities (S, B, C), entropies (S, B), and attention of each slide, (S, K, N)."""
    count = len(part.slides)
    probabilities: list[Any] = [None] * count
    entropies: list[Any] = [None] * count
    attention: list[Any] = [None] * count
    for bucket in part.buckets:
        arguments = weights, bucket.instances, bucket.where
        found = runner.gather_to_host(look(*arguments))
        for row, place in enumerate(bucket.positions):
            probabilities[place], entropies[place] = found[0][:, row], found[1][:, row].mean(-1)
            attention[place] = found[2][:, row, :, : len(part.slides[place].features)]
    return np.stack(probabilities, 1), np.stack(entropies, 1), attention


def _measure(probabilities, entropies, labels) -> dict[str, np.ndarray]:
    tiny = np.finfo(np.float32).tiny
    chosen = np.take_along_axis(probabilities, labels[None, :, None], 2)[..., 0]
    return {
        "auc": np.array([metrics.auroc(p, labels) for p in probabilities]),
        "f1": np.array([metrics.macro_f1(p, labels) for p in probabilities]),
        "nll": -np.log(np.maximum(chosen, tiny)).mean(1),
        "entropy": entropies.mean(1),
    }


def _scores(look, weights, part: Part) -> dict[str, np.ndarray]:
    probabilities, entropies, _ = _predict(look, weights, part)
    return _measure(probabilities, entropies, part.labels)


def judge(run: runner.Run, fitted: Fit, part: Part) -> dict[str, Any]:
    """Looks at slides with the best weights.

    Args:
        run: the run.
        fitted: the classifiers.
        part: the slides, not trained on.

    Returns:
        `auc`, `f1`, `nll` and `entropy` of each seed, (S,); `probabilities` (S, B, C); and
        `attention`, the logits of the first seed by slide, (K, N).
    """
    seeds = run.config.slides.seeds
    found = _predict(_predictor(fitted.graph), fitted.best, part)
    probabilities, entropies = found[0][:seeds], found[1][:seeds]
    attention = {slide.name: logits[0] for slide, logits in zip(part.slides, found[2], strict=True)}
    return {
        **_measure(probabilities, entropies, part.labels),
        "best_epoch": fitted.epochs,
        "probabilities": probabilities,
        "attention": attention,
    }
