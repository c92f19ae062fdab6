"""The entries of the ledger as data: which checks and elements they name, and which files are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from lossvet.conformance import deviations
from lossvet.conformance.deviations import ELEMENTS, Deviation, LedgerError, Observed, Where
from lossvet.conformance.types import Cell
from lossvet.reference import variants
from lossvet.reference.types import Case

INF = float("inf")
X = np.array([[0.0, 1.0, -INF], [INF, -INF, 2.0], [-1.0, 0.0, 3.0]])
CLASSES = np.array([0, 1, 2])
DENSE = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.25, 0.5]])
CELL = Cell("sparse", "native", "torch", "eager", "float32")
PLACE = Where(framework=("torch",), variant=("sparse",), output=("loss/*",))


def case(labels: Any, binary: bool = False) -> Case:
    params, x = variants.load("sparse").params(), X[: len(labels)]
    return Case("sparse/by_hand", 24, x, labels, params, np.ones(x.shape if binary else len(x)), np.ones(x.shape))


@pytest.mark.parametrize(
    ("elements", "dense", "sparse"),
    [
        ("all", "111 111 111", "111 111 111"),
        ("logit_zero", "100 000 010", "100 000 010"),
        ("logit_infinite", "001 110 000", "001 110 000"),
        ("logit_plus_infinite", "000 100 000", "000 100 000"),
        ("logit_minus_infinite", "001 010 000", "001 010 000"),
        ("row_with_masked_class", "111 000 000", "111 000 000"),
        ("other_class_than_infinite_label", "000 101 000", "000 101 000"),
        ("row_labels_not_summing_to_1", "000 000 111", None),
    ],
)
def test_which_elements_a_word_names(elements: str, dense: str, sparse: str | None) -> None:
    def named(labels: Any) -> str:
        return shown(np.broadcast_to(ELEMENTS[elements](case(labels), "float32"), X.shape))

    assert named(DENSE) == dense
    assert sparse is None or named(CLASSES) == sparse


@pytest.mark.parametrize(
    ("elements", "labels", "rows"),
    [
        ("row_with_negative_label", (-1, 3, -100), "111 000 000"),
        ("row_with_negative_label", (0, -1, 2), "000 111 000"),
        ("row_with_label_out_of_range", (-1, 3, -100), "111 111 000"),
        ("row_with_label_out_of_range", (0, 2, 4), "000 000 111"),
        ("ignored_row_without_softmax", (0, -100, -100), "000 111 000"),
    ],
)
def test_which_rows_a_word_names_by_their_labels(elements: str, labels: tuple[int, ...], rows: str) -> None:
    assert shown(ELEMENTS[elements](case(np.array(labels)), "float32")) == rows


@pytest.mark.parametrize(
    ("elements", "named"),
    [
        ("row_with_rounded_product", "111 111 000"),
        ("row_with_product_rounded_up", "000 111 000"),
        ("undefined_softmax_of_rounded_product", "100 111 000"),
    ],
)
def test_which_elements_a_word_names_by_products(elements: str, named: str) -> None:
    """Of 1.5 x, float32 takes 2^11 from the first, and adds as much to the second; float64 holds both."""
    unit = 2.0**12
    logits = np.array([[2.0**35 + 3 * unit, 0.0, 1.0], [2.0**35 + unit, 0.0, 1.0], [1.0, 2.0, 3.0]])
    params = variants.load("weighted_logits").params(class_weight=np.array([1.5, 1.0, 1.0]))
    rounded = replace(case(DENSE), logits=logits, params=params)
    assert shown(ELEMENTS[elements](rounded, "float32")) == named
    assert shown(ELEMENTS[elements](rounded, "float64")) == "000 000 000"


def shown(mask: Any) -> str:
    return " ".join("".join(str(int(one)) for one in row) for row in mask)


def test_classes_with_few_positives_are_those_whose_weight_has_a_derivative_past_float16() -> None:
    labels = np.array([[2.0**-11, 1.0, 2.0**-7], [0.0, 0.5, 0.0], [0.0, 0.0, 0.0]])  # N / s^2: 1.3e7, 1.3, 49,152
    assert ELEMENTS["class_with_few_positives"](case(labels), "float16").tolist() == [[True, False, False]] * 3


@pytest.mark.parametrize(
    "elements",
    [
        *("all", "logit_zero", "logit_infinite", "logit_plus_infinite", "logit_minus_infinite"),
        *("row_with_masked_class", "other_class_than_infinite_label", "ignored_row_without_softmax"),
        *("row_with_negative_label", "row_with_label_out_of_range"),
    ],
)
def test_which_elements_a_row_has_is_not_up_to_the_other_rows(elements: str) -> None:
    labels = np.array([2, 1, 0])
    every, two = (ELEMENTS[elements](case(some), "float32") for some in (labels, labels[:2]))
    assert two.tolist() == every[:2].tolist()


@pytest.mark.parametrize(("rows", "few"), [(4095, True), (4094, False)])
def test_positives_are_few_from_where_their_weight_rounds_to_infinity(rows: int, few: bool) -> None:
    """4095 rows with a label of 1/4: 4095 * 16 is 65520, half a step beyond the largest float16."""
    x, labels = np.zeros((rows, 1)), np.zeros((rows, 1))
    labels[0] = 0.25
    made = Case("pos_weight/by_hand", 24, x, labels, variants.load("sparse").params(), np.ones(x.shape), x)
    assert ELEMENTS["class_with_few_positives"](made, "float16").all() == few


def test_every_word_for_elements_is_tried_here() -> None:
    tests: tuple[Any, ...] = (
        test_which_elements_a_word_names,
        test_which_rows_a_word_names_by_their_labels,
        test_which_elements_a_word_names_by_products,
    )
    tried = {row[0] for test in tests for mark in test.pytestmark for row in mark.args[1]}
    assert tried | {"class_with_few_positives"} == ELEMENTS.keys()


@pytest.mark.parametrize(
    ("output", "shape", "named"),
    [
        ("gradient/mean/logits", (3, 3), [[1, 0, 0], [0, 0, 0], [0, 1, 0]]),
        ("gradient/mean/labels", (3, 3), [[1, 0, 0], [0, 0, 0], [0, 1, 0]]),
        ("hvp", (3, 3), [[1, 0, 0], [0, 0, 0], [0, 1, 0]]),
        ("gradient/weighted_mean/labels", (3, 3), [[1, 1, 1]] * 3),
        ("gradient/weighted_mean/logits", (3, 3), [[1, 0, 0], [0, 0, 0], [0, 1, 0]]),
        ("loss/none", (3,), [1, 0, 1]),
        ("gradient/sum/sample_weight", (3,), [1, 0, 1]),
        ("gradient/sum/class_weight", (3,), [1, 1, 0]),
        ("gradient/sum/pos_weight", (3,), [1, 1, 0]),
        ("gradient/sum/cost_matrix", (3, 3), [[1, 1, 1]] * 3),
        ("loss/mean", (), 1),
    ],
)
def test_which_elements_of_an_output_are_wrong(output: str, shape: tuple[int, ...], named: Any) -> None:
    """Those through which a logit of 0 goes: a sum has it from any of its terms."""
    mask = replace_elements("logit_zero").mask(case(CLASSES), output, shape, "float32")
    assert np.asarray(mask, int).tolist() == named


def test_of_a_binary_loss_each_element_is_its_own() -> None:
    mask = replace_elements("logit_zero").mask(case(DENSE, binary=True), "loss/none", (3, 3), "float32")
    assert mask.sum() == 2


def replace_elements(elements: str) -> Where:
    return msgspec.structs.replace(PLACE, elements=elements)


@pytest.mark.parametrize("field", ["framework", "variant", "recipe", "mode", "dtype"])
def test_every_field_of_a_cell_has_to_fit(field: str) -> None:
    assert PLACE.names_cell(CELL)
    assert PLACE.names_check("sparse/hard", "loss/mean")
    assert not PLACE.names_check("sparse/hard", "gradient/mean/logits")
    other = msgspec.structs.replace(PLACE, **{field: ("another", "one")})
    assert not other.names_cell(CELL)
    assert other.names_cell(replace(CELL, **{field: "one"}))


ENTRY = Deviation(
    id="one",
    title="a symptom",
    reason="a reason",
    versions={"torch": ">=2.4,<3", "numpy": "==2.*"},
    observed=(Observed(case="sparse/hard", output="loss/mean", value="nan"),),
    where=(PLACE, msgspec.structs.replace(PLACE, framework=("jax", "torch"))),
    shows="nan",
)


def test_frameworks_are_those_of_all_places_each_once() -> None:
    assert ENTRY.frameworks == ("torch", "jax")


@pytest.mark.parametrize(
    ("packages", "outside"),
    [
        ({}, ""),
        ({"torch": "2.5.1+cpu", "numpy": "2.1"}, ""),
        ({"torch": "2.6.0rc1"}, ""),
        ({"torch": "3.0"}, "torch 3.0"),
        ({"torch": "2.5", "numpy": "1.26"}, "numpy 1.26"),
    ],
)
def test_the_package_that_is_outside_is_named(packages: dict[str, str], outside: str) -> None:
    assert ENTRY.outside(packages) == outside


def written(path: Path, *entries: Deviation) -> Path:
    """A ledger of these entries."""

    def table(d: Deviation) -> str:
        where = [
            f"{{framework = {list(w.framework)}, variant = {list(w.variant)}, output = {list(w.output)}, "
            f"elements = '{w.elements}'}}"
            for w in d.where
        ]
        observed = [f"{{case = '{o.case}', output = '{o.output}', value = '{o.value}'}}" for o in d.observed]
        versions = ", ".join(f"{name} = '{specifier}'" for name, specifier in d.versions.items())
        return (
            f"[[deviation]]\nid = '{d.id}'\ntitle = '{d.title}'\nreason = '{d.reason}'\nshows = '{d.shows}'\n"
            f"versions = {{{versions}}}\nobserved = [{', '.join(observed)}]\nwhere = [{', '.join(where)}]\n"
        )

    path.write_text("\n".join(table(d) for d in entries))
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    entries = (ENTRY, msgspec.structs.replace(ENTRY, id="two", shows="whole"))
    assert deviations.read(written(tmp_path / "ledger.toml", *entries)) == entries
    (tmp_path / "empty.toml").write_text("")
    assert deviations.read(tmp_path / "empty.toml") == ()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"observed": ()}, "one needs observed values, versions, and `where` with elements among all, logit_zero"),
        ({"where": ()}, "one needs observed values"),
        ({"versions": {}}, "one needs observed values"),
        ({"where": (PLACE, msgspec.structs.replace(PLACE, elements="some"))}, "one needs observed values"),
        ({"shows": "nothing"}, "one shows 'nothing'; expected one of kink_at_zero, .*, nan, not_finite, whole$"),
        ({"id": "two"}, "two entries have the same id"),
        ({"versions": {"torch": "two"}}, "two"),
    ],
    ids=str,
)
def test_an_entry_that_makes_no_sense_is_refused(changed: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = written(
        tmp_path / "ledger.toml",
        msgspec.structs.replace(ENTRY, **changed),
        msgspec.structs.replace(ENTRY, id="two"),
    )
    with pytest.raises(LedgerError, match=rf"ledger\.toml: .*{words}"):
        deviations.read(path)


@pytest.mark.parametrize("before", ["id = ", "framework = ", "case = "])
def test_a_field_that_nobody_knows_is_refused(before: str, tmp_path: Path) -> None:
    path = written(tmp_path / "ledger.toml", ENTRY)
    path.write_text(
        path.read_text().replace(
            before, f"tolerance = 1.0, {before}" if before != "id = " else f"tolerance = 1.0\n{before}"
        )
    )
    with pytest.raises(LedgerError, match="unknown field `tolerance`"):
        deviations.read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"nowhere\.toml"):
        deviations.read(tmp_path / "nowhere.toml")
