"""A new variant and a new framework are one new file each, and no other change: done here, on a copy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("reference", "adapters", "conformance", "benchmarks", "reports")

VARIANT = '''
"""Twice the sparse cross-entropy: a loss that nobody has, made to be added."""

from dataclasses import dataclass
from typing import Any

from lossvet.reference import softmax
from lossvet.reference.cases.sparse import sparse_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class DoubleSparse:
    ignore_index: int = -100
    sample_weight: Array | None = None


def definition(b, logits, labels, params):
    return [-2 * b.log(b.softmax(x)[y]) for x, y in zip(logits, labels)], [1 for _ in labels]


def closed(a, logits, labels, params):
    s, onehot = a.softmax(a.exact(logits)), a.one_hot(labels, logits.shape[1])
    return Rows(
        loss=2.0 * s.class_sum(onehot),
        weight=a.ones(len(labels)),
        pullback=lambda g: {"logits": 2.0 * g.column() * softmax.logits_gradient(s, onehot)},
        hessian=lambda g, direction: 2.0 * g.column() * softmax.hessian_product(s, onehot, direction),
    )


VARIANT = Variant(
    name="double_sparse",
    family="sparse",
    params=DoubleSparse,
    formula="2 (lse(x) - x_y)",
    definition=definition,
    closed=closed,
    losses=lambda ops, logits, labels, params: -2.0 * ops.pick(ops.log_softmax(logits), labels),
    weights=lambda ops, logits, labels, params: ops.ones(logits),
    cases=lambda: sparse_cases("double_sparse", DoubleSparse)[:12],
)
'''


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package, without links: an installed one looks so."""
    package = tmp_path / "lossvet"
    shutil.copytree(ROOT / "src" / "lossvet", package, ignore=shutil.ignore_patterns(*PACKAGES, "__pycache__"))
    for name in PACKAGES:
        shutil.copytree(ROOT / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def lossvet(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, from the copy and nowhere else."""
    program = "import sys; from lossvet.cli import main; sys.argv[0] = 'lossvet'; main()"
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.sweep
def test_a_variant_is_one_file(copy: Path) -> None:
    (copy / "lossvet/reference/variants/double_sparse.py").write_text(VARIANT)
    # The other variants would be proven again, which test_golden does.
    for path in (copy / "lossvet/reference/variants").glob("[!_]*.py"):
        if path.stem not in ("double_sparse", "sparse"):
            path.unlink()
    assert lossvet(copy, "golden").returncode == 0
    done = lossvet(copy, "run", "--only", "double_sparse", "--framework", "torch", "--format", "json")
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)["cells"]
    assert {(c["variant"], c["verdict"]) for c in cells} == {("double_sparse", "agrees")}
    assert lossvet(copy, "explain", "double_sparse").stdout.startswith("double_sparse: a variant")


def test_a_framework_is_one_file(copy: Path) -> None:
    shutil.copy(ROOT / "tests/numpy_adapter.py", copy / "lossvet/adapters/numpy_.py")
    done = lossvet(copy, "run", "--only", "sparse", "--framework", "numpy", "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    cells = json.loads(done.stdout)["cells"]
    assert {c["framework"] for c in cells} == {"numpy"}
    assert sum(c["checks"] for c in cells) > 100
