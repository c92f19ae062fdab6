"""A run as it is read on a terminal. Data reaches the screen as plain text: none of it is markup."""

from __future__ import annotations

import platform
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

import lossvet
from lossvet.conformance import ledger
from lossvet.conformance.run import Result
from lossvet.conformance.types import Agrees, Deviates
from lossvet.reports.accuracy import LEGEND
from lossvet.reports.findings import smallest
from lossvet.reports.matrix import NARROW_TITLE, Square, Tone, by_bits, matrix
from lossvet.workers import machine
from lossvet.workers.messages import Greeting, Hello

MOST_FINDINGS = 20

_STYLE: Mapping[Tone, str] = {"good": "green", "known": "yellow", "bad": "bold red", "none": "dim"}
_NARROWEST = 12


def console(stderr: bool = False) -> Console:
    """Plain text where the output is no terminal, or NO_COLOR is set."""
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)


def plain(text: str) -> str:
    """Text without control characters: what a framework says cannot move the cursor."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


def header(out: Console, greetings: Mapping[str, Greeting], device: str) -> None:
    """lossvet, the machine, and every framework with its version and modes, or why it is not there."""
    python, cores = platform.python_version(), len(machine.cores())
    out.print(Text(f"lossvet {lossvet.__version__}   python {python}   {cores} cores   {device}"))
    words = []
    for name, greeting in greetings.items():
        if isinstance(greeting, Hello):
            words.append(plain(f"{name} {greeting.version}   {' '.join(greeting.modes)}"))
        else:
            words.append(plain(f"{name}   {'not installed' if greeting.missing else 'does not start'}"))
    line = ""
    for word in words:
        joined = f"{line}      {word}" if line else word
        if line and len(joined) > out.width:
            out.print(Text(line))
            joined = word
        line = joined
    out.print(Text(line))


def report(out: Console, result: Result, verbose: bool = False) -> None:
    """The matrix, each new difference, the totals; what was not run by reason where it is `verbose`."""
    _matrices(out, result)
    described = smallest(result.summary.findings, result.plan)
    for one in described[:MOST_FINDINGS]:
        out.print()
        for number, line in enumerate(one.lines):
            out.print(Text(plain(line if number == 0 else f"  {line}"), "bold" if number == 0 else ""), soft_wrap=True)
    if len(described) > MOST_FINDINGS:
        out.print(
            Text(f"\nand {len(described) - MOST_FINDINGS} more kinds of difference: --format json lists them all")
        )
    for problem in result.problems:
        out.print(Text(plain(f"\nconformance/deviations.toml: {problem}"), "bold red"), soft_wrap=True)
    out.print()
    for line in totals(result, verbose):
        for part in textwrap.wrap(plain(line), out.width, subsequent_indent="    "):
            out.print(Text(part))


def totals(result: Result, verbose: bool = False) -> list[str]:
    """How many checks, and what became of each; what was left out; the rate."""
    t = result.summary.totals
    cells = Counter(cell.verdict for cell in result.summary.cells)
    lines = [
        f"{t['checks']:,} checks: {t['agrees']:,} agree, {t['deviates']:,} show known deviations, "
        f"{t['differs'] + t['errored']:,} fail; {t['uninformative']:,} are uninformative; "
        f"{t['absent']:,} absent, {t['not_run']:,} not run",
        f"{len(result.summary.cells):,} cells: {cells['agrees']:,} agree, {cells['deviates']:,} with known deviations, "
        f"{cells['differs'] + cells['errored']:,} failing, {cells['absent']:,} absent",
        *_uninformative(result),
        *_lost(result),
    ]
    lines += [f"  {words}" for words in ledger.unconfirmed(result.summary.seen)]
    known = Counter(v.deviation for _, _, _, v in result.summary.seen if isinstance(v, Deviates) and not v.stray)
    lines += [f"  {count:,} {name}" for name, count in sorted(known.items())]
    lines += [f"  lossvet explain {next(iter(sorted(known)))} explains the first; the others likewise"] if known else []
    lines += _not_run(result, verbose)
    if result.incomplete:
        lines.append(f"  not run: {result.incomplete:,} given up; lossvet run --resume tries them again")
    if not result.seconds:  # it was read from its journal
        return lines
    rate = result.made / result.seconds
    compiled = f"{result.summary.compiled:,} functions compiled"
    return [*lines, f"{result.made:,} checks in {result.seconds:.1f} s, {rate:,.0f}/s; {compiled}"]


def _not_run(result: Result, verbose: bool) -> Iterator[str]:
    by_framework: dict[str, list[str]] = {}
    for (framework, reason), count in sorted(result.summary.left_out.items()):
        by_framework.setdefault(framework, []).append(f"{count:,} {reason}")
    if verbose:
        yield from (f"  not run, {name}: {', '.join(reasons)}" for name, reasons in by_framework.items())
    elif by_framework:
        yield f"  not run: {sum(result.summary.left_out.values()):,}; --verbose lists the reasons"
    if result.plan.level == "quick" and any(isinstance(result.greetings[name], Hello) for name in by_framework):
        yield "  lossvet run --full runs more of these; 16 bits are run where --dtype names them"


def _uninformative(result: Result) -> Iterator[str]:
    """Why checks could not have failed: how many for each reason."""
    reasons = Counter(
        v.uninformative for _, _, _, v in result.summary.seen if isinstance(v, Agrees) and v.uninformative
    )
    if reasons:
        listed = "; ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
        yield f"  uninformative, since nothing could have failed, or a wrong result of 0 would agree: {listed}"


def _lost(result: Result) -> Iterator[str]:
    """How many checks agree without one right bit in some element, and the largest such element; of 16 bits apart."""
    for title, cells in by_bits(result.summary.cells).items():
        found = [(*cell.largest_lost, cell) for cell in cells if cell.largest_lost]
        if not found:
            continue
        case, output, lost, worst = max(found, key=lambda one: abs(one[2].golden))
        where = " in 16 bits" if title == NARROW_TITLE else ""
        yield (
            f"  {sum(cell.lost for cell in cells):,} checks{where} have lost elements (lossvet explain lost); the "
            f"largest, {output} of {case} in {worst.cell}, is {lost.got:.3g}, right: {lost.golden:.3g}"
        )


def _matrices(out: Console, result: Result) -> None:
    """A matrix for 32 and 64 bits, and one for 16, which has a title."""
    for title, cells in by_bits(result.summary.cells).items():
        if title == NARROW_TITLE:
            out.print(Text(f"\n{title}", "bold"))
        _matrix(out, matrix(cells, result.greetings), list(result.greetings))
    out.print(Text(LEGEND, "dim"))


def _matrix(out: Console, squares: Mapping[str, Mapping[str, Square]], names: list[str]) -> None:
    """As many frameworks side by side as the width holds, the rest below."""
    first = max((len(name) for name in squares), default=0)
    widths = {f: max(_NARROWEST, len(f), *(len(row[f].text) for row in squares.values())) for f in names}
    while names:
        shown = [names.pop(0)]
        used = first + 2 + widths[shown[0]]
        while names and used + 2 + widths[names[0]] <= out.width:
            used += 2 + widths[names[0]]
            shown.append(names.pop(0))
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=True, header_style="")
        table.add_column("", no_wrap=True)
        for framework in shown:
            table.add_column(Text(plain(framework)), no_wrap=True, min_width=widths[framework])
        for name, row in squares.items():
            table.add_row(Text(plain(name)), *(Text(row[f].text, _STYLE[row[f].tone]) for f in shown))
        out.print()
        out.print(table)
