"""The command line of an experiment: flags, configuration, and how a run ends."""

import dataclasses
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import jax
import ml_collections
from absl import app, flags
from absl import logging as absl_logging

from experiments.runner import configuration, devices, interruption
from experiments.runner.errors import (
    Interrupted,
    UserError,
    WriteError,
    as_write_error,
    near_matches,
)
from experiments.runner.run import Run, open_run
from experiments.runner.terminal import Terminal

_HELP_FLAGS = frozenset({"--help", "-help", "-h", "--helpshort", "-?"})
_SHARED_FLAGS = {
    "size": "desk (minutes on two cores) or full (as published, over all devices)",
    "workdir": "directory of this run; the same command resumes it (default: runs/EXPERIMENT)",
    "seed": "the integer that all randomness comes from (default: config.seed, or 0)",
    "quiet": "print warnings and errors only",
    "coordinator_address": "several processes: host:port of process 0",
    "num_processes": "several processes: how many",
    "process_id": "several processes: the number of this one, from 0",
}


@dataclasses.dataclass(frozen=True)
class Command:
    """A command line that was understood.

    Attributes:
      experiment: The experiment's name.
      size: "desk" or "full".
      workdir: The work directory.
      config: The configuration with its overrides.
      seed: The run's seed.
      quiet: Whether to print warnings and errors only.
      distributed: Arguments for `devices.initialize_distributed`.
      locked: Flags of the experiment that make it this run and no other.
    """

    experiment: str
    size: str
    workdir: str
    config: ml_collections.ConfigDict
    seed: int
    quiet: bool
    distributed: Mapping[str, Any]
    locked: Mapping[str, Any]


def main(
    function: Callable[[Run], None],
    get_config: Callable[[str], ml_collections.ConfigDict],
    *,
    experiment: str,
    locked_flags: Sequence[str] = (),
) -> NoReturn:
    """Runs an experiment as a program and exits with the status that `errors` documents.

    Args:
      function: The experiment: does all its work on the `Run` it is given.
      get_config: Gives the configuration of "desk" and of "full". A key `seed` in it is set from
        `--seed`.
      experiment: The experiment's name.
      locked_flags: Names of the experiment's own absl flags that change results: a work directory
        made with other values of these is refused.
    """
    os.environ.setdefault("MPLBACKEND", "Agg")
    interruption.install()
    define_flags()

    def parse(argv):
        try:
            command = parse_command(argv, get_config, experiment, locked_flags)
        except Interrupted as stop:
            sys.exit(_say_interrupted(stop, "the start"))
        except UserError as error:
            sys.exit(_say_error(error))
        verbosity = flags.FLAGS["verbosity"]
        return command, absl_logging.FATAL if verbosity.using_default_value else verbosity.value

    def start(parsed):
        command, verbosity = parsed
        # Orbax tells of every file at INFO, and logs with a traceback what it then raises.
        absl_logging.set_verbosity(verbosity)
        try:
            status = execute(command, function)
        except Exception:
            if jax.process_count() > 1:
                traceback.print_exc()
                _leave_at_once(1)
            raise
        if status not in (0, UserError.status):
            # A program may still be running on the devices, and Python's own way out would pull
            # the runtime away from under it; other processes may be waited for in vain.
            _leave_at_once(status)
        return status

    app.run(start, flags_parser=parse)
    raise AssertionError("app.run exits")


def execute(command: Command, function: Callable[[Run], None]) -> int:
    """Carries out a command; returns the exit status. Bugs pass through with their traceback."""
    run = None
    try:
        if devices.initialize_distributed(**command.distributed):
            interruption.install_again()
        with open_run(
            experiment=command.experiment,
            config=command.config,
            workdir=command.workdir,
            size=command.size,
            seed=command.seed,
            flags=command.locked,
            terminal=Terminal(quiet=command.quiet or not devices.is_main_process()),
        ) as run:
            run.show_header()
            function(run)
            run.finish()
        return 0
    except Interrupted as stop:
        return _say_interrupted(stop, run.resume_point if run else "the start")
    except Exception as error:
        if stop := interruption.received():  # and this error came of a process that left first
            return _say_interrupted(stop, run.resume_point if run else "the start")
        shown = error if isinstance(error, UserError) else as_write_error(error, "a file")
        if shown is None:
            raise
        if run is not None and isinstance(shown, WriteError):
            shown = WriteError(f"{shown}; the same command resumes from {run.resume_point}")
        return _say_error(shown)


