"""The pictures of the site, as SVG by matplotlib: the same bytes for the same numbers.

Text stays text, and colours are variables that a style sheet inside the picture sets for light and for dark.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from lossvet.reports.terminal import plain

INK, FAINT = "#010101", "#020202"
SERIES = ("#010201", "#010301", "#010401", "#010501", "#010601", "#010701")
MARKERS = ("o", "s", "^", "D", "v", "P")
TONES = {"good": "#020301", "known": "#020401", "bad": "#020501", "none": "#020601"}
LIGHT = {
    INK: "#1b1b1f", FAINT: "#c9c9d1",
    **dict(zip(SERIES, ("#b3400e", "#0b6e4f", "#3453b5", "#7a3b9e", "#6b5d00", "#444444"), strict=True)),
    TONES["good"]: "#cfeedd", TONES["known"]: "#fdeebb", TONES["bad"]: "#f9cdc8", TONES["none"]: "#ececf0",
}  # fmt: skip
DARK = {
    INK: "#ececf1", FAINT: "#4a4a55",
    **dict(zip(SERIES, ("#ff9a6b", "#5fd6ab", "#93abff", "#d59cf5", "#d8c653", "#bbbbbb"), strict=True)),
    TONES["good"]: "#174a33", TONES["known"]: "#574704", TONES["bad"]: "#6b201a", TONES["none"]: "#2c2c33",
}  # fmt: skip


def dots(
    rows: Mapping[str, Mapping[str, float | tuple[float, bool]]],
    series: Sequence[str],
    label: str,
    limits: Mapping[str, float] | None = None,
) -> str:
    """A line for each row, and on it a mark for each series that has a number; logarithmic from left to right.

    A number with False is drawn as a hollow mark. `limits` are drawn as a bar: less is impossible.
    """
    figure, axes = _axes(0.8 + 0.24 * len(rows))
    names = list(rows)
    for place, name in enumerate(names):
        axes.axhline(place, color=FAINT, linewidth=0.6, zorder=0)
        if limits and math.isfinite(limits.get(name, math.nan)):
            axes.plot([limits[name]] * 2, [place - 0.35, place + 0.35], color=INK, linewidth=2)
    for number, one in enumerate(series):
        beside = 0.5 * (number - (len(series) - 1) / 2) / max(1, len(series))  # equal numbers do not hide each other
        found = [(place, *_marked(rows[name][one])) for place, name in enumerate(names) if one in rows[name]]
        colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        for full in (True, False):
            points = [(x, place + beside) for place, x, filled in found if x > 0 and filled == full]
            if points:
                xs, ys = zip(*points, strict=True)
                faces = {"color": colour} if full else {"facecolors": "none", "edgecolors": colour, "linewidths": 1.3}
                axes.scatter(xs, ys, s=34, marker=marker, **faces)
        if found:
            axes.scatter([], [], s=34, label=_line(one), marker=marker, color=colour)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), [*map(_line, names)], parse_math=False)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(label, color=INK)
    _numbers(axes.xaxis)
    _legend(figure, axes)
    return _svg(figure)


def _marked(value: float | tuple[float, bool]) -> tuple[float, bool]:
    return value if isinstance(value, tuple) else (value, True)


def squares(rows: Mapping[str, Mapping[str, tuple[str, str]]], columns: Sequence[str]) -> str:
    """A table of texts on coloured ground: for each row and column a text and a tone."""
    figure, axes = _axes(0.5 + 0.32 * len(rows))
    for place, (_, row) in enumerate(rows.items()):
        for column, name in enumerate(columns):
            text, tone = row[name]
            axes.add_patch(_rectangle(column, place, TONES[tone]))
            style = {"ha": "center", "va": "center", "color": INK, "fontsize": 8.5, "parse_math": False}
            axes.text(column + 0.5, place + 0.5, _line(text), **style)
    axes.set_xlim(0, len(columns))
    axes.set_ylim(len(rows), 0)
    axes.set_xticks([c + 0.5 for c in range(len(columns))], [*map(_line, columns)], parse_math=False)
    axes.set_yticks([r + 0.5 for r in range(len(rows))], [*map(_line, rows)], parse_math=False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return _svg(figure)


def _axes(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    axes.tick_params(colors=INK, which="both", labelsize=9)
    for spine in axes.spines.values():
        spine.set_color(FAINT)
    return figure, axes


def _rectangle(column: int, row: int, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column + 0.02, row + 0.05), 0.96, 0.9, facecolor=colour, edgecolor="none")


def _numbers(axis: Any) -> None:
    """Ticks of a logarithmic axis at 1, 2, 5 and their tenfolds, written as numbers and not as powers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def _legend(figure: Any, axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        legend = figure.legend(loc="outside upper left", ncols=4, frameon=False, labelcolor=INK, fontsize=9)
        for text in legend.get_texts():
            text.set_parse_math(False)


def _line(text: str) -> str:
    """Words as one line of a picture."""
    return " ".join(plain(text).split())


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """matplotlib's own defaults and ours, whatever a user has set: a figure is made and saved under them."""
    import matplotlib

    own = {"svg.hashsalt": "lossvet", "svg.fonttype": "none", "font.family": ["sans-serif"]}
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "backend": "svg", **own}):
        yield


def _svg(figure: Any) -> str:
    found = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of glyphs and scripts: text stays text, and the browser has them
        figure.savefig(found, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = _portable(found.getvalue())
    for colour in LIGHT:
        text = text.replace(colour, f"var(--c{colour[1:]})")
    start = text.index(">", text.index("<svg")) + 1
    return (
        text[:start]
        + f"<style>{_rules(LIGHT)}@media(prefers-color-scheme:dark){{{_rules(DARK)}}}</style>"
        + text[start:]
    )


def _portable(text: str) -> str:
    """The picture, the same on every processor: numbers have two decimals, and ids, which matplotlib makes of the last
    bits of its floats, are counted."""
    ids: dict[str, str] = {}
    text = re.sub(r"\b[mp][0-9a-f]{10}\b", lambda found: ids.setdefault(found[0], f"shape-{len(ids) + 1}"), text)
    return re.sub(r"-?\d+\.\d{3,}", lambda found: f"{Decimal(found[0]).quantize(Decimal('0.01')).normalize():f}", text)


def _rules(colours: Mapping[str, str]) -> str:
    return "svg{" + "".join(f"--c{name[1:]}:{value};" for name, value in colours.items()) + "}"
