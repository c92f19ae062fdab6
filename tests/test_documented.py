"""What is documented where results are undefined: by the longest path, met by checks of a full run, strict."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest

from lossvet.conformance import documented
from lossvet.conformance.documented import NOTHING, Documented, Outcome, Row
from lossvet.conformance.types import Cell
from lossvet.reference import variants, vectors
from lossvet.reference.types import Case, Undefined

KINDS = tuple(kind for kind in get_args(Undefined) if kind)


def rows(**outcomes: Outcome) -> Documented:
    """Rows for labels that are no class, by path with _ for /; "every" is "*"."""
    paths = {name: "*" if name == "every" else name.replace("_", "/") for name in outcomes}
    return Documented({"label_out_of_range": [Row((paths[n],), o, "by hand") for n, o in outcomes.items()]})


def case(kind: Undefined = "label_out_of_range") -> Case:
    return next(g.case for name in variants.names() for g in vectors.load(name) if g.case.undefined == kind)


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        (Cell("sparse", "native", "torch", "eager", "float32"), "raises"),
        (Cell("sparse", "composed", "torch", "eager", "float32"), "nan"),
        (Cell("sparse", "composed", "torch", "compile", "float32"), "zero"),
        (Cell("sparse", "native", "torchlike", "eager", "float32"), "refused"),
    ],
)
def test_the_longest_path_that_fits_counts(cell: Cell, word: str) -> None:
    table = rows(every="refused", torch="raises", torch_composed="nan", torch_composed_compile="zero")
    assert table.outcome(case(), cell, "loss/none") == word


def test_what_is_documented_of_a_loss_leaves_its_gradient_open() -> None:
    cell = Cell("sparse", "native", "torch", "eager", "float32")
    for of_loss, of_gradient in (("nan", "any"), ("refused", "anything"), ("zero", "zero"), ("raises", "raises")):
        table = rows(every=of_loss)
        assert table.outcome(case(), cell, "loss/mean") == of_loss
        assert table.outcome(case(), cell, "gradient/mean/logits") == of_gradient


def test_of_a_loss_of_the_user_nothing_is_documented() -> None:
    cell = Cell("sparse", "own", "torch", "eager", "float32")
    assert {NOTHING.outcome(case(kind), cell, "loss/none") for kind in KINDS} == {"anything"}


def test_every_undefined_result_has_a_kind_and_every_kind_a_row_for_all() -> None:
    for name in variants.names():
        for golden in vectors.load(name):
            undefined = any(np.isnan(value).any() for value in golden.outputs.values())
            assert not undefined or golden.case.undefined, golden.case.id
    table = documented.read()
    assert set(table.rows) == set(KINDS)
    for of_kind in table.rows.values():
        assert any("*" in row.where for row in of_kind)
        assert all(row.source.strip() for row in of_kind)


def test_a_table_that_says_what_nobody_understands_is_refused(tmp_path: Path) -> None:
    for text in (
        '[[zero_over_zero]]\nwhere = ["*"]\noutcome = "perhaps"\nsource = ""\n',
        '[[one_over_zero]]\nwhere = ["*"]\noutcome = "nan"\nsource = ""\n',
    ):
        (tmp_path / "table.toml").write_text(text)
        with pytest.raises(msgspec.ValidationError):
            documented.read(tmp_path / "table.toml")
