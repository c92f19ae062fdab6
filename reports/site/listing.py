"""Tables as values: a template prints each in the same way, wide as a table and narrow as cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "code", "short"]


@dataclass(frozen=True)
class Link:
    """A text that leads somewhere on the site, from its root."""

    text: str
    href: str


@dataclass(frozen=True)
class Square:
    """What stands in one place of a table: a text, in a tone, and links after it."""

    text: str = ""
    links: tuple[Link, ...] = ()
    tone: str = ""


@dataclass(frozen=True)
class Line:
    """A line of a table; `anchor` is its id on the page, empty for none."""

    squares: tuple[Square, ...]
    anchor: str = ""


@dataclass(frozen=True)
class Listing:
    """`columns` are the names with what kind of text stands below them: code may break anywhere, a number and a short
    text nowhere. The first column names the line."""

    label: str
    caption: str
    columns: tuple[tuple[str, Kind], ...]
    lines: tuple[Line, ...]


def line(*texts: str | Link | Square, anchor: str = "") -> Line:
    """A line of these texts, links and squares."""
    return Line(tuple(map(_square, texts)), anchor)


def _square(given: str | Link | Square) -> Square:
    match given:
        case Square():
            return given
        case Link():
            return Square("", (given,))
        case _:
            return Square(given)


def links(found: Sequence[Link], text: str = "") -> Square:
    return Square(text, tuple(found))
