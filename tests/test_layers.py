"""Who may import whom, read from the source; and that the front door opens without loading the house.

reference  <-  adapters  <-  workers  <-  conformance  <-  verify  <-  benchmarks  <-  reports  <-  the command line
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import lossvet

PACKAGE = Path(lossvet.__file__).parent

MAY_IMPORT = {
    "reference": {"reference"},
    "adapters": {"reference", "adapters"},
    "workers": {"reference", "adapters", "workers"},
    "conformance": {"reference", "adapters", "workers", "conformance"},
    "verify": {"reference", "adapters", "workers", "conformance", "verify"},
    "benchmarks": {"reference", "adapters", "workers", "conformance", "verify", "benchmarks"},
    "reports": {"reference", "adapters", "workers", "conformance", "verify", "benchmarks", "reports"},
    "": {
        "reference",
        "adapters",
        "workers",
        "conformance",
        "verify",
        "benchmarks",
        "reports",
        "cli",
        "commands",
        "testing",
    },
}
"""By folder, the folders that it may import from; "" is src/lossvet itself, with its commands."""

FRAMEWORKS = {
    "torch", "torchvision", "tensorflow", "keras", "tf_keras", "jax", "jaxlib", "optax", "flax", "mlx", "paddle",
    "onnxruntime", "tinygrad",
}  # fmt: skip
THIRD_PARTY = {
    "reference": {"numpy", "ml_dtypes"},
    "adapters": {"numpy"},
    "workers": {"numpy", "msgspec"},
    "conformance": {"numpy", "msgspec", "packaging"},
    "verify": {"numpy", "msgspec"},
    "reports": {"numpy", "msgspec", "rich", "jinja2", "matplotlib"},
    "benchmarks": {"numpy", "msgspec", "scipy"},
    "": {"numpy", "msgspec", "rich", "click"},
}
"""Beside the standard library, what each folder may import: what the package or an extra of it depends on."""

CORPUS = "verify/corpus/"
PROVERS = {"reference/balls.py", "reference/certify.py"}


@dataclass(frozen=True)
class Import:
    """One name that a file imports, and whether that happens as soon as the file itself is imported."""

    module: str
    line: int
    level: int = 0
    at_once: bool = True


def imports(source: str) -> Iterator[Import]:
    """Every import in the source, wherever it stands. `from lossvet import x` imports lossvet.x."""
    yield from _imports(ast.parse(source), at_once=True)


def _imports(node: ast.AST, at_once: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=names):
                yield from (Import(alias.name, child.lineno, at_once=at_once) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                root = module or ""
                for alias in names:
                    name = f"lossvet.{alias.name}" if root == "lossvet" else root
                    yield Import(name, child.lineno, level, at_once)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from _imports(child, at_once=False)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from (part for other in child.body for part in _imports(_holding(other), at_once=False))
                yield from (part for other in child.orelse for part in _imports(_holding(other), at_once=at_once))
            case _:
                yield from _imports(child, at_once)


def _holding(statement: ast.stmt) -> ast.AST:
    return ast.Module(body=[statement], type_ignores=[])


def faults(path: str, source: str) -> list[str]:
    """What is wrong with the imports of a file, whose path is given from src/lossvet."""
    folder = path.split("/")[0] if path.split("/")[0] in MAY_IMPORT else ""
    found = []
    for i in imports(source):
        top, _, rest = i.module.partition(".")
        where = f"{path}:{i.line}"
        if i.level:
            found.append(f"{where} imports relatively; write the import in full")
        elif f"{i.module}.".startswith("lossvet.verify.corpus."):
            found.append(f"{where} imports {i.module}: the corpus is data for workers, and is not imported")
        elif top == "lossvet":
            part = rest.split(".")[0]
            known = part in set().union(*MAY_IMPORT.values())
            if known and part not in MAY_IMPORT[folder]:
                found.append(f"{where}: {folder or 'the command line'} imports {i.module}, which is to its right")
        elif top in FRAMEWORKS and path.startswith(CORPUS):
            pass  # losses as people write them, loaded by the worker of their framework
        elif top in FRAMEWORKS:
            if not (folder == "adapters" and (path.endswith("_.py") or path.endswith("/tensorflow_ops.py"))):
                found.append(f"{where} imports {top}: only the file of an adapter imports a framework")
            elif i.at_once:
                found.append(f"{where} imports {top} as soon as it is imported itself: do so in a function")
        elif top == "flint":
            if path not in PROVERS:
                found.append(f"{where} imports flint: only {' and '.join(sorted(PROVERS))} do")
        elif top == "pytest" and path.startswith("conformance/test_"):
            pass  # the suite that judges frameworks is part of the package
        elif top not in sys.stdlib_module_names and top not in THIRD_PARTY[folder]:
            found.append(f"{where}: {folder or 'the command line'} imports {top}; it may import {THIRD_PARTY[folder]}")
    return found


def files() -> list[str]:
    """Every Python file of the package, through the links to the folders at the root."""
    folders = [PACKAGE, *(PACKAGE / name for name in sorted(MAY_IMPORT) if name and (PACKAGE / name).is_dir())]
    found = {path for folder in folders for path in folder.rglob("*.py")}
    return sorted(path.relative_to(PACKAGE).as_posix() for path in found if "__pycache__" not in path.parts)


@pytest.mark.parametrize("path", files())
def test_imports_go_to_the_left_only(path: str) -> None:
    assert faults(path, (PACKAGE / path).read_text()) == []


LONGEST = 300
"""Lines of a file."""


def test_no_file_is_too_long() -> None:
    own = [path for path in files() if not path.startswith(CORPUS)]
    lengths = {path: len((PACKAGE / path).read_text().splitlines()) for path in own}
    assert {path: n for path, n in lengths.items() if n > LONGEST} == {}, "split it by what it is about"
    assert max(lengths.values()) > 200, "they were read"


def test_all_folders_are_looked_at() -> None:
    found = files()
    for start in (
        "reference/variants/",
        "reference/cases/",
        "adapters/",
        "workers/",
        "conformance/",
        "reports/",
        "commands/",
    ):
        assert any(path.startswith(start) for path in found), start
    assert {"cli.py", "__init__.py", "adapters/torch_.py", "conformance/judge.py"} <= set(found)


@pytest.mark.parametrize(
    ("path", "source", "words"),
    [
        ("reference/x.py", "from lossvet.adapters import names", "to its right"),
        ("reference/x.py", "from lossvet import conformance", "to its right"),
        ("reference/variants/x.py", "def f():\n    import lossvet.reports.matrix", "to its right"),
        ("adapters/x.py", "from lossvet.conformance.judge import judge", "to its right"),
        ("workers/x.py", "from lossvet.conformance import plan", "to its right"),
        ("conformance/x.py", "import lossvet.reports", "to its right"),
        ("benchmarks/x.py", "from lossvet.reports import matrix", "to its right"),
        ("reports/x.py", "from lossvet import cli", "to its right"),
        ("conformance/x.py", "from lossvet.commands.run import command", "to its right"),
        ("reference/x.py", "import torch", "only the file of an adapter"),
        ("adapters/steps.py", "def f():\n    import jax", "only the file of an adapter"),
        ("conformance/worker.py", "try:\n    import tensorflow\nexcept ImportError:\n    pass", "only the file"),
        ("adapters/torch_.py", "import torch.nn", "as soon as"),
        ("adapters/torch_.py", "class A:\n    import torch", "as soon as"),
        ("adapters/torch_.py", "if True:\n    from torch import nn", "as soon as"),
        ("reference/bounds.py", "from flint import arb", "imports flint"),
        ("reference/x.py", "import scipy.special", "imports scipy"),
        ("reference/x.py", "import msgspec", "imports msgspec"),
        ("adapters/x.py", "import rich", "imports rich"),
        ("conformance/judge.py", "import pytest", "imports pytest"),
        ("verify/x.py", "from lossvet.verify.corpus import torch_sound", "is data"),
        ("verify/x.py", "import torch", "only the file of an adapter"),
        ("reference/x.py", "from . import types", "relatively"),
        ("reference/x.py", "from .types import Case", "relatively"),
    ],
)
def test_the_check_can_fail(path: str, source: str, words: str) -> None:
    (fault,) = faults(path, source)
    assert words in fault


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("reference/x.py", "import numpy as np\nfrom lossvet.reference import types\nimport json, lossvet"),
        ("adapters/torch_.py", "def f():\n    import torch\n    from torch import nn"),
        ("adapters/torch_.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch"),
        ("adapters/tensorflow_ops.py", "def f():\n    import tensorflow as tf"),
        ("conformance/x.py", "from lossvet import __version__, adapters\nimport msgspec"),
        ("reference/certify.py", "from flint import arb"),
        ("verify/corpus/torch_sound.py", "import torch"),
        ("cli.py", "import click\nfrom lossvet.reports import matrix"),
    ],
)
def test_the_check_lets_pass(path: str, source: str) -> None:
    assert faults(path, source) == []


ONCE = {
    "pass_fds": {"workers/process.py"},
    "PR_SET_PDEATHSIG": {"workers/lifecycle.py"},
    "sched_setaffinity": {"workers/lifecycle.py"},
    "sched_getaffinity": {"workers/machine.py", "adapters/jax_.py"},
    "/proc/cpuinfo": {"workers/machine.py"},
    "msgspec.msgpack.Encoder": {"workers/frames.py"},
}
"""What has one place: starting a worker, ending with the parent, cores, the processor, frames. An adapter may not ask
workers/, and one names the cores that its compiler sees."""


@pytest.mark.parametrize("word", ONCE)
def test_what_workers_do_stands_once(word: str) -> None:
    assert {path for path in files() if word in (PACKAGE / path).read_text()} == ONCE[word]


# What is loaded when -------------------------------------------------------------------------------------------------

HEAVY = {"numpy", "rich", "msgspec", "flint", "mpmath", "scipy"} | FRAMEWORKS


def loaded(code: str) -> set[str]:
    """The packages in memory after a fresh interpreter has run the code."""
    report = "import sys, json; sys.stderr.write('\\n' + json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    program = f"import atexit\natexit.register(lambda: exec({report!r}))\n{code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    return set(json.loads(done.stderr.splitlines()[-1]))


def command(*words: str) -> str:
    return f"import sys; sys.argv = {['lossvet', *words]!r}\nfrom lossvet.cli import main\nmain()"


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("run", "--help"), ("golden", "--help"), ("-h",), ()])
def test_help_and_version_load_nothing_heavy(words: tuple[str, ...]) -> None:
    found = loaded(command(*words))
    assert {"lossvet", "click"} <= found
    assert not found & HEAVY


def test_the_package_loads_nothing_at_all() -> None:
    found = loaded("import lossvet")
    assert "lossvet" in found
    assert not found & (HEAVY | {"click"})


def test_the_reference_loads_numpy_and_no_framework() -> None:
    found = loaded("import lossvet.reference\nlossvet.reference.evaluate('sparse', [[0.0, 1.0]], [1])")
    assert found & HEAVY == {"numpy"}


def test_the_parent_loads_no_framework() -> None:
    found = loaded(
        "import importlib, pkgutil\n"
        "from lossvet import adapters, conformance, reports, workers\n"
        "for package in (adapters, workers, conformance, reports):\n"
        "    for m in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "        m.name.rpartition('.')[2].startswith('test_') or importlib.import_module(m.name)\n"
        "print(adapters.names())"
    )
    assert "msgspec" in found
    assert not found & FRAMEWORKS


def test_what_is_loaded_is_seen() -> None:
    assert "numpy" in loaded("import numpy")
    assert "numpy" in loaded(command("--version").replace("import sys;", "import sys, numpy;"))


# How long the front door takes ---------------------------------------------------------------------------------------

BARE = """
import sys
import click

