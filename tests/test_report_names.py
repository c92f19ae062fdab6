"""No framework is named in the code of the reports: what a reader sees of one comes from its adapter, or from data."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lossvet
from lossvet import adapters
from lossvet.adapters import spelling

PACKAGE = Path(lossvet.__file__).parent


def words() -> set[str]:
    """What frameworks are called: adapters, titles, and what their users import and write."""
    own = {name for name in spelling.frameworks() if name != "numpy"}  # which reports are written in
    titles = {word for name in own for word in spelling.title(name).split() if not word.isdigit()}
    imported = {w for name in own for line in spelling.dialect(name).imports for w in re.findall(r"\w+", line)}
    imported -= {"import", "as", "from", "nn", "functional", "numpy", "F"}
    return {word.lower() for word in {*adapters.names(), *titles, *imported, "keras", "optax", "flax"}}


def named(source: str, known: set[str]) -> Iterator[tuple[int, str]]:
    """Identifiers and string constants of a source that hold one of the words; docstrings are exempt."""
    tree = ast.parse(source)
    prose = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in prose:
                pass
            case (
                ast.Name(id=text) | ast.Attribute(attr=text) | ast.alias(name=text) | ast.arg(arg=text)
                | ast.FunctionDef(name=text) | ast.ClassDef(name=text) | ast.keyword(arg=str(text))
            ):  # fmt: skip
                pass
            case _:
                continue
        if {w.strip("_").lower() for w in re.findall(r"\w+", text)} & known:
            yield getattr(node, "lineno", 0), text


@pytest.mark.parametrize("path", sorted((PACKAGE / "reports").rglob("*.py")), ids=lambda p: p.name)
def test_the_code_of_reports_names_no_framework(path: Path) -> None:
    assert list(named(path.read_text(), words())) == []


def test_what_is_named_is_seen() -> None:
    source = '"""torch"""\nfrom lossvet.adapters import torch_\nx = "import jax.numpy as jnp"\ntf = PyTorch = 1\n'
    assert [line for line, _ in named(source, words())] == [2, 3, 4, 4]
    assert list(named('def f():\n    "tensorflow"\n    return "xlabel"', words())) == []
