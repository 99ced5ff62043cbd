"""Notebooks run from top to bottom, draw their figures, and match their paired scripts."""

import pathlib

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

_FOLDER = pathlib.Path(__file__).parents[2] / "colab"
_NOTEBOOKS = sorted(path.stem for path in _FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", _NOTEBOOKS)
def test_runs_and_draws(name):
    notebook = nbformat.read(_FOLDER / f"{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out.output_type == "error"]
    assert sum("image/png" in out.get("data", {}) for out in outputs) >= 3


@pytest.mark.parametrize("name", _NOTEBOOKS)
def test_notebook_and_script_are_paired(name):
    script, notebook = (
        [(cell.cell_type, cell.source) for cell in jupytext.read(_FOLDER / f"{name}{end}").cells]
        for end in (".py", ".ipynb")
    )
    assert script == notebook
    assert (
        f"colab.research.google.com/github/infojax/infojax/blob/main/colab/{name}.ipynb"
        in (script[0][1])
    )


def test_there_is_a_notebook():
    assert "quickstart" in _NOTEBOOKS
