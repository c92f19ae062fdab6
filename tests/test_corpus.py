"""The corpus of verify's self-test: every loss runs, means what its record says, and has the fault that it is said to have.

What a record says is a formula in NumPy; it is held against the framework in value and, by a complex step, in every
gradient.
"""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from corpus_cases import (
    DEFAULTS,
    NUMBERS,
    Record,
    formula,
    gradients,
    judged_when_ignored,
    inputs,
    packed,
    pairs,
    records,
)
from corpus_runner import CORPUS

CASES = ("plain", "soft", "ignored", "own", "far", "rows", "zero", "nothing", "empty", "square")
EXTREME = ("far", "rows")
"""Cases on which a value may be lost where the record says so, and gradients are not compared."""
RECORDS = records()
SLOW = ("jax", "tensorflow", "tensorflow_v1")
UNRECORDED = {"jax_faults.py::take", "numpy_losses.py::softmax"}
"""Functions that losses of the same file call."""


def parts(*frameworks: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if set(frameworks) & set(SLOW) else []


def each(*, judged: bool = False, departs: bool = False) -> list[Any]:
    """The records as parameters: all, those with a formula, or those with a partner that they depart from."""
    chosen = {k: r for k, r in RECORDS.items() if (not judged or "formula" in r) and (not departs or "of" in r)}
    return [pytest.param(k, id=k, marks=parts(r["framework"])) for k, r in chosen.items()]


@functools.cache
def answers(framework: str) -> dict[str, dict[str, Record]]:
    """What every loss of a framework answered, by record and case."""
    jobs = {}
    for key, record in RECORDS.items():
        if record["framework"] != framework:
            continue
        wanted = [c for c in CASES if (c == "square") == ("only" in record) or c == record.get("only")]
        cases = {c: packed(v) for c in wanted if (v := inputs(record, c)) is not None}
        if "nothing" in cases:
            cases.pop("empty", None)
        told = {name: record[name] for name in ("file", "name", "roles", "init") if name in record}
        jobs[key] = {**told, "cases": cases, "second": record.get("contract", {}).get("upstream") == "once_only"}
    command = [sys.executable, str(Path(__file__).with_name("corpus_runner.py")), framework]
    done = subprocess.run(command, input=json.dumps(list(jobs.values())), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(jobs, json.loads(done.stdout.splitlines()[-1]), strict=True))


def answer(key: str) -> dict[str, Record]:
    return answers(RECORDS[key]["framework"])[key]


def tolerance(record: Record) -> float:
    """Ours is near 0: formulas and losses are both in float64, but where a record says otherwise."""
    return float(record.get("tolerance", 1e-10))


def near(a: Any, b: Any, tol: float) -> bool:
    a, b = np.asarray(a, float), np.asarray(b, float)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=tol, atol=tol, equal_nan=True))


def given(value: Any, like: Any) -> Any:
    """A gradient as an array: none, or a refusal, is one of zeros."""
    return np.zeros_like(like) if value is None or isinstance(value, str) else np.asarray(value, float)


def judged_cases(record: Record) -> set[str]:
    """The cases on which the formula holds."""
    unsaid = {"nothing", "empty"} | (set() if judged_when_ignored(record) else {"ignored"})
    return set(record.get("cases", CASES)) - unsaid


def first_case(record: Record) -> str:
    return str(record.get("only", "plain"))


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


def gradients_match(record: Record, got: Record, values: Record, leaf: str, want: Any) -> bool:
    return near(given(got["gradient"][leaf], want), want, max(tolerance(record), 1e-9))


@pytest.mark.parametrize("key", [p for p in each(judged=True) if RECORDS[str(p.values[0])]["framework"] != "numpy"])
def test_its_gradients_are_those_of_the_formula_unless_the_record_says_otherwise(key: str) -> None:
    record = RECORDS[key]
    contract = record["contract"]
    role = {"logits": "gradient_logits", "labels": "gradient_labels"}
    departs = {"logits": contract.get("upstream") in ("ignored", "none"), "labels": contract.get("upstream") == "none"}
    agreed: dict[str, set[bool]] = {}
    moves: set[str] = set()
    for case, got in answer(key).items():
        if case in EXTREME or case not in judged_cases(record):
            continue
        values = inputs(record, case) or {}
        for leaf, want in gradients(record, values).items():
            if np.isnan(want).any() or (case != "soft" and ("xlogx" in record["formula"] or leaf in record.get("inexact", []))):
                continue
            agreed.setdefault(leaf, set()).add(gradients_match(record, got, values, leaf, want))
            moves.add(leaf) if want.any() else None
    assert "logits" in agreed
    for leaf, seen in agreed.items():
        says = contract.get(role.get(leaf, "gradient_weights"), "exact")
        departing = departs.get(leaf) or says in (
            "stopped", "not_differentiable", "normalised_labels_only", "wrong_at_zero", "filtered",
        )  # fmt: skip
        if not departing:
            assert seen == {True}, f"the gradient into {leaf} is not that of the formula, and the record says {says}"
        elif leaf in moves:
            assert False in seen, f"the gradient into {leaf} is said to be {says}, and is that of the formula"


