"""What verify and identify show: every format of every answer, on answers made by hand."""

from __future__ import annotations

import io
import json
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from rich.console import Console
from tests import verify_answers as answers

from lossvet.reports import verify_github, verify_json, verify_markdown, verify_text
from lossvet.reports.counterexamples import table
from lossvet.reports.verify_formats import IDENTIFY_RENDERERS, RENDERERS
from lossvet.reports.verify_words import ending
from lossvet.verify import accepting
from lossvet.verify.answer import Comparison, Counterexample, Difference, Identified
from lossvet.verify.facets import facets

SCHEMA = json.loads(verify_json.SCHEMA_FILE.read_text())
HOSTILE = "torch:evil.py::f\x1b[31m\r\n::error::forged]]>&<b>|*`$(x)`\ud800"
COMPARISONS = [
    *answers.COMPARISONS.values(),
    msgspec.structs.replace(answers.DIFFERENT, effect=answers.EFFECT),
    accepting.settled(answers.DIFFERENT, [accepting.parsed("denominator"), accepting.parsed("clip=none->added 1e-07")]),
]


def text(found: Comparison, width: int = 80) -> str:
    return verify_text.page(found, width).text()


def squeezed(words: str) -> str:
    return " ".join(words.split())


# Text ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("found", COMPARISONS, ids=lambda c: c.verdict)
def test_lines_keep_to_the_width_but_for_words_that_are_longer(found: Comparison, width: int) -> None:
    for line in text(found, width).splitlines():
        assert len(line) <= width or max(map(len, line.split())) > width - 30, line
        assert line == line.rstrip()


@pytest.mark.parametrize("found", COMPARISONS, ids=lambda c: c.verdict)
def test_the_first_line_has_the_verdict_and_both_specs_and_nothing_is_left_out(found: Comparison) -> None:
    words = squeezed(text(found))
    first = squeezed(text(found).split("\n\n")[0])
    accepted = found.verdict == "different" and not found.exit_code
    assert first.startswith("same, except for" if accepted else found.verdict.replace("_", " "))
    assert found.source.spec in first
    assert found.target.spec in first
    said = [found.reason.rstrip("."), found.parts_at, found.replay]
    said += [*found.not_checked, *found.warnings, *found.source.warnings, *found.target.warnings]
    for difference in found.differences:
        said += [difference.says, f"{difference.facet}: {difference.source} in old, {difference.target} in new"]
        said += [] if difference.accepted else [difference.training, difference.change]
    for side in (found.source, found.target):
        said += [f"{side.framework} {side.version}", side.binding.call if side.binding else ""]
    assert [s for s in said if squeezed(s) not in words] == []


def test_differences_are_numbered_and_say_on_what_they_rest() -> None:
    lines = text(answers.DIFFERENT).splitlines()
    assert [line for line in lines if re.match(r"\d\.", line)] == [
        "1. denominator: weights in old, batch in new",
        "2. clip: none in old, added 1e-07 in new",
        "3. invalid_label: raises in old, wraps in new (edge case)",
    ]
    words = squeezed(text(answers.DIFFERENT))
    assert "explains 512 of 512 probes and 200 fresh ones" in words
    assert "largest difference 0.31 of the bound" in words
    assert "compared directly on 490 probes and 200 fresh ones" in words
    assert "--accept 'denominator=weights->batch'" in words


def test_both_contracts_stand_side_by_side_with_the_number_of_the_difference() -> None:
    lines = [line.split() for line in text(answers.DIFFERENT).splitlines()]
    assert ["clip", "none", "added", "1e-07", "<-", "2"] in lines
    assert ["weighting", "class_weight", "class_weight"] in lines
    assert ["denominator", "weights", "batch", "<-", "1"] in lines


def test_a_side_without_a_contract_is_not_given_the_default() -> None:
    lines = [line.split() for line in text(answers.CANNOT_JUDGE).splitlines()]
    assert ["denominator", "weights", "?"] in lines
    assert "new (nearest)" in text(answers.UNEXPLAINED)


def test_an_accepted_difference_keeps_its_sentence_and_loses_the_rest() -> None:
    found = accepting.settled(answers.DIFFERENT, [accepting.parsed("denominator")])
    words = squeezed(text(found))
    assert "1. denominator: weights in old, batch in new (accepted)" in words
    assert squeezed(answers.DENOMINATOR.says) in words
    assert squeezed(answers.DENOMINATOR.training) not in words
    assert "accepted denominator" in words


