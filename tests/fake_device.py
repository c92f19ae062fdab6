"""A GPU that is none: it does later what it was given, by a clock that only it moves, and logs all that it is told.

`Gpu` can stand where `torch.cuda` stands, and `Torch` where `torch` does; `adapter()` is NumPy on such a GPU, measured
by what the adapter of PyTorch uses. The variant that STAND_IN names makes its kernels assert.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy_adapter

from lossvet.adapters import torch_
from lossvet.adapters.types import Adapter, Missing, Outcome, Prepared, Raised, Recipe
from lossvet.benchmarks import limit
from lossvet.benchmarks.workloads import Shape
from lossvet.reference.types import Case

GIVE_NS, WAKE_NS, READ_NS = 2_000, 30_000, 50
"""What the host needs to give work away, to come back from waiting, and to read its clock."""
BYTES_PER_NS = 1
ASSERTED = "CUDA error: device-side assert triggered"


class Gpu:
    """Nanoseconds pass for the host, `now`, only by what it does; `free` is when the device has done what it was given.

    Work is a list of places with their bytes: those of them that the cache held are logged as warm, the others as cold.
    """

    def __init__(self, cache: int = 2**20) -> None:
        self.log: list[str] = []
        self.now = self.free = 0
        self.allocated = self.peak = 0
        self.asserted = False
        self._cache, self._held, self._nbytes = cache, dict[str, int](), 0

    def give(self, name: str, *touched: tuple[str, int]) -> int:
        """Queue work; when it will be done."""
        warm = any(place in self._held for place, _ in touched)
        self.log.append(f"{'warm' if warm else 'cold'} {name}")
        self.now += GIVE_NS
        self.free = max(self.free, self.now) + sum(nbytes for _, nbytes in touched) // BYTES_PER_NS
        for place, nbytes in touched:
            self._nbytes += nbytes - self._held.pop(place, 0)
            self._held[place] = nbytes
        while self._nbytes > self._cache:
            self._nbytes -= self._held.pop(next(iter(self._held)))
        return self.free

    def clock(self) -> int:
        """The host's, as `perf_counter_ns` would read it."""
        self.log.append("clock")
        self.now += READ_NS
        return self.now

    # What torch.cuda has ---------------------------------------------------------------------------------------------

    def is_available(self) -> bool:
        return True

    def synchronize(self) -> None:
        self.log.append("synchronize")
        self.now = max(self.now, self.free) + WAKE_NS
        if self.asserted:
            raise RuntimeError(ASSERTED)

    def Event(self, enable_timing: bool) -> Event:
        return Event(self)

    def get_device_properties(self, index: int) -> Any:
        return SimpleNamespace(L2_cache_size=self._cache)

    def memory_allocated(self) -> int:
        return self.allocated

    def max_memory_allocated(self) -> int:
        return self.peak

    def reset_peak_memory_stats(self) -> None:
        self.log.append("reset memory")
        self.peak = self.allocated


class Event:
    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._at = -1

    def record(self) -> None:
        self._gpu.log.append("record")
        self._at = max(self._gpu.now, self._gpu.free)

    def elapsed_time(self, end: Event) -> float:
        """Milliseconds, once the device has come so far."""
        assert self._gpu.now >= end._at, "the event has not happened yet"
        return (end._at - self._at) / 1e6


class Tensor:
    """Memory of the device, given back when nobody holds it any more."""

    count = itertools.count()

    def __init__(self, gpu: Gpu, nbytes: int) -> None:
        self._gpu, self.nbytes, self.place = gpu, nbytes, f"memory {next(self.count)}"
        gpu.allocated += nbytes
        gpu.peak = max(gpu.peak, gpu.allocated)

    def __del__(self) -> None:
        self._gpu.allocated -= self.nbytes

    def copy_(self, source: Tensor) -> Tensor:
        self._gpu.give("copy", (source.place, source.nbytes), (self.place, self.nbytes))
        return self


class Torch:
    """As much of `torch` as its adapter needs to measure."""

    float32 = "float32"

    def __init__(self, gpu: Gpu) -> None:
        self.cuda = gpu

    def ones(self, size: int, dtype: str, device: str) -> Tensor:
        assert (dtype, device) == ("float32", "cuda")
        return Tensor(self.cuda, 4 * size)

    def empty_like(self, other: Tensor) -> Tensor:
        return Tensor(self.cuda, other.nbytes)


def call(gpu: Gpu, name: str, nbytes: int) -> Prepared:
    """A call that touches so many bytes of a place of its own; what it answers is when it will be done."""

    def wait(answers: Any) -> Any:
        gpu.synchronize()
        return answers

    return Prepared(lambda: gpu.give(name, (name, nbytes)), wait)


# NumPy on such a GPU -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Pending:
    """Answers that are there at a time."""

    done: int
    answers: dict[str, Any]


Spoilt = Callable[[dict[str, Any]], dict[str, Any]]


def adapter(gpu: Gpu | None = None, rushed: Spoilt | None = None, idle: bool = False) -> Adapter:
    """`rushed` says what becomes of answers of a call that is given while the device works; `idle` calls do nothing.

    Each call that is prepared has its inputs in a place of its own.
    """
    sound, gpu, places = numpy_adapter.adapter(), gpu or Gpu(), itertools.count()
    asserting = os.environ.get("STAND_IN", "")

    def prepare(recipe: Recipe, case: Case, mode: str, dtype: str, device: str, outputs: tuple[str, ...]) -> Prepared:
        inner = sound.prepare(recipe, case, mode, dtype, device, outputs)
        if device == "cpu":
            return inner
        place = f"call {next(places)}"
        nbytes = limit.moved_bytes(recipe.variant.family, Shape(*case.logits.shape), "forward", dtype)

        def dispatch() -> Pending:
            busy = gpu.free > gpu.now
            gpu.asserted = gpu.asserted or recipe.variant.name == asserting
            done = gpu.give(place, *([] if idle else [(place, nbytes)]))
            answers = inner.dispatch()
            return Pending(done, rushed(answers) if rushed is not None and busy else answers)

        def wait(pending: Pending) -> Pending:
            gpu.synchronize()
            return pending

        return Prepared(dispatch, wait)

    def read(answers: Any) -> dict[str, Outcome]:
        if isinstance(answers, Pending):
            assert gpu.now >= answers.done, "read before it was there"
            answers = answers.answers
        given = {k: v for k, v in answers.items() if isinstance(v, Raised | Missing)}
        return {**sound.read({k: v for k, v in answers.items() if k not in given}), **given}

    return dataclasses.replace(
        sound,
        name="fake_device",
        devices=("cpu", "cuda"),
        prepare=prepare,
        read=read,
        measured=torch_.measured(Torch(gpu)),
    )
