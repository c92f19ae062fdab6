"""The shortest time that the memory allows: the bytes that a loss must move, over the bandwidth of this machine."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lossvet.adapters.types import Clock, Device, Prepared
from lossvet.benchmarks import timing
from lossvet.benchmarks.subjects import Subject, Task
from lossvet.benchmarks.workloads import Shape
from lossvet.reference import variants
from lossvet.reference.types import Family

SMALLEST = 2**16
"""Below so many bytes a copy takes the time of a call, whatever it moves."""
VOID = 1.10
"""A call that is faster than the limit by more than this factor did not do the work, or was not waited for."""
KEPT = 2 * 2**30
"""How many bytes, by `moved`, the calls may need together that a process keeps ready from pass to pass."""
BANDWIDTH_BUDGET_NS = 6_000_000


def moved(subject: Subject) -> int:
    """Bytes: the logits once, with a gradient twice, and the labels. What is gathered from weights is left out."""
    return moved_bytes(variants.load(subject.cell.variant).family, subject.shape, subject.task, subject.cell.dtype)


def moved_bytes(family: Family, at: Shape, task: Task, dtype: str) -> int:
    size = int(np.dtype(dtype).itemsize)
    labels = 8 * at.n if family == "sparse" else size * at.n * at.c
    return size * at.n * at.c * (2 if task == "train" else 1) + labels


def bandwidth(nbytes: int) -> tuple[float, float]:
    """Nanoseconds for a byte where so many are moved again and again: copied (read and written), and only read."""
    size = max(nbytes, SMALLEST)
    source = np.ones(size // 8, np.float32)
    target, both = np.empty_like(source), np.ones(size // 4, np.float32)
    copy, read = (Prepared(lambda: np.copyto(target, source)), Prepared(lambda: np.dot(both, both)))
    return _per_byte([copy], timing.cpu_clock, size), _per_byte([read], timing.cpu_clock, size)


def device_bandwidth(device: Device, nbytes: int) -> tuple[float, float]:
    """The same for a GPU, whose inputs lie in its memory: of so much that neither its cache nor a launch counts."""
    size = max(nbytes, 4 * device.cache)
    per_byte = _per_byte([device.copy(size)], device.clock, size)
    return per_byte, per_byte


def _per_byte(calls: Sequence[Prepared], clock: Clock, nbytes: int) -> float:
    found = timing.measure(calls, clock, BANDWIDTH_BUDGET_NS)
    return min(found.blocks) / found.number / nbytes


def drift() -> Callable[[], Any]:
    """The fixed workload: a dependent-add loop, in which each addition waits for the one before it.

    Its time depends only on the core, and not on what the process did before. The position of an array on the heap does
    depend on that: with arrays from the heap, two equal processes differed by up to 2 %. So the array lies in a page of
    its own, small enough for the first-level cache; it is long enough that the cost of the call, which depends on the
    version of NumPy, does not matter.
    """
    length = 1536
    own = np.frombuffer(mmap.mmap(-1, 2 * 8 * length), np.float64)
    own[:] = 1.0
    values, sums = own[:length], own[length:]
    return lambda: np.add.accumulate(values, out=sums)
