"""Replays: what is stored is read back bit for bit, damage is named, and both losses are asked the same again."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests import verify_answers as answers
from tests.verify_sides import NumpySide, TorchSide

from lossvet.verify import replay
from lossvet.verify.answer import Counterexample
from lossvet.verify.hexes import decoded, encoded
from lossvet.verify.options import Options, SideOptions
from lossvet.verify.replay import Recorded, ReplayError

OPTIONS = Options(
    source=SideOptions(bind={"logits": "pred"}, init="weight=@class_weight"), labels="sparse", timeout=5.0
)


def record() -> Recorded:
    found = replay.recorded(answers.DIFFERENT, OPTIONS)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "value", [0.1, -0.0, math.inf, -math.inf, 5e-324, 3, None, [[1.5, 2], []], [math.nan], np.float32(0.1), np.eye(2)]
)
def test_numbers_survive_json_bit_for_bit(value: Any) -> None:
    there = json.loads(json.dumps(encoded(value)))
    assert encoded(decoded(there)) == encoded(value)


def test_what_is_stored_is_read_back(tmp_path: Path) -> None:
    key = replay.store(record(), tmp_path)
    assert key == replay.key(record())
    assert len(key) == 6
    assert replay.read(key, tmp_path) == record()
    assert replay.read(key, tmp_path).counterexample == answers.EXAMPLE
    assert list(replay.stored(tmp_path)) == [
        (key, "torch:old/losses.py::weighted_ce and jax:new.losses:weighted_ce: loss")
    ]


def test_another_comparison_has_another_key() -> None:
    other = msgspec.structs.replace(record(), target="jax:other:loss")
    assert replay.key(other) != replay.key(record())
    assert replay.key(msgspec.structs.replace(record(), dtype="float32")) != replay.key(record())


def test_nothing_is_recorded_where_nothing_parts() -> None:
    assert replay.recorded(answers.SAME, OPTIONS) is None


def test_the_batch_of_the_caller_is_not_stored() -> None:
    options = msgspec.structs.replace(OPTIONS, batch={"logits": np.zeros((1000, 3))})
    assert replay.recorded(answers.DIFFERENT, options) == record()


@pytest.mark.parametrize("key", ["3f9a1", "../../etc", "3f9a1c0", "XYZ123", ""])
def test_what_is_no_key_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="expected 6 hex digits"):
        replay.read(key, tmp_path)


def test_a_key_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="there are none"):
        replay.read("000000", tmp_path)
    key = replay.store(record(), tmp_path)
    near = ("0" if key[0] != "0" else "1") + key[1:]
    with pytest.raises(ReplayError, match=f"did you mean {key}"):
        replay.read(near, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("torch:old", "torch:odl", "changed since it was written"),
        ('"0x1.62e42fefa39efp-1"', '"half"', "damaged"),
        ('"inputs"', '"input"', "damaged"),
        ('"schema": 1', '"schema": 2', "changed since"),
    ],
)
def test_damage_is_named(old: str, new: str, words: str, tmp_path: Path) -> None:
    key = replay.store(record(), tmp_path)
    path = tmp_path / f"{key}.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ReplayError, match=words):
        replay.read(key, tmp_path)
    assert words in dict(replay.stored(tmp_path))[key]


def weights_mean(logits: Any, labels: Any, class_weight: Any) -> Any:
    w = class_weight[labels]
    return (w * rows(logits, labels)).sum() / w.sum()


def batch_mean(logits: Any, labels: Any, class_weight: Any) -> Any:
    return (class_weight[labels] * rows(logits, labels)).mean()


def rows(logits: Any, labels: Any) -> Any:
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return -np.log((shifted / shifted.sum(1, keepdims=True))[np.arange(len(labels)), labels])


def taken(source: Any, target: Any) -> Recorded:
    """What both functions give now, as a record."""
    inputs = {"logits": [[0.0, 0.5], [0.25, 0.0]], "labels": [0, 1], "class_weight": [1.0, 3.0]}
    arrays = {role: np.asarray(value) for role, value in inputs.items()}
    example = Counterexample(
        inputs=inputs,
        output="loss",
        source=float(source(**arrays)),
        target=float(target(**arrays)),  # type: ignore[arg-type]  # nested lists of numbers are what it holds
    )
    found = replay.recorded(
        msgspec.structs.replace(answers.DIFFERENT, counterexample=example, differences=()), Options()
    )
    assert found is not None
    return found


def test_both_answer_as_recorded() -> None:
    found = replay.replay(taken(weights_mean, batch_mean), NumpySide(weights_mean), NumpySide(batch_mean))
    assert found.as_recorded
    assert found.now.source != found.now.target


def test_a_side_that_was_changed_is_named() -> None:
    found = replay.replay(taken(weights_mean, batch_mean), NumpySide(weights_mean), NumpySide(weights_mean))
    assert found.source_as_recorded
    assert not found.target_as_recorded
    assert found.now.source == found.now.target


def test_a_side_that_raises_now_does_not_answer_as_recorded() -> None:
    def raises(**_: Any) -> Any:
        raise IndexError("no such class")

    found = replay.replay(taken(weights_mean, batch_mean), NumpySide(raises), NumpySide(batch_mean))
    assert not found.source_as_recorded
    assert found.now.source_error == "IndexError: no such class"
    again = msgspec.structs.replace(taken(weights_mean, batch_mean), source_value=None, source_error="IndexError: x")
    assert replay.replay(again, NumpySide(raises), NumpySide(batch_mean)).as_recorded


def test_gradients_are_asked_along_the_cotangent() -> None:
    pytest.importorskip("torch")

    def loss(logits: Any, labels: Any) -> Any:
        return logits.logsumexp(1) - logits[range(len(labels)), labels]

    p = 1 / (1 + math.exp(-1.0))
    inputs: dict[str, Any] = {"logits": [[0.0, 1.0]], "labels": [1]}
    seed = 0.5625 + 0.1875
    example = Counterexample(inputs, "gradient/logits", [[0.0, 0.0]], [[0.0, 0.0]])
    made = replay.recorded(
        msgspec.structs.replace(answers.DIFFERENT, counterexample=example, differences=()), Options()
    )
    assert made is not None
    found = replay.replay(made, TorchSide(loss), TorchSide(loss))
    assert not found.as_recorded
    np.testing.assert_allclose(found.now.source, [[seed * (1 - p), seed * (p - 1)]], rtol=1e-14)
