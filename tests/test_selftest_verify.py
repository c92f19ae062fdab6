"""verify's self-test: its counting can fail, and a space that lacks a facet leaves losses with it unexplained."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from verify_sides import NumpySide, TorchSide

from lossvet.verify import (
    core_search,
    edges,
    grading,
    probes,
    refine,
    selftest,
    solved_weights,
    space,
    stages_of_search,
)
from lossvet.verify.answer import Comparison, Difference, Identified, Status
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract
from lossvet.verify.corpus_records import Pair, Record, Selection, pairs, records
from lossvet.verify.differences import differences
from lossvet.verify.grading import Grade, PairGrade
from lossvet.verify.identify import identify
from lossvet.verify.selftest_report import Judged, JudgedPair, Report
from lossvet.verify.session import Session
from lossvet.verify.sides import ContractSide

SPARSE = Domain(("logits", "labels"), "sparse", differentiable=False)
WEIGHTED = replace(SPARSE, roles=("logits", "labels", "class_weight"))
WEIGHTED_ROWS = Domain(("logits", "labels", "class_weight"), "dense")


def record(contract: Contract | None, **more: Any) -> Record:
    given = () if contract is None else (contract,)
    return Record("a.py::loss", "torch", Path("a.py"), "loss", contracts=given, **more)


def answered(*candidates: Contract, status: Status = "confirmed") -> Identified:
    return Identified("torch:a.py::loss", "torch", "2", status, candidates, None)


BY_WEIGHTS = Contract.of(weighting="class_weight", denominator="weights")


def test_another_meaning_that_is_confirmed_is_wrong_and_says_why() -> None:
    planted = answered(Contract.of(weighting="class_weight"))
    grade = grading.of_loss(record(BY_WEIGHTS), planted, WEIGHTED)
    assert (grade.outcome, grade.right) == ("wrong", False)
    assert grade.why == "denominator: batch, not weights"
    assert grading.of_loss(record(BY_WEIGHTS), answered(BY_WEIGHTS), WEIGHTED) == Grade("confirmed", True)


def test_a_number_that_is_wrong_is_seen() -> None:
    right, near, wrong = (Contract.of(smoothing="over_classes", smoothing_alpha=a) for a in (0.1, 0.1 + 1e-9, 0.11))
    assert grading.of_loss(record(right), answered(near), SPARSE).right
    assert grading.of_loss(record(right), answered(wrong), SPARSE).outcome == "wrong"


def test_two_spellings_of_one_meaning_are_both_right() -> None:
    """Under a mean by weights no scale of the weights shows; in a plain mean it does."""
    scaled = BY_WEIGHTS.with_(weight_scale="sum_to_one")
    assert grading.of_loss(record(BY_WEIGHTS), answered(scaled), WEIGHTED).right
    plain = Contract.of(weighting="class_weight")
    assert not grading.of_loss(record(plain), answered(plain.with_(weight_scale="sum_to_one")), WEIGHTED).right


@pytest.mark.parametrize(
    ("facet", "value"),
    [("gradient_logits", "stopped"), ("upstream", "ignored"), ("side_effects", "prints"), ("precision", "float32"),
     ("zero_denominator", "zero")],
)  # fmt: skip
def test_what_is_seen_on_a_side_has_to_have_its_name(facet: str, value: str) -> None:
    domain = Domain(("logits", "labels"), "sparse")
    departing = Contract.of({facet: value})
    assert grading.of_loss(record(departing), answered(Contract()), domain).outcome == "wrong"
    assert grading.of_loss(record(Contract()), answered(departing), domain).outcome == "wrong"
    assert grading.of_loss(record(departing), answered(departing), domain).right


def test_an_edge_counts_where_the_record_tells_it_alone() -> None:
    zero = Contract.of(all_ignored="zero_detached")
    assert grading.of_loss(record(Contract()), answered(zero), SPARSE).right
    assert not grading.of_loss(record(zero, edges=("all_ignored",)), answered(Contract()), SPARSE).right


def test_an_edge_of_several_parts_has_to_have_the_one_of_the_record() -> None:
    told = record(Contract.of(invalid_label="wraps"), edges=("invalid_label",))
    several = Contract.of(invalid_label="too large: raises, -1: wraps, -100: raises")
    assert grading.of_loss(told, answered(several), SPARSE).right
    assert not grading.of_loss(told, answered(Contract.of(invalid_label="too large: raises, -1: nan")), SPARSE).right


def test_gradients_of_what_has_none_are_not_counted() -> None:
    stopped = Contract.of(gradient_labels="stopped")
    assert grading.of_loss(record(stopped), answered(Contract()), SPARSE).right
    assert not grading.of_loss(record(stopped), answered(Contract()), Domain(("logits", "labels"), "dense")).right


def test_ambiguous_is_right_where_the_record_is_among_the_candidates() -> None:
    other = Contract.of(denominator="sum")
    both = answered(other, BY_WEIGHTS, status="ambiguous")
    assert grading.of_loss(record(BY_WEIGHTS), both, WEIGHTED).outcome == "ambiguous"
    assert grading.of_loss(record(BY_WEIGHTS), both, WEIGHTED).right
    assert grading.of_loss(record(Contract.of(sign="plus")), both, WEIGHTED) == Grade(
        "other", False, "denominator: sum, not batch; sign: minus, not plus"
    )


def test_a_loss_outside_may_not_be_confirmed_and_one_inside_may_not_be_unexplained() -> None:
    outside = record(None, outside="hinge")
    assert grading.of_loss(outside, answered(Contract()), SPARSE).outcome == "wrong"
    assert grading.of_loss(outside, answered(status="unexplained"), SPARSE).right
    assert not grading.of_loss(record(BY_WEIGHTS), answered(status="unexplained"), WEIGHTED).right
    assert grading.of_loss(record(BY_WEIGHTS, maybe_outside=True), answered(status="unexplained"), WEIGHTED).right


def compared(verdict: Any, *facets: str) -> Comparison:
    one = answered(Contract())
    return Comparison(verdict, one, one, tuple(Difference(f, "a", "b", True) for f in facets))


@pytest.mark.parametrize(
    ("wanted", "found", "outcome"),
    [
        ("different", compared("different", "denominator"), "right"),
        ("different", compared("different", "sign"), "facets"),
        ("different", compared("different", "denominator", "sign"), "facets"),
        ("different", compared("same_gradient", "denominator"), "facets"),
        ("different", compared("same"), "missed"),
        ("different", compared("unexplained"), "unexplained"),
        ("different", compared("equal_on_probes"), "equal_on_probes"),
        ("same", compared("different", "sign"), "false_alarm"),
        ("same", compared("same_gradient", "offset"), "false_alarm"),
        ("same", compared("cannot_judge"), "cannot_judge"),
    ],
)
def test_pairs_are_counted_by_verdict_and_facets(wanted: str, found: Comparison, outcome: str) -> None:
    both = {"a": record(Contract.of(weighting="class_weight")), "b": record(BY_WEIGHTS)}
    pair = Pair("a", "b", wanted, ("denominator",) if wanted == "different" else ())
    grade = grading.of_pair(pair, both, found)
    assert (grade.outcome, grade.right) == (outcome, outcome == "right")


def judged(outcome: grading.Outcome, right: bool, **more: Any) -> Judged:
    contract = None if "outside" in more else BY_WEIGHTS
    return Judged(record(contract, **more), Grade(outcome, right, "denominator: batch, not weights"))


GOOD = [judged("confirmed", True, faults=("denominator",)), judged("unexplained", True, outside="hinge")]


def test_a_report_is_good_where_everything_is_right() -> None:
    code, sentence = Report(GOOD, [JudgedPair(Pair("a", "b", "same"), PairGrade("right", True))]).verdict
    assert code == 0
    assert "2 losses and 1 pairs" in sentence


@pytest.mark.parametrize(
    ("planted", "words"),
    [
        (judged("wrong", False), "1 confirmed wrongly"),
        (judged("wrong", False, outside="hinge"), "1 confirmed although no contract describes them"),
        (judged("unexplained", False), "1 of 2 losses with at most one fault right"),
        (judged("other", False, several=True), "0 of 1 losses with several faults right"),
    ],
)
def test_a_wrong_answer_that_is_planted_ends_in_code_1_and_is_told(planted: Judged, words: str) -> None:
    report = Report([*GOOD, planted])
    code, sentence = report.verdict
    assert code == 1
    assert words in sentence
    told = report.text()
    assert "Not right\n  a.py::loss" in told
    assert "denominator: batch, not weights" in told


def test_an_equal_pair_called_different_ends_in_code_1_however_many_are_right() -> None:
    right = [JudgedPair(Pair("a", "b", "same"), PairGrade("right", True))] * 99
    alarm = JudgedPair(Pair("a", "b", "same"), PairGrade("false_alarm", False, "different in sign"))
    assert Report(GOOD, right).verdict[0] == 0
    code, sentence = Report(GOOD, [*right, alarm]).verdict
    assert (code, "1 equal pairs called different" in sentence) == (1, True)


def test_the_matrix_has_a_row_for_what_was_planted() -> None:
    text = Report([*GOOD, judged("wrong", False, faults=("denominator",))]).text()
    (row,) = [line for line in text.splitlines() if line.startswith("  denominator weights")]
    assert row.split() == ["denominator", "weights", "1", "-", "-", "-", "-", "1"]


def test_the_corpus_loads_and_a_selection_of_nothing_is_refused() -> None:
    every = records()
    assert len(every) > 200
    assert all(bool(r.contracts) != bool(r.outside) for r in every.values())
    assert {p.source for p in pairs()} | {p.target for p in pairs()} <= every.keys()
    only = Selection(only=("torch_weights.py::*",)).losses()
    assert only
    assert {r.path.name for r in only.values()} == {"torch_weights.py"}
    with pytest.raises(ValueError, match=r"no loss of the corpus matches nothing\*"):
        Selection(only=("nothing*",)).losses()
    with pytest.raises(ValueError, match="the corpus has no losses in theano"):
        Selection(frameworks=("theano",)).losses()


def test_two_losses_in_one_worker_are_each_told_as_what_they_are() -> None:
    report = selftest.run(Selection(only=("numpy_losses.py::ce_loop", "numpy_losses.py::log_loss_rows")), processes=1)
    assert [(j.record.name, j.grade.outcome) for j in report.losses] == [
        ("ce_loop", "confirmed"),
        ("log_loss_rows", "confirmed"),
    ]


def test_an_error_of_verify_itself_costs_one_loss_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def observed(session: Session, contract: Contract) -> dict[str, Any]:
        raise KeyError("no such facet")

    monkeypatch.setattr(edges, "observed", observed)
    report = selftest.run(Selection(only=("numpy_losses.py::log_loss_rows",)), processes=1)
    (only,) = report.losses
    assert (only.grade.outcome, only.grade.right) == ("cannot_judge", False)
    assert "verify failed: KeyError at test_selftest_verify.py" in report.text()
    assert report.verdict[0] == 1


def mean_over_classes(logits: Any, labels: Any) -> Any:
    return -(np.eye(logits.shape[1])[labels] * log_softmax(logits)).mean(1)


def kept_empty(logits: Any, labels: Any) -> Any:
    """As Keras 3 reduces: what is empty is returned as it is."""
    rows = mean_over_classes(logits, labels)
    return rows.mean() if len(rows) else rows


@pytest.mark.parametrize(("loss", "told"), [(mean_over_classes, None), (kept_empty, "other")])
def test_an_empty_result_is_no_number_and_of_means_of_rows_says_nothing(loss: Any, told: str | None) -> None:
    session = Session(NumpySide(loss), SPARSE)
    session.ask(probes.core(SPARSE))
    assert edges.observed(session, Contract.of(denominator="elements")).get("zero_denominator") == told


@pytest.mark.sweep
def test_the_whole_corpus() -> None:
    report = selftest.run()
    assert report.verdict[0] == 0, report.text()


def log_p(x: Any) -> Any:
    moved = x - x.max(1, keepdims=True)
    return moved - np.log(np.exp(moved).sum(1, keepdims=True))


def by_one_hot(logits: Any, labels: Any) -> Any:
    return -(np.equal.outer(labels, np.arange(logits.shape[1])) * log_p(logits)).sum(1).mean()


def by_index(logits: Any, labels: Any) -> Any:
    return -log_p(logits)[np.arange(len(labels)), labels].mean()


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered")
@pytest.mark.parametrize(
    ("loss", "told"),
    [(by_one_hot, "too large: zero, -1: zero, -100: zero"), (by_index, "too large: raises, -1: wraps, -100: raises")],
)
def test_labels_that_are_no_class_are_told_by_what_they_do(loss: Any, told: str) -> None:
    session = Session(NumpySide(loss), SPARSE)
    assert edges.observed(session, Contract())["invalid_label"] == told


def test_a_mean_over_all_rows_is_divided_by_zero_by_an_empty_batch_alone() -> None:
    padded = Contract.of(ignored="label", ignored_label=-100.0, counted="all")
    assert edges.observed(Session(ContractSide(padded), SPARSE), padded)["zero_denominator"] == "nan"
    kept = padded.with_(counted="kept", denominator_guard="floored", guard=1.0)
    assert edges.observed(Session(ContractSide(kept), SPARSE), kept)["zero_denominator"] == "zero"


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        ((), "none"),
        (("prints", "importing it changes torch's number of threads from 1 to 4"), "prints"),
        (("prints", "changes labels in place"), "changes_arguments"),
        (("calling it changes the seed of torch",), "global_randomness"),
        (("uses global randomness: the same call gives different results",), "global_randomness"),
        (("calling it changes the working directory from / to /tmp",), "global_state"),
    ],
)
def test_side_effects_are_told_by_the_gravest_note(notes: tuple[str, ...], told: str) -> None:
    assert edges.side_effects(notes) == told


def test_a_gradient_that_a_side_refuses_is_not_compared_and_one_that_is_stopped_is() -> None:
    refused, stopped = (BY_WEIGHTS.with_(gradient_weights=value) for value in ("not_differentiable", "stopped"))
    assert differences(refused, BY_WEIGHTS, WEIGHTED_ROWS) == ()
    assert [d.facet for d in differences(stopped, BY_WEIGHTS, WEIGHTED_ROWS)] == ["gradient_weights"]


# Mutations: a space without a facet's value.


def log_softmax(x: Any, axis: int = 1) -> Any:
    moved = x - x.max(axis, keepdims=True)
    return moved - np.log(np.exp(moved).sum(axis, keepdims=True))


def picked(log_p: Any, y: Any) -> Any:
    return -log_p[np.arange(len(y)), y]


def smoothed(logits: Any, labels: Any) -> Any:
    target = 0.9 * np.eye(logits.shape[1])[labels] + 0.1 / logits.shape[1]
    return -(target * log_softmax(logits)).sum(1).mean()


def focal(logits: Any, labels: Any) -> Any:
    loss = picked(log_softmax(logits), labels)
    return ((1 - np.exp(-loss)) ** 2 * loss).mean()


def confident(logits: Any, labels: Any) -> Any:
    log_p = log_softmax(logits)
    return (picked(log_p, labels) + 0.1 * (np.exp(log_p) * log_p).sum(1)).mean()


def torch_loss(t: Any, x: Any, w: Any) -> Any:
    import torch

    return (-(t * torch.log_softmax(x, 1)).sum(1) * (t * w).sum(1)).mean()


def stopped(tensor: Any) -> Any:
    """The tensor, with a gradient of 0."""
    return tensor.detach() + 0 * tensor


@dataclass(frozen=True)
class Mutant:
    """A loss that has a facet's value; with `gradients` in PyTorch, else in NumPy."""

    facet: str
    value: str
    loss: Callable[..., Any]
    domain: Domain = SPARSE
    gradients: bool = False

    @property
    def side(self) -> Any:
        return (TorchSide if self.gradients else NumpySide)(self.loss)


