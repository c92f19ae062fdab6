"""The ledger is strict: it excuses what it names and nothing beside it, and fails when it no longer holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from lossvet.adapters.types import Measured, Outcome, Raised
from lossvet.conformance.judge import judge
from lossvet.conformance.ledger import Deviation, Ledger, LedgerError, Observed
from lossvet.conformance.types import Agrees, Cell, Deviates, Differs, Errored, Verdict
from lossvet.reference import variants, vectors
from lossvet.reference.bounds import bounds
from lossvet.reference.types import Array

CELL = Cell("pos_weight", "native", "tensorflow", "eager", "float64")
CASE, OUTPUT = "pos_weight/one_zero", "gradient/sum/logits"  # one logit of 12 is 0, at [1, 1]

ENTRY = Deviation(
    id="at_zero",
    title="a wrong gradient",
    reason="a kink",
    versions="1",
    framework=("tensorflow",),
    variant=("pos_weight",),
    output=("gradient/*/logits",),
    cases=("*",),
    elements="logit_zero",
    shows="kink_at_zero",
    observed=(Observed(case=CASE, output=OUTPUT, value="0x0.0p+0", index=(1, 1)),),
)


def weigh(change: Callable[[Array], None], entry: Deviation = ENTRY, cell: Cell = CELL) -> Verdict:
    """The verdict on golden after a change, with this entry in the ledger."""
    (golden,) = (g for g in vectors.load("pos_weight") if g.case.id == CASE)
    value = golden.outputs[OUTPUT].copy()
    change(value)
    bound = bounds(variants.load("pos_weight"), golden.case, ("float64",))["float64"][OUTPUT]
    outcome: Outcome = Measured(value)
    verdict = judge(outcome, golden.outputs[OUTPUT], bound, "float64")
    return Ledger((entry,)).weigh(cell, golden, bound, OUTPUT, outcome, verdict)


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
    assert "is 0, and the ledger has 1" in verdict.stray
    assert Ledger((pinned,)).stale([(CELL, CASE, OUTPUT, verdict)])


def test_nan_is_excused_as_nan_only() -> None:
    shows_nan = msgspec.structs.replace(ENTRY, shows="nan", observed=(Observed(case=CASE, output="hvp", value="nan"),))
    assert isinstance(weigh(put(((1, 1), float("nan"))), entry=shows_nan), Deviates)
    assert isinstance(weigh(put(((1, 1), 99.0)), entry=shows_nan), Differs)
    assert isinstance(weigh(put(((1, 1), float("nan")), ((0, 0), float("nan"))), entry=shows_nan), Differs)


@pytest.mark.parametrize("change", [{"framework": "torch"}, {"variant": "sigmoid"}], ids=str)
def test_another_cell_differs(change: dict[str, str]) -> None:
    assert isinstance(weigh(put(((1, 1), 0.0)), cell=dataclasses.replace(CELL, **change)), Differs)


@pytest.mark.parametrize("change", [{"output": ("hvp",)}, {"cases": ("*/hard",)}, {"dtype": ("float32",)}], ids=str)
def test_another_output_case_or_dtype_differs(change: dict[str, tuple[str, ...]]) -> None:
    assert isinstance(weigh(put(((1, 1), 0.0)), entry=msgspec.structs.replace(ENTRY, **change)), Differs)


def test_what_agrees_is_left_alone_and_makes_the_entry_stale() -> None:
    verdict = weigh(put())
    assert isinstance(verdict, Agrees)
    assert any("agrees now" in problem for problem in Ledger((ENTRY,)).stale([(CELL, CASE, OUTPUT, verdict)]))


def test_an_entry_that_matches_nothing_is_stale() -> None:
    differs = Differs("is outside the bound")
    assert any("matches nothing" in problem for problem in Ledger((ENTRY,)).stale([(CELL, CASE, OUTPUT, differs)]))


def test_an_entry_of_which_nothing_was_judged_is_not_stale() -> None:
    assert not Ledger((ENTRY,)).stale([(CELL, "pos_weight/hard", OUTPUT, Differs("is outside the bound"))])


def test_an_exception_is_excused_by_its_name_only() -> None:
    seen = (Observed(case=CASE, output=OUTPUT, value="raises ValueError"),)
    raises = msgspec.structs.replace(ENTRY, shows="whole", observed=seen)
    (golden,) = (g for g in vectors.load("pos_weight") if g.case.id == CASE)
    bound = bounds(variants.load("pos_weight"), golden.case, ("float64",))["float64"][OUTPUT]

    def weighed(error: str) -> Verdict:
        outcome = Raised(error, "no")
        return Ledger((raises,)).weigh(CELL, golden, bound, OUTPUT, outcome, Errored(error, "no"))

    assert isinstance(weighed("ValueError"), Deviates)
    assert isinstance(weighed("TypeError"), Errored)


def test_the_entries_speak_of_what_there_is() -> None:
    cases = {g.case.id: g for name in variants.names() for g in vectors.load(name)}
    for d in Ledger.read().deviations:
        for o in d.observed:
            assert o.case in cases, f"{d.id} was observed in {o.case}, which is no case"
            value = cases[o.case].outputs[o.output]
            assert o.value.startswith(("raises ", "shape ")) or np.shape(value[o.index]) == (), f"{d.id}: {o}"


BAD = {
    "no observed value": '[[deviation]]\nid = "x"\nobserved = []\n',
    "an unknown field": '[[deviation]]\nid = "x"\ntolerance = 1e-3\n',
    "no TOML": "[[deviation",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_bad_ledger_is_refused_by_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "deviations.toml"
    path.write_text(text)
    with pytest.raises(LedgerError, match=r"deviations\.toml"):
        Ledger.read(path)
