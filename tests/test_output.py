"""The name of an output is parsed and spelled in one place, and everything that a case has comes back from its name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lossvet
from lossvet.reference import output, variants, vectors
from lossvet.reference.output import HVP, Output, parse
from lossvet.reference.types import output_names

PACKAGE = Path(lossvet.__file__).parent
ROOMS = ("reference", "adapters", "conformance", "benchmarks", "reports")
SPLIT = re.compile(
    r"""(output|name|\bo)\.(split|partition|rpartition)\("/"\)"""
    r"""|(startswith|removeprefix)\(f?"(loss|gradient)/"""
    r"""|f"(loss|gradient)/\{"""
)
"""How names of outputs are taken apart or put together by hand."""
ELSEWHERE = {"reference/output.py", "conformance/test_conformance.py", "reports/counterexamples.py"}
"""The place itself; the suite, which spells what it looks for; and one whose names are those of `verify`."""


def by_hand(path: str, source: str) -> list[str]:
    return [f"{path}:{n}: {line.strip()}" for n, line in enumerate(source.splitlines(), 1) if SPLIT.search(line)]


@pytest.mark.parametrize("name", variants.names())
def test_every_name_comes_back(name: str) -> None:
    variant = variants.load(name)
    case = vectors.load(name)[0].case
    names = output_names(variant, case)
    found = [parse(one) for one in names]
    assert [str(one) for one in found] == list(names)
    assert len(set(found)) == len(names)
    assert {one.kind for one in found} == {"loss", "gradient", "hvp"}


def test_outputs_are_values() -> None:
    assert parse("gradient/mean/logits") == Output("gradient", "mean", "logits")
    assert parse("loss/none") == Output("loss")
    assert parse("hvp") == HVP == Output("hvp", "none", "logits")
    assert output.gradient("sum", "labels") == "gradient/sum/labels"
    assert output.loss("weighted_mean") == "loss/weighted_mean"
    assert sorted([HVP, Output("loss", "sum"), Output("gradient", "none", "logits"), Output("loss", "mean")]) == [
        Output("gradient", "none", "logits"),
        HVP,
        Output("loss", "mean"),
        Output("loss", "sum"),
    ]


@pytest.mark.parametrize(
    "name", ["", "loss", "loss/median", "loss/mean/logits", "gradient/mean", "gradient/mean/", "Hvp"]
)
def test_what_is_no_output_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not an output; expected loss/REDUCTION, gradient/REDUCTION/LEAF or hvp"):
        parse(name)


def test_names_are_taken_apart_in_one_place() -> None:
    files = [path for room in ROOMS for path in (PACKAGE / room).rglob("*.py")]
    assert len(files) > 50
    found = [
        line
        for path in files
        if (where := path.relative_to(PACKAGE).as_posix()) not in ELSEWHERE
        for line in by_hand(where, path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "line", ['kind = output.split("/")[0]', 'if name.startswith("loss/"):', 'x = f"gradient/{reduction}/logits"']
)
def test_a_name_that_is_taken_apart_by_hand_is_seen(line: str) -> None:
    assert by_hand("x.py", line)
