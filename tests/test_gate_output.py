"""What a gate says, in every format: complete, right in its counts, and of harmless text only."""

from __future__ import annotations

import json
import math
import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("scipy")
sys.path.insert(0, str(Path(__file__).parent))

from hostile import WORDS

from lossvet.benchmarks.decide import Finding, Verdict
from lossvet.benchmarks.gate_report import Difference, Report
from lossvet.benchmarks.ratchet import Worse
from lossvet.benchmarks.selftest import Rate, Rates
from lossvet.benchmarks.statistics import Interval
from lossvet.reports import gates

CELL = "sparse/native/torch/eager/float32/cpu"


def measured(subject: str, verdict: Verdict, change: float) -> Finding:
    interval = Interval(change, change - 0.012, change + 0.0341)
    return Finding(f"{subject}/512x1000/train", verdict, interval, 1e-6, 20, 1_010_000, 1_010_000 * (1 + change))


FINDINGS = (
    measured("sparse/native/torch/eager/float32/cpu", "slower", 0.302),
    measured("sigmoid/native/torch/eager/float32/cpu", "faster", -0.2),
    measured("smooth_terms/composed/jax/jit/float32/cpu", "unchanged", 0.001),
    measured("cost_complement/composed/tensorflow/graph/float32/cpu", "inconclusive", 0.02),
    Finding("a/own/numpy/eager/float32/cpu/1x10/forward", "missing", why="is gone from head", blame="head"),
    Finding("b/own/numpy/eager/float32/cpu/1x10/forward", "missing", why="base: ImportError: no mylib", blame="base"),
    Finding("c/own/numpy/eager/float32/cpu/1x10/forward", "void"),
)
ALL = Report(
    versions={"torch": {"base": "2.12.0", "head": "2.13.0"}, "jax": {"base": "0.9", "head": "0.9"}},
    findings=FINDINGS,
    differences=(
        Difference(CELL, "sparse/at_zero loss/mean: is outside the bound in 1 of 1", known=False),
        Difference(CELL, "sparse/huge loss/mean: is NaN", known=True),
    ),
    worse=(
        Worse(CELL, "worse", "its accuracy falls from relative to shift-invariant"),
        Worse("x/native/torch/eager/float64/cpu", "gone", "was relative 1, but is no longer judged"),
        Worse("y/native/torch/eager/float64/cpu", "new", "is relative 1, and has no baseline"),
    ),
    void="the fixed workload took +1.5 % on the side of head: the machine favoured one side",
    judged=2324,
    path=Path(".lossvet/gate-1.jsonl"),
    proposed=Path(".lossvet/accuracy.txt"),
    unjudged=("jax is missing in base (No module named 'jax')",),
)
"""One of everything."""
GREEN = Report({}, FINDINGS[1:3], (), (), judged=2)

# Everything is said --------------------------------------------------------------------------------------------------

EXPECTED = """\
torch   2.12.0 -> 2.13.0
jax   0.9 on both sides

               change              95 %      base     head  pairs
slower         +30.2%   +29.0 .. +33.6%   1.01 ms  1.32 ms     20
  sparse/native/torch/eager/float32/cpu/512x1000/train
missing      is gone from head
  a/own/numpy/eager/float32/cpu/1x10/forward
missing      base: ImportError: no mylib
  b/own/numpy/eager/float32/cpu/1x10/forward
void
  c/own/numpy/eager/float32/cpu/1x10/forward
inconclusive    +2.0%     +0.8 .. +5.4%   1.01 ms  1.03 ms     20
  cost_complement/composed/tensorflow/graph/float32/cpu/512x1000/train
faster         -20.0%   -21.2 .. -16.6%   1.01 ms   808 us     20
  sigmoid/native/torch/eager/float32/cpu/512x1000/train
unchanged       +0.1%     -1.1 .. +3.5%   1.01 ms  1.01 ms     20
  smooth_terms/composed/jax/jit/float32/cpu/512x1000/train

wrong in head, but not in base: sparse/native/torch/eager/float32/cpu:
  sparse/at_zero loss/mean: is outside the bound in 1 of 1
1 checks are wrong on both sides: --format json lists them
accuracy worse: sparse/native/torch/eager/float32/cpu: its accuracy falls from
  relative to shift-invariant
accuracy gone: x/native/torch/eager/float64/cpu: was relative 1, but is no
  longer judged
accuracy new: y/native/torch/eager/float64/cpu: is relative 1, and has no
  baseline
void: the fixed workload took +1.5 % on the side of head: the machine favoured
  one side; run it again on a quieter machine
jax is missing in base (No module named 'jax')
samples: .lossvet/gate-1.jsonl
accuracy as it is now: .lossvet/accuracy.txt
"""


