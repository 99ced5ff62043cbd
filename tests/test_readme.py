"""The README tells the truth: its example runs, its commands and links lead somewhere."""

import importlib.util
import pathlib
import re
import tomllib

import pytest

import infojax

_ROOT = pathlib.Path(__file__).parents[1]
_PAGES = ["README.md", "BUILD.md", "CONTRIBUTING.md", "docs/index.md", "docs/experiments.md"]


def _blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (_ROOT / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_examples_run(page):
    (block,) = _blocks(page, "python")
    names = {}
    exec(compile(block, page, "exec"), names)
    assert names["p"].ndim >= 1


def test_the_two_commands():
    commands = [c for block in _blocks("README.md", "") for c in block.strip().splitlines()]
    assert len(commands) == 2
    extras = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for command in commands:
        assert re.search(r'pip install -e "\.\[(\w+)\]"', command)[1] in extras
    module = re.search(r"python -m ([\w.]+)", commands[0])[1]
    assert importlib.util.find_spec(f"{module}.__main__")
    assert commands[1].endswith("&& pytest")


@pytest.mark.parametrize("page", _PAGES)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\((?!http)([^)#]+)", (_ROOT / page).read_text())
    for link in links:
        assert ((_ROOT / page).parent / link).exists(), link


def test_every_room_is_in_the_reference():
    pages = (_ROOT / "mkdocs.yml").read_text()
    for room in infojax._ROOMS:
        assert f"::: infojax.{room}" in (_ROOT / f"docs/api/{room}.md").read_text()
        assert f"api/{room}.md" in pages