MUTANTS = [
    Mutant("activation", "twice",
           lambda logits, labels: picked(log_softmax(np.exp(log_softmax(logits))), labels).mean()),
    Mutant("smoothing", "over_classes", smoothed),
    Mutant("modulation", "focal", focal),
    Mutant("logits_map", "scaled", lambda logits, labels: picked(log_softmax(logits / 2), labels).mean()),
    Mutant("axis", "batch", lambda logits, labels: picked(log_softmax(logits, 0), labels).mean()),
    Mutant("labels", "reversed",
           lambda logits, labels: picked(log_softmax(logits), logits.shape[1] - 1 - labels).mean()),
    Mutant("extra_terms", "entropy", confident),
    Mutant("denominator", "sum", lambda logits, labels: picked(log_softmax(logits), labels).sum()),
    Mutant("denominator", "weights",
           lambda logits, labels, class_weight: np.average(picked(log_softmax(logits), labels),
                                                           weights=class_weight[labels]), WEIGHTED),
    Mutant("weight_scale", "squared",
           lambda logits, labels, class_weight: (class_weight[labels] ** 2
                                                 * picked(log_softmax(logits), labels)).mean(),
           WEIGHTED),
    Mutant("weighting", "predicted_weight",
           lambda logits, labels, class_weight: (class_weight[logits.argmax(1)]
                                                 * picked(log_softmax(logits), labels)).mean(), WEIGHTED),
    Mutant("gradient_weights", "stopped",
           lambda logits, labels, class_weight: torch_loss(labels, logits, stopped(class_weight)), WEIGHTED_ROWS, True),
    Mutant("gradient_labels", "stopped",
           lambda logits, labels, class_weight: torch_loss(stopped(labels), logits, class_weight), WEIGHTED_ROWS, True),
]  # fmt: skip


