"""How users of a framework write the operations of a loss: the data from which whole functions are written.

A file `NAME_spelling.py` here has one `DIALECT`; nothing is registered. It holds text, and imports no framework.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from lossvet import adapters

SUFFIX = "_spelling"


@dataclass(frozen=True)
class Dialect:
    """A framework as its users write it. `operations` are expressions by name, with their operands in braces.

    x, a and b are arrays [N, C] or [N], y labels [N] of integers, w an array [C]; `like` lends its dtype. `check` is
    the statement that raises where the condition {bad} holds, empty where compiled code cannot raise; `labels` says
    what `pick` and `one_hot` do with a label that is no class: "raises", "silent", or "checked" where a check comes
    first. `remarks` are sentences on what cannot be written, by "facet=value".

    `ops` names the class of `adapters.types.Ops` that composed recipes are spelled in, as "module:Class", and `fields`
    says what its fields are in a user's code; empty where there are none. `switch` is a statement that has to run in
    a program before any other.
    """

    title: str
    imports: tuple[str, ...]
    operations: Mapping[str, str]
    check: str
    labels: Literal["raises", "silent", "checked"]
    remarks: Mapping[str, str]
    ops: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    switch: str = ""

    def above(self, code: str) -> list[str]:
        """The lines that stand above code: the imports that it uses, or the last one where it uses none."""
        used = [line for line in self.imports if f"{line.split()[-1].split('.')[-1]}." in code]
        return used or list(self.imports[-1:])

    def operations_class(self) -> type:
        """The class that `ops` names. Raises ValueError where there is none."""
        module, _, name = self.ops.partition(":")
        if not name:
            raise ValueError(f"{self.title} has no operations for composed recipes")
        found: type = getattr(importlib.import_module(f"{adapters.__name__}.{module}"), name)
        return found


OPERATIONS = (
    "sum", "mean", "sum_classes", "sum_rows", "log_softmax", "softmax", "logsumexp", "log_sigmoid", "sigmoid",
    "log", "exp", "expm1", "tanh", "sqrt", "clip", "floor", "ceil", "where", "equal", "differ", "pick", "take",
    "one_hot", "argmax", "count", "cast", "rows", "classes", "classes_float", "classes_size", "stop", "array",
    "column", "transposed", "matmul", "ones_like", "eye", "some_row", "outer_row",
)  # fmt: skip
"""What every dialect spells. `rows` and `classes` are N and C of x; `some_row` is N or 1, whichever is more."""


@cache
def frameworks() -> tuple[str, ...]:
    """Those that have a dialect."""
    return tuple(
        sorted(m.name.removesuffix(SUFFIX) for m in pkgutil.iter_modules(adapters.__path__) if m.name.endswith(SUFFIX))
    )


@cache
def dialect(framework: str) -> Dialect:
    """Raises KeyError, naming those there are, for a framework that has none."""
    if framework not in frameworks():
        raise KeyError(f"no code can be written for {framework!r}; expected one of: {', '.join(frameworks())}")
    found: Dialect = importlib.import_module(f"{adapters.__name__}.{framework}{SUFFIX}").DIALECT
    return found


def title(framework: str) -> str:
    """What users call a framework; its own name with a capital where it has no dialect."""
    return dialect(framework).title if framework in frameworks() else framework.capitalize()


def composed() -> tuple[str, ...]:
    """The frameworks whose composed recipes can be written as code."""
    return tuple(name for name in frameworks() if dialect(name).ops)
