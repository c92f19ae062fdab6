"""The judge on trial: it convicts every guilty one of the zoo, as the table says, and accuses no honest one."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parent))  # the zoo is no part of the package

from zoo import guilty_gradient, table, trial
from zoo.dock import BOTH, Suspect

ROWS = table.read(table.FILE.read_text()) if table.FILE.exists() else []
RATIOS: dict[str, float] = dict.fromkeys(BOTH, 0.0)


def retried(row: table.Conviction, suspect: Suspect) -> float:
    """The factor by which the row's case and output convict the suspect now."""
    charges = trial.hear(suspect, trial.golden(suspect.variant, row.case), row.dtype)
    return next(charge.factor for charge in charges if charge.output == row.output)


def stands(row: table.Conviction, suspect: Suspect) -> bool:
    """Whether the conviction holds: of at least half the factor, or infinite again."""
    factor = retried(row, suspect)
    return factor >= row.factor / 2 if row.factor < float("inf") else factor == row.factor


def test_the_table_has_every_guilty_one_in_each_of_its_dtypes() -> None:
    expected = [(suspect.name, dtype) for suspect in trial.GUILTY.values() for dtype in suspect.dtypes]
    assert [(row.name, row.dtype) for row in ROWS] == expected, "write it anew: python tests/convict.py --write"
    assert len(trial.GUILTY) >= 45
    assert len(trial.HONEST) >= 10


def test_the_table_says_what_a_new_writing_of_it_would_say() -> None:
    assert table.text(ROWS) == table.FILE.read_text()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}-{row.dtype}")
def test_guilty_is_convicted(row: table.Conviction) -> None:
    assert row.factor > 0, f"no case convicts {row.name} in {row.dtype}"
    assert stands(row, trial.GUILTY[row.name]), (
        f"{row.case} {row.output} convicts by {retried(row, trial.GUILTY[row.name])}"
    )


def test_faults_of_the_gradient_are_not_seen_in_the_value() -> None:
    rows = [row for row in ROWS if row.name in guilty_gradient.CAGE.suspects]
    assert len(rows) >= 20
    assert [row.name for row in rows if "value" in row.by] == []


@pytest.mark.parametrize("name", trial.HONEST)
def test_honest_is_not_accused(name: str) -> None:
    for dtype in trial.HONEST[name].dtypes:
        charges = trial.try_all(trial.HONEST[name], dtype)
        assert trial.accusations(charges) == []
        RATIOS[dtype] = max(RATIOS[dtype], trial.worst_ratio(charges))


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the share convicted per dtype and the worst honest ratio met by the tests above."""
    with capsys.disabled():
        print("\n" + table.summary(ROWS, RATIOS), end="")
    assert max(RATIOS.values()) < 1


@pytest.mark.parametrize("name", ["logsumexp_less_logit", "rows_in_a_loop"])
def test_an_honest_one_in_the_dock_is_not_convicted(name: str) -> None:
    """The checker can fail: no row about the variant of an honest one stands against it."""
    honest = trial.HONEST[name]
    rows = [row for row in ROWS if trial.GUILTY[row.name].variant == honest.variant]
    assert rows
    assert not any(stands(row, honest) for row in rows)


def test_a_crash_is_no_conviction() -> None:
    def crash(*arguments: object) -> object:
        raise ValueError("refused")

    guilty = trial.GUILTY["sparse_sign"]
    native = dataclasses.replace(guilty.native, call=crash)
    crashing = dataclasses.replace(guilty, name="crash", native=native)
    charges = trial.hear(crashing, trial.golden("sparse", "sparse/hard"), "float32")
    assert trial.heaviest(charges) is None
    assert trial.accusations(charges)  # nor is it an acquittal


def test_a_row_that_says_twice_too_much_does_not_stand() -> None:
    row = next(row for row in ROWS if row.factor < float("inf"))
    assert stands(row, trial.GUILTY[row.name])
    assert not stands(dataclasses.replace(row, factor=3 * row.factor), trial.GUILTY[row.name])
