"""Random walks of many lanes over all devices and processes; dies on request."""

import os
import signal
import time

import jax
import jax.numpy as jnp
import ml_collections
from absl import flags

from experiments import runner

_DIE_AT = flags.DEFINE_integer("die_at", -1, "step before which the process kills itself")


def get_config(size):
    return ml_collections.ConfigDict(
        {"lanes": {"desk": 4, "full": 21}[size], "steps": 12, "pause": 0.0}
    )


def main(run):
    lanes = {"key": jax.random.split(run.key("walk"), run.config.lanes)}
    lanes["position"] = jnp.zeros((run.config.lanes, 2), jnp.float32)
    lanes, where = runner.pad_to_multiple(lanes, 8)
    lanes = runner.shard_leading(lanes, run.mesh)
    where = runner.shard_leading(where, run.mesh)

    @jax.jit
    def walk(lanes, where):
        def one(key, position):
            key, subkey = jax.random.split(key)
            return key, jnp.sin(position * 1.1 + jax.random.normal(subkey, (2,)))

        key, position = jax.vmap(one)(lanes["key"], lanes["position"])
        right = jnp.sum((position[:, 0] > 0) & where)
        return {"key": key, "position": position}, right

    def step(state, index):
        if index == _DIE_AT.value:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(run.config.pause)
        lanes, right = walk(state["lanes"], where)
        return {"lanes": lanes, "total": state["total"] + 1}, {"right": right}

    init = {"lanes": lanes, "total": jnp.int32(0)}
    state = run.loop("walk", init, step, num_steps=run.config.steps, checkpoint_every=3)
    ends = run.stage("ends", lambda: {"position": state["lanes"]["position"]})["position"]
    keys = runner.gather_to_host(state["lanes"]["key"])
    rows = [
        {"lane": i, "x": x, "y": y, "key": int(keys[i, 0])}
        for i, (x, y) in enumerate(ends[: run.config.lanes])
    ]
    run.save_table("ends", rows)
    run.save_claims([])
    run.print("devices used:", run.mesh.size)


if __name__ == "__main__":
    runner.main(main, get_config, experiment="sharded")
