"""The ledger is strict: it accepts what it names and nothing else, and fails wherever that does not show."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from lossvet import adapters
from lossvet.adapters.types import Measured, Outcome, Raised
from lossvet.conformance import deviations, ledger, plan, pool
from lossvet.conformance.deviations import Deviation, LedgerError, Observed, Where
from lossvet.conformance.documented import Outcome as Documented
from lossvet.conformance.judge import judge
from lossvet.conformance.ledger import Ledger
from lossvet.conformance.plan import Selection
from lossvet.conformance.pool import Pool
from lossvet.conformance.summary import kind
from lossvet.conformance.types import Absent, Agrees, Cell, Crashed, Deviates, Differs, Errored, TimedOut, Verdict
from lossvet.reference import variants, vectors
from lossvet.reference.bounds import bounds
from lossvet.reference.dtypes import NAMES
from lossvet.reference.types import Array
from lossvet.workers import caches
from lossvet.workers.messages import Hello

CELL = Cell("pos_weight", "native", "tensorflow", "eager", "float64")
CASE, OUTPUT = "pos_weight/one_zero", "gradient/sum/logits"  # one logit of 12 is 0, at [1, 1]

ENTRY = Deviation(
    id="at_zero",
    title="a wrong gradient",
    reason="a kink",
    versions={"tensorflow": "==2.21.*"},
    where=(
        Where(framework=("tensorflow",), variant=("pos_weight",), output=("gradient/*/logits",), elements="logit_zero"),
    ),
    shows="kink_at_zero",
    observed=(Observed(case=CASE, output=OUTPUT, value="0x0.0p+0", index=(1, 1)),),
)


def weigh(
    change: Callable[[Array], None], entry: Deviation = ENTRY, cell: Cell = CELL, version: str = "2.21.0"
) -> Verdict:
    """The verdict on golden after a change, with this entry in the ledger."""
    (golden,) = (g for g in vectors.load("pos_weight") if g.case.id == CASE)
    value = golden.outputs[OUTPUT].copy()
    change(value)
    bound = bounds(variants.load("pos_weight"), golden.case, ("float64",))["float64"][OUTPUT]
    outcome: Outcome = Measured(value)
    verdict = judge(outcome, golden.outputs[OUTPUT], bound, "float64")
    packages = {"tensorflow": {"tensorflow": version}}
    return Ledger((entry,), packages).weigh(cell, golden, bound, OUTPUT, outcome, verdict, "nan")


def elsewhere(**changed: tuple[str, ...]) -> Deviation:
    """The entry with its place changed."""
    (where,) = ENTRY.where
    return msgspec.structs.replace(ENTRY, where=(msgspec.structs.replace(where, **changed),))


def put(*elements: tuple[tuple[int, int], float]) -> Callable[[Array], None]:
    def change(value: Array) -> None:
        for index, number in elements:
            value[index] = number

    return change


def test_the_observed_value_deviates() -> None:
    verdict = weigh(put(((1, 1), 0.0)))
    assert isinstance(verdict, Deviates)
    assert verdict.deviation == "at_zero"
    assert not verdict.stray


def test_an_element_that_is_not_named_differs() -> None:
    assert isinstance(weigh(put(((1, 1), 0.0), ((0, 0), 0.0))), Differs)


def test_another_value_than_the_model_differs() -> None:
    assert isinstance(weigh(put(((1, 1), 0.25))), Differs)


def test_another_value_than_the_observed_is_stray() -> None:
    pinned = msgspec.structs.replace(
        ENTRY, observed=(Observed(case=CASE, output=OUTPUT, value="0x1.0p+0", index=(1, 1)),)
    )
    verdict = weigh(put(((1, 1), 0.0)), entry=pinned)
    assert isinstance(verdict, Deviates)
    assert "is 0, but the ledger has 1" in verdict.stray
    assert ledger.stale([(CELL, CASE, OUTPUT, verdict)])


def test_where_an_entry_shows_nan_every_element_that_it_names_is_nan() -> None:
    shows_nan = msgspec.structs.replace(ENTRY, shows="nan", observed=(Observed(case=CASE, output="hvp", value="nan"),))
    assert isinstance(weigh(put(((1, 1), float("nan"))), entry=shows_nan), Deviates)
    assert isinstance(weigh(put(((1, 1), 99.0)), entry=shows_nan), Differs)
    assert isinstance(weigh(put(((1, 1), float("nan")), ((0, 0), float("nan"))), entry=shows_nan), Differs)
    right = weigh(put(), entry=shows_nan)
    assert kind(right) == "differs", "a right answer is no NaN"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_where_an_entry_shows_no_finite_value_every_element_that_it_names_is_none(number: float) -> None:
    seen = (Observed(case=CASE, output=OUTPUT, value=str(number), index=(1, 1)),)
    infinite = msgspec.structs.replace(ENTRY, shows="not_finite", observed=seen)
    assert weigh(put(((1, 1), number)), entry=infinite).stray == ""  # type: ignore[union-attr]  # it deviates
    assert isinstance(weigh(put(((1, 1), 1e300)), entry=infinite), Differs)
    assert isinstance(weigh(put(((1, 1), number), ((0, 0), number)), entry=infinite), Differs)
    assert kind(weigh(put(), entry=infinite)) == "differs", "a right answer is finite"
    other = msgspec.structs.replace(infinite, observed=(msgspec.structs.replace(seen[0], value="0x1.0p+0"),))
    assert weigh(put(((1, 1), number)), entry=other).stray  # type: ignore[union-attr]  # it deviates


@pytest.mark.parametrize("change", [{"framework": "torch"}, {"variant": "sigmoid"}], ids=str)
def test_another_cell_differs(change: dict[str, str]) -> None:
    assert isinstance(weigh(put(((1, 1), 0.0)), cell=dataclasses.replace(CELL, **change)), Differs)


@pytest.mark.parametrize("change", [{"output": ("hvp",)}, {"cases": ("*/hard",)}, {"dtype": ("float32",)}], ids=str)
def test_another_output_case_or_dtype_differs(change: dict[str, tuple[str, ...]]) -> None:
    assert isinstance(weigh(put(((1, 1), 0.0)), entry=elsewhere(**change)), Differs)


def test_a_check_that_an_entry_names_and_that_agrees_fails() -> None:
    verdict = weigh(put())
    assert isinstance(verdict, Deviates)
    assert kind(verdict) == "differs"
    (problem,) = ledger.stale([(CELL, CASE, OUTPUT, verdict)])
    assert "it agrees: narrow the entry" in problem


def test_an_entry_expects_nothing_of_a_check_in_which_it_names_no_element() -> None:
    assert isinstance(weigh(put(), entry=elsewhere_named("logit_infinite")), Agrees)


def elsewhere_named(elements: str) -> Deviation:
    (where,) = ENTRY.where
    return msgspec.structs.replace(ENTRY, where=(msgspec.structs.replace(where, elements=elements),))


def weighed_right(entry: Deviation, case: str, output: str, expected: Documented) -> Verdict:
    """The verdict on what is right: golden itself, in float64, or an exception where that is expected."""
    variant = case.partition("/")[0]
    (golden,) = (g for g in vectors.load(variant) if g.case.id == case)
    bound = bounds(variants.load(variant), golden.case, ("float64",), (output,))["float64"][output]
    outcome = Raised("ValueError", "label") if expected == "raises" else Measured(golden.outputs[output])
    verdict = judge(outcome, golden.outputs[output], bound, "float64", expected)
    cell = dataclasses.replace(CELL, variant=variant)
    return Ledger((entry,)).weigh(cell, golden, bound, output, outcome, verdict, expected)


def test_an_entry_expects_nothing_where_its_model_is_right() -> None:
    """Of labels that sum to 1, the gradient that takes them to is the gradient."""
    place = msgspec.structs.replace(ENTRY.where[0], variant=("softmax",), elements="all")
    entry = msgspec.structs.replace(ENTRY, shows="labels_that_sum_to_1", where=(place,))
    output = "gradient/sum/logits"
    assert isinstance(weighed_right(entry, "softmax/soft", output, "nan"), Agrees)
    assert kind(weighed_right(entry, "softmax/sum_two", output, "nan")) == "differs"


@pytest.mark.parametrize(
    ("expected", "shows"),
    [("nan", True), ("refused", True), ("raises", True), ("any", False), ("anything", False)],
)
def test_a_number_in_the_place_of_what_is_undefined_shows_where_nothing_documents_it(
    expected: Documented, shows: bool
) -> None:
    place = Where(("tensorflow",), ("sparse",), ("loss/*",), elements="row_with_negative_label")
    entry = msgspec.structs.replace(ENTRY, shows="label_wrapped", where=(place,))
    verdict = weighed_right(entry, "sparse/label_negative", "loss/none", expected)
    assert kind(verdict) == ("differs" if shows else "agrees")


def test_two_entries_cannot_name_one_check() -> None:
    (golden,) = (g for g in vectors.load("pos_weight") if g.case.id == CASE)
    bound = bounds(variants.load("pos_weight"), golden.case, ("float64",))["float64"][OUTPUT]
    again = msgspec.structs.replace(ENTRY, id="again")
    outcome = Measured(golden.outputs[OUTPUT])
    verdict = Ledger((ENTRY, again)).weigh(CELL, golden, bound, OUTPUT, outcome, Differs("is outside the bound"), "nan")
    assert isinstance(verdict, Deviates)
    assert "again and at_zero both cover this check" in verdict.stray


def test_in_another_version_what_shows_is_unconfirmed_and_what_agrees_has_healed() -> None:
    shown, healed, other = (weigh(put(*change), version="2.22.1") for change in ([((1, 1), 0.0)], [], [((1, 1), 0.25)]))
    assert isinstance(shown, Deviates)
    assert (shown.unconfirmed, shown.stray, kind(shown)) == ("tensorflow 2.22.1", "", "deviates")
    assert isinstance(healed, Agrees)
    assert kind(other) == "differs", "what is neither right nor as the entry says fails in every version"
    seen = [(CELL, CASE, OUTPUT, verdict) for verdict in (shown, healed)]
    assert ledger.unconfirmed(seen) == [
        "at_zero is unconfirmed in tensorflow 2.22.1 (1 checks): confirm the entry, and widen its versions",
        "at_zero, in tensorflow 2.22.1, no longer shows (1 checks): narrow its versions, or remove it",
    ]
    assert not ledger.stale(seen)
    assert not ledger.unconfirmed([(CELL, CASE, OUTPUT, weigh(put(((1, 1), 0.0)), version="2.21.3+local"))])


def test_an_exception_is_known_by_its_name_only() -> None:
    seen = (Observed(case=CASE, output=OUTPUT, value="raises ValueError"),)
    raises = msgspec.structs.replace(ENTRY, shows="whole", observed=seen)
    (golden,) = (g for g in vectors.load("pos_weight") if g.case.id == CASE)
    bound = bounds(variants.load("pos_weight"), golden.case, ("float64",))["float64"][OUTPUT]

    def weighed(error: str) -> Verdict:
        outcome = Raised(error, "no")
        return Ledger((raises,)).weigh(CELL, golden, bound, OUTPUT, outcome, Errored(error, "no"), "nan")

    assert isinstance(weighed("ValueError"), Deviates)
    assert isinstance(weighed("TypeError"), Errored)


def whole(*observed: Observed) -> Deviation:
    return msgspec.structs.replace(ENTRY, shows="whole", observed=observed)


def weighed_whole(entry: Deviation, outcome: Outcome) -> Verdict:
    """The verdict on an answer that cannot be judged by element, or on one that can."""
    (golden,) = (g for g in vectors.load("pos_weight") if g.case.id == CASE)
    bound = bounds(variants.load("pos_weight"), golden.case, ("float64",))["float64"][OUTPUT]
    verdict = judge(outcome, golden.outputs[OUTPUT], bound, "float64")
    return Ledger((entry,)).weigh(CELL, golden, bound, OUTPUT, outcome, verdict, "nan")


HERE, THERE = Observed(case=CASE, output=OUTPUT, value="raises ValueError"), Observed("elsewhere", OUTPUT, "shape [0]")
EMPTY = Measured(np.zeros(0))


def test_a_shape_deviates_where_it_was_observed() -> None:
    verdict = weighed_whole(whole(msgspec.structs.replace(HERE, value="shape [0]")), EMPTY)
    assert isinstance(verdict, Deviates)
    assert (verdict.deviation, verdict.stray) == ("at_zero", "")
    assert isinstance(weighed_whole(whole(THERE), Measured(np.zeros(3))), Differs)


def test_what_was_observed_elsewhere_is_stray_here() -> None:
    verdict = weighed_whole(whole(THERE, HERE), EMPTY)
    assert isinstance(verdict, Deviates)
    assert verdict.stray == "shape [0], but the ledger has 'raises ValueError'"


def test_every_value_that_was_observed_here_has_to_be_there() -> None:
    verdict = weighed_whole(whole(HERE, *ENTRY.observed), Raised("ValueError", "no rows"))
    assert isinstance(verdict, Deviates)
    assert verdict.stray == "raises ValueError, but the ledger has '0x0.0p+0'"


def test_an_answer_of_the_right_shape_is_not_explained_by_an_entry_about_the_whole() -> None:
    (golden,) = (g for g in vectors.load("pos_weight") if g.case.id == CASE)
    assert isinstance(weighed_whole(whole(HERE), Measured(golden.outputs[OUTPUT] + 1)), Differs)
    right = weighed_whole(whole(HERE), Measured(golden.outputs[OUTPUT]))
    assert isinstance(right, Deviates)
    assert right.stray == "it agrees: narrow the entry, or remove it"
    assert right.differs == Differs("is within the bound", ratio=0.0)


def test_an_answer_where_an_exception_was_observed_is_stray() -> None:
    verdict = weigh(put(((1, 1), 0.0)), entry=msgspec.structs.replace(ENTRY, observed=(HERE,)))
    assert isinstance(verdict, Deviates)
    assert verdict.stray == "is a result, but the ledger has 'raises ValueError'"


def test_an_exception_tells_how_it_differs() -> None:
    verdict = weighed_whole(whole(HERE), Raised("ValueError", "no rows"))
    assert isinstance(verdict, Deviates)
    assert verdict.differs == Differs("raises ValueError: no rows")


def test_every_observed_value_counts_those_of_other_checks_apart() -> None:
    other = Observed(case="pos_weight/other", output=OUTPUT, value="0x1.0p+0", index=(0, 0))
    wrong = Observed(case=CASE, output=OUTPUT, value="0x1.0p+0", index=(1, 1))
    shown = put(((1, 1), 0.0))
    assert weigh(shown, entry=msgspec.structs.replace(ENTRY, observed=(other, *ENTRY.observed))).stray == ""  # type: ignore[union-attr]  # it deviates
    assert weigh(shown, entry=msgspec.structs.replace(ENTRY, observed=(other, *ENTRY.observed, wrong))).stray  # type: ignore[union-attr]  # it deviates


def test_a_nan_that_is_pinned_has_to_be_there() -> None:
    seen = (Observed(case=CASE, output=OUTPUT, value="nan", index=(1, 1)),)
    shows_nan = msgspec.structs.replace(ENTRY, shows="nan", observed=seen)
    assert weigh(put(((1, 1), float("nan"))), entry=shows_nan).stray == ""  # type: ignore[union-attr]  # it deviates
    verdict = weigh(put(((1, 1), 0.0)), entry=msgspec.structs.replace(ENTRY, observed=seen))
    assert verdict.stray == "element [1, 1] is 0, but the ledger has nan"  # type: ignore[union-attr]  # it deviates


def test_two_places_of_one_entry_may_name_one_check() -> None:
    twice = msgspec.structs.replace(ENTRY, where=ENTRY.where * 2)
    assert weigh(put(((1, 1), 0.0)), entry=twice).stray == ""  # type: ignore[union-attr]  # it deviates


def test_of_two_places_that_name_one_check_the_first_says_which_elements_are_wrong() -> None:
    (place,) = ENTRY.where
    everything = msgspec.structs.replace(place, elements="all")
    shows_nan = msgspec.structs.replace(ENTRY, shows="nan", observed=(Observed(case=CASE, output="hvp", value="nan"),))
    one_nan = put(((1, 1), float("nan")))
    first, last = (msgspec.structs.replace(shows_nan, where=w) for w in ((place, everything), (everything, place)))
    assert isinstance(weigh(one_nan, entry=first), Deviates)
    assert isinstance(weigh(one_nan, entry=last), Differs)


def test_what_was_not_judged_is_left_as_it_is() -> None:
    (golden,) = (g for g in vectors.load("pos_weight") if g.case.id == CASE)
    bound = bounds(variants.load("pos_weight"), golden.case, ("float64",))["float64"][OUTPUT]
    for verdict in (Absent("not there"), Crashed("died"), TimedOut(1.0)):
        assert Ledger((ENTRY,)).weigh(CELL, golden, bound, OUTPUT, EMPTY, verdict, "nan") is verdict


def test_the_ledger_of_the_project_knows_what_frameworks_greeted_with() -> None:
    greeting = Hello("tensorflow", "9.9", (), (), (), {}, {}, {}, (), {"keras": "3.0"}, "3.11")
    own = ledger.read([greeting])
    assert own.deviations == deviations.read()
    (golden,) = (g for g in vectors.load("pos_weight") if g.case.id == CASE)
    bound = bounds(variants.load("pos_weight"), golden.case, ("float64",))["float64"][OUTPUT]
    healed = Agrees(0.0, 0.0, 0.0, "relative", 0.0)
    verdict = own.weigh(CELL, golden, bound, OUTPUT, Measured(golden.outputs[OUTPUT]), healed, "nan")
    assert isinstance(verdict, Agrees)
    assert verdict.notes == ("tensorflow_pos_weight_at_zero, in tensorflow 9.9, no longer shows",)


def test_a_problem_is_told_once_and_only_what_was_judged_has_one() -> None:
    stray = Deviates("at_zero", Differs("is NaN"), "it agrees")
    seen = [(CELL, CASE, OUTPUT, one) for one in (stray, stray, Agrees(0.0, 0.0, 0.0, "relative", 0.0))]
    assert ledger.stale(seen) == [f"at_zero: it agrees ({CELL}, {CASE}, {OUTPUT})"]


def test_the_entries_speak_of_what_there_is() -> None:
    cases = {g.case.id: g for name in variants.names() for g in vectors.load(name)}
    for d in deviations.read():
        for o in d.observed:
            assert o.case in cases, f"{d.id} was observed in {o.case}, which is no case"
            value = cases[o.case].outputs[o.output]
            assert o.value.startswith(("raises ", "shape ")) or np.shape(value[o.index]) == (), f"{d.id}: {o}"


@pytest.mark.slow
def test_every_pinned_value_is_asked_for_by_a_full_run() -> None:
    """Of all dtypes, 16 bits among them. Else the entry could heal, and nobody would know."""
    names = adapters.names()
    with Pool(dict.fromkeys(names, sys.executable), caches.environment(None), 120.0) as workers:
        greetings, _ = pool.greetings(workers)
    there = {name for name, greeting in greetings.items() if isinstance(greeting, Hello)}
    assert there == set(names) or "CI" not in os.environ, f"CI has every framework; here are {there}"
    full = plan.make(greetings, plan.choose(vectors.load, ()), Selection(level="full", dtypes=NAMES))
    asked = {(item.cell, item.case, output) for item in full if not item.absent for output in item.outputs}
    wanted = {(o.case, o.output) for d in deviations.read() for o in d.observed}
    cells: dict[tuple[str, str], set[Cell]] = {key: set() for key in wanted}
    for cell, case, output in asked:
        if (case, output) in cells:
            cells[case, output].add(cell)
    for d in deviations.read():
        for o in d.observed:
            named = [
                c
                for c in cells[o.case, o.output]
                for w in d.where
                if w.names_cell(c) and w.names_check(o.case, o.output)
            ]
            assert named or not there & set(d.frameworks), f"{d.id}: {o.output} of {o.case} is asked of nobody"


@pytest.mark.parametrize("value", [ENTRY, ENTRY.where[0], ENTRY.observed[0]], ids=lambda value: type(value).__name__)
def test_what_was_read_does_not_change(value: msgspec.Struct) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        setattr(value, value.__struct_fields__[0], "another")


BAD = {
    "no observed value": '[[deviation]]\nid = "x"\nobserved = []\n',
    "an unknown field": '[[deviation]]\nid = "x"\ntolerance = 1e-3\n',
    "no TOML": "[[deviation",
    "no version": (deviations.DEFAULT.read_text().replace('"==2.21.*"', '"2.21 or so"', 1)),
    "an unknown element": (deviations.DEFAULT.read_text().replace('"logit_zero"', '"logit_near_zero"', 1)),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_bad_ledger_is_refused_by_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "deviations.toml"
    path.write_text(text)
    with pytest.raises(LedgerError, match=r"deviations\.toml"):
        deviations.read(path)