def test_text() -> None:
    said = gates.text(ALL)
    assert said == EXPECTED
    assert max(map(len, said.splitlines())) <= gates.WIDTH


def test_a_loss_that_is_wrong_everywhere_does_not_bury_the_rest() -> None:
    many = tuple(Difference(CELL, f"sparse/{i} loss/mean: is NaN", known=False) for i in range(500))
    report = replace(ALL, differences=many)
    assert "and 480 more checks are wrong in head only" in gates.text(report)
    assert len(gates.text(report).splitlines()) < 100
    assert gates.github(report).count("title=lossvet%3A wrong::") == 20
    assert "500 wrong in head only" in gates.github(report)
    assert len(ET.fromstring(gates.junit(report)).findall("testsuite[@name='accuracy']/testcase/failure")) == 502
    assert len(json.loads(gates.document(report))["differences"]) == 500


def test_cases_in_which_one_output_is_wrong_are_one_line() -> None:
    cases = [Difference(CELL, f"sparse/{i} loss/mean: is NaN", False, "loss/mean") for i in range(9)]
    other = Difference(CELL, "sparse/0 gradient/mean/logits: is NaN", False, "gradient/mean/logits")
    report = replace(ALL, differences=(*cases, other))
    words = " ".join(gates.text(report).split())
    assert words.count("wrong in head, but not in base") == 2
    assert "sparse/0 loss/mean: is NaN (8 more cases)" in words
    assert gates.github(report).count("title=lossvet%3A wrong::") == 2
    assert len(ET.fromstring(gates.junit(report)).findall("testsuite[@name='accuracy']/testcase/failure")) == 12


def test_github() -> None:
    commands = [re.fullmatch(r"::(\w+) title=([^:,]+)::(.+)", line) for line in gates.github(ALL).splitlines()]
    assert all(commands)
    said = [(c[1], c[2], c[3]) for c in commands if c]
    levels = [(level, title.replace("%3A", ":")) for level, title, _ in said]
    assert levels == [
        ("error", "lossvet: slower"),
        ("error", "lossvet: missing"),
        ("warning", "lossvet: missing"),
        ("warning", "lossvet: void"),
        ("warning", "lossvet: inconclusive"),
        ("error", "lossvet: wrong"),
        ("error", "lossvet: accuracy worse"),
        ("error", "lossvet: accuracy gone"),
        ("warning", "lossvet: accuracy new"),
        ("warning", "lossvet: void"),
        ("warning", "lossvet: not judged"),
        ("error", "lossvet gate"),
    ]
    assert said[0][2] == (
        "sparse/native/torch/eager/float32/cpu/512x1000/train: slower, +30.2%25 (95 %25: +29.0 .. +33.6%25), "
        "1.01 ms -> 1.32 ms, 20 pairs"
    )
    assert gates.github(GREEN) == (
        "::notice title=lossvet gate::green: 2 benchmarks no slower, 1 of them faster, 2 checks no worse\n"
    )


