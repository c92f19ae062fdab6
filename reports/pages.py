"""Lines of text with a style each: what the screens of verify are made of before a terminal or a file gets them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from lossvet.reports.terminal import plain

LABEL = 15
"""The width of the column of labels."""


class Page:
    """A page of a given width. Everything put on it is plain text: control characters are replaced."""

    def __init__(self, width: int) -> None:
        self.width = max(width, 40)
        self.lines: list[tuple[str, str]] = []

    def gap(self) -> None:
        """One empty line, never two."""
        if self.lines and self.lines[-1][0]:
            self.lines.append(("", ""))

    def say(self, words: str, indent: int = 0, hanging: int | None = None, style: str = "") -> None:
        """A paragraph. A word that is longer than a line (a path, a spec) is left whole, to be copied."""
        rest = indent if hanging is None else hanging
        for part in _wrapped(words, self.width, " " * indent, " " * rest):
            self.lines.append((part, style))

    def labelled(self, label: str, words: str, indent: int = 3, style: str = "", column: int = LABEL) -> None:
        """Words beside a label, in their own column."""
        first = f"{' ' * indent}{label:<{column}}"
        if len(first) > indent + column:
            self.lines.append((first.rstrip(), style))
            first = " " * (indent + column)
        for part in _wrapped(words, self.width, first, " " * (indent + column)):
            self.lines.append((part, style))

    def raw(self, lines: Iterable[str], indent: int = 0, style: str = "") -> None:
        """Lines as they are."""
        self.lines += [((" " * indent + inert(line)).rstrip(), style) for line in lines]

    def text(self) -> str:
        return "\n".join(line for line, _ in self.lines).strip("\n") + "\n"

    def show(self, out: Console) -> None:
        for line, style in self.lines:
            out.print(Text(line, style), soft_wrap=True)


def inert(words: str) -> str:
    """Plain text that no CI takes for a command, wherever its lines are broken."""
    return re.sub(r"(^|\s)::", r"\1: :", plain(words)).replace("##[", "## [")


def _wrapped(words: str, width: int, first: str, rest: str) -> list[str]:
    flat = inert(" ".join(plain(words).split()))
    return textwrap.wrap(
        flat, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    ) or [first.rstrip()]


def columns(rows: Iterable[Iterable[str]], gap: str = "  ", left: int = 1) -> list[str]:
    """Rows of cells as lines, the first `left` columns to the left and numbers to the right; short rows are filled."""
    table = [[plain(cell) for cell in row] for row in rows]
    count = max(map(len, table), default=0)
    table = [[*row, *[""] * (count - len(row))] for row in table]
    widths = [max(len(row[i]) for row in table) for i in range(count)]
    return [
        gap.join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def counted(number: int, noun: str) -> str:
    """ "1 row", "2 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def joined(words: Iterable[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