def test_a_change_says_which_side_it_matches() -> None:
    """It is for the new loss; but a contract cannot be changed to match a loss."""
    agreed = msgspec.structs.replace(answers.NEW, framework="contract", spec="ours.contract.toml")
    for found, side in (
        (answers.DIFFERENT, "old"),
        (msgspec.structs.replace(answers.DIFFERENT, target=agreed), "new"),
    ):
        assert f"to match {side} {squeezed(answers.DENOMINATOR.change)}" in squeezed(text(found))
        for form in ("markdown", "github", "junit"):
            assert f"To match {side}: " in RENDERERS[form](found)


def test_an_unconfirmed_difference_says_so() -> None:
    found = msgspec.structs.replace(
        answers.DIFFERENT, differences=(msgspec.structs.replace(answers.CLIP, confirmed=False),)
    )
    assert "(not confirmed)" in text(found)
    assert "not confirmed" not in text(answers.DIFFERENT)


def test_colours_are_for_terminals_alone() -> None:
    page = verify_text.page(answers.DIFFERENT, 80)
    plain, coloured = io.StringIO(), io.StringIO()
    page.show(Console(file=plain, width=80))
    page.show(Console(file=coloured, width=80, force_terminal=True, color_system="standard", no_color=False))
    assert "\x1b" not in plain.getvalue()
    assert "\x1b[1;31m" in coloured.getvalue()
    assert plain.getvalue().strip() == page.text().strip()


# The table of a counterexample ---------------------------------------------------------------------------------------


def shown(found: Counterexample, width: int = 77) -> list[list[str]]:
    lines = table(found, width)
    assert max(map(len, lines)) <= width
    return [line.split() for line in lines]


def test_a_small_input_stands_in_a_grid_with_both_results() -> None:
    assert shown(answers.EXAMPLE) == [
        ["class", "0", "class", "1", "label"],
        ["logits", "0", "0", "0", "0"],
        ["logits", "1", "0", "0", "1"],
        ["class_weight", "1", "3"],
        [],
        ["loss", "old", "0.693147181", "0x1.62e42fefa39efp-1"],
        ["new", "1.38629436", "0x1.62e42fefa39efp+0"],
    ]


def test_unreduced_losses_stand_by_row() -> None:
    assert shown(answers.UNREDUCED)[-3:] == [
        ["loss", "row", "0", "row", "1", "row", "2"],
        ["old", "2.40760596", "0", "0.203802982"],
        ["new", "2.40760596", "nan", "0.203802982"],
    ]


def test_errors_and_missing_answers_are_said() -> None:
    assert answers.EDGE.counterexample is not None
    lines = table(answers.EDGE.counterexample, 77)
    assert any("old  raises IndexError: Target -1 is out of bounds." in line for line in lines)
    assert answers.CLIP.counterexample is not None
    without = msgspec.structs.replace(answers.CLIP.counterexample, target=None)
    assert ["new", "has", "none"] in shown(without)
    by_row = msgspec.structs.replace(answers.UNREDUCED, target=None, target_error="ValueError: no")
    assert ["new", "new", "raises", "ValueError"] in shown(by_row)


def test_what_is_too_wide_is_cut_and_says_so() -> None:
    lines = table(answers.WIDE, 77)
    assert max(map(len, lines)) <= 77
    assert any(re.fullmatch(r"\(12 more rows and \d+ more classes: --format json lists all\)", line) for line in lines)
    long = msgspec.structs.replace(answers.EXAMPLE, source=None, source_error="RuntimeError: " + "x" * 500)
    assert max(map(len, table(long, 77))) <= 77


def test_an_empty_batch_is_an_input_too() -> None:
    assert shown(answers.EMPTY)[0] == ["logits", "[0]", "empty"]
    assert shown(answers.EMPTY)[-2:] == [["loss", "old", "nan", "nan"], ["new", "0", "0x0.0p+0"]]


# JSON ----------------------------------------------------------------------------------------------------------------


def checked(found: Comparison) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(RENDERERS["json"](found))
    jsonschema.validate(document, SCHEMA)
    return document


