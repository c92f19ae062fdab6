"""A batch of the caller's own: both file formats, what is refused, and the effect of a difference on it."""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossvet.reference.types import Array
from lossvet.verify import effect, inputs
from lossvet.verify.answer import Effect
from lossvet.verify.inputs import InputsError
from lossvet.verify.questions import Answer, Question, cotangent

RNG = np.random.default_rng(3)
LOGITS = RNG.normal(size=(6, 3))
LABELS = np.array([0, 1, 2, 0, 1, 2])
WEIGHTS = np.array([1.0, 4.0, 0.5])
BATCH = {"logits": LOGITS, "labels": LABELS, "class_weight": WEIGHTS}


def test_an_npz_gives_arrays_by_role(tmp_path: Path) -> None:
    path = tmp_path / "batch.npz"
    np.savez(path, preds=LOGITS.astype(np.float32), target=LABELS.astype(np.int32), weights=WEIGHTS)
    found = inputs.load(path)
    assert set(found) == {"logits", "labels", "class_weight"}
    assert found["logits"].dtype == np.float64
    assert found["labels"].dtype == np.int64
    np.testing.assert_array_equal(found["logits"], LOGITS.astype(np.float32))
    np.testing.assert_array_equal(found["labels"], LABELS)


def safetensors(path: Path, arrays: dict[str, tuple[str, Any]], **change: Any) -> Path:
    header: dict[str, Any] = {"__metadata__": {"by": "hand"}}
    data = b""
    for name, (dtype, array) in arrays.items():
        raw = array.tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        header[name] |= change.get(name, {})
        data += raw
    text = change.get("header", json.dumps(header).encode())
    path.write_bytes(change.get("length", struct.pack("<Q", len(text))) + text + data + change.get("more", b""))
    return path


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16"])
@pytest.mark.parametrize("labels", ["I64", "I32", "U8"])
def test_a_safetensors_file_gives_the_same(dtype: str, labels: str, tmp_path: Path) -> None:
    logits = np.array([[0.5, -1.25, 3.0], [2.0, 0.0, -0.375]])
    kinds = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "<u1"}
    raw = (logits.astype("<f4").view("<u4") >> 16).astype("<u2") if dtype == "BF16" else logits.astype(kinds[dtype])
    found = inputs.load(
        safetensors(
            tmp_path / "b.safetensors",
            {"logits": (dtype, raw), "labels": (labels, np.array([2, 1]).astype(kinds[labels]))},
        )
    )
    np.testing.assert_array_equal(found["logits"], logits)
    assert found["labels"].tolist() == [2, 1]
    assert found["labels"].dtype == np.int64


GOOD = {"logits": ("F64", LOGITS), "labels": ("I64", LABELS)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"length": b"\xff" * 8}, "its first 8 bytes"),
        ({"length": b"\x08"}, "its first 8 bytes"),
        ({"header": b"{nonsense"}, "cannot be read"),
        ({"header": b'{"logits": {"dtype": "F64"}}'}, "cannot be read"),
        ({"logits": {"dtype": "F8_E4M3"}}, "dtype F8_E4M3; expected one of"),
        ({"logits": {"shape": [6, 4]}}, "needs 192 bytes from 0 on"),
        ({"logits": {"shape": [6, -3]}}, "expected no negative length"),
        ({"logits": {"shape": [2**40, 3]}}, "the file holds"),
        ({"labels": {"data_offsets": [0, 48]}}, "offsets are"),
        ({"more": b"x"}, "1 bytes at the end"),
    ],
)
def test_a_damaged_safetensors_file_is_refused(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputsError, match=words):
        inputs.load(safetensors(tmp_path / "b.safetensors", GOOD, **change))
    assert inputs.load(safetensors(tmp_path / "b.safetensors", GOOD))["labels"].tolist() == LABELS.tolist()


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"logits": LOGITS}, r"labels is missing. Found: logits \[6, 3\]. Expected: logits \[N, C\] and labels"),
        ({"logits": LOGITS, "labels": LABELS, "wieghts": WEIGHTS}, "'wieghts' is not a role"),
        ({"logits": LOGITS, "x": LOGITS, "labels": LABELS}, "'logits' and 'x' both mean logits"),
        ({"logits": LOGITS, "labels": LABELS[:4]}, r"labels has shape \[4\]; expected \[N\] or \[N, C\] with N = 6"),
        ({"logits": LOGITS, "labels": LABELS, "weight": WEIGHTS[:2]}, r"class_weight has shape \[2\]; expected \[C\]"),
        ({"logits": LOGITS[0], "labels": LABELS}, r"expected \[N, C\]"),
        ({"logits": LOGITS[:0], "labels": LABELS[:0]}, "nothing to measure"),
        ({"logits": LOGITS, "labels": np.array(["a"] * 6)}, "expected floats or integers"),
        ({"logits": LOGITS, "labels": np.array([None] * 6)}, "Python objects"),
    ],
)
def test_what_is_no_batch_is_refused(arrays: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputsError, match=words):
        inputs.load(saved(tmp_path / "b.npz", **arrays))


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name, words in (("b.pt", "found .pt"), ("b", "no ending")):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(InputsError, match=words):
            inputs.load(tmp_path / name)
    (tmp_path / "b.npz").write_bytes(b"PK nonsense")
    with pytest.raises(InputsError, match=r"not an \.npz file"):
        inputs.load(tmp_path / "b.npz")
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("evil.pkl", b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(InputsError, match="is not an array"):
        inputs.load(tmp_path / "c.npz")


def test_a_header_that_claims_too_much_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 3)})
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("logits.npy", header.getvalue())
    with pytest.raises(InputsError, match="claims 24,000,000,000,000 bytes"):
        inputs.load(tmp_path / "b.npz")


