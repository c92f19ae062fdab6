"""The bounds: nowhere tighter than closed forms derived by hand, and never reached by PyTorch's losses.

The closed forms are those of the common losses, for accuracy class W. With the mechanism's head-room of 2, and with an
allowance for the underflow of every scaling, the mechanism may be wider than they are, and says by how much.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossvet.reference import variants
from lossvet.reference.bounds import Arithmetic, bounds, profiles
from lossvet.reference.constants import C_GRADIENT, C_LOSS, CONSTANTS, in_lanes, pairwise
from lossvet.reference.types import Array, Case
from lossvet.reference.vectors import load

DTYPES = ("float32", "float64")
Forms = dict[str, Array]


def forms_of(name: str, case: Case, u: float, eta: float) -> Forms:
    """The closed forms by output; 4 eta (1 + magnitude of the last scaling) at the end of each."""
    return (binary_forms if variants.load(name).family == "binary" else softmax_forms)(case, u, eta)


def binary_forms(case: Case, u: float, eta: float) -> Forms:
    x, t, p, g = case.logits, case.labels, getattr(case.params, "pos_weight", np.ones(())), np.abs(case.cotangent)
    a, z, n = np.abs(x), np.abs(t), x.size
    size = a + np.log1p(np.exp(-a))
    loss = C_LOSS * u * (1 + z + (1 + p) * z) * size + 4 * eta * (1 + (1 + p) * z)
    dx = C_GRADIENT * u * (1 + (2 + p) * z + a * (np.abs(1 - t) + p * z)) + 4 * eta * (1 + (1 + p) * z)
    dt = C_LOSS * u * (a + (1 + p) * size) + 4 * eta * (1 + p)
    value = np.abs(p * t * (size - np.maximum(x, 0)) + (1 - t) * (size - np.maximum(-x, 0)))
    total = loss.sum() + u * (n - 1) * (value + loss).sum() + 2 * u * value.sum()
    return {
        "loss/none": loss,
        "loss/sum": total,
        "loss/mean": total / n,
        "gradient/none/logits": g * dx + 4 * eta * (1 + g),
        "gradient/sum/logits": dx,
        "gradient/mean/logits": dx / n + 4 * eta * (1 + 1 / n),
        "gradient/sum/labels": dt,
    }


def softmax_forms(case: Case, u: float, eta: float) -> Forms:
    """For labels y and weights w by class: M_W = sum w |y| (a + ln K + 1 + |m|) and what section 2.4 makes of it."""
    x, k = case.logits, case.logits.shape[1]
    y = case.labels if case.labels.ndim == 2 else np.equal.outer(case.labels, np.arange(k)).astype(float)
    kept = np.ones(len(x)) if case.labels.ndim == 2 else (case.labels != case.params.ignore_index).astype(float)
    w = getattr(case.params, "class_weight", np.ones(k))
    v = case.params.sample_weight
    v = kept if v is None else kept * v
    m = x.max(1, keepdims=True)
    a, weight = np.abs(x - m), w * np.abs(y)
    scale = np.log(k) + np.abs(m)
    powers = np.exp(-a)
    q, total = powers / powers.sum(1, keepdims=True), weight.sum(1)
    nonzero = in_lanes((y != 0).sum(1))
    additions = in_lanes(k)
    loss = C_LOSS * u * (weight * (a + scale + 1)).sum(1) + u * additions * total
    loss += 2 * u * nonzero * (weight * (a + scale)).sum(1) + (4 + k) * eta * total
    # The label is subtracted once. Its term was derived as C_GRADIENT u |y|; u |y| is what the mechanism keeps of it.
    # Labels of either sign cancel in the sum that p is multiplied by, as they do in every kernel.
    signed = np.abs((w * y).sum(1))[:, None]
    dx = C_GRADIENT * u * signed * q * (2 + a + scale) + u * weight + u * additions * signed * q
    nll = C_LOSS * u * (a + scale + 1) + u * additions
    outer = np.abs(v)[:, None]
    found = {
        "loss/none": np.abs(v) * loss,
        "gradient/sum/logits": outer * dx + 4 * eta * (1 + outer),
        "gradient/mean/logits": outer / max(kept.sum(), 1) * dx + 4 * eta * (1 + outer / max(kept.sum(), 1)),
    }
    return found | ({"gradient/sum/labels": outer * w * nll} if case.labels.ndim == 2 else {})


@pytest.mark.parametrize(
    "name", ["sigmoid", "pos_weight", "softmax", "class_weight_terms", "sparse", "sparse_class_weight"]
)
def test_nowhere_tighter_than_the_closed_forms(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the largest ratio of the mechanism's bound to the closed form, and where."""
    variant, largest, where = variants.load(name), 0.0, ""
    for golden in load(name):
        case = golden.case
        if not np.isfinite(case.logits).all() or not case.logits.size or "invalid_label" in case.hazards:
            continue
        for dtype, found in bounds(variant, case, DTYPES).items():
            u, eta = 2.0 ** -(np.finfo(dtype).nmant + 1), float(np.finfo(dtype).smallest_normal)
            with np.errstate(over="ignore"):
                forms = forms_of(name, case, u, eta)
            for output, form in forms.items():
                ordinary = np.isfinite(golden.outputs[output]) & (form > 0)
                ratio = (found[output].W / np.where(form > 0, form, 1))[ordinary]
                assert (ratio >= 1 - 1e-9).all(), (
                    f"{case.id} {dtype} {output}: bound over closed form is {ratio.min():.4g}"
                )
                normal = ratio[(form > 2.0**40 * eta)[ordinary]]
                if normal.max(initial=0.0) > largest:
                    largest, where = float(normal.max()), f"{case.id} {dtype} {output}"
    with capsys.disabled():
        print(f"\n{name}: at most {largest:.2f} times the closed form ({where})", end="")


