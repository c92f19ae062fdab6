"""What the losses of the corpus answered, once a framework, and in what two of them differ."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus_cases import DEFAULTS, Record, inputs, judged_when_ignored, packed, records

CASES = ("plain", "soft", "ignored", "own", "far", "rows", "weightless", "zero", "nothing", "empty", "square")
EXTREME = ("far", "rows")
"""Cases on which a value may be lost where the record says so, and gradients are not compared."""
RECORDS = records()
SLOW = ("jax", "tensorflow", "tensorflow_v1")
UNRECORDED = {"jax_faults.py::take", "numpy_losses.py::softmax"}
"""Functions that losses of the same file call."""


EDGES = ("all_ignored", "invalid_label")
BELONGS = {
    "clip_epsilon": "clip", "gamma": "modulation", "constants": "weights_from", "ignored_label": "ignored",
    "smoothing_alpha": "smoothing", "temperature": "logits_map", "cap": "logits_map", "margin": "logits_map",
    "z_scale": "extra_terms", "entropy_scale": "extra_terms", "offset_constant": "offset",
    "microbatches": "denominator", "microbatch_rows": "denominator",
}  # fmt: skip


def facets(one: Record, other: Record) -> set[str]:
    """The facets in which two contracts differ; a gradient that a side cannot give is not compared."""
    a, b = DEFAULTS | one, DEFAULTS | other
    keys = {k for k in set(a) | set(b) if a.get(k) != b.get(k)} - set(EDGES)
    blind = {k for k in keys if k.startswith("gradient_") and "not_differentiable" in (a[k], b[k])}
    return {BELONGS.get(k, k) for k in keys - blind}


def parts(*frameworks: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.sweep] if set(frameworks) & set(SLOW) else []


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


def dividing(record: Record) -> bool:
    """Whether there is a denominator that can be 0: not where N has to be C."""
    return "zero_denominator" in record["contract"] and "only" not in record


def emptied(key: str) -> str:
    """What the loss gives where its denominator is 0."""
    here = answer(key)
    got = here.get("nothing", here.get("empty"))
    if got is None or "error" in got:
        return "raises"
    if np.asarray(got["value"]).size == 0:
        return "other"
    if not np.isfinite(np.asarray(got["value"], float)).all():
        return "nan"
    gradient = got["gradient"].get("logits")
    bad = not (gradient is None or isinstance(gradient, str)) and not np.isfinite(np.asarray(gradient, float)).all()
    return "zero_with_nan_gradient" if bad else "zero"


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
