"""Frameworks are named where they are: in `adapters/`, in data and in prose. So adding one touches nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import lossvet

PACKAGE = Path(lossvet.__file__).parent
NAMES = re.compile("torch|tensorflow|jax|keras|optax", re.IGNORECASE)
DATA = PACKAGE / "verify" / "corpus"
"""Losses as people write them, in each framework: what verify is tested with, and no code of ours."""


def sources() -> list[Path]:
    """The Python files of the product outside of the adapters."""
    folders = [path for path in PACKAGE.iterdir() if path.is_dir() and path.name != "adapters"]
    files = [*PACKAGE.glob("*.py"), *(path for folder in folders for path in folder.rglob("*.py"))]
    return sorted(path for path in files if DATA not in path.parents and "published" not in path.parts)


def named(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every identifier and string constant that names a framework; docstrings and comments may."""
    tree = ast.parse(source)
    prose = {
        id(statement.value)
        for node in ast.walk(tree)
        for statement in (getattr(node, "body", None) if isinstance(getattr(node, "body", None), list) else None) or ()
        if isinstance(statement, ast.Expr)
    }
    for node in ast.walk(tree):
        texts = [getattr(node, name, None) for name in ("id", "attr", "arg", "name", "asname", "module")]
        if isinstance(node, ast.Constant) and id(node) not in prose:
            texts.append(node.value)
        yield from ((getattr(node, "lineno", 0), t) for t in texts if isinstance(t, str) and NAMES.search(t))


def test_no_framework_is_named_outside_the_adapters() -> None:
    paths = sources()
    assert len(paths) > 200
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text[:80]}" for path in paths for line, text in named(path.read_text())
    ]
    assert not found, "what varies by framework is a field of its adapter, or data:\n" + "\n".join(found)


def test_a_name_is_seen_wherever_it_stands() -> None:
    source = '"""As PyTorch does."""\nimport jax\ndef of_torch(keras): return x.optax + "tensorflow/xla"  # torch\n'
    assert sorted(text for _, text in named(source)) == ["jax", "keras", "of_torch", "optax", "tensorflow/xla"]
