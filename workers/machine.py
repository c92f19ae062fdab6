"""The machine that times depend on: its processor, and what a GPU says of its clocks and of what holds them down."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from lossvet.workers.client import cores

FIELDS = ("name", "driver_version", "clocks.sm", "clocks.mem")
REASONS = ("clocks_throttle_reasons.active", "clocks_event_reasons.active")
"""Bits that say what lowers the clocks (1: it is idle), as drivers called them once, and as they do now."""
LIMIT = 10.0
"""Seconds for an answer: a driver in trouble gives none."""


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


def machine() -> dict[str, str]:
    """What the times depend on, beside the frameworks."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(errors="replace").splitlines() if cpu.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""
    return {
        "cpu": model or platform.processor() or platform.machine(),
        "cores": str(len(cores())),
        "system": f"{platform.system()} {platform.release()}",
        "load": load,
        "threads": "1",
    }
