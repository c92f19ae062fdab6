"""What needs a GPU. Where there is none, these are skipped, by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LOSSVET = (sys.executable, "-P", "-c", "from lossvet.cli import main; main()")


pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not any(True for name in ("nvidia[0-9]*", "kfd", "dxg") for _ in Path("/dev").glob(name)),
        reason="no GPU in /dev",
    ),
]


@pytest.mark.slow
def test_the_matrix_holds_on_a_gpu(tmp_path: Path) -> None:
    asked = ("run", "--device", "gpu", "--only", "hard", "--only", "at_zero", "--format", "json")
    done = subprocess.run([*LOSSVET, *asked], cwd=tmp_path, capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip(done.stderr.splitlines()[-1])
    cells = json.loads(done.stdout)["cells"]
    assert cells
    assert {cell["device"] for cell in cells}.isdisjoint({"cpu"})
    assert done.returncode == 0, done.stderr


def test_losses_are_timed_on_a_gpu(tmp_path: Path) -> None:
    asked = ("bench", "--device", "gpu", "--only", "pos_weight", "--replicates", "2", "--format", "json")
    done = subprocess.run([*LOSSVET, *asked], cwd=tmp_path, capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip(done.stderr.splitlines()[-1])
    found = json.loads(done.stdout)["rows"]
    assert done.returncode == 0, done.stderr
    assert found
    assert {row["device"] for row in found}.isdisjoint({"cpu"})
    assert not any(row["void"] for row in found)
