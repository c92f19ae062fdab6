"""A process that measures: one framework, on one core, one subject after another, as the engine asks."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter_ns
from typing import Any

from lossvet.adapters import devices
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
from lossvet.reference import variants
from lossvet.reference.types import Case
from lossvet.workers import machine, messages, serve
from lossvet.workers.messages import Greeting

POISON = ("device-side assert", "illegal memory access", "CUDA error", "CUDA_ERROR")
"""What an exception says after which a GPU answers nothing more in this process."""


def opened(name: str) -> tuple[Greeting, Callable[[Request], Iterable[Reply]]]:
    """The adapter's greeting, and what measures it. Raises what the framework's import raises."""
    adapter = serve.adapter(name)
    freeze()
    return messages.hello(adapter, machine.python()), partial(answers, adapter, {})


def answers(adapter: Adapter, kept: Kept, request: Request) -> Iterator[Reply]:
    """One for each request. Raises serve.End after one that says that the device is lost."""
    reply = answer(adapter, request, kept)
    yield reply
    if poisoned(reply):
        raise serve.End


def refused(reply: Reply, reason: str) -> Reply:
    """In place of a reply that is too large to be sent."""
    return Failed(reason)


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


SERVICE: serve.Service[Request, Reply] = serve.Service(Request, Reply, opened, refused)