Spelling = Callable[[Any, Any], Any]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sigmoid", "sparse"])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.sweep)])
def test_no_sound_loss_climbs_over_its_bound(
    name: str, dtype: str, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hill climbing for the largest error over bound of PyTorch's own losses, value and gradient: it stays below 1."""
    torch = pytest.importorskip("torch")
    variant, random, rows, classes = variants.load(name), np.random.default_rng(seed), 128, 3
    labels: Any = random.integers(0, 2, (rows, classes)) if name == "sigmoid" else random.integers(0, classes, rows)
    labels = labels.astype(np.float64) if name == "sigmoid" else labels

    def case_of(x: Array) -> Case:
        shape = x.shape if name == "sigmoid" else x.shape[:1]
        return Case(f"climb/{seed}", 53, x, labels, variant.params(), np.ones(shape), np.zeros(x.shape))

    def answers(x: Array) -> Forms:
        given = torch.tensor(x, dtype=getattr(torch, dtype), requires_grad=True)
        functional, y = torch.nn.functional, torch.tensor(labels)
        if name == "sigmoid":
            loss = functional.binary_cross_entropy_with_logits(given, y.to(given.dtype), reduction="none")
        else:
            loss = functional.cross_entropy(given, y, reduction="none")
        loss.sum().backward()
        return {
            "loss/none": loss.detach().numpy().astype(np.float64),
            "gradient/sum/logits": given.grad.numpy().astype(np.float64),
        }

    def ratios(x: Array) -> Array:
        """The worst of every row, of value and gradient."""
        case, got = case_of(x), answers(x)
        allowed, exact = bounds(variant, case, (dtype,))[dtype], truth(variant, case)
        worst = np.zeros(rows)
        for output, value in got.items():
            ratio = np.abs(value - exact[output]) / allowed[output].W
            worst = np.maximum(worst, ratio.reshape(rows, -1).max(1))
        return worst

    x = (
        (random.normal(size=(rows, classes)) * 10.0 ** random.uniform(-3, 2.5, (rows, 1)))
        .astype(dtype)
        .astype(np.float64)
    )
    best = ratios(x)
    for step in range(40):
        moved = x * (1 + random.normal(size=x.shape) * 2.0 ** random.uniform(-20, 0, (rows, 1)))
        moved = np.where(random.random(x.shape) < 0.6, moved, x) + random.normal(size=(rows, 1)) * (step % 5 == 0)
        moved = moved.astype(dtype).astype(np.float64)
        found = ratios(moved)
        x, best = np.where((found > best)[:, None], moved, x), np.maximum(found, best)
    at = int(best.argmax())
    with capsys.disabled():
        print(f"\n{name} {dtype}, seed {seed}: worst error over bound {best[at]:.3f} at {x[at].tolist()}", end="")
    assert best[at] < 1, f"seed {seed}: {x[at].tolist()}, label {labels[at]}"


def truth(variant: Any, case: Case) -> Forms:
    """The double-double reference, of the outputs that are climbed on."""
    from lossvet.reference import closed
    from lossvet.reference.outputs import outputs

    with np.errstate(all="ignore"):
        found = outputs(closed, variant, case)
    return {name: np.asarray(found[name].hi) for name in ("loss/none", "gradient/sum/logits")}


def test_the_page_has_the_table_of_constants() -> None:
    page = (Path(__file__).parent.parent / "docs" / "reference.md").read_text()
    rows = re.findall(r"^\| ([A-Z_]+) \| (.*) \| (.*) \| (.*) \|$", page, re.M)
    assert rows == [(c.name, f"{c.value:g}", c.allows, c.measured) for c in CONSTANTS]


def test_sums_over_few_classes_may_take_any_order() -> None:
    """Up to 128 classes nothing is narrower than C - 1 additions in a row, to the bit; no bound is wider anywhere."""
    few, many = np.arange(1, 130), np.arange(130, 100_000)
    for additions in (in_lanes, pairwise):
        assert additions(few).tolist() == (few - 1).tolist()
        assert (additions(many) <= many - 1).all()
    assert in_lanes(50_000) == 256 + 6250
    assert pairwise(50_000) == pytest.approx(128 + 15.6, abs=0.02)
    assert in_lanes(0) == pairwise(0) == 0


def test_rows_are_added_in_any_order_and_classes_are_not() -> None:
    arithmetic = Arithmetic(tuple(profiles("float32")))
    summed = arithmetic.exact(np.ones((4096, 4096)))
    u, n = 2.0**-24, 4096
    assert summed.sum(0).e[0, 0] == summed.scatter(np.zeros(n, int), 1).e[0, 0, 0] == u * n * (n - 1)
    assert summed.sum(1).e[:, 0].tolist() == [u * n * (256 + n / 8), *[u * n * (128 + 12)] * 2]
