"""A run as JUnit XML: a suite for each framework, a test case for each cell."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from lossvet.conformance.plan import Plan
from lossvet.conformance.run import Result
from lossvet.conformance.summary import CellSummary, Finding, notes
from lossvet.conformance.types import Cell
from lossvet.reports.findings import describe
from lossvet.reports.terminal import plain


def render(result: Result) -> str:
    """Cells that differ or errored are failures; absent ones and those not run are skipped, by name of the reason."""
    findings: dict[Cell, list[Finding]] = {}
    for finding in result.summary.findings:
        findings.setdefault(finding.cell, []).append(finding)
    root = ET.Element("testsuites", name="lossvet")
    for framework in result.greetings:
        cells = [cell for cell in result.summary.cells if cell.cell.framework == framework]
        left_out = [(reason, n) for (name, reason), n in sorted(result.summary.left_out.items()) if name == framework]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=plain(framework),
            tests=str(len(cells) + len(left_out)),
            failures=str(sum(cell.cell in findings for cell in cells)),
            skipped=str(len(left_out) + sum(_skipped(cell) for cell in cells)),
        )
        for cell in cells:
            _case(suite, cell, findings.get(cell.cell, []), result.plan)
        for reason, count in left_out:
            case = ET.SubElement(suite, "testcase", classname=plain(framework), name=plain(f"not run: {reason}"))
            ET.SubElement(case, "skipped", message=plain(f"{count} checks: {reason}"))
    if result.problems:
        suite = ET.SubElement(root, "testsuite", name="ledger", tests="1", failures="1")
        case = ET.SubElement(suite, "testcase", classname="ledger", name="deviations.toml")
        ET.SubElement(case, "failure", message="entries do not hold").text = plain("\n".join(result.problems))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _skipped(cell: CellSummary) -> bool:
    return cell.verdict in ("absent", "not_run")


def _case(suite: ET.Element, cell: CellSummary, findings: list[Finding], plan: Plan) -> None:
    classname = f"{cell.cell.framework}.{cell.cell.variant}"
    case = ET.SubElement(suite, "testcase", classname=plain(classname), name=plain(str(cell.cell)))
    ET.SubElement(case, "properties").extend(
        ET.Element("property", name=name, value=plain(str(value)))
        for name, value in (("checks", cell.checks), ("deviates", cell.counts["deviates"]), ("class", cell.accuracy))
    )
    if findings:
        texts = ["\n".join(describe(f, plan).lines) for f in findings]
        ET.SubElement(case, "failure", message=plain(f"{len(findings)} of {cell.checks}")).text = plain(
            "\n\n".join(texts)
        )
    elif _skipped(cell):
        ET.SubElement(case, "skipped", message=plain("; ".join(notes(cell))))
