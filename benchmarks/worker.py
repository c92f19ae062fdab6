"""A process that measures: one framework, on one core, one subject after another, as the engine asks."""

from __future__ import annotations

import dataclasses
import gc
import os
import platform
import sys
from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any

from lossvet import adapters
from lossvet.adapters import devices, own_loss, slowed
from lossvet.adapters.types import Adapter, Measured, Missing, Outcome, Prepared, Raised, recipes
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
from lossvet.conformance import frames, messages
from lossvet.conformance.messages import Unavailable
from lossvet.conformance.worker import end_with_parent, key_cache
from lossvet.reference import variants
from lossvet.reference.types import Case

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
    gc.freeze()  # a framework's million objects stay as they are: to look through them again takes 0.2 s a sample
    frames.write(write_fd, frames.encode(messages.hello(adapter, python)))
    splitter = frames.Splitter()
    while (body := frames.read(read_fd, splitter)) is not None:
        reply = answer(adapter, frames.decode(body, Request))  # type: ignore[arg-type]  # a union is a type to msgspec
        frames.write(write_fd, frames.encode(reply))
        if poisoned(reply):
            return


def poisoned(reply: Reply) -> bool:
    """Whether the device is lost to the process that this reply comes from, which ends."""
    return isinstance(reply, Failed) and any(words in reply.error for words in POISON)


def answer(adapter: Adapter, request: Request) -> Reply:
    """What was asked for, or why it cannot be had."""
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
                return _sampled(adapter, request)
    except Exception as error:
        return Failed(messages.text(f"{type(error).__name__}: {error}"))


def _sampled(adapter: Adapter, request: Measure) -> Reply:
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
        return Failed(refused)
    del before
    device = None if cell.device == "cpu" else adapter.measured[cell.device]
    if device is None:
        found = timing.measure([call], timing.cpu_clock, request.budget)
        last = call()
    else:
        clock = devices.ColdClock(device)
        others = devices.places(device, limit.moved(asked)) - 1
        found = timing.measure([call, *(prepared() for _ in range(others))], clock, request.budget)
        last = call.wait(clock.last)
    outcomes = adapter.read(last)
    if refused := _refusals(request, outcomes):
        return Failed(refused)
    if not request.whole:
        return Sampled(found.number, found.blocks, prepare, workload=workloads.digest(case))
    after = _judged(asked, case, outcomes)
    del last, outcomes
    inputs = limit.moved(dataclasses.replace(asked, task="forward"))
    peak = memory.peak(call, inputs) if device is None else device.peak(call)
    return Sampled(found.number, found.blocks, prepare, peak, workloads.digest(case), after)


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