@pytest.mark.parametrize("found", COMPARISONS, ids=lambda c: c.verdict)
def test_json_is_as_its_schema_says(found: Comparison) -> None:
    document = checked(found)
    assert document["schema"] == 1
    assert document["verdict"] == found.verdict
    assert document["exit"] == found.exit_code
    assert document["probes"] == {
        "tried": found.tried,
        "fresh": found.fresh,
        "uninformative": found.uninformative,
        "largest": found.largest,
    }


def test_the_json_of_a_difference() -> None:
    document = checked(answers.DIFFERENT)
    assert document["source"]["contract"] == {
        "family": "softmax",
        "weighting": ["class_weight"],
        "denominator": "weights",
    }
    first = document["differences"][0]
    assert {k: first[k] for k in ("facet", "source", "target", "confirmed")} == {
        "facet": "denominator",
        "source": "weights",
        "target": "batch",
        "confirmed": True,
    }
    example = document["counterexample"]
    assert example["logits"] == [["0x0.0p+0", "0x0.0p+0"], ["0x0.0p+0", "0x0.0p+0"]]
    assert example["labels"] == [0, 1]
    assert example["params"] == {"class_weight": ["0x1.0000000000000p+0", "0x1.8000000000000p+1"]}
    assert float.fromhex(example["source"]) == answers.EXAMPLE.source
    assert document["replay"] == "lossvet replay 3f9a1c"


def test_the_schema_lets_nothing_else_in() -> None:
    def objects(node: Any) -> Any:
        if isinstance(node, dict):
            if node.get("type") == "object" and "properties" in node:
                yield node
            for part in node.values():
                yield from objects(part)
        elif isinstance(node, list):
            for part in node:
                yield from objects(part)

    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    closed = [o for o in objects(SCHEMA) if o["additionalProperties"] is False]
    assert len(closed) > 8
    document = checked(answers.DIFFERENT)
    for change in ({"more": 1}, {"verdict": "equal"}, {"exit": 2}, {"source": {}}, {"schema": 2}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**document, **change}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({k: v for k, v in document.items() if k != "not_checked"}, SCHEMA)


def test_floats_that_are_not_finite_survive_in_counterexamples_and_are_null_elsewhere() -> None:
    example = msgspec.structs.replace(answers.EXAMPLE, source=math.nan, target=-math.inf)
    document = checked(msgspec.structs.replace(answers.DIFFERENT, counterexample=example, largest=math.inf))
    assert (document["counterexample"]["source"], document["counterexample"]["target"]) == ("nan", "-inf")
    assert document["probes"]["largest"] is None


# JUnit, GitHub, Markdown ---------------------------------------------------------------------------------------------


def test_junit_fails_for_what_counts_and_skips_what_does_not() -> None:
    found = accepting.settled(answers.DIFFERENT, [accepting.parsed("clip")])
    (suite,) = ET.fromstring(RENDERERS["junit"](found))
    cases = {case.get("name"): [c.tag for c in case] for case in suite.findall("testcase")}
    assert cases == {
        "means the same": ["failure"],
        "denominator": ["failure"],
        "clip": ["skipped"],
        "invalid_label": ["skipped"],
    }
    assert [suite.get(k) for k in ("tests", "failures", "errors", "skipped")] == ["4", "2", "0", "2"]


@pytest.mark.parametrize(
    ("name", "child"),
    [
        ("same", "system-out"),
        ("unexplained", "failure"),
        ("unexplained_alike", "error"),
        ("equal_on_probes", "error"),
        ("cannot_judge", "error"),
    ],
)
def test_junit_of_each_verdict(name: str, child: str) -> None:
    (suite,) = ET.fromstring(RENDERERS["junit"](answers.COMPARISONS[name]))
    assert [c.tag for c in suite.findall("testcase")[0]] == [child]


def test_github_annotates_the_file() -> None:
    target = msgspec.structs.replace(answers.NEW, spec="jax:new/losses.py::weighted_ce")
    found = accepting.settled(msgspec.structs.replace(answers.DIFFERENT, target=target), [accepting.parsed("clip")])
    lines = RENDERERS["github"](found).splitlines()
    assert [re.match(r"::\w+", line)[0] for line in lines] == [  # type: ignore[index]
        "::error", "::notice", "::notice", "::warning", "::error",
    ]  # fmt: skip
    assert all(line.split("::")[1].partition(" ")[2].startswith("file=new/losses.py,title=lossvet") for line in lines)
    assert "::error title=" in RENDERERS["github"](answers.DIFFERENT)
    assert RENDERERS["github"](answers.SAME).startswith("::notice ")
    assert RENDERERS["github"](answers.CANNOT_JUDGE).startswith("::warning file=new/losses.py,")


