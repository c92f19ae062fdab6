"""What needs a GPU. Where there is none, these are skipped, by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LOSSVET = (sys.executable, "-P", "-c", "from lossvet.cli import main; main()")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not any(True for name in ("nvidia[0-9]*", "kfd", "dxg") for _ in Path("/dev").glob(name)),
        reason="no GPU in /dev",
    ),
]


def answered(folder: Path, *asked: str) -> Any:
    """What a command answers on the GPU; skipped where a GPU is there, and no framework was built for it."""
    done = subprocess.run(
        [*LOSSVET, *asked, "--device", "gpu", "--format", "json"], cwd=folder, capture_output=True, text=True
    )
    if "no framework sees a device" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_matrix_holds_on_a_gpu(tmp_path: Path) -> None:
    cells = answered(tmp_path, "run", "--only", "hard", "--only", "at_zero")["cells"]
    assert cells
    assert {cell["device"] for cell in cells}.isdisjoint({"cpu"})


def test_losses_are_timed_on_a_gpu(tmp_path: Path) -> None:
    found = answered(tmp_path, "bench", "--only", "pos_weight", "--replicates", "2")["rows"]
    assert found
    assert {row["device"] for row in found}.isdisjoint({"cpu"})
    assert not any(row["void"] for row in found)
