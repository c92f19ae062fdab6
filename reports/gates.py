"""A gate as text, as GitHub annotations with a step summary, as JUnit XML, as JSON; and the error rates it measured."""

from __future__ import annotations

import math
import os
import re
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from lossvet.benchmarks.decide import Finding
from lossvet.benchmarks.gate_report import Report
from lossvet.benchmarks.selftest import Rates
from lossvet.reports import gate_meaning
from lossvet.reports.markdown import escape
from lossvet.reports.speed import duration
from lossvet.reports.terminal import plain

ORDER = ("slower", "missing", "void", "inconclusive", "faster", "unchanged")
"""Worst first."""
WIDTH = 80
MOST = 20
"""Wrong checks that are shown; a loss that raises is wrong everywhere."""


def text(report: Report) -> str:
    lines = _meaning(report)
    lines += [f"{line(name)}   {line(_versions(sides))}" for name, sides in report.versions.items()]
    lines += ["", f"{'':13}{'change':>8}  {'95 %':>16}  {'base':>8} {'head':>8}  pairs"] if report.findings else []
    for finding in _sorted(report):
        lines += _finding(finding)
    lines += [""]
    for paragraph in _paragraphs(report):
        lines += _wrapped(paragraph, "", "  ")
    lines += [f"samples: {report.path}"] if report.path else []
    lines += [f"accuracy as it is now: {report.proposed}"] if report.proposed else []
    return "\n".join(lines).rstrip("\n") + "\n"


def _meaning(report: Report) -> list[str]:
    return [] if report.meaning is None else [*gate_meaning.text(report.meaning, WIDTH), ""]


def line(words: str) -> str:
    """One line of plain text that no CI takes for a command, wherever it is broken."""
    return re.sub(r"(^| )::", r"\1: :", " ".join(plain(words).split())).replace("##[", "## [")


