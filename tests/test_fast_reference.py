"""The default reference, compensated float64: held to golden and to the double-double one, within the error it returns.

That error is held to what is promised: 4 u times the sum of the magnitudes of the terms, u = 2^-53.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests import magnitudes, plain_losses

from lossvet.reference import evaluate, output, variants, vectors
from lossvet.reference.fast import inputs, kernels
from lossvet.reference.outputs import outputs
from lossvet.reference.types import REDUCTIONS, Case, Variant, output_names
from lossvet.reference.values import Value, exact_outputs, exact_values, values

SEED = 20261128
UNIT = 2.0**-53
PROMISED = 4 * UNIT
HALF_ULP = UNIT * (1 + 2.0**-40)
"""What golden and double-double results are off by, relative to themselves: they are rounded."""


def first_order(variant: Variant, case: Case) -> tuple[str, ...]:
    return tuple(name for name in output_names(variant, case) if output.parse(name) != output.HVP)


def outside(found: Mapping[str, Value], true: Mapping[str, Any]) -> list[str]:
    """Every output with an element that is further from what is true than its error allows."""
    wrong = []
    for name, expected in true.items():
        got = found[name]
        assert got.value.shape == got.error.shape == expected.shape, name
        with np.errstate(all="ignore"):
            off = np.abs(got.value - expected) - HALF_ULP * np.abs(expected)
            same = (got.value == expected) | (np.isnan(got.value) & np.isnan(expected))
            bad = ~(same | (off <= got.error))
        for index in map(tuple, np.argwhere(bad)[:1]):
            where, by = f"{name}{list(map(int, index))}", f"{got.error[index]:.3g}"
            wrong.append(f"{where}: {got.value[index]!r}, expected {expected[index]!r} within {by}")
    return wrong


# Against golden ------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
@pytest.mark.parametrize("name", variants.names())
def test_every_golden_result_is_within_the_error_of_exact(name: str) -> None:
    variant = variants.load(name)
    for golden in vectors.load(name):
        if "invalid_label" not in golden.case.hazards:
            wrong = outside(exact_values(variant, golden.case), golden.outputs)
            assert not wrong, f"{golden.case.id}: " + "; ".join(wrong)


@pytest.mark.parametrize("name", variants.names())
def test_every_golden_result_is_within_the_error_returned(name: str) -> None:
    variant, compensated = variants.load(name), 0
    goldens = [golden for golden in vectors.load(name) if "invalid_label" not in golden.case.hazards]
    for golden in goldens:
        names = first_order(variant, golden.case)
        found = values(variant, golden.case, names)
        assert tuple(found) == names
        wrong = outside(found, {n: golden.outputs[n] for n in names})
        assert not wrong, f"{golden.case.id}: " + "; ".join(wrong)
        compensated += inputs.underflow(variant, golden.case) is not None
    assert compensated > 0.8 * len(goldens), "the rest is worked out by double-double numbers, and proves nothing here"


# Against the double-double one, and the promise ----------------------------------------------------------------------

SCALES = {"usual": (3.0, 0.0), "flat": (1e-3, 0.0), "wide": (60.0, 0.0), "far": (3.0, 1e5), "sure": (20.0, -7.0)}


def drawn(variant: Variant, n: int, c: int, scale: str, stream: int) -> Case:
    """A random case: soft labels, weights that differ by thousands, some of them 0; a quarter of the rows ignored."""
    draw = np.random.default_rng([SEED, n, c, stream, sorted(SCALES).index(scale)])
    spread, offset = SCALES[scale]
    given: dict[str, Any] = {
        "pos_weight": np.exp(draw.normal(0, 3, c)),
        "class_weight": np.exp(draw.normal(0, 2, c)) * (draw.random(c) > 0.2),
        "cost_matrix": draw.uniform(0, 9, (c, c)),
        "label_smoothing": 0.1,
        "sample_weight": draw.uniform(0.1, 3, n) * (draw.random(n) > 0.2),
    }
    labels: Any = draw.uniform(0, 1, (n, c)) * (draw.random((n, c)) > 0.5)
    if variant.family == "sparse":
        labels = np.where(draw.random(n) < 0.25, -100, draw.integers(0, c, n))
    shape = (n, c) if variant.family == "binary" else (n,)
    return Case(
        id=f"{variant.name}/drawn",
        bits=53,
        logits=draw.normal(offset, spread, (n, c)),
        labels=labels,
        params=variant.params(**{k: v for k, v in given.items() if k in variant.params.__dataclass_fields__}),
        cotangent=np.broadcast_to(1.0, shape) if stream % 2 else draw.normal(size=shape),
        direction=np.broadcast_to(0.0, (n, c)),
    )


SHAPES = [(1, 2), (7, 5), (30, 3), (3, 33)]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", variants.names())
def test_random_cases_are_within_the_error_returned_and_that_within_the_promise(
    name: str, scale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[str] = []
    monkeypatch.setattr(
        "lossvet.reference.values.exact_values", lambda v, c, n: left.extend(n) or exact_values(v, c, n)
    )
    variant, worst = variants.load(name), 0.0
    for stream, (n, c) in enumerate(SHAPES):
        case = drawn(variant, n, c, scale, stream)
        names = first_order(variant, case)
        found = values(variant, case, names)
        wrong = outside(found, exact_outputs(variant, case, names))
        assert not wrong, f"seed {SEED}, [{n}, {c}], {scale}: " + "; ".join(wrong)
        if left:  # too sure a row for complements: the double-double reference promises less
            assert variant.pairs, f"seed {SEED}, [{n}, {c}], {scale}"
            assert scale in ("wide", "sure"), f"seed {SEED}, [{n}, {c}], {scale}"
            left.clear()
            continue
        with np.errstate(all="ignore"):
            terms = outputs(magnitudes, variant, case, names)
        for output_name, number in terms.items():
            size, error = np.broadcast_to(number.m, found[output_name].error.shape), found[output_name].error
            counted = np.isfinite(size) & (size > 1e-250)
            worst = max(worst, float((error[counted] / size[counted]).max(initial=0.0)))
            assert worst <= PROMISED, f"seed {SEED}, [{n}, {c}], {scale}, {output_name}: {worst / UNIT:.3f} u"
    assert worst > 0.5 * UNIT, "an error below that of rounding is no error of these"


MANY = ("softmax", "sparse_class_weight", "pos_weight", "cost_expected", "cost_complement")


@pytest.mark.parametrize(
    ("name", "shape"),  # of many classes, the double-double reference goes through no variant in pairs
    [(n, shape) for shape in ((2500, 3), (3, 2500)) for n in MANY if shape[1] < 100 or not variants.load(n).pairs],
)
def test_rows_and_columns_that_take_many_blocks(name: str, shape: tuple[int, int]) -> None:
    variant = variants.load(name)
    case = drawn(variant, *shape, "usual", 1)
    names = (output.loss("mean"), *(n for n in first_order(variant, case) if n.startswith("gradient/mean/")))
    if "cost_matrix" in variant.params.__dataclass_fields__ and shape[1] > 100:
        names = tuple(n for n in names if not n.endswith("cost_matrix"))  # [C, C]: the same sums, at length
    found = values(variant, case, names)
    wrong = outside(found, exact_outputs(variant, case, names))
    assert not wrong, f"seed {SEED}: " + "; ".join(wrong)


def test_a_masked_class_is_not_left_to_the_double_double_reference() -> None:
    variant = variants.load("sparse_class_weight")
    case = drawn(variant, 12, 6, "usual", 1)
    masked = case.logits.copy()
    masked[:, 4] = -np.inf
    case = replace(case, logits=masked, labels=np.where(case.labels == 4, 1, case.labels))
    assert inputs.underflow(variant, case) is not None
    names = first_order(variant, case)
    wrong = outside(values(variant, case, names), exact_outputs(variant, case, names))
    assert not wrong, f"seed {SEED}: " + "; ".join(wrong)


def test_weights_that_cancel_to_nothing_do_not_count() -> None:
    """What is 0 in truth may be a last bit in float64, and be counted: it is left to the double-double reference."""
    draw = np.random.default_rng(SEED)
    x, t, w = draw.normal(size=(6, 4)), draw.uniform(0, 1, (6, 4)), draw.uniform(0.1, 3, 2)
    t[:3, 2:] = t[:3, :2]
    weights = np.concatenate([w, -w])
    for reduction in REDUCTIONS:
        quick, exact = (
            evaluate("class_weight", x, t, class_weight=weights, reduction=reduction, exact=e) for e in (False, True)
        )
        assert (np.abs(quick.loss - exact.loss) <= quick.loss_error + exact.loss_error).all(), (
            f"seed {SEED}, {reduction}"
        )


# The guard can fail --------------------------------------------------------------------------------------------------


def _off(part: Callable[..., Any]) -> Callable[..., Any]:
    """A closed form whose loss is 8 u too large."""

    def closed(*arguments: Any) -> Any:
        rows = part(*arguments)
        return replace(rows, loss=rows.loss * (1.0 + 8 * UNIT))

    return closed


def _twice(pair: Any) -> Any:
    return pair[0] * (1.0 + 8 * UNIT), pair[1]


@pytest.mark.parametrize("name", variants.names())
def test_a_closed_form_that_is_off_by_eight_roundings_is_caught(name: str) -> None:
    variant = variants.load(name)
    case = drawn(variant, 7, 5, "usual", 1)
    names = (output.loss("sum"),)
    true = exact_outputs(variant, case, names)
    assert not outside(values(variant, case, names), true)
    assert outside(values(replace(variant, closed=_off(variant.closed)), case, names), true)


@pytest.mark.parametrize(
    ("module", "kernel", "name"),
    [("softmax", "exp_negative", "sparse"), ("softmax", "log1p_any", "sparse"), ("binary", "log1p", "sigmoid")],
)
def test_a_kernel_that_is_off_by_eight_roundings_is_caught(
    module: str, kernel: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = variants.load(name)
    case = drawn(variant, 7, 5, "usual", 1)
    names = first_order(variant, case)
    true = exact_outputs(variant, case, names)
    right = getattr(kernels, kernel)
    monkeypatch.setattr(f"lossvet.reference.fast.{module}.{kernel}", lambda *given: _twice(right(*given)))
    assert outside(values(variant, case, names), true)


# What is public ------------------------------------------------------------------------------------------------------


def test_exact_is_golden_and_the_default_is_as_near_as_it_says() -> None:
    draw = np.random.default_rng(SEED)
    x, y = draw.normal(size=(5, 4)), draw.integers(0, 4, 5)
    for reduction in REDUCTIONS:
        quick, exact = (evaluate("sparse", x, y, reduction=reduction, exact=e) for e in (False, True))
        assert (np.abs(quick.loss - exact.loss) <= quick.loss_error + exact.loss_error).all()
        off = np.abs(quick.gradients["logits"] - exact.gradients["logits"])
        assert (off <= quick.gradient_errors["logits"] + exact.gradient_errors["logits"]).all()


def test_a_broadcast_input_is_its_numbers() -> None:
    x, w = np.broadcast_to(0.5, (4, 3)), np.broadcast_to(2.0, 3)
    for name, labels in (("sparse_class_weight", [0, 1, 2, 0]), ("class_weight", np.broadcast_to(0.25, (4, 3)))):
        there = evaluate(name, x, labels, class_weight=w)
        here = evaluate(name, x.copy(), np.array(labels), class_weight=w.copy())
        assert there.loss == here.loss
        assert np.array_equal(there.gradients["logits"], here.gradients["logits"])


@pytest.mark.clock
def test_the_default_takes_a_few_times_what_plain_numpy_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/reference.md has the figures of a quiet machine; a busy one is allowed half as much again."""
    draw = np.random.default_rng(SEED)
    x, y = draw.normal(0, 3, (1024, 1000)), draw.integers(0, 1000, 1024)
    took: dict[str, float] = {}
    for name, call in (("plain", lambda: plain_losses.sparse(x, y)), ("default", lambda: evaluate("sparse", x, y))):
        times = []
        for _ in range(7):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        took[name] = min(times)
    with capsys.disabled():
        print(f"\nsparse, 1,024 x 1,000: {took['default'] / took['plain']:.2f} times plain NumPy", end="")
    assert took["default"] < 4.5 * took["plain"], took
