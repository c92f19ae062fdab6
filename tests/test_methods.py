"""A method that is named by its class is called on an instance; swapped arguments are probed far out as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossvet import adapters
from lossvet.verify import loss
from lossvet.verify.binding import Options
from lossvet.verify.bound import domain
from lossvet.verify.identify import identify
from lossvet.verify.loading import load
from lossvet.verify.sources import SourceError, parse

pytestmark = pytest.mark.usefixtures("imports_put_back")

SOURCE = """
import numpy as np

class CrossEntropy:
    def __init__(self):
        self.kept = None
    def forward(self, y_out, y_target):
        self.kept = y_out
        return -np.sum(y_target * np.log(y_out)) / len(y_out)
    @staticmethod
    def of_one(y_out, y_target):
        return -np.log(y_out[y_target])

class Weighted:
    def __init__(self, class_weight):
        self.w = class_weight
    def loss(self, logits, y):
        x = logits - logits.max(1, keepdims=True)
        log_p = x - np.log(np.exp(x).sum(1, keepdims=True))
        return -(self.w[y] * log_p[np.arange(len(y)), y]).mean()

class Broken:
    def __init__(self):
        raise OSError("no data set")
    def forward(self, y_out, y_target):
        return 0
"""


def calls(folder: Path, name: str) -> str:
    (folder / "losses.py").write_text(SOURCE)
    function = load(parse(f"numpy:losses.py::{name}"), str(folder))  # type: ignore[arg-type]  # a function, not a contract
    return loss.subjects(adapters.primitives("numpy"), function, Options(), name).bound[0].binding.call


def test_a_method_is_called_on_an_instance(tmp_path: Path) -> None:
    assert calls(tmp_path, "CrossEntropy.forward") == "CrossEntropy.forward(logits, labels)"
    assert calls(tmp_path, "Weighted.loss") == "Weighted.loss(class_weight=class_weight)(logits, labels)"


def test_a_static_method_needs_none(tmp_path: Path) -> None:
    (tmp_path / "losses.py").write_text(SOURCE)
    function = load(parse("numpy:losses.py::CrossEntropy.of_one"), str(tmp_path))  # type: ignore[arg-type]
    assert function(np.array([0.5, 1.0]), 1) == 0


def test_an_instance_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"Broken\(\) raises OSError: no data set"):
        calls(tmp_path, "Broken.forward")


def naive(y: Any, y_hat: Any) -> Any:
    """Names that say the opposite: y are logits."""
    e = np.exp(y)
    return np.mean(np.sum(-y_hat * np.log(e / e.sum(axis=1, keepdims=True)), axis=1))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_taken_for_logits_is_far_out_once_whatever_it_is_called() -> None:
    bound = loss.subjects(adapters.primitives("numpy"), naive).bound[0]
    found = identify(bound.subject, domain(bound.binding, differentiable=False))
    assert found.status == "confirmed"
    assert found.contract is not None
    assert found.contract["arguments"] == "swapped"
    assert found.contract["log"] == "broken_max"
