"""Adapters of this folder made known to lossvet as those of other packages are: by an entry point."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ADAPTERS = {"numpy": "numpy_adapter:adapter", "naughty": "naughty_adapter:adapter"}


def plug(folder: Path) -> str:
    """Make the metadata of an installed package in the folder; what PYTHONPATH must be for it to be found."""
    info = folder / "others_adapters-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others-adapters\nVersion: 1.0\n")
    points = "".join(f"{name} = {target}\n" for name, target in ADAPTERS.items())
    (info / "entry_points.txt").write_text(f"[lossvet.adapters]\n{points}")
    return os.pathsep.join([str(folder), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])


def plug_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for this process and for the workers that it starts."""
    monkeypatch.setenv("PYTHONPATH", plug(folder))
    monkeypatch.syspath_prepend(str(folder))