def test_the_file_of_a_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert verify_github.path(f"torch:{tmp_path}/lib/a.py::f") == "lib/a.py"
    assert verify_github.path("torch:/elsewhere/a.py::f") == ""
    assert verify_github.path("x.contract.toml") == "x.contract.toml"
    assert verify_github.path("torch:lib.a:f") == verify_github.path("variant:sparse") == ""


def test_the_step_summary_is_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    verify_github.step_summary(answers.SAME)
    verify_github.step_summary(answers.DIFFERENT)
    written = (tmp_path / "summary").read_text()
    assert written == verify_markdown.render(answers.SAME) + verify_markdown.render(answers.DIFFERENT)


def test_markdown_has_a_table_of_differences_and_keeps_code_as_code() -> None:
    words = verify_markdown.render(answers.DIFFERENT)
    assert "| 1 | denominator | weights | batch |  |" in words
    assert "| 3 | invalid\\_label | raises | wraps | edge case |" in words
    assert verify_markdown.code("Use `w[y] * x` here, *now*.") == "Use `w[y] * x` here, \\*now\\*."
    assert "`" not in verify_markdown.code("one ` alone").replace("\\`", "")


@pytest.mark.parametrize("form", sorted(RENDERERS))
def test_hostile_names_stay_data(form: str) -> None:
    side = msgspec.structs.replace(answers.OLD, spec=HOSTILE, warnings=(HOSTILE,), reason=HOSTILE)
    difference = Difference("clip", "none", HOSTILE, True, HOSTILE, HOSTILE, HOSTILE, answers.EXAMPLE)
    found = Comparison("different", side, side, (difference,), reason=HOSTILE, not_checked=(HOSTILE,), parts_at=HOSTILE)
    words = RENDERERS[form](found)
    words.encode()  # no lone surrogate is left
    assert "\x1b" not in words
    assert "\r" not in words
    if form == "junit":
        ET.fromstring(words)
    if form == "json":
        jsonschema.validate(json.loads(words), SCHEMA)
    if form in ("text", "github"):
        assert not [line for line in words.splitlines() if line.lstrip().startswith("::error::forged")]
    if form == "markdown":
        assert "<b>" not in words
        assert "](" not in words


# Identify ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("found", answers.IDENTIFIED.values(), ids=list(answers.IDENTIFIED))
def test_identify_in_every_format(found: Identified) -> None:
    words = squeezed(verify_text.identified_page(found, 80).text())
    assert words.startswith(f"{found.status.replace('_', ' ')}: {found.spec}")
    for said in (*found.learnt, found.needed, *found.not_checked, *found.warnings, found.reason):
        assert squeezed(said) in words
    for contract in found.candidates:
        for name in contract:
            if name in facets() and name != "weighting":
                assert f"The loss {facets()[name].value(contract.value(name)).says}" in words
        mean = "the mean over the batch of the softmax cross-entropy of logits"
        assert (mean in words) == ("denominator" not in contract)
        assert mean.removeprefix("the mean over the batch of ") in words
    jsonschema.validate(json.loads(IDENTIFY_RENDERERS["json"](found)), SCHEMA)
    assert IDENTIFY_RENDERERS["markdown"](found).startswith("## lossvet identify: ")


def test_identify_names_the_variant_or_the_nearest() -> None:
    words = squeezed(verify_text.identified_page(answers.OLD, 80).text())
    assert "variant sparse_class_weight/weighted_mean `lossvet check" in words
    assert "sparse_class_weight/weighted_mean" in IDENTIFY_RENDERERS["markdown"](answers.OLD).replace("\\", "")
    words = squeezed(verify_text.identified_page(answers.NEW, 80).text())
    assert "variant none; the nearest is sparse_class_weight/mean, but clip is added 1e-07 and not none" in words
    assert "variant" not in verify_text.identified_page(answers.UNEXPLAINED.target, 80).text()


