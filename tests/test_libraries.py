"""What losses of well-known packages mean, as they are installed; nothing of them is copied.

`pip install -e .[test-libraries]` installs the packages. A test is skipped by name where its package is missing. The
timm and segmentation-models-pytorch packages need torchvision, and are read by the files that do not.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lossvet.verify.answer import Identified
from lossvet.verify.binding import Options
from lossvet.verify.contract import Contract, Setting
from lossvet.verify.facets import facets
from lossvet.verify.known import of_loss
from lossvet.verify.remote import Remote
from lossvet.verify.verify import RemoteLoss

pytestmark = pytest.mark.sweep

IMPORT_LIMIT = 300.0
"""Seconds: MONAI and transformers import much."""


@dataclass(frozen=True)
class Loss:
    """A loss of a package, and what it was found to be: the facets that depart from the plain mean.

    `where` is FRAMEWORK:MODULE:NAME, or FRAMEWORK:PACKAGE/FILE::NAME. Edge facets are compared where they are named.
    """

    where: str
    init: str = ""
    bind: dict[str, str] = field(default_factory=dict)
    departs: dict[str, Setting] = field(default_factory=dict)

    @property
    def framework(self) -> str:
        return self.where.partition(":")[0]

    @property
    def package(self) -> str:
        return self.where.split(":")[1].partition("/")[0].partition(".")[0]

    def spec(self) -> str:
        """For verify; skips the test where the package is not installed."""
        found = importlib.util.find_spec(self.package)
        if found is None or found.origin is None:
            pytest.skip(f"{self.package} is not installed: pip install -e '.[test-libraries]'")
        if "::" not in self.where:
            return self.where
        return f"{self.framework}:{Path(found.origin).parent.parent}/{self.where.partition(':')[2]}"


@pytest.fixture(scope="module")
def workers() -> Iterator[dict[str, Remote]]:
    """By framework, the worker that is asked: one each, since importing takes longest."""
    started: dict[str, Remote] = {}
    yield started
    for one in started.values():
        one.end()


def identified(loss: Loss, workers: dict[str, Remote]) -> Identified:
    spec, options = loss.spec(), Options(bind=loss.bind, init=loss.init)
    if loss.framework in workers:
        remote = workers[loss.framework].another(spec, options)
    else:
        remote = workers[loss.framework] = Remote(spec, options, limit=60, import_limit=IMPORT_LIMIT)
    return of_loss(RemoteLoss(remote.load(), spec), "").identified


def meaning(contract: Contract, edges: set[str]) -> dict[str, Setting]:
    """What departs, without the edge facets that are not asked for; numbers, which are found, to nine digits."""
    kept = [n for n in contract if n in edges or n not in facets() or not facets()[n].edge]
    return {name: _rounded(contract[name]) for name in kept}


def _rounded(setting: Setting) -> Setting:
    if not isinstance(setting, tuple):
        return round(setting, 9) if isinstance(setting, float) else setting
    return tuple(round(one, 9) if isinstance(one, float) else one for one in setting)  # type: ignore[return-value]


KEPT_OUT: dict[str, Setting] = {"ignored": "label", "ignored_label": -100.0}
FOCAL: dict[str, Setting] = {"modulation": "focal", "gamma": 2.0}
SMP = "torch:segmentation_models_pytorch/losses"
CONFIRMED = (
    Loss("torch:timm/loss/cross_entropy.py::LabelSmoothingCrossEntropy",
         departs={"smoothing": "over_classes", "smoothing_alpha": 0.1}),
    Loss("torch:timm/loss/cross_entropy.py::SoftTargetCrossEntropy"),
    Loss("torch:transformers.loss.loss_utils:fixed_cross_entropy",
         departs={**KEPT_OUT, "denominator": "argument", "zero_denominator": "zero"}),
    Loss("torch:transformers.loss.loss_utils:fixed_cross_entropy", "weight=@class_weight",
         departs={**KEPT_OUT, "denominator": "argument", "zero_denominator": "zero", "arguments": "swallowed"}),
    Loss("torch:transformers.loss.loss_utils:ForCausalLMLoss",
         departs={**KEPT_OUT, "label_shift": "next_token", "precision": "float32"}),
    Loss(f"{SMP}/soft_bce.py::SoftBCEWithLogitsLoss", "weight=None, pos_weight=None",
         departs={"family": "sigmoid", "denominator": "elements"}),
    Loss(f"{SMP}/_functional.py::label_smoothed_nll_loss", "epsilon=0.1, ignore_index=-100",
         departs={**KEPT_OUT, "counted": "all", "input": "log_probabilities", "smoothing": "over_classes",
                  "smoothing_alpha": 0.1}),
    Loss(f"{SMP}/_functional.py::softmax_focal_loss_with_logits",
         departs={**KEPT_OUT, **FOCAL, "counted": "all"}),
    Loss("torch:kornia.losses:focal_loss", 'alpha=None, gamma=0.0, reduction="mean", weight=None',
         departs={**KEPT_OUT, "counted": "all", "denominator": "elements"}),
    Loss("torch:kornia.losses:focal_loss", 'alpha=None, reduction="mean", weight=@class_weight',
         departs={**KEPT_OUT, **FOCAL, "counted": "all", "denominator": "elements", "weighting": ("class_weight",)}),
    Loss("torch:monai.losses.focal_loss:FocalLoss", "gamma=0.0, use_softmax=True, alpha=None, weight=None",
         departs={"denominator": "elements", "precision": "float32"}),
    Loss("torch:monai.losses.focal_loss:FocalLoss", "gamma=0.0, alpha=None, weight=None",
         departs={"denominator": "elements", "family": "sigmoid", "precision": "float32"}),
    Loss("jax:optax:softmax_cross_entropy", departs={"denominator": "unreduced"}),
    Loss("jax:optax:safe_softmax_cross_entropy", departs={"denominator": "unreduced"}),
    Loss("jax:optax:softmax_cross_entropy_with_integer_labels",
         departs={"denominator": "unreduced", "invalid_label": "too large: nan, -1: wraps, -100: nan"}),
    Loss("jax:optax:sigmoid_binary_cross_entropy", departs={"denominator": "unreduced", "family": "sigmoid"}),
    Loss("jax:optax:sigmoid_focal_loss", "gamma=0.0, alpha=0.25",
         departs={"denominator": "unreduced", "family": "sigmoid", "weighting": ("both_sides",),
                  "weights_from": "constant", "constants": (0.75, 0.25), "label_mixing": "interpolated"}),
    Loss("jax:optax.losses:poly_loss_cross_entropy", "epsilon=0.0", departs={"denominator": "unreduced"}),
    Loss("tensorflow:keras.losses:CategoricalCrossentropy", "from_logits=True",
         departs={"gradient_logits": "normalised_labels_only", "precision": "float32",
                  "weighting": ("sample_weight",)}),
    Loss("tensorflow:keras.losses:SparseCategoricalCrossentropy", "from_logits=True, ignore_class=-100",
         departs={**KEPT_OUT, "precision": "float32", "weighting": ("sample_weight",), "zero_denominator": "zero"}),
    Loss("tensorflow:keras.losses:BinaryCrossentropy", "from_logits=True",
         departs={"denominator": "elements", "family": "sigmoid", "precision": "float32",
                  "weighting": ("sample_weight",)}),
    Loss("tensorflow:keras.losses:BinaryFocalCrossentropy", "from_logits=True",
         departs={**FOCAL, "denominator": "elements", "family": "sigmoid", "precision": "float32",
                  "weighting": ("sample_weight",), "label_mixing": "interpolated"}),
)  # fmt: skip
"""What one contract explains, values and gradients."""

IN_THE_LABELS = (
    Loss("jax:optax:sigmoid_focal_loss", "alpha=None",
         departs={**FOCAL, "denominator": "unreduced", "family": "sigmoid"}),
    Loss("torch:balanced_loss.losses:focal_loss", "alpha=None, gamma=0", departs={"family": "sigmoid"}),
    Loss(f"{SMP}/_functional.py::focal_loss_with_logits", "alpha=None",
         departs={**FOCAL, "denominator": "elements", "family": "sigmoid"}),
)  # fmt: skip
"""What the nearest contract explains but for the gradient in the labels: the first has that of reports/FOUND.md, the
second divides by the sum of the labels, and the factor of the third is a function of the labels."""


def named(loss: Loss) -> str:
    return f"{loss.where}({loss.init})"


@pytest.mark.parametrize("loss", CONFIRMED, ids=named)
def test_a_loss_means(loss: Loss, workers: dict[str, Remote]) -> None:
    found = identified(loss, workers)
    assert found.status == "confirmed", found.reason
    (contract,) = found.candidates
    assert meaning(contract, set(loss.departs)) == loss.departs


@pytest.mark.parametrize("loss", IN_THE_LABELS, ids=named)
def test_a_loss_is_not_what_its_gradient_in_the_labels_says(loss: Loss, workers: dict[str, Remote]) -> None:
    found = identified(loss, workers)
    assert found.status == "unexplained"
    assert found.reason.endswith("in gradient/labels")
    (nearest,) = found.candidates
    assert meaning(nearest, set(loss.departs)) == loss.departs


def test_a_term_that_no_contract_has_is_not_confirmed(workers: dict[str, Remote]) -> None:
    """The polynomial loss adds epsilon (1 - p)."""
    assert identified(Loss("jax:optax.losses:poly_loss_cross_entropy"), workers).status == "unexplained"


def test_a_position_of_minus_1_trains_class_0(workers: dict[str, Remote], tmp_path: Path) -> None:
    """Question answering of transformers: start and end are one loss each, so both are given the same."""
    needed = Loss("torch:transformers.loss.loss_utils:ForQuestionAnsweringLoss")
    needed.spec()
    (tmp_path / "answers.py").write_text(
        "from transformers.loss.loss_utils import ForQuestionAnsweringLoss\n\n\n"
        "def answers(logits, labels):\n    return ForQuestionAnsweringLoss(logits, logits, labels, labels)\n"
    )
    spec, options = f"torch:{tmp_path}/answers.py::answers", Options()
    if "torch" in workers:
        workers["torch"].another(spec, options)
    else:
        workers["torch"] = Remote(spec, options, limit=60, import_limit=IMPORT_LIMIT)
    found = of_loss(RemoteLoss(workers["torch"].load(), spec), "").identified
    assert found.status == "confirmed", found.reason
    assert "-1: as_class_zero" in str(found.candidates[0]["invalid_label"])


def test_a_missing_package_skips_by_name() -> None:
    with pytest.raises(pytest.skip.Exception, match="no_such_package is not installed"):
        Loss("torch:no_such_package.losses:focal").spec()
