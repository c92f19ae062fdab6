"""A report has a matrix for 32 and 64 bits and one for 16, which says what 16 bits can tell; nothing is mixed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from lossvet.adapters.protocol import Cost
from lossvet.conformance import plan, records, summary
from lossvet.conformance.plan import Selection
from lossvet.conformance.records import Judged
from lossvet.conformance.run import Result
from lossvet.conformance.summary import CellSummary
from lossvet.conformance.types import Agrees, Cell, Lost
from lossvet.reference import vectors
from lossvet.reference.dtypes import NAMES, WIDE
from lossvet.reports import markdown, matrix, terminal
from lossvet.workers.messages import Hello

FRAMEWORKS = ("abacus", "beads", "counters", "digits", "engine")


def agreed(cell: Cell) -> Agrees:
    """In 16 bits with a larger error, and with a larger lost element."""
    wide = cell.dtype in WIDE
    lost = Lost(1, (0,), 0.0, 6.3e-6 if wide else 0.0123)
    return Agrees(0.1, 1.5 if wide else 240.0, 1.5 if wide else 240.0, "relative", 0.1, lost=lost)


def result(*dtypes: str) -> Result:
    """Every check of one case agrees in these dtypes, in as many frameworks as there are."""
    there = {
        name: Hello(name, "1.0", ("eager",), ("cpu",), NAMES, {"eager": Cost()}, {}, {}, ("cpu",), {}, "")
        for name in FRAMEWORKS
    }
    goldens = plan.choose(vectors.load, ["sparse_class_weight/hard"])
    made = plan.make(there, goldens, Selection("full", dtypes=dtypes))
    judged = [
        Judged(str(i.cell), i.case, 0.0, 0, {o: records.compact(agreed(i.cell)) for o in i.outputs}) for i in made
    ]
    return Result(summary.fold(made, judged), made, there, (), Path("run.jsonl"), 0, 0.0)


def shown(found: Result, width: int) -> list[str]:
    out = io.StringIO()
    terminal.report(Console(file=out, markup=False, highlight=False, emoji=False, width=width), found)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_16_bits_have_a_matrix_of_their_own(width: int) -> None:
    lines = shown(result(*NAMES), width)
    assert max(map(len, lines)) <= width
    title = lines.index(matrix.NARROW_TITLE)
    rows = [(number > title, line) for number, line in enumerate(lines) if line.startswith("sparse_class_weight")]
    assert {narrow for narrow, _ in rows} == {False, True}
    assert all(("240 ulp" in line) == narrow and ("1.5 ulp" in line) != narrow for narrow, line in rows)
    text = " ".join(" ".join(lines).split())
    assert "have lost elements (lossvet explain lost); the largest, loss/none of" in text
    assert "6.3e-06" in text
    assert "checks in 16 bits have lost elements" in text
    assert "0.0123" in text


@pytest.mark.parametrize(("dtypes", "titled"), [(WIDE, False), (("bfloat16",), True)])
def test_what_was_not_run_has_no_matrix(dtypes: tuple[str, ...], titled: bool) -> None:
    lines = shown(result(*dtypes), 120)
    assert (matrix.NARROW_TITLE in lines) == titled
    assert sum(line.startswith("sparse_class_weight") for line in lines) == 1


def test_markdown_says_what_16_bits_can_tell() -> None:
    text = markdown.render(result(*NAMES))
    wide, narrow = text.split(f"## {matrix.NARROW_TITLE}")
    assert "1.5 ulp" in wide
    assert "240 ulp" not in wide
    assert markdown.escape(matrix.NARROW_SAYS) in narrow
    assert "240 ulp" in narrow
    assert matrix.NARROW_TITLE not in markdown.render(result(*WIDE))


def test_a_title_without_cells_is_not_there() -> None:
    cells = [CellSummary(Cell("sparse", "native", "abacus", "eager", dtype)) for dtype in ("float64", "float16")]
    assert [len(own) for own in matrix.by_bits(cells).values()] == [1, 1]
    assert list(matrix.by_bits(cells[1:])) == [matrix.NARROW_TITLE]
    assert not matrix.by_bits([])
