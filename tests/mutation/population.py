"""The mutants of a file: each one operator, number or comparison of its source replaced by cosmic-ray."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator

from mutation.operators import OWN

ROOT = Path(__file__).parents[2]
LIKE = (
    {"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"},
    {"BitOr", "BitAnd", "BitXor"},
    {"Eq", "NotEq"},
    {"Lt", "LtE", "Gt", "GtE"},
    {"In", "NotIn"},
    {"Is", "IsNot"},
)
"""An operator is replaced by those of its kind. Across kinds Python raises TypeError (floats have no shift), or nothing
changes: of booleans & is *, and | is +; of words, equality is all that is meant."""
BROKEN = {"core/ExceptionReplacer"}
"""Those of cosmic-ray 8.7.0 that fail: on a dotted name of an exception."""
REPLACED = re.compile(r"Replace(?:Binary|Comparison)Operator_(\w+)_(\w+)$")


@dataclass(frozen=True)
class Mutant:
    """One change of one file. `path` is relative to the root; `occurrence` counts the places of this operator."""

    path: str
    operator: str
    occurrence: int
    line: str
    column: int

    @cached_property
    def source(self) -> str:
        """The text of the whole file with the change in it."""
        mutated = mutate_code((ROOT / self.path).read_text(), _operators()[self.operator](), self.occurrence)
        assert mutated is not None, f"{self.path} has changed since its mutants were counted"
        return mutated

    @cached_property
    def change(self) -> tuple[str, str]:
        """The lines that differ, as they were and as they are, each without the white space around it."""
        old, new = (ROOT / self.path).read_text().splitlines(), self.source.splitlines()
        start = next(i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b)
        end = next(i for i, (a, b) in enumerate(zip(old[::-1], new[::-1], strict=False)) if a != b)
        of = (lines[start : max(len(lines) - end, start)] for lines in (old, new))
        was, now = ("\n".join(line.strip() for line in lines).strip() for lines in of)
        return was, now

    @property
    def counts(self) -> bool:
        """Whether it is Python (a pattern has no `&`), and differs in more than annotations of functions and words of a
        `Literal`, which nothing evaluates and mypy checks."""
        try:
            mutated = _code(self.source)
        except SyntaxError:
            return False
        return mutated != _original(self.path)


def mutants(path: str) -> Iterator[Mutant]:
    """Every mutant of a file, those of annotations included."""
    text = (ROOT / path).read_text()
    lines, tree = text.splitlines(), get_ast(text)
    for name, made in _operators().items():
        operator = made()
        places = (start for node in ast_nodes(tree) for start, _ in operator.mutation_positions(node))
        for occurrence, (line, column) in enumerate(places):
            yield Mutant(path, name, occurrence, lines[line - 1].strip(), column)


def sample(paths: list[str], size: int | None, seed: int) -> list[Mutant]:
    """So many mutants of these files, all where no size is given.

    Each has a place in line of its own, by a hash of seed, line and change: where a file is edited, the mutants of its
    other lines stay in the sample.
    """

    def place(mutant: Mutant) -> bytes:
        key = f"{seed} {mutant.path} {mutant.line} {mutant.operator} {mutant.column}"
        return hashlib.blake2b(key.encode()).digest()

    every = [mutant for path in paths for mutant in mutants(path)]
    if size is not None:
        every.sort(key=place)
    found: dict[tuple[str, str], Mutant] = {}
    for mutant in every:
        if size is not None and len(found) == size:
            break
        if mutant.counts:
            found.setdefault((mutant.path, mutant.source), mutant)
    return list(found.values())


@cache
def _operators() -> dict[str, type[Operator]]:
    """Those of cosmic-ray that need no arguments, and our own."""
    found = {name: cosmic_ray.plugins.get_operator(name) for name in cosmic_ray.plugins.operator_names()}
    found = {name: made for name, made in found.items() if name not in BROKEN and not made.arguments()}
    return {name: made for name, made in found.items() if _like(name)} | OWN


def _like(operator: str) -> bool:
    replaced = REPLACED.search(operator)
    return replaced is None or any(set(replaced.groups()) <= kind for kind in LIKE)


@cache
def _original(path: str) -> str:
    return _code((ROOT / path).read_text())


def _code(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal":
            node.slice = ast.Constant(None)
    return ast.dump(tree)
