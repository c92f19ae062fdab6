"""Where compiled code of the frameworks is cached between runs: LOSSVET_CACHE, which tells a worker the folder."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from importlib.metadata import distributions
from pathlib import Path

from lossvet.workers import machine

VARIABLE = "LOSSVET_CACHE"


def default() -> Path:
    """The user's folder for what can be made again."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "lossvet"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lossvet"


def environment(cache: Path | None) -> dict[str, str]:
    """The worker's environment: the parent's, with where compiled code is kept between runs, or nowhere (`--cold`)."""
    kept = {key: value for key, value in os.environ.items() if key != VARIABLE}
    return {**kept, **({} if cache is None else {VARIABLE: str(cache)})}


def key() -> None:
    """In a worker: LOSSVET_CACHE, if given, becomes a folder for exactly these versions on this kind of processor.

    Compiled code that is kept must never meet another version or a processor that lacks an instruction.
    """
    base = os.environ.get(VARIABLE)
    if not base:
        return
    installed = sorted({f"{d.name}=={d.version}" for d in distributions()})
    parts = [platform.python_version(), platform.machine(), machine.features(), *installed]
    os.environ[VARIABLE] = str(Path(base) / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16])
