"""What a gate makes of two meanings: red, open or green, in words that name the change."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("scipy")

import numpy as np
from msgspec.structs import replace

from lossvet.benchmarks import gate_direct, gating, user_loss
from lossvet.benchmarks.gate_compare import Identifying, eased
from lossvet.benchmarks.gate_contracts import Contracts
from lossvet.benchmarks.gate_meaning import Meaning
from lossvet.benchmarks.gate_report import Report
from lossvet.benchmarks.pairs import NAMES
from lossvet.reference import variants as reference
from lossvet.reference.types import Reduction
from lossvet.reports import gates
from lossvet.verify import accepting, comparing, contract_file, variant_of
from lossvet.verify.answer import Comparison, Difference, Identified
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract
from lossvet.verify.known import Known, of_contract
from lossvet.verify.questions import Answer, Question
from lossvet.verify.variants import contract

SPARSE = Domain(("logits", "labels", "class_weight"), "sparse")
BY_WEIGHTS, BY_BATCH = (contract("sparse_class_weight", r) for r in ("weighted_mean", "mean"))
CHANGE = "denominator: weights -> batch"


def known(meant: Contract) -> Known:
    found = of_contract(meant, "torch:mylib:loss")
    return Known(found.side, SPARSE, found.identified)


def meaning(base: Contract, head: Contract, loss: str = "torch=mylib:loss", *accepts: str) -> Meaning:
    asked = Identifying(user_loss.parsed(loss), {}, {}, accepts)
    sides = known(base), known(head)
    return asked.verdict(accepting.settled(comparing.compare(*sides), asked.accepts), *sides, Path("."))


# Two meanings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["", "/sparse_class_weight", "/sparse_class_weight/mean", "/sparse/mean"])
def test_another_denominator_is_red_whatever_was_claimed(said: str) -> None:
    found = meaning(BY_WEIGHTS, BY_BATCH, f"torch{said}=mylib:loss")
    assert (found.colour, found.words) == ("red", f"the meaning has changed: {CHANGE}")
    report = Report({}, (), (), (), meaning=found, stopped="meaning")
    assert report.verdict == (1, f"red: the meaning has changed: {CHANGE}")


def test_a_change_that_is_accepted_is_green_and_said() -> None:
    found = meaning(BY_WEIGHTS, BY_BATCH, "torch=mylib:loss", "denominator=weights->batch")
    assert (found.colour, found.words) == ("green", f"the meaning has changed, as accepted: {CHANGE}")
    assert found.changed
    assert (found.recipes["head"].variant, found.recipes["head"].reduction) == ("sparse_class_weight", "mean")


def test_another_change_than_the_accepted_one_is_red() -> None:
    assert meaning(BY_BATCH, BY_WEIGHTS, "torch=mylib:loss", "denominator=weights->batch").colour == "red"


def test_equal_meanings_are_green_and_named() -> None:
    found = meaning(BY_WEIGHTS, BY_WEIGHTS)
    assert found.colour == "green"
    assert found.words.endswith("probes: sparse_class_weight/weighted_mean")
    assert found.judged


@pytest.mark.parametrize(
    ("claimed", "words"),
    [
        ("sparse_class_weight/mean", "(denominator: batch stated, weights found)"),
        ("sparse", "it is not sparse, as was stated: it is sparse_class_weight/weighted_mean ("),
    ],
)
def test_equal_meanings_that_are_not_what_was_claimed_are_named(claimed: str, words: str) -> None:
    found = meaning(BY_WEIGHTS, BY_WEIGHTS, f"torch/{claimed}=mylib:loss")
    assert found.colour == "open"
    assert words in found.words
    code, sentence = Report({}, (), (), (), meaning=found, stopped="meaning").verdict
    assert code == 3
    assert sentence == f"cannot judge: {found.words}"


def test_a_claim_that_holds_changes_nothing() -> None:
    for claimed in ("sparse_class_weight", "sparse_class_weight/weighted_mean"):
        assert meaning(BY_WEIGHTS, BY_WEIGHTS, f"torch/{claimed}=mylib:loss").colour == "green"


def test_a_meaning_that_is_no_variant_is_green_and_told_in_short() -> None:
    focal = contract("sparse_class_weight", "mean").with_({"modulation": "focal", "gamma": 2.0})
    found = meaning(focal, focal)
    assert not found.judged
    assert found.words.endswith("modulation: focal 2, weighting: class_weight, denominator: batch")


def comparison(verdict: str, reason: str = "") -> Comparison:
    unknown = Identified("torch:mylib:loss", "torch", "2", "unexplained", (), None)
    return Comparison(verdict, unknown, unknown, tried=9, reason=reason)  # type: ignore[arg-type]  # one of them


def test_an_unchanged_loss_outside_the_space_is_green_unless_something_was_claimed() -> None:
    found = Meaning(comparison("equal_on_probes"))
    assert (found.colour, found.words.partition(":")[0]) == ("green", "equal_on_probes")
    assert Meaning(comparison("equal_on_probes"), unsaid="it is not sparse").colour == "open"


def test_what_cannot_be_judged_is_open() -> None:
    found = Meaning(comparison("cannot_judge", "it is constant"))
    assert (found.colour, found.words) == ("open", "its meaning cannot be judged: it is constant")
    assert Meaning(comparison("unexplained")).colour == "open"


@pytest.mark.parametrize(("facet", "verdict"), [("gradient_weights", "same"), ("gradient_logits", "different")])
def test_a_gradient_in_weights_that_one_spelling_lacks_is_no_change(facet: str, verdict: str) -> None:
    lost = Difference(facet, "exact", "not_differentiable", True)
    assert eased(replace(comparison("different"), differences=(lost,))).verdict == verdict


# Contract files ------------------------------------------------------------------------------------------------------


def written(folder: Path, meant: Contract) -> None:
    folder.mkdir(exist_ok=True)
    contract_file.write(contract_file.ContractFile(meant), folder / "loss.contract.toml")


@pytest.mark.parametrize(
    ("base", "head", "accepted"),
    [
        (BY_WEIGHTS, BY_BATCH, True),
        (BY_WEIGHTS, BY_WEIGHTS, False),
        (BY_BATCH, BY_BATCH, False),
        (None, BY_BATCH, False),
    ],
)
def test_a_contract_file_that_head_changes_too_accepts(
    tmp_path: Path, base: Contract | None, head: Contract, accepted: bool
) -> None:
    folders = {name: tmp_path / name for name in NAMES}
    if base is not None:
        written(folders["base"], base)
    written(folders["head"], head)
    sides = known(BY_WEIGHTS), known(BY_BATCH)
    found = Contracts.read("loss.contract.toml", folders).settled(comparing.compare(*sides), *sides)
    assert (found.exit_code == 0) is accepted


def test_a_contract_file_that_head_does_not_keep_is_named(tmp_path: Path) -> None:
    written(tmp_path, BY_WEIGHTS)
    contracts = Contracts.read("loss.contract.toml", dict.fromkeys(NAMES, tmp_path))
    assert contracts.unmet(known(BY_WEIGHTS)) == ""
    assert contracts.unmet(known(BY_BATCH)).endswith("in head: denominator: weights there, batch found")
    with pytest.raises(ValueError, match="head has no such file"):
        Contracts.read("other.contract.toml", dict.fromkeys(NAMES, tmp_path))


# The variant that a contract is --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", reference.names())
def test_every_variant_is_read_back_under_every_reduction(name: str) -> None:
    variant = reference.load(name)
    roles = {"cost_matrix", "class_weight", "pos_weight"} & set(variant.params.__annotations__)
    labels = "sparse" if variant.family == "sparse" else "dense"
    domain = Domain(("logits", "labels", *sorted(roles)), labels)  # type: ignore[arg-type]  # one of the two
    for reduction in variant.reductions:
        meant = contract(name, reduction)
        found = variant_of.readings(of_contract(meant, "").identified, domain)
        assert (name, reduction) in found, f"{name}/{reduction} is read as {found}"


def test_what_is_no_variant_is_none() -> None:
    focal = contract("sparse").with_({"modulation": "focal", "gamma": 2.0})
    assert variant_of.readings(of_contract(focal, "").identified, SPARSE) == ()


# Direct accuracy -----------------------------------------------------------------------------------------------------


class Rounded:
    """A contract that answers in float32 with a relative error."""

    def __init__(self, meant: Contract, error: float) -> None:
        self.exact, self.error = of_contract(meant, "").side, error

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        answers = self.exact.ask(questions)
        return [
            a
            if q.dtype == "float64" or a.value is None
            else Answer(np.asarray(a.value * (1 + self.error)), a.gradients)
            for q, a in zip(questions, answers, strict=True)
        ]


@pytest.mark.parametrize(
    ("base", "head", "worse"), [(1e-7, 1e-7, 0), (1e-7, 1.2e-7, 0), (1e-7, 1e-5, 1), (1e-5, 1e-7, 0)]
)
def test_head_may_not_be_further_from_the_truth_than_base(base: float, head: float, worse: int) -> None:
    sides = [Known(Rounded(BY_BATCH, e), SPARSE, known(BY_BATCH).identified) for e in (base, head)]
    found = gate_direct.no_worse(sides[0], sides[1], "torch:mylib:loss")
    assert len(found.differences) == worse
    assert found.number > 50
    assert all(d.words.startswith("loss: is 1") and "in float32" in d.words for d in found.differences)


# What it is called with ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "claimed", "reduction"),
    [
        ("torch=mylib.losses:mine", "", None),
        ("torch/sparse=mylib.losses:mine", "sparse", None),
        ("torch/sparse/sum=src/mylib/losses.py::mine", "sparse/sum", "sum"),
    ],
)
def test_a_loss_is_named_with_a_claim_or_without(text: str, claimed: str, reduction: Reduction | None) -> None:
    loss = user_loss.parsed(text)
    assert (loss.claimed, loss.reduction, loss.framework, loss.source.name) == (claimed, reduction, "torch", "mine")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("torch", "expected FRAMEWORK=MODULE:FUNCTION"),
        ("torch=mylib", "does not name a function"),
        ("torhc=mylib:f", "did you mean torch"),
        ("torch/spars=mylib:f", "no such variant: 'spars'"),
        ("torch/sparse/total=mylib:f", "sparse has no reduction 'total'; it has: none"),
        ("torch/sparse/sum/more=mylib:f", "expected FRAMEWORK=MODULE:FUNCTION"),
    ],
)
def test_what_names_no_loss_is_told(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        user_loss.parsed(text)


def test_a_side_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        gating.side(tmp_path / "nowhere")


# Every format --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def red() -> Report:
    return Report({}, (), (), (), meaning=meaning(BY_WEIGHTS, BY_BATCH), stopped="meaning")


def test_text_names_the_change_first_with_its_smallest_input(red: Report) -> None:
    lines = gates.text(red).splitlines()
    assert lines[0].split(maxsplit=1) == ["meaning", f"red: the meaning has changed: {CHANGE}"]
    assert any("class_weight" in line for line in lines)
    assert any(line.endswith("--accept 'denominator=weights->batch'") for line in lines)
    assert max(map(len, lines)) <= gates.WIDTH


def test_github_and_its_summary_name_the_change_first(red: Report) -> None:
    first, *_, last = gates.github(red).splitlines()
    assert first == f"::error title=lossvet%3A meaning::the meaning has changed: {CHANGE}"
    assert last.startswith("::error title=lossvet gate::red: the meaning has changed")
    assert "- red: the meaning has changed" in gates.markdown(red)


def test_junit_has_the_meaning_first(red: Report) -> None:
    first = ET.fromstring(gates.junit(red)).findall("testsuite")[0]
    assert (first.get("name"), first.get("failures")) == ("meaning", "1")
    failure = first.find("testcase/failure")
    assert failure is not None
    assert CHANGE in str(failure.get("message"))


def test_json_has_the_comparison(red: Report) -> None:
    found = json.loads(gates.document(red))
    assert list(found)[:3] == ["exit", "verdict", "meaning"]
    assert (found["exit"], found["meaning"]["colour"]) == (1, "red")
    (difference,) = (d for d in found["meaning"]["comparison"]["differences"] if d["facet"] == "denominator")
    assert (difference["source"], difference["target"]) == ("weights", "batch")
