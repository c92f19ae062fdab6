"""A process that measures: one framework, on one core, one subject after another, as the engine asks."""

from __future__ import annotations

import dataclasses
import gc
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

from lossvet import adapters
from lossvet.adapters import devices, own_loss, slowed
from lossvet.adapters.types import Adapter, Clock, Measured, Missing, Outcome, Prepared, Raised, recipes
from lossvet.benchmarks import limit, memory, timing, workloads
from lossvet.benchmarks.messages import (
    Bandwidth,
    Failed,
    Measure,
    MeasureBandwidth,
    MeasureDrift,
    Reply,
    Request,
    Sampled,
)
from lossvet.benchmarks.subjects import Subject, subject
from lossvet.conformance.worker import end_with_parent, key_cache
from lossvet.reference import variants
from lossvet.reference.types import Case
from lossvet.workers import frames, messages
from lossvet.workers.messages import Unavailable

CORE = "LOSSVET_CORE"
"""The environment variable that says on which core to stay."""
POISON = ("device-side assert", "illegal memory access", "CUDA error", "CUDA_ERROR")
"""What an exception says after which a GPU answers nothing more in this process."""


def main(name: str, read_fd: int, write_fd: int) -> None:
    """Say hello, then answer requests until the pipe ends."""
    os.set_inheritable(read_fd, False)
    os.set_inheritable(write_fd, False)
    end_with_parent(read_fd)
    key_cache()
    if (core := os.environ.get(CORE)) and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core)})  # before the framework counts its cores
    python = f"{platform.python_implementation()} {platform.python_version()} {sys.executable}"
    try:
        adapter = slowed.added(own_loss.added(adapters.load(name)))
    except Exception as error:  # whatever an import raises, it is the framework's, and means that there is none to ask
        reason = messages.text(f"{type(error).__name__}: {error}")
        greeting = Unavailable(name, reason, isinstance(error, ModuleNotFoundError))
        frames.write(write_fd, frames.encode(greeting))
        return
    freeze()
    frames.write(write_fd, frames.encode(messages.hello(adapter, python)))
    splitter, kept = frames.Splitter(), Kept()
    while (body := frames.read(read_fd, splitter)) is not None:
        reply = answer(adapter, frames.decode(body, Request), kept)  # type: ignore[arg-type]  # a union is a type to msgspec
        frames.write(write_fd, frames.encode(reply))
        if poisoned(reply):
            return


def freeze() -> None:
    """Look through all objects once and never again: those of a framework, or of a hundred compiled functions that are
    kept, take up to 0.2 s, and every sample begins with that."""
    gc.collect()
    gc.freeze()


def poisoned(reply: Reply) -> bool:
    """Whether the device is lost to the process that this reply comes from, which ends."""
    return isinstance(reply, Failed) and any(words in reply.error for words in POISON)


@dataclass(frozen=True)
class Ready:
    """A subject with everything in place: its calls (on a GPU in several places), their clock, and `prepare` in ns."""

    case: Case
    calls: list[Prepared]
    clock: Clock
    prepare: int
    digest: str


Kept = dict[tuple[str, tuple[str, ...]], Ready]
"""By subject and outputs."""


def answer(adapter: Adapter, request: Request, kept: Kept) -> Reply:
    """What was asked for, or why it cannot be had. `kept` holds what earlier requests wanted to be kept."""
    try:
        match request:
            case MeasureBandwidth(nbytes, "cpu"):
                return Bandwidth(nbytes, "cpu", *limit.bandwidth(nbytes))
            case MeasureBandwidth(nbytes, name):
                return Bandwidth(nbytes, name, *limit.device_bandwidth(adapter.measured[name], nbytes))
            case MeasureDrift():
                found = timing.measure([Prepared(limit.drift())], timing.cpu_clock)
                return Sampled(found.number, found.blocks)
            case Measure():
                key = (request.subject, request.outputs)
                ready = kept.pop(key, None)
                if ready is None:
                    ready = _ready(adapter, request)
                    if request.keep:
                        freeze()
                if request.keep:
                    kept[key] = ready
                return _sampled(adapter, request, ready)
    except Refused as refused:
        return Failed(messages.text(str(refused)))
    except Exception as error:
        return Failed(messages.text(f"{type(error).__name__}: {error}"))


class Refused(Exception):
    """An output that was asked for is not there."""


def _ready(adapter: Adapter, request: Measure) -> Ready:
    asked = subject(request.subject)
    cell, case = asked.cell, workloads.workload(asked.cell.variant, asked.shape)
    recipe = recipes(adapter, variants.load(cell.variant))[cell.recipe]

    def prepared() -> Prepared:
        return adapter.prepare(recipe, case, cell.mode, cell.dtype, cell.device, request.outputs)

    start = perf_counter_ns()
    call = prepared()
    before = call()
    prepare = perf_counter_ns() - start
    if refused := _refusals(request, adapter.read(before)):
        raise Refused(refused)
    if cell.device == "cpu":
        return Ready(case, [call], timing.cpu_clock, prepare, workloads.digest_of(cell.variant, asked.shape))
    device = adapter.measured[cell.device]
    others = devices.places(device, limit.moved(asked)) - 1
    calls = [call, *(prepared() for _ in range(others))]
    return Ready(case, calls, devices.ColdClock(device), prepare, workloads.digest_of(cell.variant, asked.shape))


def _sampled(adapter: Adapter, request: Measure, ready: Ready) -> Reply:
    asked, call = subject(request.subject), ready.calls[0]
    found = timing.measure(ready.calls, ready.clock, request.budget, request.fewest)
    last = call.wait(ready.clock.last) if isinstance(ready.clock, devices.ColdClock) else call()
    outcomes = adapter.read(last)
    if refused := _refusals(request, outcomes):
        raise Refused(refused)
    if not request.whole:
        return Sampled(found.number, found.blocks, ready.prepare, workload=ready.digest)
    after = _judged(asked, ready.case, outcomes)
    del last, outcomes
    inputs = limit.moved(dataclasses.replace(asked, task="forward"))
    device = adapter.measured.get(asked.cell.device)
    peak = memory.peak(call, inputs) if device is None else device.peak(call)
    return Sampled(found.number, found.blocks, ready.prepare, peak, ready.digest, after)


def _refusals(request: Measure, outcomes: Mapping[str, Outcome]) -> str:
    """Why outputs that were asked for are not there; empty where all are."""
    return "; ".join(words for output in request.outputs if (words := _refusal(output, outcomes[output])))


def _refusal(output: str, outcome: Outcome) -> str:
    match outcome:
        case Missing(reason):
            return f"{output}: {reason}"
        case Raised(error, words):
            return f"{output}: {error}: {words}"
        case Measured():
            return ""


def _judged(asked: Subject, case: Case, outcomes: Mapping[str, Outcome]) -> dict[str, messages.OutcomeMessage]:
    """What travels to be judged: all of a small workload, some rows or columns of the gradient of a large one."""
    variant = variants.load(asked.cell.variant)
    chosen = workloads.judged(variant, case)

    def cut(value: Any) -> Any:
        if chosen is None or value.ndim != 2:
            return value
        return value[:, chosen] if variant.family == "binary" else value[chosen]

    return {
        output: messages.outcome_message(Measured(cut(outcome.value)) if isinstance(outcome, Measured) else outcome)
        for output, outcome in outcomes.items()
    }
