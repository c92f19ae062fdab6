"""Peak memory of a call above what was there before it: the high-water mark of the process, or the device's own."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
"""What resets the high-water mark, see proc(5)."""


def peak(call: Callable[[], Any]) -> int | None:
    """Bytes that the call needed at most above those in use before, its answers included; None where none can tell.

    In pages that were touched, and to some pages only. What an allocator keeps for later is given back first, or it
    would hide what the call takes from it.
    """
    if sys.platform != "linux":
        return None
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return None
    before = _field("VmRSS")
    answers = call()
    after = _field("VmHWM")
    del answers
    return max(0, after - before)


def _field(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{_STATUS} has no {name}")
