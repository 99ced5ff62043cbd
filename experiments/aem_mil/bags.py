"""Bags of digits and of tissue: positive ones hold a few instances of the kind looked for."""

from typing import NamedTuple

import numpy as np

from experiments import runner
from experiments.aem_mil.training import Bags
from experiments.data import Tissue, load_digits, load_tissue


class Pool(NamedTuple):
    """Instances that bags are drawn from.

    Attributes:
        positive: (P, D), of the kind looked for.
        negative: (M, D), the others.
    """

    positive: np.ndarray
    negative: np.ndarray


def draw(
    pool: Pool, generator: np.random.Generator, *, bags: int, instances: int, most_positives: int
) -> Bags:
    """Draws as many positive as negative bags, in turn.

    Args:
        pool: the instances.
        generator: of random numbers.
        bags: how many, B.
        instances: N of each bag, all different, in a random order.
        most_positives: a positive bag holds 1 to so many positive instances.

    Returns:
        Bags of one data set, (B, N, D), labels 0 and 1 in turn.

    Raises:
        UserError: there are not as many instances.
    """
    needed = instances, most_positives
    for kind, wanted in zip(("negative", "positive"), needed, strict=True):
        found = len(getattr(pool, kind))
        if found < wanted:
            raise runner.UserError(
                f"a bag takes up to {wanted} {kind} instances; there are {found}"
            )
    if most_positives > instances:
        raise runner.UserError(f"{most_positives} positives do not fit into {instances} instances")
    drawn = []
    for bag in range(bags):
        count = generator.integers(1, most_positives + 1) if bag % 2 else 0
        rows = [
            part[generator.choice(len(part), size, replace=False)]
            for part, size in ((pool.positive, count), (pool.negative, instances - count))
        ]
        drawn.append(generator.permutation(np.concatenate(rows)))
    return Bags(np.stack(drawn), np.arange(bags, dtype=np.int32) % 2)


def stack(groups: list[Bags]) -> Bags:
    """Puts data sets of equal shapes side by side.

    Args:
        groups: (B, N, D) each.

    Returns:
        (G, B, N, D).
    """
    return Bags(*(np.stack(parts) for parts in zip(*groups, strict=True)))


def digits(run: runner.Run, seeds: int) -> tuple[Bags, Bags]:
    """Bags of handwritten digits; one digit makes a bag positive.

    Each seed shuffles the images anew; training bags are drawn from the first of them and test
    bags from the rest, so that no image is in both.

    Args:
        run: the run.
        seeds: how many data sets.

    Returns:
        Training and test bags.
    """
    config, images = run.config.digits, load_digits()
    training, test = [], []
    for seed in range(seeds):
        generator = np.random.default_rng([run.seed, seed])
        order = generator.permutation(len(images.labels))
        for to, rows, bags in (
            (training, order[: config.training_images], config.training_bags),
            (test, order[config.training_images :], config.test_bags),
        ):
            wanted = images.labels[rows] == config.positive_digit
            pool = Pool(images.images[rows[wanted]], images.images[rows[~wanted]])
            to.append(_draw(pool, generator, config, bags))
    return stack(training), stack(test)


class TissueBags(NamedTuple):
    """Bags of tissue and the image that they come from.

    Attributes:
        training: from the left half of the image.
        test: from the right half.
        whole: the features of every patch, (rows, columns, D).
        tissue: the image.
    """

    training: Bags
    test: Bags
    whole: np.ndarray
    tissue: Tissue


def tissue(run: runner.Run) -> TissueBags:
    """Bags of tissue patches; brown ones make a bag positive.

    A patch is seen as the means of its 4 x 4 blocks in red, green and blue, in units of the
    training half's mean and standard deviation. Patches that are neither stained nor clean are in
    no bag.

    Args:
        run: the run.

    Returns:
        The bags.
    """
    config = run.config.tissue
    tissue = load_tissue(config.patch)
    rows, columns, side, _, colours = tissue.patches.shape
    block = max(side // 4, 1)
    blocks = tissue.patches.reshape(rows, columns, side // block, block, -1, block, colours)
    features = blocks.mean((3, 5)).reshape(rows, columns, -1)
    left = np.broadcast_to(np.arange(columns) < columns // 2, (rows, columns))
    center, scale = features[left].mean(0), features[left].std(0)
    features = ((features - center) / scale).astype(np.float32)
    stained, clean = tissue.stained >= config.stained, tissue.stained <= config.clean
    sides = []
    for side_of, bags in ((left, config.training_bags), (~left, config.test_bags)):
        pool = Pool(features[side_of & stained], features[side_of & clean])
        drawn = [
            _draw(pool, np.random.default_rng([run.seed, seed, bags]), config, bags)
            for seed in range(config.seeds)
        ]
        sides.append(stack(drawn))
    return TissueBags(*sides, features, tissue)


def _draw(pool: Pool, generator: np.random.Generator, config, bags: int) -> Bags:
    return draw(
        pool,
        generator,
        bags=bags,
        instances=config.instances,
        most_positives=config.most_positives,
    )