def has(contract: Contract, facet: str, value: str) -> bool:
    return value in (contract.weighting if facet == "weighting" else (contract[facet],))


def without(monkeypatch: pytest.MonkeyPatch, facet: str, value: str) -> None:
    """Take a value of a facet out of the identifier: out of its cores, and out of what any stage tries."""

    def kept(contracts: Iterator[Contract]) -> Iterator[Contract]:
        return (contract for contract in contracts if not has(contract, facet, value))

    def search(*given: Any, of: Any = core_search.search) -> Iterator[list[Any]]:
        for cores in of(*given):
            yield [core for core in cores if not has(core.contract, facet, value)]

    def filtered(made: Any) -> Any:
        return lambda *given: kept(made(*given))

    stages = tuple(
        replace(s, alternatives=filtered(s.alternatives), last=s.last and filtered(s.last))
        for s in stages_of_search.STAGES
    )
    monkeypatch.setattr(core_search, "search", search)
    monkeypatch.setattr(stages_of_search, "STAGES", stages)
    monkeypatch.setattr(solved_weights, "contracts", filtered(solved_weights.contracts))
    monkeypatch.setattr(refine, "guards", filtered(refine.guards))
    monkeypatch.setattr(refine, "small_clips", filtered(refine.small_clips))
    monkeypatch.setattr(space, "CORE", tuple(d for d in space.CORE if d.settings.get(facet) != value))


def few(departures: Sequence[space.Departure], facet: str) -> tuple[space.Departure, ...]:
    """Departures of this facet, and some others without a number: two at a time are quickly gone through."""
    others = [d for d in departures if d.number is None and facet not in d.settings][:6]
    return tuple(d for d in departures if facet in d.settings) + tuple(others)


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value encountered")
@pytest.mark.parametrize("mutant", [pytest.param(m, id=f"{m.facet}-{m.value}") for m in MUTANTS])
def test_a_space_without_a_value_leaves_losses_with_it_unexplained(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mutant.gradients:
        pytest.importorskip("torch")
    monkeypatch.setattr(space, "CORE", few(space.CORE, mutant.facet))
    whole = identify(mutant.side, mutant.domain)
    assert whole.status == "confirmed"
    assert has(whole.candidates[0], mutant.facet, mutant.value), "the whole space names it, or nothing is tested"
    without(monkeypatch, mutant.facet, mutant.value)
    assert identify(mutant.side, mutant.domain).status == "unexplained"
