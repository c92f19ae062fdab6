"""The page of public losses says what its rows say, and faulty rows are refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lossvet.reports import public_losses
from lossvet.reports.public_losses import Row
from lossvet.verify.facets import facets

DOCS = Path(__file__).parent.parent / "docs"
ROWS = public_losses.read(DOCS / public_losses.ROWS)
ONE = Row(
    repository="someone/losses",
    commit="0" * 40,
    path="a|b.py",
    name="loss",
    framework="torch",
    made_with="",
    call="loss(logits, labels)",
    verdict="confirmed",
    meaning="denominator: sum",
    checked="agrees",
    claimed="",
    computed="",
    kind="",
)


def test_the_page_follows_from_the_rows() -> None:
    text = (DOCS / public_losses.PAGE).read_text()
    assert public_losses.page(text, ROWS) == text, "run python -m lossvet.reports.public_losses docs"
    assert public_losses.page(text, ROWS[1:]) != text


def test_enough_was_fed_and_checked() -> None:
    fed = [r for r in ROWS if r.verdict not in ("left out", "not fed")]
    found = [r for r in fed if r.verdict in public_losses.IDENTIFIED]
    assert len({r.repository.partition("/")[0] for r in fed}) >= 40
    assert sum(bool(r.checked) for r in found) >= 20
    assert not [r for r in ROWS if r.checked == "differs"], "correct a wrong result before it is published"


def test_every_loss_stands_there_once_and_its_facets_exist() -> None:
    assert len({(r.repository, r.path, r.name) for r in ROWS}) == len(ROWS)
    for r in ROWS:
        if r.verdict in public_losses.IDENTIFIED and ":" in r.meaning:
            assert {part.partition(":")[0] for part in r.meaning.split(" (one of")[0].split("; ")} <= set(facets())


def test_the_figures_count_the_rows() -> None:
    with_help = msgspec.structs.replace(ONE, name="Loss", made_with="weight=@weight", verdict="unexplained", checked="")
    parting = msgspec.structs.replace(ONE, repository="other/x", claimed="a mean", computed="a sum", kind="value")
    taste = msgspec.structs.replace(parting, kind="naming", verdict="not fed", checked="")
    lines = public_losses.counts([ONE, with_help, parting, taste]).splitlines()
    assert lines == [
        "- 4 functions from 2 repositories were read. Not fed, since they do not run here unchanged: 1. "
        "Not fed yet: 0.",
        "- 3 were fed: torch 3; by 2 authors.",
        "- 3 were bound: 2 without help, 1 with arguments of the constructor given by hand.",
        "- 2 were identified: 2 confirmed, 0 ambiguous. The others: unexplained 1.",
        "- 2 of the identified were checked by hand: 2 agree, 0 in part, 0 differ.",
        "- 1 of 4 claim something other than what they compute, in their name or documentation. Names that are a "
        "matter of taste are counted separately: 1.",
    ]
    assert "a\\|b.py::loss (torch) | `loss(logits, labels)` | **confirmed**: denominator: sum | yes, agrees |" in (
        public_losses.table([ONE])
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"commit": "abc"}, "someone/losses loss: commit 'abc' is not a full hash"),
        ({"verdict": "fine"}, "verdict 'fine' is not one of confirmed, ambiguous"),
        ({"checked": "maybe"}, "checked 'maybe' is not one of"),
        ({"verdict": "unexplained"}, "only a meaning that was identified can be checked"),
        ({"claimed": "a mean"}, "claimed, computed and kind must be given together"),
    ],
)
def test_a_faulty_row_is_named(change: dict[str, str], says: str) -> None:
    assert any(says in fault for fault in msgspec.structs.replace(ONE, **change).faults())


def test_a_page_without_its_places_is_refused() -> None:
    with pytest.raises(ValueError, match="the page has no <!-- counts -->"):
        public_losses.page("nothing", [ONE])
