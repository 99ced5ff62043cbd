import json
import socket
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import runner
from experiments.runner import devices
from tests.experiments.runner import children

MODULE = "tests.experiments.runner.sharded_experiment"


def run_one(directory, *arguments, devices=1):
    return children.run(
        MODULE, "--size=full", f"--workdir={directory}", *arguments, devices=devices
    )


def start_two_processes(directory, *arguments):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    return [
        children.start(
            MODULE,
            "--size=full",
            f"--workdir={directory}",
            f"--coordinator_address=localhost:{port}",
            "--num_processes=2",
            f"--process_id={i}",
            *arguments,
            devices=2,
        )
        for i in range(2)
    ]


def run_two_processes(directory, *arguments):
    return [children.finish(process) for process in start_two_processes(directory, *arguments)]


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    directory = tmp_path_factory.mktemp("one") / "run"
    done = run_one(directory)
    assert done.returncode == 0, done.stderr
    assert "devices used: 1" in done.stdout
    return directory


def assert_same_results(directory, reference):
    # state.json and the list of checkpoints tell of processes; what the run found does not.
    for name in ("metrics.jsonl", "ends.csv", "stages/ends.npz", "claims.json", "config.json"):
        assert (directory / name).read_bytes() == (reference / name).read_bytes(), name


def test_eight_devices_give_the_results_of_one(one_device, tmp_path):
    done = run_one(tmp_path / "run", devices=8)
    assert done.returncode == 0, done.stderr
    assert "devices used: 8" in done.stdout
    children.assert_same_outputs(tmp_path / "run", one_device)


def test_two_processes_go_on_where_eight_devices_died(one_device, tmp_path):
    directory = tmp_path / "run"
    assert run_one(directory, "--die_at=7", devices=8).returncode == -9
    first, second = run_two_processes(directory)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "6 of 12 steps were done before" in first.stdout
    assert "devices used: 4" in first.stdout
    assert "devices used" not in second.stdout  # process 0 alone speaks
    assert_same_results(directory, one_device)


def test_one_device_goes_on_where_two_processes_died(one_device, tmp_path):
    directory = tmp_path / "run"
    assert -9 in [done.returncode for done in run_two_processes(directory, "--die_at=7")]
    about = directory / "checkpoints/walk/step_00000006/state.json"
    kinds = {leaf["name"]: leaf["global"] for leaf in json.loads(about.read_text())["leaves"]}
    assert kinds == {"000.lanes.key": True, "001.lanes.position": True, "002.total": False}
    done = run_one(directory)
    assert done.returncode == 0, done.stderr
    assert "6 of 12 steps were done before" in done.stdout
    assert_same_results(directory, one_device)


def test_a_mistake_ends_both_processes(one_device):
    first, second = run_two_processes(one_device, "--config.lanes=5")
    assert first.returncode == second.returncode == 2
    assert "config.lanes is 21 there and 5 here" in first.stderr


def test_sigterm_ends_both_processes(tmp_path):
    processes = start_two_processes(tmp_path / "run", "--config.pause=0.3")
    checkpoint = tmp_path / "run/checkpoints/walk/step_00000003"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    for process in processes:
        process.terminate()
    first, second = (children.finish(process) for process in processes)
    assert first.returncode == 143, first.stderr
    assert second.returncode != 0  # 143, or JAX's own when it sees process 0 go first
    assert "interrupted; the same command resumes from step 3 of walk" in first.stderr
    assert "interrupted" not in second.stderr


def test_pad_to_multiple_repeats_the_last_entry():
    tree = {"a": jnp.arange(5), "key": jax.random.split(jax.random.key(0), 5)}
    padded, where = runner.pad_to_multiple(tree, 4)
    np.testing.assert_array_equal(padded["a"], [0, 1, 2, 3, 4, 4, 4, 4])
    np.testing.assert_array_equal(where, [True] * 5 + [False] * 3)
    assert padded["key"].shape == (8,)
    same, where = runner.pad_to_multiple(jnp.arange(4), 2)
    np.testing.assert_array_equal(same, jnp.arange(4))
    assert where.all()


@pytest.mark.parametrize("tree", [{"a": np.zeros(2), "b": np.zeros(3)}, np.zeros(0), 1.0, {}])
def test_pad_to_multiple_needs_one_leading_axis(tree):
    with pytest.raises(ValueError, match="leading axes"):
        runner.pad_to_multiple(tree, 2)


def test_shard_leading_names_the_leaf_that_does_not_divide():
    mesh = devices.data_mesh()
    sharded = runner.shard_leading({"x": np.arange(4)}, mesh)
    np.testing.assert_array_equal(runner.gather_to_host(sharded)["x"], np.arange(4))
    with pytest.raises(ValueError, match=r"leaf \['x'\] has shape \(\)"):
        runner.shard_leading({"x": 1.0}, mesh)


def test_quick_jit_compiles_once_for_a_static_argument():
    traced = []

    def power(x, n):
        """To a static power."""
        traced.append(n)
        return x**n

    quick = runner.quick_jit(power, static_argnames="n")
    assert [float(quick(jnp.float32(3), n=n)) for n in (2, 2, 3)] == [9, 9, 27]
    assert traced == [2, 3] and quick.__doc__ == power.__doc__ and quick.__wrapped__ is power


def test_initialize_distributed_alone_does_nothing(monkeypatch):
    assert runner.initialize_distributed() is False
    monkeypatch.setenv("JAX_NUM_PROCESSES", "two")
    with pytest.raises(runner.UserError, match="JAX_NUM_PROCESSES is 'two'"):
        runner.initialize_distributed()
    monkeypatch.setenv("JAX_NUM_PROCESSES", "2")
    with pytest.raises(runner.UserError, match="go together"):
        runner.initialize_distributed()