def _wrapped(words: str, first: str, rest: str) -> list[str]:
    """Words on lines of a terminal's width; a name is never broken."""
    return textwrap.wrap(
        f"{first}{line(words)}", WIDTH, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _versions(sides: Mapping[Any, str]) -> str:
    base, head = sides["base"], sides["head"]
    return f"{base} on both sides" if base == head else f"{base} -> {head}"


def _sorted(report: Report) -> list[Finding]:
    return sorted(report.findings, key=lambda f: (ORDER.index(f.verdict), f.subject))


def _finding(finding: Finding) -> list[str]:
    """The verdict with its numbers in columns, or with the reason; below it the subject."""
    subject, verdict, change = f"  {line(finding.subject)}", f"{finding.verdict:13}", finding.change
    if change is None:
        return [*(_wrapped(finding.why, verdict, " " * 13) or [finding.verdict]), subject]
    times = f"{duration(finding.base):>8} {duration(finding.head):>8}  {finding.pairs:>5}"
    return [f"{verdict}{100 * change.median:>+7.1f}%  {_interval(finding):>16}  {times}", subject]


def _sentence(finding: Finding) -> str:
    """The same as one sentence."""
    said = f"{finding.subject}: {finding.verdict}"
    if finding.change is None:
        return f"{said}: {finding.why}" if finding.why else said
    times = f"{duration(finding.base)} -> {duration(finding.head)}"
    change = f"{100 * finding.change.median:+.1f}% (95 %: {_interval(finding)})"
    return f"{said}, {change}, {times}, {finding.pairs} pairs"


def _interval(finding: Finding) -> str:
    if finding.change is None or math.isnan(finding.change.low):
        return "-"
    return f"{100 * finding.change.low:+.1f} .. {100 * finding.change.high:+.1f}%"


def _paragraphs(report: Report) -> Iterator[str]:
    """What else is wrong or open, a line each."""
    known = sum(d.known for d in report.differences)
    wrong = _wrong(report)
    for words, _ in wrong[:MOST]:
        yield f"wrong in head, but not in base: {words}"
    if more := sum(checks for _, checks in wrong[MOST:]):
        yield f"and {more:,} more checks are wrong in head only: --format json lists them all"
    if known:
        yield f"{known:,} checks are wrong on both sides: --format json lists them"
    for worse in report.worse:
        yield f"accuracy {worse.kind}: {worse.cell}: {worse.words}"
    if report.void:
        yield f"void: {report.void}; run it again on a quieter machine"
    yield from report.unjudged


def _wrong(report: Report) -> list[tuple[str, int]]:
    """What is wrong in head only, one sentence for all cases in which an output of a cell is wrong; and how many checks
    that are."""
    groups: dict[tuple[str, str], list[str]] = {}
    for d in report.differences:
        if not d.known:
            groups.setdefault((d.cell, d.output or d.words), []).append(d.words)
    found = []
    for (cell, _), words in groups.items():
        more = f" ({len(words) - 1:,} more cases)" if len(words) > 2 else " (1 more case)" if len(words) == 2 else ""
        found.append((f"{cell}: {words[0]}{more}", len(words)))
    return found


def github(report: Report) -> str:
    """Workflow commands: an error for what is red, a warning for what cannot be judged."""
    lines = [] if report.meaning is None else gate_meaning.github(report.meaning)
    for finding in _sorted(report):
        words = _sentence(finding)
        if finding.verdict == "slower" or finding.blame == "head":
            lines.append(_command("error", f"lossvet: {finding.verdict}", words))
        elif finding.verdict in ("inconclusive", "void", "missing"):
            lines.append(_command("warning", f"lossvet: {finding.verdict}", words))
    lines += [_command("error", "lossvet: wrong", words) for words, _ in _wrong(report)[:MOST]]
    for worse in report.worse:
        level = "warning" if worse.kind == "new" else "error"
        lines.append(_command(level, f"lossvet: accuracy {worse.kind}", f"{worse.cell}: {worse.words}"))
    if report.void:
        lines.append(_command("warning", "lossvet: void", report.void))
    lines += [_command("warning", "lossvet: not judged", words) for words in report.unjudged]
    code, sentence = report.verdict
    lines.append(_command("notice" if code == 0 else "error", "lossvet gate", sentence))
    return "\n".join(lines) + "\n"


def _command(level: str, title: str, message: str) -> str:
    """One workflow command; data cannot end it, and cannot begin another."""

    def data(words: str) -> str:
        return plain(words).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    return f"::{level} title={data(title).replace(':', '%3A').replace(',', '%2C')}::{data(message)}"


def step_summary(report: Report) -> None:
    """Append the Markdown to the file that GitHub shows with the step, where there is one."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8") as out:
            out.write(markdown(report))


def markdown(report: Report) -> str:
    lines = ["## lossvet gate", "", f"**{escape(report.verdict[1])}**", ""]
    if report.meaning is not None:
        lines += [*(f"- {escape(words)}" for words in gate_meaning.markdown(report.meaning)), ""]
    lines += [f"- {escape(name)} {escape(_versions(sides))}" for name, sides in report.versions.items()]
    lines += ["", "| verdict | benchmark | change | 95 % | base | head |", "|---|---|---|---|---|---|"]
    for f in _sorted(report):
        change = f"{100 * f.change.median:+.1f} %" if f.change else f.why
        cells = (f.verdict, f.subject, change, _interval(f), duration(f.base), duration(f.head))
        lines.append("| " + " | ".join(escape(cell) for cell in cells) + " |")
    lines += ["", *(f"- {escape(words)}" for words in _paragraphs(report)), ""]
    return "\n".join(lines)


def junit(report: Report) -> str:
    """A suite for the meaning, where there is one, one for speed and one for accuracy. What is red fails; what cannot
    be judged is an error, never a skip."""
    root = ET.Element("testsuites", name="lossvet gate")
    if report.meaning is not None:
        gate_meaning.junit(report.meaning, root)
    speed = ET.SubElement(root, "testsuite", name="speed", tests=str(len(report.findings)))
    for f in _sorted(report):
        case = ET.SubElement(speed, "testcase", classname="speed", name=plain(f.subject))
        words = plain(_sentence(f))
        if f.verdict == "slower" or f.blame == "head":
            ET.SubElement(case, "failure", message=words)
        elif f.verdict in ("inconclusive", "void", "missing"):
            ET.SubElement(case, "error", message=words)
    wrong = [(d.cell, d.words, "failure") for d in report.differences if not d.known]
    wrong += [(w.cell, w.words, "error" if w.kind == "new" else "failure") for w in report.worse]
    none = [] if report.findings or report.stopped else ["no comparison was made"]
    wrong += [("gate", words, "error") for words in (*report.unjudged, *filter(None, [report.void]), *none)]
    accuracy = ET.SubElement(root, "testsuite", name="accuracy", tests=str(1 + len(wrong)))
    ET.SubElement(accuracy, "testcase", classname="accuracy", name=f"{report.judged} checks of head")
    for name, words, kind in wrong:
        case = ET.SubElement(accuracy, "testcase", classname="accuracy", name=plain(name))
        ET.SubElement(case, kind, message=plain(words))
    for suite in (speed, accuracy):
        suite.set("failures", str(len(suite.findall("testcase/failure"))))
        suite.set("errors", str(len(suite.findall("testcase/error"))))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def document(report: Report) -> str:
    """JSON; a number that there is not is null."""
    code, sentence = report.verdict
    meaning = None if report.meaning is None else gate_meaning.document(report.meaning)
    rest = msgspec.to_builtins(replace(report, meaning=None), enc_hook=str)
    found = {"exit": code, "verdict": sentence, "meaning": meaning, **{k: v for k, v in rest.items() if k != "meaning"}}
    return msgspec.json.format(msgspec.json.encode(_sendable(found)), indent=1).decode() + "\n"


def _sendable(found: Any) -> Any:
    """The same with text that UTF-8 can hold."""
    match found:
        case str():
            return found.encode("utf-8", "replace").decode()
        case dict():
            return {_sendable(key): _sendable(value) for key, value in found.items()}
        case list() | tuple():
            return [_sendable(value) for value in found]
    return found


RENDERERS: Mapping[str, Callable[[Report], str]] = {
    "text": text,
    "github": github,
    "junit": junit,
    "json": document,
}


def rates(found: Rates) -> str:
    """The error rates as lines for a terminal; what was measured is of the losses the least and the greatest."""
    lines = [
        f"{found.pairs} pairs ({4 * found.pairs} processes) of {found.framework} {found.version} in "
        f"{found.seconds / 60:.1f} min",
        f"noise of a pair: {', '.join(f'{loss} {100 * s:.2f} %' for loss, s in found.noise.items())}",
        "",
        f"injected {'measured':>15} {'compared':>8} {'slower':>6} {'unchanged':>9} {'inconclusive':>12} "
        f"{'found, 95 %':>17}",
    ]
    for rate in found.rates:
        low, high = rate.interval
        measured = f"{100 * min(rate.measured):+.1f} .. {100 * max(rate.measured):+.1f}%"
        lines.append(
            f"{100 * rate.injected:>7.0f}% {measured:>15} {rate.comparisons:>8,} {rate.slower:>6,} "
            f"{rate.unchanged:>9,} {rate.inconclusive:>12,} {f'{100 * low:.2f} .. {100 * high:.2f} %':>17}"
        )
    alarms = found.alarms
    lines += [
        "",
        f"false alarms: {alarms.slower + alarms.faster} of {alarms.comparisons:,} comparisons of a loss with itself",
    ]
    lines += [f"void runs: {found.void} of {found.runs:,}"]
    lines += [f"all benchmarks slower by 5 % at once: found in {found.uniform} of {found.uniform_runs} runs"]
    return "\n".join(lines)
