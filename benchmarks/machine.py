"""What a GPU says of itself: its clocks, and what holds them down."""

from __future__ import annotations

import subprocess

FIELDS = ("name", "driver_version", "clocks.sm", "clocks.mem")
REASONS = ("clocks_throttle_reasons.active", "clocks_event_reasons.active")
"""Bits that say what lowers the clocks (1: it is idle), by the name that drivers had for it and by the one they have."""
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
            named = (*FIELDS, "throttled")
            return {
                f"gpu.{name}": "; ".join(values) for name, values in zip(named, zip(*rows, strict=True), strict=True)
            }
    return {}