def parse_command(
    argv: Sequence[str],
    get_config: Callable[[str], ml_collections.ConfigDict],
    experiment: str,
    locked_flags: Sequence[str] = (),
    flag_values: flags.FlagValues = flags.FLAGS,
) -> Command:
    """Reads a command line.

    Raises:
      UserError: A flag, the size or a configuration key is wrong; the message has near matches.
      SystemExit: Help was asked for, and printed.
    """
    if _HELP_FLAGS & set(argv[1:]):
        print(_help(get_config, experiment, flag_values))
        sys.exit(0)
    others, overrides = configuration.split_overrides(argv[1:])
    rest = parse_flags([argv[0], *others], flag_values, config=get_config)
    if rest:
        raise UserError(f"unexpected argument '{rest[0]}'; options start with --")
    size = flag_values["size"].value
    config = configuration.build_config(get_config, size, overrides)
    seed = flag_values["seed"].value
    if seed is None:
        seed = int(config.get("seed", 0))
    elif "seed" in config:
        if "seed" in overrides and config.seed != seed:
            raise UserError(f"--seed={seed} and --config.seed={config.seed} disagree")
        config.seed = seed
    distributed = ("coordinator_address", "num_processes", "process_id")
    return Command(
        experiment=experiment,
        size=size,
        workdir=flag_values["workdir"].value or os.path.join("runs", experiment),
        config=config,
        seed=seed,
        quiet=flag_values["quiet"].value,
        distributed={name: flag_values[name].value for name in distributed},
        locked={name: flag_values[name].value for name in locked_flags},
    )


def parse_flags(
    argv: Sequence[str],
    flag_values: flags.FlagValues,
    config: Callable[[str], ml_collections.ConfigDict] | None = None,
) -> list[str]:
    """Parses absl flags; returns the arguments that are none.

    Args:
      argv: The command line with the program's name.
      flag_values: Where the flags are defined.
      config: The experiment's `get_config`, whose keys are offered as near matches.

    Raises:
      UserError: A flag is unknown or its value is bad.
    """
    try:
        return flag_values(list(argv))[1:]
    except flags.UnrecognizedFlagError as error:
        name = error.flagname
        if name == "config":
            raise UserError("--config needs a key: --config.KEY=VALUE") from None
        known = list(_own_flags(flag_values))
        if config is not None:
            known += [f"config.{key}" for key in configuration.flatten(config("desk"))]
        raise UserError(f"unknown flag --{name}{near_matches(name, known, '--')}") from None
    except flags.Error as error:
        raise UserError(" ".join(str(error).split())) from None


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags that every experiment has; `size` to `process_id`."""
    if "workdir" in flag_values:
        return
    text, switch, number = flags.DEFINE_string, flags.DEFINE_boolean, flags.DEFINE_integer
    kinds = {"seed": number, "num_processes": number, "process_id": number, "quiet": switch}
    defaults = {"size": "desk", "quiet": False}
    for name, meaning in _SHARED_FLAGS.items():
        kinds.get(name, text)(name, defaults.get(name), meaning, flag_values=flag_values)


def _own_flags(flag_values: flags.FlagValues) -> dict[str, flags.Flag]:
    """Returns the shared flags and those that the program itself defines, not absl's."""
    shared = {name: flag_values[name] for name in _SHARED_FLAGS if name in flag_values}
    program = {flag.name: flag for flag in flag_values.get_key_flags_for_module(sys.argv[0])}
    return shared | program


def _help(get_config, experiment: str, flag_values: flags.FlagValues) -> str:
    about = (sys.modules["__main__"].__doc__ or "").strip().splitlines()[:1]
    lines = [
        *about,
        "",
        f"usage: python -m experiments.{experiment} [--FLAG=VALUE] [--config.KEY=VALUE]",
        "",
    ]
    for name, flag in _own_flags(flag_values).items():
        lines.append(f"  --{name:<22}{flag.help}")
    lines += ["", "configuration (desk; full)"]
    desk, full = (configuration.flatten(get_config(size)) for size in configuration.SIZES)
    for key in desk:
        both = repr(desk[key])
        if key in full and full[key] != desk[key]:
            both += f"; {full[key]!r}"
        lines.append(f"  --config.{key:<20} {both}")
    return "\n".join(lines)


def _leave_at_once(status: int) -> NoReturn:
    """Ends one of several processes without JAX's farewell, which waits for all the others.

    They may be waiting for this one in a collective; its death is what tells them.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _say_interrupted(stop: Interrupted, point: str) -> int:
    if jax.process_index() == 0:
        print(f"interrupted; the same command resumes from {point}", file=sys.stderr, flush=True)
    return stop.status


def _say_error(error: UserError) -> int:
    print("error:", *str(error).split(), file=sys.stderr, flush=True)
    return error.status
