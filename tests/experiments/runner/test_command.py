import textwrap

import ml_collections
import pytest
from absl import flags

from experiments import runner
from experiments.runner import application, configuration
from tests.experiments.runner import children
from tests.experiments.tiny_experiment.config import get_config


def parse(*arguments, get_config=get_config, locked=()):
    values = flags.FlagValues()
    application.define_flags(values)
    flags.DEFINE_string("message", "hi", "what to send", flag_values=values)
    return application.parse_command(
        ["program", *arguments], get_config, "tiny", locked, flag_values=values
    )


def test_defaults():
    command = parse()
    assert (command.size, command.seed, command.quiet) == ("desk", 0, False)
    assert command.workdir == "runs/tiny"
    assert command.locked == {}
    assert command.config.steps == 30


def test_flags_and_overrides():
    command = parse(
        "--size=full",
        "--config.steps=1e3",
        "--config.rate",
        "-0.5",
        "--noquiet",
        "--config.shuffle=no",
        "--config.sections.widths=(3, 4,5)",
        "--config.sections.label=a=b",
        "--seed=7",
        "--message=two words",
        locked=("message",),
    )
    assert command.config.steps == 1000 and isinstance(command.config.steps, int)
    assert command.config.rate == -0.5
    assert command.config.shuffle is False
    assert command.config.sections.widths == (3, 4, 5)
    assert command.config.sections.label == "a=b"
    assert (command.size, command.seed) == ("full", 7)
    assert command.locked == {"message": "two words"}
    assert parse("--config.shuffle", "--size=desk").config.shuffle is True


def test_the_seed_of_the_configuration_follows_the_flag():
    def seeded(_):
        return ml_collections.ConfigDict({"seed": 3, "none": None})

    assert parse(get_config=seeded).seed == 3
    assert parse("--seed=5", get_config=seeded).config.seed == 5
    assert parse("--config.seed=5", get_config=seeded).seed == 5
    assert parse("--config.none=2.5", get_config=seeded).config.none == 2.5
    with pytest.raises(runner.UserError, match=r"--seed=4 and --config\.seed=5 disagree"):
        parse("--seed=4", "--config.seed=5", get_config=seeded)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--sizze=full", "unknown flag --sizze; did you mean --size"),
        ("--mesage=x", "unknown flag --mesage"),
        ("--zzzzzzz", "unknown flag --zzzzzzz; --help lists all"),
        ("--config_steps=3", r"unknown flag --config_steps; did you mean --config\.steps"),
        ("--config=3", r"write|--config needs a key"),
        ("--size=dekc", "unknown size 'dekc'; did you mean desk"),
        ("--size=huge", "unknown size 'huge'; known: desk, full"),
        ("--config.stesp=3", r"unknown configuration key --config\.stesp; .* --config\.steps"),
        ("--config.sections=3", r"unknown configuration key --config\.sections"),
        ("--config.steps=many", r"--config\.steps: 'many' is not a value of type int .*: 30"),
        ("--config.steps=2.5", "'2.5' is not a value of type int"),
        ("--config.rate=fast", "'fast' is not a value of type float"),
        ("--config.shuffle=maybe", "'maybe' is not a value of type bool"),
        ("--config.sections.widths=(1,x)", "is not a value of type tuple"),
        ("--config.steps", r"needs a value, such as --config\.steps=30"),
        ("--seed=one", "--seed=one"),
        ("full", "unexpected argument 'full'"),
    ],
)
def test_mistakes_are_one_line(argument, message):
    with pytest.raises(runner.UserError, match=message) as error:
        parse(argument)
    assert "\n" not in str(error.value)


def test_help_lists_flags_and_configuration(capsys):
    with pytest.raises(SystemExit) as stop:
        parse("--help")
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "--workdir" in text and "--config.steps" in text and "30; 40" in text


def test_a_configuration_holds_plain_values_only():
    with pytest.raises(TypeError, match=r"config\.a\[0\] is object"):
        configuration.to_plain({"a": [object()]})


def test_a_mistake_ends_the_program_with_status_2(tmp_path):
    done = children.run(children.TINY, f"--workdir={tmp_path / 'run'}", "--stepz=3")
    assert done.returncode == 2
    assert children.only_line(done.stderr).startswith("error: unknown ")
    assert done.stdout == ""
    assert not (tmp_path / "run").exists()


def test_the_example_in_the_documentation_runs(tmp_path, capsys):
    lines = runner.__doc__.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("    "))
    last = max(i for i, line in enumerate(lines) if line.startswith("    "))
    example = {"__name__": "pi"}
    exec(textwrap.dedent("\n".join(lines[first : last + 1])), example)
    command = parse(f"--workdir={tmp_path / 'pi'}", get_config=example["get_config"])
    assert application.execute(command, example["main"]) == 0
    assert "1 of 1 hold" in capsys.readouterr().out
    assert (tmp_path / "pi/pi.csv").exists()


def command_in(tmp_path):
    return parse(f"--workdir={tmp_path}", "--quiet")


def test_statuses(tmp_path, capsys):
    def fail(error):
        def function(run):
            run.resumes_from("step 3 of x")
            raise error

        return application.execute(command_in(tmp_path / "run"), function)

    assert fail(runner.UserError("a\nb")) == 2
    assert capsys.readouterr().err == "error: a b\n"
    assert fail(runner.StorageError("damaged")) == 3
    assert capsys.readouterr().err == "error: damaged\n"
    assert fail(OSError(28, "No space left on device")) == 3
    end = "No space left on device; the same command resumes from step 3 of x\n"
    assert capsys.readouterr().err.endswith(end)
    assert fail(runner.Interrupted(15)) == 143
    assert "resumes from step 3 of x" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):  # a bug keeps its traceback
        fail(ZeroDivisionError())
    with pytest.raises(FileNotFoundError):  # so does a file that the experiment's code misses
        fail(FileNotFoundError(2, "No such file"))
    assert application.execute(command_in(tmp_path / "run"), lambda run: None) == 0


def test_quiet_and_seed_in_the_lock(tmp_path, capsys):
    def start(*arguments):
        command = parse(f"--workdir={tmp_path / 'run'}", *arguments)
        return application.execute(command, lambda run: run.print("hello"))

    assert start() == 0
    assert "hello" in capsys.readouterr().out
    assert start("--quiet") == 0
    assert capsys.readouterr().out == ""
    assert start("--seed=1", "--size=full", "--config.rate=0.2") == 2
    line = children.only_line(capsys.readouterr().err)
    assert "config.rate is 0.1 there and 0.2 here; config.steps is 30 there and 40 here" in line
