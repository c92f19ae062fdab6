"""Pairs of the corpus differ in what their records say, and as their verdict says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from corpus_answers import RECORDS, differ, facets, parts
from corpus_cases import Record, pairs


def frameworks(pair: Record) -> list[str]:
    return [RECORDS[pair[side]]["framework"] for side in ("source", "target")]


PAIRS = [pytest.param(p, id=f"{p['source']} {p['target']}", marks=parts(*frameworks(p))) for p in pairs()]


@pytest.mark.parametrize("pair", [p for p in PAIRS if "outside" not in p.values[0]])
def test_a_pair_names_the_facets_in_which_its_records_differ(pair: Record) -> None:
    one, other = RECORDS[pair["source"]], RECORDS[pair["target"]]
    ways = [
        facets(a, b)
        for a in [one["contract"], *one.get("also", [])]
        for b in [other["contract"], *other.get("also", [])]
    ]
    assert {*pair.get("facets", []), *pair.get("edges", [])} == min(ways, key=len)


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
