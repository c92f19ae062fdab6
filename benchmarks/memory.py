"""Peak memory of a call in addition to its inputs, on Linux, measured by the pages that it touched.

There are two counts, since each misses what the other finds. Allocators retain freed memory, so a call may need a lot
of memory although the process does not grow: the kernel's "referenced" mark finds those pages. And allocators unmap
large blocks, whose pages are gone when the call returns: the high-water mark of the process finds those.
"""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

_STATUS, _MAPS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/smaps"), Path("/proc/self/clear_refs")
_FORGET_REFERENCES, _FORGET_PEAK = "1", "5"
"""What proc(5) has written to clear_refs."""
_LINES = re.compile(r"^(?:([0-9a-f]+-[0-9a-f]+) \S+ \S+ \S+ \d+ *(\S*)|Referenced: +(\d+))", re.MULTILINE)
"""Of smaps: where a mapping begins, with the file that it is of, and how much of it was referenced, in KiB."""


def peak(call: Callable[[], Any], inputs: int) -> int | None:
    """Bytes that a call needs above `inputs`, bytes that it reads; None where the platform does not tell.

    The kernel counts in pages and adds them up lazily, so the answer is good to some hundred KiB. The call is made
    twice. What the measuring itself touches, some hundred KiB, is measured and taken off.
    """
    if sys.platform != "linux":
        return None
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)
    try:
        grown = _grown(call)
        return max(grown, _touched(call) - _idle() - inputs, 0)
    except OSError:
        return None


@cache
def _idle() -> int:
    """What the measuring itself touches in this process."""
    return _touched(lambda: None)


def _grown(call: Callable[[], Any]) -> int:
    """By how much the process grew at most."""
    _CLEAR.write_text(_FORGET_PEAK)
    before = _field("VmRSS")
    answers = call()
    grown = _field("VmHWM") - before
    del answers
    return grown


def _touched(call: Callable[[], Any]) -> int:
    """Anonymous memory, code and files left out, that the call touched and that is still there."""
    _CLEAR.write_text(_FORGET_REFERENCES)
    answers = call()
    total, anonymous = 0, False
    for mapping, file, kibibytes in _LINES.findall(_MAPS.read_text()):
        if mapping:
            anonymous = not file or file.startswith("[")
        elif anonymous:
            total += int(kibibytes) * 1024
    del answers
    return total


def _field(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{_STATUS} has no {name}")
