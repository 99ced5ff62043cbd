"""Doubles its state, an incompressible array, at every step."""

import ml_collections
import numpy as np

from experiments import runner


def get_config(size):
    del size
    return ml_collections.ConfigDict({"size": 1})


def main(run):
    def step(state, index):
        return np.random.default_rng(index).integers(0, 255, 16_000 * 4**index, dtype=np.uint8)

    run.loop("grow", np.zeros(1, np.uint8), step, num_steps=run.config.size, checkpoint_every=1)


if __name__ == "__main__":
    runner.main(main, get_config, experiment="growing_experiment")