def emptied(key: str) -> str:
    """What the loss gives where its denominator is 0."""
    here = answer(key)
    got = here.get("nothing", here.get("empty"))
    if got is None or "error" in got:
        return "raises"
    if not np.isfinite(np.asarray(got["value"], float)).all():
        return "nan"
    gradient = got["gradient"].get("logits")
    bad = not (gradient is None or isinstance(gradient, str)) and not np.isfinite(np.asarray(gradient, float)).all()
    return "zero_nan_gradient" if bad else "zero"


@pytest.mark.parametrize("key", [p for p in each(judged=True) if "zero_denominator" in RECORDS[str(p.values[0])]["contract"]])
def test_a_denominator_of_zero(key: str) -> None:
    if "only" in RECORDS[key]:
        pytest.skip("has no empty batch: N is C")
    assert emptied(key) == RECORDS[key]["contract"]["zero_denominator"]


def differ(one: str, other: str, tol: float = 1e-12, *, same: bool = False) -> list[str]:
    """Where two losses are seen to differ on the same inputs: in value, gradient, refusal, or in what they change.

    Of losses said to be the same, labels out of range are left out unless both records say what they do.
    """
    found = []
    a, b = answer(one), answer(other)
    unsaid = {"ignored", "own"} if same and not all(judged_when_ignored(RECORDS[k]) for k in (one, other)) else set()
    for case in sorted(set(a) & set(b) - {"nothing", "empty"} - unsaid):
        mine, theirs = inputs(RECORDS[one], case) or {}, inputs(RECORDS[other], case) or {}
        shared = [r for r in mine if r in theirs and r != "labels"]
        if not all(np.array_equal(mine[r], theirs[r]) for r in shared):
            continue
        if "error" in a[case] or "error" in b[case]:
            found += [f"{case}: error"] if ("error" in a[case]) != ("error" in b[case]) else []
            continue
        found += [f"{case}: value"] if not near(a[case]["value"], b[case]["value"], tol) else []
        found += [f"{case}: changed"] if a[case]["changed"] != b[case]["changed"] else []
        for leaf in set(a[case]["gradient"]) & set(b[case]["gradient"]):
            pair = [x[case]["gradient"][leaf] for x in (a, b)]
            if leaf != "logits" and any(isinstance(g, str) and "not differentiable" in g for g in pair):
                continue
            like = mine[leaf]
            if like.shape == theirs[leaf].shape and not near(given(pair[0], like), given(pair[1], like), tol):
                found.append(f"{case}: gradient {leaf}")
    return found + (["denominator of 0"] if emptied(one) != emptied(other) else [])


@pytest.mark.parametrize("key", each(departs=True))
def test_the_fault_is_there(key: str) -> None:
    """On some input the loss and the one that it departs from are seen to differ."""
    record = RECORDS[key]
    assert record["of"] in RECORDS
    if record["contract"].get("log") == "broken_max" and record["of"].startswith("numpy"):
        assert differ(key, record["of"]) or emptied(key) != emptied(record["of"])
        return
    if "only" in record:
        values = inputs(record, "square") or {}
        sound = formula(RECORDS[record["of"]], values)
        assert not near(answer(key)["square"]["value"], sound, 1e-6)
        return
    assert differ(key, record["of"])


NOT_COMPARED = {"all_ignored", "invalid_label"}
BELONGS = {
    "clip_epsilon": "clip", "clip_cap": "clip", "log_floor": "clip", "gamma": "modulation", "weights": "weights_from",
    "counts_formula": "weights_from", "microbatches": "denominator", "microbatch_rows": "denominator",
    "smoothing_alpha": "smoothing", "temperature": "logits_map", "cap": "logits_map", "margin": "logits_map",
    "z_loss": "extra_terms", "entropy": "extra_terms",
}  # fmt: skip


def facets(one: Record, other: Record) -> set[str]:
    """The facets in which two contracts differ; a gradient that a side cannot give is not compared."""
    a, b = DEFAULTS | one, DEFAULTS | other
    keys = {k for k in set(a) | set(b) if a.get(k) != b.get(k)} - NOT_COMPARED
    blind = {k for k in keys if k.startswith("gradient_") and "not_differentiable" in (a[k], b[k])}
    return {BELONGS.get(k, k) for k in keys - blind}


PAIRS = [
    pytest.param(p, id=f"{p['source']} {p['target']}", marks=parts(*(RECORDS[p[s]]["framework"] for s in ("source", "target"))))
    for p in pairs()
]  # fmt: skip


@pytest.mark.parametrize("pair", [p for p in PAIRS if "outside" not in p.values[0]])
def test_a_pair_names_the_facets_in_which_its_records_differ(pair: Record) -> None:
    one, other = RECORDS[pair["source"]], RECORDS[pair["target"]]
    ways = [
        facets(a, b)
        for a in [one["contract"], *one.get("also", [])]
        for b in [other["contract"], *other.get("also", [])]
    ]
    assert set(pair.get("facets", [])) == min(ways, key=len)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_pair_answers_as_its_verdict_says(pair: Record) -> None:
    one, other = pair["source"], pair["target"]
    tol = max(1e-10, *(RECORDS[k].get("tolerance", 0.0) for k in (one, other)))
    close = pair["verdict"] != "different"
    found = differ(one, other, tol if close else 1e-12, same=close)
    match pair["verdict"]:
        case "same":
            assert not found
        case "same_gradient":
            assert any("value" in f for f in found)
            assert not [f for f in found if "gradient logits" in f]
        case "different":
            assert found
