"""The corpus of verify's self-test: every loss runs, means what its record says, and has its fault.

What a record says is a formula in NumPy; it is held against the framework in value and, by a complex step, in every
gradient.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from corpus_answers import (
    EDGES,
    EXTREME,
    RECORDS,
    UNRECORDED,
    answer,
    differ,
    dividing,
    each,
    emptied,
    facets,
    first_case,
    given,
    judged_cases,
    near,
    tolerance,
)
from corpus_cases import DEFAULTS, NUMBERS, Record, inputs, pairs
from corpus_formulas import formula, gradients
from corpus_runner import CORPUS

from lossvet.verify.contract import Contract, numbers


def test_every_loss_has_a_record_and_every_record_a_loss() -> None:
    written = set()
    for path in CORPUS.glob("*.py"):
        tree = ast.parse(path.read_text())
        names = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        written |= {f"{path.name}::{n}" for n in names if not n.startswith("_")}
    assert written - UNRECORDED == set(RECORDS)


def test_the_corpus_has_what_it_is_to_have() -> None:
    outside = [k for k, r in RECORDS.items() if "outside" in r]
    assert len(RECORDS) >= 120
    assert len(outside) >= 20
    assert sum(p["verdict"] in ("same", "same_gradient") for p in pairs()) >= 20
    assert len(pairs()) >= 60
    assert {r["framework"] for r in RECORDS.values()} == {"torch", "jax", "tensorflow", "tensorflow_v1", "numpy"}


@pytest.mark.parametrize("key", RECORDS)
def test_a_record_is_whole(key: str) -> None:
    record = RECORDS[key]
    assert ("outside" in record) != ("contract" in record), "either a contract, or a reason why there is none"
    assert record["labels"] in ("dense", "sparse")
    if "outside" in record:
        return
    assert record["says"]
    assert record["formula"]
    for contract in [record["contract"], *record.get("also", [])]:
        assert set(contract) <= set(DEFAULTS) | NUMBERS
        assert set(numbers()) & set(contract) == set(numbers()) & set(loaded(contract)), "a number belongs to no facet"
        assert not [f for f, v in contract.items() if f in DEFAULTS and v == DEFAULTS[f]], "a default is left out"
        reduced = contract.get("denominator", "batch") not in ("sum", "unreduced")
        assert reduced == ("zero_denominator" in contract), "means, and they alone, say what 0/0 gives"


@pytest.mark.parametrize("key", each())
def test_it_runs(key: str) -> None:
    got = answer(key)[first_case(RECORDS[key])]
    assert "error" not in got, got
    assert np.isfinite(np.asarray(got["value"], float)).all()


@pytest.mark.parametrize("key", each(judged=True))
def test_its_value_is_that_of_the_formula(key: str) -> None:
    record, seen = RECORDS[key], 0
    lost = record["contract"].get("log") == "broken_max" or "tolerance" in record
    for case, got in answer(key).items():
        if case not in judged_cases(record) or (case in EXTREME and lost):
            continue
        assert "error" not in got, f"{case}: {got}"
        want = formula(record, inputs(record, case) or {})
        assert near(got["value"], want, tolerance(record)), f"{case}: {got['value']}, not {want.tolist()}"
        seen += 1
    assert seen


def test_a_wrong_formula_is_seen() -> None:
    """The mean over the batch is not the weighted mean, and the comparison says so."""
    key, wrong = "torch_reductions.py::weighted_mean_over_batch", "torch_sound.py::weighted_ce_by_gather"
    record, got = RECORDS[key], answer(key)["plain"]
    values = inputs(record, "plain") or {}
    assert not near(got["value"], formula(RECORDS[wrong], values), tolerance(record))
    want = gradients(RECORDS[wrong], values)
    assert not gradients_match(record, got, values, "logits", want["logits"])
    assert not gradients_match(record, got, values, "weights", want["weights"])


def loaded(contract: Record) -> Contract:
    """Raises KeyError where a name or a value is none of `verify/facets`."""
    return Contract.of({name: tuple(s) if isinstance(s, list) else s for name, s in contract.items()})


def gradients_match(record: Record, got: Record, values: Record, leaf: str, want: Any) -> bool:
    return near(given(got["gradient"][leaf], want), want, max(tolerance(record), 1e-9))


@pytest.mark.parametrize("key", [p for p in each(judged=True) if RECORDS[str(p.values[0])]["framework"] != "numpy"])
def test_its_gradients_are_those_of_the_formula_unless_the_record_says_otherwise(key: str) -> None:
    record = RECORDS[key]
    contract = record["contract"]
    role = {"logits": "gradient_logits", "labels": "gradient_labels"}
    upstream = contract.get("upstream")
    departs = {"logits": upstream in ("ignored", "none", "detached"), "labels": upstream in ("none", "detached")}
    agreed: dict[str, set[bool]] = {}
    moves: set[str] = set()
    for case, got in answer(key).items():
        if case in (*EXTREME, "weightless") or case not in judged_cases(record):
            continue
        values = inputs(record, case) or {}
        for leaf, want in gradients(record, values).items():
            soft_only = "xlogx" in record["formula"] or leaf in record.get("inexact", [])
            if np.isnan(want).any() or (case != "soft" and soft_only):
                continue
            agreed.setdefault(leaf, set()).add(gradients_match(record, got, values, leaf, want))
            moves.add(leaf) if want.any() else None
    assert "logits" in agreed
    for leaf, seen in agreed.items():
        says = contract.get(role.get(leaf, "gradient_weights"), "exact")
        departing = departs.get(leaf) or says in (
            "stopped", "factor_stopped", "not_differentiable", "normalised_labels_only", "wrong_at_zero", "filtered",
        )  # fmt: skip
        if not departing:
            assert seen == {True}, f"the gradient into {leaf} is not that of the formula, and the record says {says}"
        elif leaf in moves:
            assert False in seen, f"the gradient into {leaf} is said to be {says}, and is that of the formula"


@pytest.mark.parametrize("key", [p for p in each(judged=True) if dividing(RECORDS[str(p.values[0])])])
def test_a_denominator_of_zero(key: str) -> None:
    assert emptied(key) == RECORDS[key]["contract"]["zero_denominator"]


@pytest.mark.parametrize("key", each(departs=True))
def test_the_fault_is_there(key: str) -> None:
    """On some input the loss and the one that it departs from are seen to differ."""
    record, sound = RECORDS[key], RECORDS[RECORDS[key]["of"]]
    planted = facets(record["contract"], sound["contract"]) | {f for f in EDGES if f in record["contract"]}
    assert planted
    if "only" in record:
        values = inputs(record, record["only"]) or {}
        assert not near(answer(key)[record["only"]]["value"], formula(sound, values), 1e-6)
        return
    found = differ(key, record["of"], same=not planted & {"ignored", "counted", *EDGES})
    if "zero_denominator" not in planted:
        found = [f for f in found if f != "denominator of 0"]
    if planted <= {"gradient_logits", "gradient_labels", "gradient_weights", "upstream"}:
        assert not [f for f in found if "value" in f], "the value is right, the gradient is not"
    assert found