@click.group()
@click.version_option("0.1.0", message="bare %(version)s")
def group():
    '''A click program and nothing else.'''

@group.command()
def run():
    '''Runs.'''

if __name__ == "__main__":
    sys.exit(group())
"""
RUNS, TIMES = 15, 1.5


@pytest.mark.slow
def test_version_takes_hardly_longer_than_a_bare_click_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The least of several runs, taken in turns: what else the machine does can only add to it."""
    bare, script = tmp_path / "bare.py", Path(sys.executable).with_name("lossvet")
    bare.write_text(BARE)
    programs = {"bare": [sys.executable, str(bare), "--version"], "lossvet": [str(script), "--version"]}
    if not script.exists():
        programs["lossvet"] = [sys.executable, "-c", "from lossvet.cli import main; main()", "--version"]
    least = dict.fromkeys(programs, float("inf"))
    for _ in range(RUNS):
        for name, program in programs.items():
            start = time.perf_counter()
            done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
            least[name] = min(least[name], time.perf_counter() - start)
            assert done.stdout.startswith(name), done
    ratio = least["lossvet"] / least["bare"]
    with capsys.disabled():
        print(f"\nlossvet --version: {1e3 * least['lossvet']:.0f} ms, {ratio:.2f} of a bare click program's")
    assert ratio < TIMES
