"""The rules of the house: arrows of imports, tables of contents, docstrings, annotations, names."""

import ast
import importlib
import importlib.metadata
import inspect
import os
import pathlib
import subprocess
import sys

import pytest

import infojax

_ROOT = pathlib.Path(__file__).parents[1]
_BOTTOM = {"numerics"}
_CHECKED = {"checks", *_BOTTOM}
# Which rooms a room may import, directly or through those; the table of design.md.
_ARROWS = {
    "numerics": set(),
    "checks": {"numerics"},
    "kernels": set(),
    "entropies": {"kernels", *_CHECKED},
    "divergences": {"entropies", "kernels", *_CHECKED},
    "information": {"divergences", "entropies", "kernels", *_CHECKED},
    "spectra": {"entropies", "kernels", *_CHECKED},
    "couplings": {"entropies", "kernels", *_CHECKED},
    "attention": {"entropies", "kernels", *_CHECKED},
    "decoding": {"entropies", "kernels", *_CHECKED},
}
_THEORY = set(_ARROWS)
_ARROWS["losses"] = set(_THEORY)
_ARROWS["nn"] = {*_THEORY, "losses"}
_ARROWS["optimize"] = {*_THEORY, "losses", "nn"}
_ARROWS["dynamics"] = {*_THEORY, "losses", "nn", "optimize"}
_ARROWS["compression"] = {*_THEORY, "losses", "nn"}
_FORBIDDEN_BELOW = {"experiments", "benchmarks", "tests"}


def _imports(source, package):
    """Absolute dotted names of everything that a file imports, `if TYPE_CHECKING` included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")
            base = start[: len(start) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _wrong_arrows(path, source):
    """The imports of one file, given relative to the root, that point up."""
    parts = pathlib.PurePosixPath(path).with_suffix("").parts
    room = parts[1] if len(parts) > 2 else None
    for name in _imports(source, ".".join(parts[:-1])):
        top, _, rest = name.partition(".")
        if top in _FORBIDDEN_BELOW and top != parts[0]:
            yield f"{path}: {name}"
        if top == "infojax" and room is not None:
            target = rest.split(".")[0]
            if target in ("", "__version__", "version"):
                continue
            if target != room and target not in _ARROWS[room]:
                yield f"{path}: {name}"
        if room == "kernels" and top not in ("jax", "infojax", *sys.stdlib_module_names):
            yield f"{path}: {name}"


def _files(folder="infojax"):
    return sorted((_ROOT / folder).rglob("*.py"))


def test_imports_point_down():
    wrong = []
    for path in _files():
        relative = path.relative_to(_ROOT).as_posix()
        wrong += _wrong_arrows(relative, path.read_text())
    assert wrong == []
    rooms = {path.name for path in (_ROOT / "infojax").iterdir() if (path / "__init__.py").exists()}
    assert rooms <= set(_ARROWS)


@pytest.mark.parametrize(
    ("path", "source", "is_wrong"),
    [
        ("infojax/entropies/a.py", "from infojax.divergences import kl_divergence", True),
        ("infojax/entropies/a.py", "from infojax import divergences", True),
        ("infojax/entropies/a.py", "import infojax.couplings.greedy as g", True),
        ("infojax/entropies/a.py", "from infojax import entropy", True),
        ("infojax/entropies/a.py", "from .. import couplings", True),
        ("infojax/entropies/a.py", "def f():\n    from ..couplings import greedy_mec", True),
        ("infojax/numerics/a.py", "from infojax import checks", True),
        ("infojax/kernels/op/a.py", "from infojax.numerics import xlogx", True),
        ("infojax/kernels/op/a.py", "import numpy", True),
        ("infojax/couplings/a.py", "from infojax.divergences import kl_divergence", True),
        ("infojax/entropies/a.py", "import experiments.runner", True),
        ("infojax/__init__.py", "from tests import conformance", True),
        ("infojax/entropies/a.py", "from .shannon import entropy", False),
        ("infojax/entropies/a.py", "from infojax.numerics import xlogx\nimport jax", False),
        ("infojax/kernels/op/a.py", "import math, jax\nfrom infojax.kernels.op import x", False),
    ],
)
def test_a_wrong_arrow_is_seen(path, source, is_wrong):
    assert bool(list(_wrong_arrows(path, source))) == is_wrong


def test_experiments_do_not_import_tests():
    for path in _files("experiments"):
        package = ".".join(path.relative_to(_ROOT).parts[:-1])
        tops = {name.split(".")[0] for name in _imports(path.read_text(), package)}
        assert not tops & {"tests", "benchmarks"}, path


def _is_table_of_contents(tree):
    docstring, *rest = tree.body
    return (
        isinstance(docstring, ast.Expr)
        and isinstance(docstring.value, ast.Constant)
        and all(
            isinstance(node, ast.Import | ast.ImportFrom)
            or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
            for node in rest
        )
    )


def test_packages_open_with_a_table_of_contents():
    for path in _files():
        if path.name == "__init__.py" and path.parent.name != "infojax":
            tree = ast.parse(path.read_text())
            assert _is_table_of_contents(tree), path
            name = ".".join(path.parent.relative_to(_ROOT).parts)
            module = importlib.import_module(name)
            exported = getattr(module, "__all__", [])
            assert list(exported) == sorted(exported), path
            assert all(hasattr(module, entry) for entry in exported), path
    assert not _is_table_of_contents(ast.parse('"""Doc."""\nx = 1'))


def test_the_top_offers_what_it_names():
    for name in infojax.__all__:
        assert getattr(infojax, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'entropi'"):
        infojax.entropi  # noqa: B018
    assert set(infojax.__all__) <= set(dir(infojax))


def test_files_have_names_of_their_own_and_a_readable_length():
    for path in _files():
        assert path.stem not in {"utils", "helpers", "misc", "common"}, path
        assert len(path.read_text().splitlines()) <= 400, path
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_one_version():
    assert infojax.__version__ == importlib.metadata.version("infojax")


# Rooms whose functions stand in rooms of their own.
_NAMESPACES = ("optimize.acquisition", "optimize.covariance", "optimize.gaussian_process")
_PUBLIC = [
    pytest.param(getattr(room, name), id=f"{room.__name__.removeprefix('infojax.')}.{name}")
    for room in (
        importlib.import_module(f"infojax.{room}") for room in (*infojax._ROOMS, *_NAMESPACES)
    )
    for name in room.__all__
    if inspect.isroutine(getattr(room, name))
]


@pytest.mark.parametrize("function", _PUBLIC)
def test_docstrings_are_whole(function):
    text = inspect.getdoc(function)
    parameters = inspect.signature(function).parameters
    assert "Returns:\n" in text and "Example:\n" in text and ">>>" in text
    assert "Raises:\n" in text
    arguments = text.split("Args:\n")[1].split("\n\n")[0]
    named = [
        line.strip().split(":")[0].lstrip("*") for line in arguments.splitlines() if ":" in line
    ]
    assert [name for name in parameters if name not in named] == []
    if "axis" in parameters or "base" in parameters:
        assert "ValueError" in text, "a wrong axis or base raises ValueError"


def _run(source, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        env={**os.environ, "JAX_PLATFORMS": "cpu", **environment},
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_import_is_quiet_light_and_touches_no_device():
    _run(
        """
