"""What frameworks document where mathematics leaves a result undefined, and the reference has none."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import msgspec

from lossvet.conformance.types import Cell
from lossvet.reference.output import parse
from lossvet.reference.types import Case, Undefined

Outcome = Literal["nan", "zero", "raises", "refused", "any", "anything"]
"""NaN; 0, which promises a constant; an exception; "refused": NaN or an exception. "any": an answer, whose undefined
elements are not judged; "anything": an exception will do as well."""

DEFAULT = Path(__file__).with_name("documented.toml")


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One statement: the paths of the cells it holds for, the outcome, and where it is written."""

    where: tuple[str, ...]
    outcome: Outcome
    source: str


@dataclass(frozen=True)
class Documented:
    """By kind of undefined result, what is documented of it. Of a kind without rows, nothing is."""

    rows: Mapping[Undefined, Sequence[Row]] = field(default_factory=dict)

    def outcome(self, case: Case, cell: Cell, output: str) -> Outcome:
        """What is documented of the undefined elements of an output in a cell.

        NaN that is documented for a loss says nothing about its gradient; a constant 0 has a gradient of 0.
        """
        if not case.undefined:
            return "nan"
        row = self.row(case.undefined, cell)
        if row is None:
            return "anything"
        if parse(output).kind == "loss":
            return row.outcome
        return {"nan": "any", "refused": "anything"}.get(row.outcome, row.outcome)  # type: ignore[return-value]  # both are outcomes

    def row(self, kind: Undefined, cell: Cell) -> Row | None:
        """The row with the longest path that the cell's begins with; None where not even "*" is there."""
        path = f"{cell.framework}/{cell.recipe}/{cell.mode}/"
        fitting = [
            (len(start) if start != "*" else 0, row)
            for row in self.rows.get(kind, ())
            for start in row.where
            if start == "*" or path.startswith(f"{start}/")
        ]
        return max(fitting, key=lambda found: found[0])[1] if fitting else None


NOTHING = Documented()
"""Of a user's loss, nothing is known to be documented."""


def read(file: Path = DEFAULT) -> Documented:
    """The project's own table. Raises OSError, tomllib.TOMLDecodeError or msgspec.ValidationError for a bad file."""
    kinds = {str(kind): kind for kind in get_args(Undefined) if kind}
    found = msgspec.convert(tomllib.loads(file.read_text()), dict[str, tuple[Row, ...]])
    if unknown := found.keys() - kinds:
        raise msgspec.ValidationError(
            f"{file}: no such kind: {', '.join(sorted(unknown))}; expected {', '.join(kinds)}"
        )
    return Documented({kinds[kind]: rows for kind, rows in found.items()})
