"""The identifier names the meaning of a side that is a contract itself; and its parts, one rule at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lossvet.verify import canonical, leads, probes, refine, solving
from lossvet.verify.batches import Domain
from lossvet.verify.canonical import OBSERVED, meanings, parted
from lossvet.verify.contract import Contract
from lossvet.verify.identify import identify
from lossvet.verify.leads import Leads
from lossvet.verify.matching import Asked, applies, fit, roughly
from lossvet.verify.questions import Answer
from lossvet.verify.session import Session
from lossvet.verify.sides import ContractSide
from lossvet.verify.space import Number

DENSE = Domain(("logits", "labels"), "dense")
SPARSE = Domain(("logits", "labels"), "sparse", strange_labels=(255,))
BY_CLASS = Domain(("logits", "labels", "class_weight"), "dense")
BY_CLASS_AND_SAMPLE = Domain(("logits", "labels", "class_weight", "sample_weight"), "sparse")
BY_POSITIVES = Domain(("logits", "labels", "pos_weight"), "dense")
OF_THREE = Domain(("logits", "labels"), "sparse", classes=3)
BY_WEIGHTS = {"weighting": "class_weight", "denominator": "weights"}
SIGMOID = {"family": "sigmoid", "denominator": "elements"}

KNOWN: dict[str, tuple[Domain, dict[str, Any]]] = {
    "plain": (SPARSE, {}),
    "sigmoid": (DENSE, SIGMOID),
    "unreduced": (DENSE, {"denominator": "unreduced"}),
    "reversed": (SPARSE, {"labels": "reversed"}),
    "plus": (SPARSE, {"sign": "plus"}),
    "usual smoothing": (SPARSE, {"smoothing": "over_classes", "smoothing_alpha": 0.1}),
    "odd smoothing": (SPARSE, {"smoothing": "over_classes", "smoothing_alpha": 0.0731}),
    "constant": (SPARSE, {"offset": "constant", "offset_constant": 0.37}),
    "focal": (SPARSE, {"modulation": "focal", "gamma": 2.0}),
    "stopped labels": (DENSE, {"gradient_labels": "stopped"}),
    "upstream": (DENSE, {"upstream": "ignored"}),
    "ignored": (SPARSE, {"ignored": "label", "ignored_label": -100.0}),
    "ignored and counted": (SPARSE, {"ignored": "label", "ignored_label": 255.0, "counted": "all"}),
    "clamped": (SPARSE, {"input": "probabilities", "clip": "clamped", "clip_epsilon": 1e-7}),
    "terms": (BY_CLASS, {"weighting": "class_weight_terms"}),
    "by weights": (BY_CLASS, BY_WEIGHTS),
    "pos_weight": (BY_POSITIVES, {**SIGMOID, "weighting": "pos_weight"}),
    "interpolated": (BY_POSITIVES, {**SIGMOID, "weighting": "pos_weight", "label_mixing": "interpolated"}),
    "two weights": (BY_CLASS_AND_SAMPLE, {"weighting": ("class_weight", "sample_weight"), "denominator": "sum"}),
    "guarded": (BY_CLASS, {**BY_WEIGHTS, "denominator_guard": "added", "guard": 1e-8}),
    "weights in the code": (
        OF_THREE,
        {"weighting": "class_weight", "weights_from": "constant", "constants": (1.0, 2.0, 3.0)},
    ),
}


def without_edges(contract: Contract) -> Contract:
    return Contract.of({name: contract[name] for name in contract if name not in OBSERVED})


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", KNOWN)
def test_a_contract_is_identified_as_itself(name: str) -> None:
    domain, settings = KNOWN[name]
    contract = Contract.of(settings)
    found = identify(ContractSide(contract), domain)
    assert found.status == "confirmed", found.reason
    assert [without_edges(one) for one in found.candidates] == [contract]
    assert found.explained == found.tried > 0
    assert found.fresh >= 6
    assert 0 <= found.largest <= 1


def test_what_has_a_constant_result_cannot_be_judged() -> None:
    class Constant:
        def ask(self, questions: Any) -> list[Answer]:
            return [Answer(np.asarray(2.0), {}, "float64") for _ in questions]

    found = identify(Constant(), SPARSE)
    assert (found.status, found.candidates) == ("cannot_judge", ())
    assert found.reason


# Solving for a number -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "low", "high", "exact"),
    [
        (lambda v: v - 0.3, 0.0, 1.0, 0.3),
        (lambda v: v**2 - 2, 0.0, 2.0, 2**0.5),
        (lambda v: np.exp(v) - 10, -5.0, 9.0, np.log(10)),
        (lambda v: 1 - v**3, -2.0, 4.0, 1.0),
    ],
)
def test_a_root_is_found_to_the_last_digits(function: Any, low: float, high: float, exact: float) -> None:
    calls = []

    def counted(value: float) -> float:
        calls.append(value)
        return float(function(value))

    found = solving.root(counted, low, high, function(low), function(high), 4e-16)
    assert found == pytest.approx(exact, rel=2e-15)
    assert len(calls) < 30
    assert all(low <= value <= high for value in calls)


def test_where_a_function_is_no_number_the_search_for_a_root_ends() -> None:
    assert solving.root(lambda v: np.nan, 0.0, 1.0, -1.0, 1.0, 4e-16) == 0.5
    assert solving.root(lambda v: v - 0.5, 0.0, 1.0, -0.5, 0.5, 4e-16) == 0.5


@pytest.mark.parametrize(
    ("solved", "written"),
    [(0.1 + 1e-12, 0.1), (-0.25 - 1e-12, -0.25), (0.123456, 0.123456), (1234.5, 1234.5), (2e-7 * (1 + 9e-7), 2e-7)],
)
def test_a_number_is_rounded_where_four_digits_are_close(solved: float, written: float) -> None:
    assert solving.round_off(solved) == written


def alpha(usual: tuple[float, ...] = (), logarithmic: bool = False) -> Number:
    return Number("smoothing_alpha", usual, 0.01, 0.9, logarithmic=logarithmic)


SMOOTHED = Contract.of(smoothing="over_classes", smoothing_alpha=0.2)


def asked(contract: Contract, domain: Domain = SPARSE, which: int = 0) -> Asked:
    """The first probe of the core, answered by a contract."""
    return Session(ContractSide(contract), domain).ask(probes.core(domain))[which]


def test_a_grid_reaches_from_end_to_end() -> None:
    even, spaced = (np.array(solving.grid(alpha(logarithmic=one))) for one in (False, True))
    assert (even[0], even[-1], len(even)) == (0.01, 0.9, solving.POINTS)
    np.testing.assert_allclose(np.diff(even), np.diff(even)[0])
    np.testing.assert_allclose(spaced[1:] / spaced[:-1], spaced[1] / spaced[0])


def test_a_number_is_solved_for_where_no_usual_one_fits() -> None:
    start = SMOOTHED.with_(smoothing_alpha=0.5)
    assert list(solving.numbers(start, alpha((0.1, 0.2)), asked(SMOOTHED))) == [0.2]
    (found,) = solving.numbers(start, alpha((0.1, 0.3)), asked(SMOOTHED))
    assert found == pytest.approx(0.2, rel=1e-12)
    assert not list(solving.numbers(start, replace(alpha(), low=0.3), asked(SMOOTHED)))
    nothing = replace(asked(SMOOTHED), answer=Answer(np.asarray(np.inf)))
    assert not list(solving.numbers(start, alpha((0.2,)), nothing))
    assert not list(solving.numbers(start, alpha((0.2,)), replace(nothing, answer=Answer(error="ValueError"))))


# Whether a contract explains an answer --------------------------------------------------------------------------------


def moved(one: Asked, by: float, leaf: str = "") -> Asked:
    """The answer with its result, or one gradient, off by so much relative to it."""
    answer = one.answer
    if not leaf:
        return replace(one, answer=Answer(answer.value * (1 + by), dict(answer.gradients), "float64"))
    changed = {**answer.gradients, leaf: answer.gradients[leaf] * (1 + by)}
    return replace(one, answer=Answer(answer.value, changed, "float64"))


@pytest.mark.parametrize("leaf", ["", "logits", "labels"])
def test_a_look_is_rough_and_a_fit_is_not(leaf: str) -> None:
    exact = asked(Contract(), DENSE)
    assert fit(Contract(), exact).ratio == 0.0
    near, off = moved(exact, 1e-6, leaf), moved(exact, 1e-3, leaf)
    assert roughly(Contract(), near, gradients=True)
    assert not roughly(Contract(), off, gradients=True)
    assert roughly(Contract(), off) == bool(leaf), "gradients count where they are to count"
    found = fit(Contract(), near)
    assert not found.fits
    assert found.where == (f"gradient/{leaf}" if leaf else "loss")
    assert fit(Contract(), near, dtype="float32").fits
    assert fit(Contract(), near, gradients=False).fits == bool(leaf)


def test_nothing_is_said_by_no_answer_and_of_inputs_that_no_contract_is_about() -> None:
    raised = replace(asked(Contract()), answer=Answer(error="ValueError: no"))
    assert roughly(Contract(), raised)
    assert (fit(Contract(), raised).fits, fit(Contract(), raised).informative) == (True, False)
    assert fit(Contract(), asked(Contract())).informative


def test_a_result_of_another_size_or_of_no_number_does_not_fit() -> None:
    one = asked(Contract())
    two = replace(one, answer=Answer(np.ones(2)))
    assert fit(Contract(), two).ratio == np.inf
    assert not roughly(Contract(), two)
    half = replace(one, answer=Answer(np.array([np.nan, 1.0])))
    assert not roughly(Contract.of(denominator="unreduced"), half)


def test_a_gradient_that_is_not_there_is_one_of_zero() -> None:
    stopped, exact = asked(Contract.of(gradient_labels="stopped"), DENSE), asked(Contract(), DENSE)
    none = replace(exact, answer=Answer(exact.answer.value, {**exact.answer.gradients, "labels": None}, "float64"))
    assert fit(Contract.of(gradient_labels="stopped"), none).fits
    assert fit(Contract(), none).ratio == np.inf
    assert fit(Contract(), stopped).where == "gradient/labels"
    assert not roughly(Contract(), none, gradients=True)
    refused = {"labels": "RuntimeError: no backward pass"}
    raising = replace(none, answer=Answer(none.answer.value, dict(none.answer.gradients), "float64", refused=refused))
    assert fit(Contract(), raising).fits, "a backward pass that raises says nothing"
    refused = {"labels": "not differentiable"}
    saying = replace(none, answer=Answer(none.answer.value, dict(none.answer.gradients), "float64", refused=refused))
    assert not fit(Contract(), saying).fits


X = np.array([[0.25, 0.75, 0.0], [0.5, 0.25, 0.25]])
IGNORING = {"ignored": "label", "ignored_label": -1.0}


@pytest.mark.parametrize(
    ("settings", "inputs", "about"),
    [
        ({}, {"logits": X, "labels": np.array([0, 2])}, True),
        ({}, {"logits": X, "labels": np.array([0, 3])}, False),
        ({}, {"logits": X, "labels": np.array([-1, 2])}, False),
        (IGNORING, {"logits": X, "labels": np.array([-1, 2])}, True),
        (IGNORING, {"logits": X, "labels": np.array([-1, 3])}, False),
        ({"label_mixing": "other"}, {"logits": X, "labels": X}, False),
        ({"label_mixing": "other"}, {"logits": X, "labels": np.eye(3)[:2]}, True),
        ({"input": "probabilities"}, {"logits": X, "labels": np.array([0, 2])}, True),
        ({"input": "probabilities"}, {"logits": X - 0.01, "labels": np.array([0, 2])}, False),
        ({"input": "probabilities"}, {"logits": X + 0.5, "labels": np.array([0, 2])}, False),
        ({"log": "broken_max"}, {"logits": 10 * np.eye(3), "labels": np.array([0, 1, 2])}, True),
        ({"log": "broken_max"}, {"logits": -10.5 * np.eye(3), "labels": np.array([0, 1, 2])}, False),
        ({"arguments": "swapped", "input": "probabilities"}, {"logits": 5 * X, "labels": X}, True),
        ({"arguments": "swapped", "input": "probabilities"}, {"logits": X, "labels": 5 * X}, False),
    ],
    ids=str,
)
def test_which_inputs_a_contract_is_about(settings: Any, inputs: Any, about: bool) -> None:
    assert applies(Contract.of(settings), inputs) == about


# What a few answers say -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, Leads(shift=True, separable=False)),
        (SIGMOID, Leads(shift=False, separable=True)),
        ({"input": "probabilities"}, Leads()),  # of numbers that are no probabilities it gives NaN
    ],
    ids=str,
)
def test_what_answers_show_of_a_family(settings: Any, found: Leads) -> None:
    assert leads.seen(Session(ContractSide(Contract.of(settings)), SPARSE)) == found


SOFTMAX, OF_ELEMENTS = Contract(), Contract.of(SIGMOID)


def test_what_leads_rule_out() -> None:
    everything, shifting, still = Leads(), Leads(shift=False), Leads(shift=True)
    assert all(everything.allow(base) for base in (SOFTMAX, OF_ELEMENTS))
    assert [shifting.allow(SOFTMAX), shifting.allow(OF_ELEMENTS)] == [False, True]
    assert [still.allow(SOFTMAX), still.allow(OF_ELEMENTS)] == [True, False]
    assert [Leads(separable=True).allow(one) for one in (SOFTMAX, OF_ELEMENTS)] == [False, True]
    assert [Leads(separable=False).allow(one) for one in (SOFTMAX, OF_ELEMENTS)] == [True, False]
    assert (everything.words(), still.words()) == (
        [],
        ["The result does not change when a constant is added to a row of logits."],
    )


# Of one meaning, the simplest contract --------------------------------------------------------------------------------


def test_contracts_of_one_meaning_are_one() -> None:
    plain, scaled = Contract.of(BY_WEIGHTS), Contract.of(BY_WEIGHTS, weight_scale="sum_to_one")
    assert parted(plain, scaled, BY_CLASS) is None
    assert canonical.reduced(scaled, BY_CLASS) == plain
    other = Contract.of(weighting="class_weight")
    kept, needed = meanings([scaled, other, plain], BY_CLASS)
    assert set(kept) == {plain, other}
    assert needed
    assert canonical.simplest([scaled, other, plain], BY_CLASS, most=1) == kept[:1]


def test_a_contract_that_leaves_elements_open_is_never_that_of_one_that_does_not() -> None:
    at_zero = Contract.of(gradient_logits="wrong_at_zero")
    assert canonical.leaves_open(at_zero)
    assert not canonical.leaves_open(Contract())
    assert parted(at_zero, Contract(), DENSE) is not None
    assert parted(at_zero, at_zero, DENSE) is None


def test_what_is_solved_for_has_few_digits_before_it_has_many() -> None:
    short, long = Contract.of(modulation="focal", gamma=2.0), Contract.of(modulation="focal", gamma=2.0183156)
    assert canonical.complexity(Contract()) < canonical.complexity(short) < canonical.complexity(long)


def test_a_logarithm_is_taken_naively_only_where_a_result_is_no_number() -> None:
    finite = [asked(Contract(), DENSE)]
    assert not list(refine.naive_logarithm(DENSE, Contract(), finite))
    infinite = [*finite, replace(finite[0], answer=Answer(np.asarray(np.inf)))]
    assert list(refine.naive_logarithm(DENSE, Contract(), infinite)) == [Contract.of(log="broken_max")]
