'''What every experiment shares: command line, work directory, checkpoints, progress, claims.

An experiment is a package `experiments/NAME/` with a `config.py` and a `__main__.py`:

    """Estimates pi by throwing darts (Buffon, 1777)."""

    import jax
    import ml_collections

    from experiments import runner


    def get_config(size: str) -> ml_collections.ConfigDict:  # lives in config.py
        steps = {"desk": 100, "full": 10_000}[size]
        return ml_collections.ConfigDict({"steps": steps, "batch": 512})


    def main(run: runner.Run) -> None:
        key = run.key("darts")

        @jax.jit
        def throw(hits, index):
            xy = jax.random.uniform(jax.random.fold_in(key, index), (run.config.batch, 2))
            hits = hits + ((xy**2).sum(axis=1) < 1).sum()
            return hits, {"hits": hits}

        hits = run.loop("darts", jax.numpy.int32(0), throw, num_steps=run.config.steps)
        n = run.config.steps * run.config.batch
        rate = runner.wilson_interval(int(hits), n)
        run.save_table("pi", [{"darts": n, "pi": 4 * rate.value}])
        run.save_claims([runner.claim(
            name="pi", statement="Four times the share of hits is pi", source="Buffon (1777)",
            value=4 * rate.value, interval=(4 * rate.low, 4 * rate.high), threshold="in [3.1, 3.2]",
        )])


    if __name__ == "__main__":
        runner.main(main, get_config, experiment="pi")

`python -m experiments.pi --workdir=runs/pi` runs it. Stopped in whatever way, the same command goes
on from the last checkpoint and ends with the same bits. What must hold for that: randomness comes
from `run.key` and the step's index or from the loop's state, and nothing that is stored depends on
the clock. Figures are made with `experiments.runner.figures`; exit statuses are listed in
`experiments.runner.errors`.
'''

from experiments.runner.application import main
from experiments.runner.claims import Claim, claim
from experiments.runner.devices import (
    data_mesh,
    gather_to_host,
    initialize_distributed,
    is_main_process,
    pad_to_multiple,
    quick_jit,
    quick_options,
    replicate,
    shard_leading,
)
from experiments.runner.errors import Interrupted, StorageError, UserError
from experiments.runner.intervals import (
    Estimate,
    bootstrap_interval,
    mean_interval,
    wilson_interval,
)
from experiments.runner.run import Run, open_run
from experiments.runner.workdir import WorkDirectory

__all__ = [
    "Claim",
    "Estimate",
    "Interrupted",
    "Run",
    "StorageError",
    "UserError",
    "WorkDirectory",
    "bootstrap_interval",
    "claim",
    "data_mesh",
    "gather_to_host",
    "initialize_distributed",
    "is_main_process",
    "main",
    "mean_interval",
    "open_run",
    "pad_to_multiple",
    "quick_jit",
    "quick_options",
    "replicate",
    "shard_leading",
    "wilson_interval",
]
