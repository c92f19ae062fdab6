"""This machine: its processor and cores, the interpreter, and a GPU's clocks with the reasons that throttle them."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

FIELDS = ("name", "driver_version", "clocks.sm", "clocks.mem")
REASONS = ("clocks_throttle_reasons.active", "clocks_event_reasons.active")
"""Bits that say what lowers the clocks (1: it is idle), as drivers called them once, and as they do now."""
LIMIT = 10.0
"""Seconds for an answer: a driver in trouble gives none."""
WORKER_MEMORY = 2**30
"""Bytes to count on for a worker: the largest grow to 0.9 GiB, others to 0.3."""


def gpus() -> dict[str, str]:
    """By field what nvidia-smi answers, GPUs parted by "; "; empty where there is no such program or no answer.

    Clocks mean something only right after the GPU has worked: it lowers them when it is idle.
    """
    for reasons in REASONS:
        fields = (*FIELDS, reasons)
        asked = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
        try:
            done = subprocess.run(asked, capture_output=True, text=True, timeout=LIMIT, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return {}
        rows = [[value.strip() for value in line.split(",")] for line in done.stdout.splitlines() if line.strip()]
        if done.returncode == 0 and rows and all(len(row) == len(fields) for row in rows):
            columns = zip((*FIELDS, "throttled"), zip(*rows, strict=True), strict=True)
            return {f"gpu.{name}": "; ".join(values) for name, values in columns}
    return {}


def cores() -> tuple[int, ...]:
    """Those that this process may use; all, where the platform does not say."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def memory() -> int:
    """Bytes that are free for new processes, of the machine or of the control group that this process is in."""
    found = [int(line.split()[1]) * 1024 for line in _lines("/proc/meminfo") if line.startswith("MemAvailable")]
    group = Path("/sys/fs/cgroup")
    match [*_lines(group / "memory.max"), *_lines(group / "memory.current")]:
        case [most, used] if most.isdigit():
            found.append(int(most) - int(used))
    return min(found, default=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def workers() -> int:
    """How many workers may be at work at a time: one for each core, as far as memory goes."""
    return max(1, min(len(cores()), memory() // WORKER_MEMORY))


def features() -> str:
    """The instructions that the processor has, in words of its own; empty where nothing says."""
    return _told(("flags", "Features")) or platform.processor()


def profile() -> str:
    """The platform, as far as it decides the last bits: system, machine and the widest vectors that it has."""
    vectors = next((f for f in ("avx512f", "avx2", "avx") if f in features().split()), "")
    return "-".join(filter(None, (platform.system(), platform.machine(), vectors))).lower()


def python() -> str:
    """The interpreter that runs this: implementation, version and path."""
    return f"{platform.python_implementation()} {platform.python_version()} {sys.executable}"


def machine() -> dict[str, str]:
    """What times depend on, beside the frameworks."""
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""
    return {
        "cpu": _told(("model name",)).partition(":")[2].strip() or platform.processor() or platform.machine(),
        "cores": str(len(cores())),
        "system": f"{platform.system()} {platform.release()}",
        "load": load,
        "threads": "1",
    }


def _told(starts: tuple[str, ...]) -> str:
    """The first line of /proc/cpuinfo that begins so; empty where there is none."""
    return next((line for line in _lines("/proc/cpuinfo") if line.startswith(starts)), "")


def _lines(path: str | Path) -> list[str]:
    """Of a file that tells about the machine; none where there is no such file."""
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []
