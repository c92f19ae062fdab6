"""The answer of verify as JUnit XML: a test case for the verdict, one for each difference."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from lossvet.reports.terminal import plain
from lossvet.reports.verify_text import text
from lossvet.reports.verify_words import advice, ending, headline, title
from lossvet.verify.answer import Comparison


def render(found: Comparison) -> str:
    """A difference that counts is a failure; what cannot be judged is an error, never a skip; what is accepted or an
    edge case is skipped, by name."""
    root = ET.Element("testsuites", name="lossvet verify")
    suite = ET.SubElement(root, "testsuite", name=_xml(f"{found.source.spec} and {found.target.spec}"))
    classname = _xml(found.target.spec)
    case = ET.SubElement(suite, "testcase", classname=classname, name="means the same")
    if found.exit_code:
        kind = "failure" if found.exit_code == 1 else "error"
        ET.SubElement(case, kind, message=_xml(headline(found)), type=found.verdict).text = _xml(text(found))
    else:
        ET.SubElement(case, "system-out").text = _xml(text(found))
    for difference in found.differences:
        one = ET.SubElement(suite, "testcase", classname=classname, name=_xml(difference.facet))
        words = _xml(title(difference))
        if difference.accepted or found.verdict in found.accepted:
            ET.SubElement(one, "skipped", message=f"accepted: {words}")
        elif difference.edge:
            ET.SubElement(one, "skipped", message=f"edge case: {words}")
        else:
            sentences = (difference.says, difference.training, advice(difference, found))
            ET.SubElement(one, "failure", message=words, type=difference.facet).text = _xml("\n".join(sentences))
    cases = suite.findall("testcase")
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(c.find(tag) is not None for c in cases)))
    suite.set("tests", str(len(cases)))
    ET.SubElement(suite, "system-err").text = _xml(f"{ending(found)} (exit {found.exit_code})")
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _xml(words: str) -> str:
    """Text that XML and UTF-8 can hold."""
    return plain(words)
