"""The judge kills every mutant, as the table says, and every control survives."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")  # every mutant is a loss in PyTorch
sys.path.insert(0, str(Path(__file__).parent))  # the mutants are no part of the package

from mutants import judged, table, wrong_gradient
from mutants.frames import Tested

ROWS = table.read(table.FILE.read_text()) if table.FILE.exists() else []
RATIOS: dict[str, float] = {}
"""The worst error of a control over its bound, by dtype, of those that have been judged here."""


def retried(row: table.Killed, tested: Tested) -> float:
    """The factor by which the row's case and output kill this loss now."""
    checked = judged.checks(tested, judged.golden(tested.variant, row.case), row.dtype)
    return next(one.factor for one in checked if one.output == row.output)


def killed_by(row: table.Killed, tested: Tested) -> bool:
    """Whether it is killed still: by at least half the factor, or infinite again."""
    factor = retried(row, tested)
    return factor >= row.factor / 2 if row.factor < float("inf") else factor == row.factor


def test_the_table_has_every_mutant_in_each_of_its_dtypes() -> None:
    expected = [(tested.name, dtype) for tested in judged.MUTANTS.values() for dtype in tested.dtypes]
    assert [(row.name, row.dtype) for row in ROWS] == expected, "write it anew: python tests/kill_mutants.py --write"
    assert len(judged.MUTANTS) >= 45
    assert len(judged.CONTROLS) >= 10


def test_the_table_says_what_a_new_writing_of_it_would_say() -> None:
    assert table.text(ROWS) == table.FILE.read_text()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}-{row.dtype}")
def test_a_mutant_is_killed(row: table.Killed) -> None:
    assert row.factor > 0, f"no case kills {row.name} in {row.dtype}"
    assert killed_by(row, judged.MUTANTS[row.name]), (
        f"{row.case} {row.output} kills by {retried(row, judged.MUTANTS[row.name])}"
    )


def test_faults_of_the_gradient_are_not_seen_in_the_value() -> None:
    rows = [row for row in ROWS if row.name in wrong_gradient.LOSSES.by_name]
    assert len(rows) >= 20
    assert [row.name for row in rows if "value" in row.by] == []


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        pytest.param(name, dtype, marks=pytest.mark.slow if dtype == "float64" else ())  # every case, judged once more
        for name, control in judged.CONTROLS.items()
        for dtype in control.dtypes
    ],
)
def test_a_control_survives(name: str, dtype: str) -> None:
    checked = judged.all_checks(judged.CONTROLS[name], dtype)
    assert judged.failures(checked) == []
    RATIOS[dtype] = max(RATIOS.get(dtype, 0.0), judged.worst_ratio(checked))


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the share killed per dtype and the worst ratio of a control met by the tests above."""
    with capsys.disabled():
        print("\n" + table.summary(ROWS, RATIOS), end="")
    assert max(RATIOS.values(), default=0.0) < 1


@pytest.mark.parametrize("name", ["logsumexp_less_logit", "rows_in_a_loop"])
def test_a_control_in_place_of_a_mutant_is_not_killed(name: str) -> None:
    """The checker can fail: no row about the variant of a control kills it."""
    control = judged.CONTROLS[name]
    rows = [row for row in ROWS if judged.MUTANTS[row.name].variant == control.variant]
    assert rows
    assert not any(killed_by(row, control) for row in rows)


def test_a_crash_kills_nothing() -> None:
    def crash(*arguments: object) -> object:
        raise ValueError("refused")

    mutant = judged.MUTANTS["sparse_sign"]
    native = dataclasses.replace(mutant.native, call=crash)
    crashing = dataclasses.replace(mutant, name="crash", native=native)
    checked = judged.checks(crashing, judged.golden("sparse", "sparse/hard"), "float32")
    assert judged.heaviest(checked) is None
    assert judged.failures(checked)  # nor does it survive


def test_a_row_that_says_twice_too_much_is_refused() -> None:
    row = next(row for row in ROWS if row.factor < float("inf"))
    assert killed_by(row, judged.MUTANTS[row.name])
    assert not killed_by(dataclasses.replace(row, factor=3 * row.factor), judged.MUTANTS[row.name])
