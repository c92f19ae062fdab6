"""The answer of check for programs and for CI: JSON, JUnit XML, GitHub annotations, Markdown."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lossvet.conformance import records
from lossvet.reports import checked_words as words
from lossvet.reports.checked_text import text
from lossvet.reports.terminal import plain
from lossvet.reports.verify_github import command, path
from lossvet.reports.verify_json import sendable, side
from lossvet.verify.checked import Checked

SCHEMA = 1


def json(found: Checked) -> str:
    """Verdicts as the journal of a run writes them, floats that JSON lacks as strings."""
    whole = sendable(document(found))
    return msgspec.json.format(msgspec.json.encode(whole), indent=1).decode() + "\n"


def document(found: Checked) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "exit": found.exit_code,
        "spec": found.spec,
        "framework": found.framework,
        "version": found.version,
        "variant": found.variant,
        "reduction": found.reduction,
        "mode": found.mode,
        "native": found.native or None,
        "binding": None if found.binding is None else msgspec.to_builtins(found.binding),
        "checks": {
            "made": found.checks,
            "agree": found.agrees,
            "deviate": found.deviates,
            "differ": found.differs,
            "not_run": found.not_run,
        },
        "outputs": [msgspec.to_builtins(row) for row in found.outputs],
        "differences": [
            {
                "case": one.finding.case,
                "output": one.finding.output,
                "dtype": one.finding.cell.dtype,
                "verdict": records.compact(one.finding.verdict),
                "also": one.also,
                "lines": words.lines(one, found),
                "again": words.again(one.finding, found),
            }
            for one in words.differences(found)
        ],
        "identified": None if found.identified is None else side(found.identified),
        "not_checked": words.not_checked(found),
        "warnings": list(found.warnings),
        "reason": found.reason,
    }


def junit(found: Checked) -> str:
    """A test case for the verdict and one for each output in each dtype; what is absent is skipped."""
    root = ET.Element("testsuites", name="lossvet check")
    suite = ET.SubElement(root, "testsuite", name=plain(found.spec))
    classname = plain(f"{found.spec} as {words.what(found)}")
    case = ET.SubElement(suite, "testcase", classname=classname, name="conforms")
    if found.exit_code:
        kind = "failure" if found.exit_code == 1 else "error"
        ET.SubElement(case, kind, message=plain(words.headline(found))).text = plain(text(found))
    for row in found.outputs:
        one = ET.SubElement(suite, "testcase", classname=classname, name=f"{row.output} {row.dtype}")
        if row.differs:
            ET.SubElement(one, "failure", message=words.verdict(row)).text = plain(f"worst case: {row.worst}")
        elif not row.checks:
            ET.SubElement(one, "skipped", message=plain("; ".join(row.reasons)))
    cases = suite.findall("testcase")
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(c.find(tag) is not None for c in cases)))
    suite.set("tests", str(len(cases)))
    ET.SubElement(suite, "system-err").text = plain(f"{words.ending(found)} (exit {found.exit_code})")
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def github(found: Checked) -> str:
    """An error for the smallest of each kind of difference, beside the file, and a line for the verdict."""
    file = path(found.spec)
    shown = [
        command("error", f"lossvet check: {d.finding.output}", " ".join(words.lines(d, found)), file)
        for d in words.differences(found)
    ]
    level = {0: "notice", 1: "error"}.get(found.exit_code, "warning")
    sentence = f"{words.headline(found)} ({words.ending(found)}, exit {found.exit_code})"
    return "\n".join([*shown, command(level, "lossvet check", sentence, file)]) + "\n"


def markdown(found: Checked) -> str:
    """The table of outputs, and the smallest of each kind of difference."""
    lines = [f"**{_cell(words.headline(found))}.** {words.counts(found)}.", ""]
    lines += ["| output | dtype | verdict | checks |", "|---|---|---|---:|"]
    lines += [f"| {r.output} | {r.dtype} | {words.verdict(r)} | {r.checks:,} |" for r in found.outputs]
    for one in words.differences(found):
        lines += ["", *(f"    {plain(line)}" for line in words.lines(one, found))]
    return "\n".join(lines) + "\n"


def _cell(sentence: str) -> str:
    """Words that Markdown shows as they are."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in plain(sentence))


RENDERERS: Mapping[str, Callable[[Checked], str]] = {
    "text": text,
    "json": json,
    "junit": junit,
    "github": github,
    "markdown": markdown,
}