def test_a_batch_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MOST_BYTES", 100)
    with pytest.raises(InputsError, match="give a smaller batch"):
        inputs.load(saved(tmp_path / "b.npz", logits=LOGITS, labels=LABELS))
    with pytest.raises(InputsError, match="give a smaller batch"):
        inputs.load(safetensors(tmp_path / "b.safetensors", GOOD))


# The effect ----------------------------------------------------------------------------------------------------------


class Weighted:
    """A weighted cross-entropy in NumPy, as a side: by hand, with its gradient. `over` is what it divides by."""

    def __init__(self, over: str, gradient: bool = True, scale: float = 1.0, only: int | None = None) -> None:
        self.over, self.gradient, self.scale, self.only = over, gradient, scale, only

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        return [self._answer(q.inputs) for q in questions]

    def _answer(self, given: dict[str, Array]) -> Answer:
        x, y, w = given["logits"], given["labels"], given["class_weight"][given["labels"]]
        if self.only is not None:
            w = np.where(y == self.only, 2.0 * w, w)
        p = np.exp(x - x.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        n = np.arange(len(y))
        rows = -w * np.log(p[n, y]) * self.scale
        share = {"none": 1.0, "batch": 1 / len(y), "weights": 1 / w.sum()}[self.over]
        value = rows if self.over == "none" else np.asarray((rows * share).sum())
        seed = cotangent(value.shape)
        hot = np.eye(x.shape[1])[y]
        gradient = self.scale * (w * share * (seed if self.over == "none" else float(seed)))[:, None] * (p - hot)
        return Answer(value, {"logits": gradient} if self.gradient else {}, "float64")


def test_a_changed_denominator_touches_every_row_and_no_direction() -> None:
    found = effect.effect(Weighted("weights"), Weighted("batch"), BATCH)
    ratio = WEIGHTS[LABELS].sum() / len(LABELS)
    assert (found.rows, found.rows_touched) == (6, 6)
    assert found.loss_change == pytest.approx(abs(ratio - 1))
    assert found.gradient_length == pytest.approx(ratio)
    assert found.gradient_angle == pytest.approx(0, abs=1e-9)
    assert effect.largest(found) == pytest.approx(abs(ratio - 1))


@pytest.mark.parametrize("over", ["none", "batch"])
@pytest.mark.parametrize("gradient", [True, False])
def test_only_the_rows_of_one_class_are_touched(over: str, gradient: bool) -> None:
    found = effect.effect(Weighted(over, gradient), Weighted(over, gradient, only=1), BATCH)
    assert found.rows_touched == 2
    assert math.isnan(found.gradient_length) is not gradient
    assert not gradient or found.gradient_angle > 1


def test_equal_sides_touch_nothing() -> None:
    found = effect.effect(Weighted("batch"), Weighted("batch", scale=1 + 1e-15), BATCH)
    assert found.rows_touched == 0
    assert effect.largest(found) < 1e-14


def test_a_side_that_does_not_answer_has_no_effect() -> None:
    class Raises:
        def ask(self, questions: Sequence[Question]) -> list[Answer]:
            return [Answer(error="IndexError: 7")] * len(questions)

    with pytest.raises(effect.NoEffect, match="the new loss has no result on the given batch: IndexError: 7"):
        effect.effect(Weighted("batch"), Raises(), BATCH)


@pytest.mark.parametrize(
    ("length", "angle", "change", "largest"),
    [
        (1.0, 0.0, 0.25, 0.25),
        (1.5, 0.0, 0.25, 0.5),
        (1.0, 180.0, 0.0, 2.0),
        (1.0, 60.0, 0.0, 1.0),
        (math.nan, math.nan, 0.125, 0.125),
        (math.inf, 0.0, 0.0, math.inf),
    ],
)
def test_the_largest_effect(length: float, angle: float, change: float, largest: float) -> None:
    assert effect.largest(Effect(2, 1, (1.0, 1.0), change, length, angle)) == pytest.approx(largest)