import sys
import infojax
loaded = {name.split(".")[0] for name in sys.modules}
assert "jax" not in loaded, "the top loads rooms when they are used"
import importlib, jax
# Modules are made of Flax, and trained by Optax: their room alone, and what stands on it, may
# load them.
for room in set(infojax._ROOMS) - {"nn", "optimize"}:
    importlib.import_module(f"infojax.{room}")
infojax.greedy_mec, infojax.mutual_information
from jax._src import xla_bridge
assert not xla_bridge._backends, "an import made an array"
heavy = {"flax", "optax", "orbax", "matplotlib", "scipy", "sklearn", "experiments"}
loaded = {name.split(".")[0] for name in sys.modules}
import subprocess
alone = subprocess.run([sys.executable, "-c", "import sys, jax; print(*sys.modules)"],
                       capture_output=True, text=True).stdout.split()
of_jax = {name.split(".")[0] for name in alone}
assert not (loaded & heavy) - of_jax, (loaded & heavy) - of_jax
"""
    )


_TYPED = """
import sys, importlib, pathlib, types
from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook
# As for pyright, an int is a float.
sys.modules["tower"] = types.ModuleType("tower")
sys.modules["tower"].check = beartype(conf=BeartypeConf(is_pep484_tower=True))
install_import_hook("infojax", "tower.check").__enter__()
import jax, jax.numpy as jnp, numpy as np
failed = []
seen = set()
for table in sorted(pathlib.Path("tests").glob("*/cases.py")):
    for case in importlib.import_module(f"tests.{table.parent.name}.cases").CASES:
        if case.function in seen:
            continue
        seen.add(case.function)
        arguments = [
            jnp.asarray(a, jnp.float32) if np.issubdtype(np.asarray(a).dtype, np.floating)
            else jnp.asarray(a)
            for a in case.draw(np.random.default_rng(0), (2,) if case.batched else ())
        ]
        try:
            jax.eval_shape(case, *arguments)  # shapes and types are all that is looked at
        except Exception as error:
            if not type(error).__module__.startswith(("beartype", "jaxtyping")):
                raise
            failed.append(f"{table.parent.name}: {case}: {' '.join(str(error).split())[:700]}")
assert len(seen) > 60, len(seen)
assert not failed, "\\n\\n".join(failed)
"""


def test_annotations_tell_the_truth():
    """A case of every function runs with jaxtyping and beartype watching arguments and result."""
    done = subprocess.run(
        [sys.executable, "-c", _TYPED],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-8000:]


def test_a_false_annotation_is_seen():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from jaxtyping import Array, Float, jaxtyped\nfrom beartype import beartype\n"
            "import jax.numpy as jnp\n"
            "@jaxtyped(typechecker=beartype)\ndef f(x: Float[Array, 'n']) -> Float[Array, '']:\n"
            "    return x\nf(jnp.ones(2))",
        ],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