def test_the_step_summary_is_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "summary.md"
    path.write_text("of another step\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    gates.step_summary(ALL)
    assert path.read_text() == "of another step\n" + gates.markdown(ALL)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    gates.step_summary(ALL)


def rows(report: Report) -> list[list[str]]:
    """The cells of the Markdown table."""
    lines = [line for line in gates.markdown(report).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_markdown() -> None:
    said = gates.markdown(ALL)
    assert said.startswith("## lossvet gate\n\n**red: 1 slower, 1 gone or failing in head, ")
    table = rows(ALL)
    assert len(table) == 2 + len(FINDINGS)
    assert {len(row) for row in table} == {6}
    assert table[2][0] == "slower"
    assert table[3][2] == "is gone from head"


def counts(suite: ET.Element) -> tuple[int, ...]:
    """Cases, failures and errors as they are."""
    return tuple(len(suite.findall(path)) for path in ("testcase", "testcase/failure", "testcase/error"))


def claims(suite: ET.Element) -> tuple[int, ...]:
    """The same as they are said to be."""
    return tuple(int(suite.attrib[name]) for name in ("tests", "failures", "errors"))


def test_junit() -> None:
    speed, accuracy = ET.fromstring(gates.junit(ALL))
    assert counts(speed) == claims(speed) == (7, 2, 3)
    assert counts(accuracy) == claims(accuracy) == (1 + 1 + 3 + 2, 3, 3)
    assert not ET.fromstring(gates.junit(ALL)).findall(".//skipped")
    speed, accuracy = ET.fromstring(gates.junit(GREEN))
    assert claims(speed) == (2, 0, 0)
    assert claims(accuracy) == (1, 0, 0)


@pytest.mark.parametrize(
    "report",
    [
        Report({}, (), (), (), judged=1),
        Report({}, GREEN.findings, (), (), void="drift", judged=1),
        Report({}, GREEN.findings, (), (), unjudged=("no check was made",)),
        *(Report({}, (f,), (), (), judged=1) for f in FINDINGS if f.verdict not in ("faster", "unchanged", "void")),
        *(Report({}, GREEN.findings, (), (w,), judged=1) for w in ALL.worse),
        Report({}, GREEN.findings, ALL.differences, (), judged=1),
    ],
)
def test_junit_is_never_green_where_the_gate_is_not(report: Report) -> None:
    assert report.verdict[0] != 0
    root = ET.fromstring(gates.junit(report))
    assert root.findall(".//failure") + root.findall(".//error")
    assert bool(root.findall(".//failure")) == (report.verdict[0] == 1)


def test_json() -> None:
    found = json.loads(gates.document(ALL))
    assert (found["exit"], found["verdict"]) == ALL.verdict
    assert [f["verdict"] for f in found["findings"]] == [f.verdict for f in FINDINGS]
    assert found["findings"][0]["change"]["median"] == 0.302
    assert found["findings"][4] | {"p": None, "base": None, "head": None, "change": None} == found["findings"][4]
    assert found["differences"][1]["known"] is True
    assert found["versions"]["torch"] == {"base": "2.12.0", "head": "2.13.0"}
    assert found["path"] == ".lossvet/gate-1.jsonl"
    narrow = replace(FINDINGS[0], change=Interval(0.1, math.nan, math.nan))
    assert json.loads(gates.document(Report({}, (narrow,), (), ())))["findings"][0]["change"]["low"] is None


# Hostile words -------------------------------------------------------------------------------------------------------

HOSTILE = {
    "a command": "::error::pwned",
    "a command on a line of its own": "x\n::error title=a::pwned\r\n  ::warning::too",
    "a command of the old kind": "x ##[error]pwned",
    "an encoded newline": "x%0A::error::pwned%0D",
    "escapes": "\x1b[31mred\x1b[2J\x1b]0;title\x07\x00\x08\x9b31m",
    "separators": "a\u2028::error::b\u2029c\x85d\x0be",
    "the end of CDATA": "]]><script>alert(1)</script><!-- & &#0; \" '",
    "the end of a table's cell": "a | b |\n| c | `code` ``` **bold** \\| \\",
    "half a surrogate pair": "\ud800 and \udfff",
    "no characters": "\ufffe\uffff\ufdd0",
    "much": "word " * 2000 + "y" * 10_000,
    "a title's end": "a::b,c=d",
    "nothing": "",
    "directions": "\u202egnorw\u202c \u200b",
}


def hostile(words: str) -> Report:
    """Everything that can be anybody's words is these."""
    return Report(
        versions={words: {"base": words, "head": "1"}, "same": {"base": words, "head": words}},
        findings=tuple(replace(f, subject=words, why=words and f"base: {words}") for f in FINDINGS),
        differences=(Difference(words, words, known=False),),
        worse=(Worse(words, "worse", words), Worse(words, "new", words)),
        void=words or "drift",
        judged=1,
        unjudged=(words,),
    )


ALL_WORDS = {**WORDS, **HOSTILE}
every = pytest.mark.parametrize("words", ALL_WORDS.values(), ids=ALL_WORDS.keys())
COMMAND = re.compile(r"\s*::|.*##\[")
"""What a runner of GitHub takes for a command: leading space is dropped, and the old kind is found anywhere."""


def harmless(said: str) -> None:
    """Nothing moves the cursor, or cannot be encoded."""
    said.encode()
    assert all(c.isprintable() or c == "\n" for c in said)


@every
def test_text_is_no_command(words: str) -> None:
    said = gates.text(hostile(words))
    harmless(said)
    assert not [line for line in said.splitlines() if COMMAND.match(line)]
    assert gates.line(words).count("\n") == 0
    for name in ("unjudged", "void"):  # these are in the last line, on stderr
        report = Report({}, (), (), (), **{name: (words,) if name == "unjudged" else words})
        harmless(gates.line(report.verdict[1]))
        assert not COMMAND.match(gates.line(report.verdict[1]))


def test_what_is_no_command_stays_as_it_is() -> None:
    assert gates.line("RuntimeError: at::native, torch::jit #1") == "RuntimeError: at::native, torch::jit #1"


@every
def test_annotations_are_as_many_as_they_are(words: str) -> None:
    said = gates.github(hostile(words))
    harmless(said)
    assert len(said.splitlines()) == len(gates.github(hostile("plain")).splitlines()) == 11
    for line in said.splitlines():
        found = re.match(r"::(error|warning) title=(lossvet[\w %]+)::", line)
        assert found, line


@every
def test_markdown_stays_a_table(words: str) -> None:
    said = gates.markdown(hostile(words))
    harmless(said)
    assert {len(row) for row in rows(hostile(words))} == {6}
    assert len(rows(hostile(words))) == 2 + len(FINDINGS)
    assert len(said.splitlines()) == len(gates.markdown(hostile("plain")).splitlines())
    assert not re.search(r"(?<!\\)[`<]", said)


@every
def test_junit_parses_and_counts(words: str) -> None:
    said = gates.junit(hostile(words))
    said.encode()
    speed, accuracy = ET.fromstring(said)
    assert counts(speed) == claims(speed) == (7, 2, 3)
    assert counts(accuracy) == claims(accuracy) == (1 + 1 + 2 + 2, 2, 3)
    assert all(c.isprintable() or c == "\n" for case in speed for c in case.attrib["name"])


@every
def test_json_is_read_again(words: str) -> None:
    said = gates.document(hostile(words))
    found = json.loads(said.encode())
    assert found["findings"][0]["subject"] == words.encode("utf-8", "replace").decode()
    assert not [line for line in said.split("\n") if line.lstrip().startswith("::")]


# Error rates ---------------------------------------------------------------------------------------------------------


def test_error_rates_as_text() -> None:
    found = Rates(
        framework="torch",
        version="2.13.0",
        pairs=64,
        seconds=600.0,
        noise={"sparse": 0.005, "pos_weight": 0.01},
        rates=(
            Rate(0.0, (0.0001, 0.0), 1000, 0, 0, 995, 5),
            Rate(0.02, (0.0203, 0.0195), 1000, 400, 0, 590, 10),
            Rate(0.05, (0.051, 0.0492), 1000, 980, 0, 5, 15),
            Rate(0.10, (0.1, 0.1), 1000, 1000, 0, 0, 0),
        ),
        runs=1000,
        void=3,
        uniform=240,
        uniform_runs=250,
    )
    said = gates.rates(found)
    assert "64 pairs (256 processes) of torch 2.13.0 in 10.0 min\n" in said
    assert "noise of a pair: sparse 0.50 %, pos_weight 1.00 %" in said
    assert re.search(r"5% +\+4\.9 \.\. \+5\.1% +1,000 +980 +5 +15 +96\.\d\d \.\. 98\.\d\d %", said)
    assert "false alarms: 0 of 1,000" in said
    assert "void runs: 3 of 1,000" in said
    assert "found in 240 of 250 runs" in said
    assert found.verdict[0] == 0
    worse = replace(found, rates=(replace(found.rates[0], faster=1), *found.rates[1:]))
    assert worse.verdict[0] == 1
    assert "false alarms: 1 of 1,000" in gates.rates(worse)