# What is accepted, and the exit code ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "accepts", "code", "words"),
    [
        ("same", (), 0, "the same on 490 probes and 200 fresh ones"),
        ("same_at_edges", (), 0, "the same on 490 probes and 200 fresh ones"),
        ("different", (), 1, "different in denominator and clip"),
        ("different", ("denominator",), 1, "different in clip; 1 more accepted"),
        (
            "different",
            ("denominator=weights->batch", "clip=none->added 1e-7"),
            0,
            "accepted differences in denominator and clip",
        ),
        ("different", ("denominator=batch->weights", "clip"), 1, "different in denominator; 1 more accepted"),
        ("same_gradient", (), 1, "same gradient in offset"),
        ("same_gradient", ("same_gradient",), 0, "which is accepted"),
        ("unexplained", (), 1, "with different results"),
        ("unexplained_alike", (), 3, "no difference was found"),
        ("equal_on_probes", (), 3, "equal on probes"),
        ("equal_on_probes", ("equal_on_probes",), 0, "which is accepted"),
        ("equal_on_probes", ("same_gradient",), 3, "equal on probes"),
        ("cannot_judge", ("equal_on_probes",), 3, "cannot judge"),
    ],
)
def test_exit_codes(name: str, accepts: tuple[str, ...], code: int, words: str) -> None:
    found = accepting.settled(answers.COMPARISONS[name], [accepting.parsed(a) for a in accepts])
    assert found.exit_code == code
    assert words in ending(found)


@pytest.mark.parametrize("form", ["text", "markdown", "github", "junit"])
@pytest.mark.parametrize(
    ("name", "accepts", "words"),
    [
        ("different", ("denominator", "clip"), "same, except for accepted differences in denominator and clip"),
        ("same_gradient", ("same_gradient",), "accepted (same gradient): "),
        ("equal_on_probes", ("equal_on_probes",), "accepted (equal on probes): "),
    ],
)
def test_no_format_contradicts_the_exit_code(form: str, name: str, accepts: tuple[str, ...], words: str) -> None:
    found = accepting.settled(answers.COMPARISONS[name], [accepting.parsed(a) for a in accepts])
    assert found.exit_code == 0
    shown = squeezed(RENDERERS[form](found).replace("\\", ""))
    assert words in shown
    assert "do not mean the same" not in shown
    assert "verify%3A different" not in shown


def test_strict_edges_make_same_different() -> None:
    found = accepting.settled(answers.SAME_AT_EDGES, [], strict_edges=True)
    assert (found.verdict, found.exit_code) == ("different", 1)
    assert accepting.settled(found, [accepting.parsed("invalid_label")]).exit_code == 0


def test_an_accept_that_meets_nothing_is_a_warning() -> None:
    found = accepting.settled(answers.DIFFERENT, [accepting.parsed(a) for a in ("sign", "clip=none->capped")])
    assert found.warnings[-2:] == (
        "--accept sign accepts nothing: there is no such difference",
        "--accept clip=none->capped accepts nothing: the differences are clip=none->added 1e-07",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("denominater", "did you mean denominator?"),
        ("denominator=weights-", "the shell treats > as a redirection"),
        ("denominator=weights", "expected FACET=OLD->NEW"),
        ("denominator=weights->rows", "denominator has no value 'rows'"),
        ("denominator=wieghts->batch", "did you mean weights?"),
        ("different", "only the verdicts same_gradient and equal_on_probes"),
    ],
)
def test_accepts_that_cannot_be(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        accepting.parsed(text)


def test_sets_are_accepted_in_any_order() -> None:
    found = Difference("weighting", "class_weight, mask", "mask", True)
    assert accepting.parsed("weighting=mask,class_weight->mask").covers(found)
    assert not accepting.parsed("weighting=class_weight->mask").covers(found)


@pytest.mark.parametrize(
    ("name", "above", "code"),
    [("different", 0.3, 0), ("different", 0.26, 1), ("unexplained", 0.3, 1), ("same_gradient", 0.3, 0)],
)
def test_fail_above_accepts_what_has_little_effect(name: str, above: float, code: int) -> None:
    found = msgspec.structs.replace(answers.COMPARISONS[name], effect=answers.EFFECT)
    assert accepting.settled(found, [], fail_above=above).exit_code == code
    assert accepting.settled(answers.COMPARISONS[name], [], fail_above=above).exit_code == 1
