"""What needs a GPU. Where there is none, the one test is skipped, by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LOSSVET = (sys.executable, "-P", "-c", "from lossvet.cli import main; main()")


@pytest.mark.slow
@pytest.mark.gpu
def test_the_matrix_holds_on_a_gpu(tmp_path: Path) -> None:
    asked = ("run", "--device", "gpu", "--only", "hard", "--only", "at_zero", "--format", "json")
    done = subprocess.run([*LOSSVET, *asked], cwd=tmp_path, capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip(done.stderr.splitlines()[-1])
    cells = json.loads(done.stdout)["cells"]
    assert cells
    assert {cell["device"] for cell in cells}.isdisjoint({"cpu"})
    assert done.returncode == 0, done.stderr
