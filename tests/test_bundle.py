"""A bundle shows its difference where lossvet is not: the script is run, for PyTorch against NumPy, and changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.verify_sides import NumpySide, TorchSide

from lossvet.verify import bundle, replay
from lossvet.verify.answer import Binding, Comparison, Counterexample, Identified
from lossvet.verify.options import Options
from lossvet.verify.questions import Question

TORCH = '''
import torch
import torch.nn.functional as F


class WeightedCE(torch.nn.Module):
    """Divides by the sum of the weights."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, pred, target):
        return F.cross_entropy(pred, target, weight=self.weight)
'''
NUMPY = '''
import numpy as np


def weighted_ce(x, y, /, w):
    """Divides by the number of rows."""
    shifted = np.exp(x - x.max(1, keepdims=True))
    rows = -np.log((shifted / shifted.sum(1, keepdims=True))[np.arange(len(y)), y])
    return (w[y] * rows).mean()
'''
INPUTS: dict[str, Any] = {"logits": [[0.5, 0.0], [0.0, 0.25]], "labels": [0, 1], "class_weight": [1.0, 3.0]}


def side(spec: str, framework: str, call: str, roles: dict[str, str], layout: str = "") -> Identified:
    binding = Binding(call, roles, dict.fromkeys(roles, "name"), "sparse")
    return Identified(spec, framework, "1", "confirmed", (), binding)


OLD = side(
    "torch:lib/old.py::WeightedCE",
    "torch",
    "WeightedCE(weight=class_weight)(pred=logits, target=labels)",
    {"class_weight": "weight", "logits": "pred", "labels": "target"},
)
NEW = side(
    "numpy:lib/new.py::weighted_ce",
    "numpy",
    "weighted_ce(logits, labels, w=class_weight)",
    {"logits": "x", "labels": "y", "class_weight": "w"},
)


def bundled(folder: Path, old: Identified, new: Identified, example: Counterexample, base: str = "") -> str:
    found = Comparison("different", old, new, counterexample=example)
    record = replay.recorded(found, Options(base=base))
    assert record is not None
    bundle.write(found, record, folder / "bundle")
    return (folder / "bundle/show.py").read_text()


def shown(folder: Path, *words: str) -> list[str]:
    """Run from elsewhere, without lossvet's folders on the path."""
    script = folder / "bundle/show.py"
    done = subprocess.run(
        [sys.executable, "-I", str(script), *words], capture_output=True, text=True, cwd="/", timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/old.py").write_text(TORCH)
    (tmp_path / "lib/new.py").write_text(NUMPY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(output: str) -> Counterexample:
    """What both losses give, asked of them in this process."""
    import torch

    arrays = {role: np.asarray(value) for role, value in INPUTS.items()}
    leaf = output.partition("/")[2]
    space: dict[str, Any] = {}
    exec(NUMPY, space)
    new = NumpySide(lambda logits, labels, class_weight: space["weighted_ce"](logits, labels, w=class_weight))
    old = TorchSide(
        lambda logits, labels, class_weight: torch.nn.functional.cross_entropy(logits, labels, class_weight)
    )
    question = Question(arrays, (leaf,) if leaf else ())
    found = [s.ask([question])[0] for s in (old, new)]
    values = [(a.gradients.get(leaf) if leaf else a.value) for a in found]
    return Counterexample(INPUTS, output, *(None if v is None else v.tolist() for v in values))


def test_the_script_shows_both_answers_as_recorded(project: Path) -> None:
    pytest.importorskip("torch")
    text = bundled(project, OLD, NEW, asked("loss"))
    assert "import lossvet" not in text
    lines = shown(project)
    assert lines[0] == "old  torch:lib/old.py::WeightedCE"
    assert lines[3] == "new  numpy:lib/new.py::weighted_ce"
    old, new = asked("loss").source, asked("loss").target
    assert lines[1] == f"     recorded  loss = {old}"
    assert lines[2] == f"     now       loss = {old}  (as recorded)"
    assert lines[4] == f"     recorded  loss = {new}"
    assert lines[5] == f"     now       loss = {new}  (as recorded)"
    readme = (project / "bundle/README").read_text().splitlines()
    assert len(readme) == 5
    assert "python show.py" in readme[3]


def test_a_gradient_is_shown_too_and_numpy_has_none(project: Path) -> None:
    pytest.importorskip("torch")
    example = asked("gradient/logits")
    bundled(project, OLD, NEW, example)
    old, new = (json.loads(shown(project, s)[0].removeprefix("answer:"))["value"] for s in ("old", "new"))
    assert [[float.fromhex(x) for x in row] for row in old] == example.source
    assert new is None


def test_a_loss_that_was_changed_since_is_shown_as_it_is_now(project: Path) -> None:
    (project / "lib/same.py").write_text(NUMPY)
    same = msgspec.structs.replace(NEW, spec="numpy:lib/same.py::weighted_ce")
    space: dict[str, Any] = {}
    exec(NUMPY, space)
    value = float(space["weighted_ce"](*(np.asarray(INPUTS[r]) for r in ("logits", "labels", "class_weight"))))
    bundled(project, same, NEW, Counterexample(INPUTS, "loss", value, value))
    lines = shown(project)
    assert [lines[i].endswith("(as recorded)") for i in (2, 5)] == [True, True]
    (project / "lib/new.py").write_text(NUMPY.replace(".mean()", ".sum()"))
    lines = shown(project)
    assert [lines[i].endswith("(as recorded)") for i in (2, 5)] == [True, False]
    assert float(lines[5].rpartition("= ")[2]) == pytest.approx(2 * value)
    (project / "lib/new.py").write_text("raise SystemExit('broken')")
    assert "no answer; its process ended with 1" in shown(project)[5]
    (project / "lib/new.py").unlink()
    assert "raises FileNotFoundError" in shown(project)[5]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"spec": "weighted_ce.contract.toml"}, "it is a contract, not code"),
        ({"spec": "variant:sparse_class_weight?denominator=weights"}, "it is a contract, not code"),
        ({"spec": "mlx:lib/old.py::f"}, "mlx has no template; there are: jax, numpy, tensorflow, tensorflow_v1, torch"),
        ({"binding": None}, "how it is called cannot be written"),
        ({"binding": Binding("WeightedCE(pred=secret)", {}, {}, "sparse")}, "how it is called cannot be written"),
        ({"binding": Binding("WeightedCE(pred=)", {}, {}, "sparse")}, "how it is called cannot be written"),
    ],
)
def test_a_side_that_cannot_be_run_says_why(change: dict[str, Any], why: str, project: Path) -> None:
    old = msgspec.structs.replace(OLD, **change)
    bundled(project, old, NEW, Counterexample(INPUTS, "loss", 0.5, 0.25))
    lines = shown(project)
    assert lines[1] == "     recorded  loss = 0.5"
    assert why in lines[2]
    assert lines[5].startswith("     now       loss = ")


def test_a_side_at_another_revision_is_not_run(project: Path) -> None:
    bundled(project, OLD, NEW, Counterexample(INPUTS, "loss", 0.5, 0.25), base="main")
    lines = shown(project)
    assert lines[0] == "old  torch:lib/old.py::WeightedCE at main"
    assert "revision main" in lines[2]


def test_hostile_names_do_not_become_code(project: Path) -> None:
    name = 'numpy:lib/"""\nimport os; os._exit(7)\n""".py::f'
    new = msgspec.structs.replace(NEW, spec=name)
    text = bundled(project, NEW, new, Counterexample(INPUTS, "loss", 0.5, 0.25))
    compile(text, "show.py", "exec")
    assert shown(project, "old")[0].startswith("answer:")
    assert "import os; os._exit(7)\n" not in text


def test_a_folder_with_other_files_is_left_alone(project: Path) -> None:
    example = Counterexample(INPUTS, "loss", 0.5, 0.25)
    bundled(project, OLD, NEW, example)
    bundled(project, OLD, NEW, example)
    (project / "bundle/mine.txt").write_text("kept")
    with pytest.raises(bundle.BundleError, match="holds other files"):
        bundled(project, OLD, NEW, example)


EVERY = {
    "torch": "import torch\n\n\ndef f(x, y):\n    return torch.logsumexp(x, 1) - x[torch.arange(len(y)), y]\n",
    "jax": "import jax\n\n\ndef f(x, y):\n    return -jax.nn.log_softmax(x)[jax.numpy.arange(len(y)), y]\n",
    "tensorflow": "import tensorflow as tf\n\n\ndef f(x, y):\n"
    "    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=x)\n",
    "tensorflow_v1": "import tensorflow.compat.v1 as tf\n\n\ndef f(x, y):\n"
    "    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=x)\n",
}


@pytest.mark.parametrize(
    "framework",
    [pytest.param(f, marks=pytest.mark.sweep if "tensorflow" in f else pytest.mark.slow) for f in EVERY],
)
def test_every_template_gives_loss_and_gradient(framework: str, project: Path) -> None:
    module = "tensorflow" if framework == "tensorflow_v1" else framework
    pytest.importorskip(module)
    (project / "lib/every.py").write_text(EVERY[framework])
    one = side(f"{framework}:lib/every.py::f", framework, "f(logits, labels)", {"logits": "x", "labels": "y"})
    x = np.asarray(INPUTS["logits"])
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    inputs = {"logits": INPUTS["logits"], "labels": INPUTS["labels"]}
    for output, wanted in (
        ("loss", -np.log(p[[0, 1], [0, 1]])),
        ("gradient/logits", np.array([[0.75], [1.6875]]) * (p - np.eye(2))),
    ):
        bundled(project, one, one, Counterexample(inputs, output, 0.0, 0.0))
        lines = [json.loads(line.removeprefix("answer:")) for line in shown(project, "old") if "answer:" in line]
        assert lines[-1]["error"] == ""
        found = np.vectorize(float.fromhex)(lines[-1]["value"])
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
