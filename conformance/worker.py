"""The process in which one framework lives. It reads requests from a pipe, answers on another, ends with its parent.

Started by `pool.py` as `python -c BOOTSTRAP`; whatever the framework prints goes to a file of the parent's.
"""

from __future__ import annotations

import ctypes
import faulthandler
import hashlib
import os
import platform
import select
import signal
import sys
import threading
import time
from importlib.metadata import distributions
from pathlib import Path

from lossvet import adapters
from lossvet.adapters import own_loss, steps
from lossvet.adapters.types import Adapter, Missing, Outcome, Raised, Recipe, recipes
from lossvet.reference import variants
from lossvet.reference.types import Case
from lossvet.workers import frames, messages
from lossvet.workers.messages import Answer, CaseMessage, Request, Unavailable

_PR_SET_PDEATHSIG = 1


def main(name: str, read_fd: int, write_fd: int) -> None:
    """Say hello, then answer requests until the pipe ends."""
    os.set_inheritable(read_fd, False)
    os.set_inheritable(write_fd, False)
    faulthandler.enable()
    end_with_parent(read_fd)
    key_cache()
    own = os.getpid()
    python = f"{platform.python_implementation()} {platform.python_version()} {sys.executable}"
    try:
        adapter = own_loss.added(adapters.load(name))
    except Exception as error:  # whatever an import raises, it is the framework's, and means that there is none to ask
        missing = isinstance(error, ModuleNotFoundError)
        reason = messages.text(f"{type(error).__name__}: {error}")
        frames.write(write_fd, frames.encode(Unavailable(name, reason, missing)))
        return
    frames.write(write_fd, frames.encode(messages.hello(adapter, python)))
    splitter = frames.Splitter()
    while (body := frames.read(read_fd, splitter)) is not None:
        request = frames.decode(body, Request)
        for raw, outputs in zip(request.cases, request.outputs, strict=True):
            answer = _answer(adapter, request, frames.decode(bytes(raw), CaseMessage), outputs)
            if os.getpid() != own:  # a framework forked, and this is the child: it has no business on the pipe
                os._exit(0)
            frames.write(write_fd, _encoded(answer))


def _encoded(answer: Answer) -> bytes:
    """The frame of an answer; of its refusal, where it is too large to be sent."""
    try:
        return frames.encode(answer)
    except frames.OversizedFrame as error:
        refused = messages.outcome_message(Raised("OversizedFrame", str(error)))
        outcomes = dict.fromkeys(answer.outcomes, refused)
        return frames.encode(Answer(answer.serial, answer.case, outcomes, answer.seconds, answer.compiled))


def _answer(adapter: Adapter, request: Request, message: CaseMessage, outputs: tuple[str, ...]) -> Answer:
    recipe = recipes(adapter, variants.load(message.variant))[request.recipe]
    case, before, start = messages.case(message), adapter.compiled(), time.perf_counter()
    outcomes = _outcomes(adapter, recipe, case, request, outputs)
    for output, outcome in outcomes.items():
        # An upgrade that loses a gradient must not look like a function that never had one.
        if isinstance(outcome, Missing) and steps.unexpected(adapter, recipe, case, request.mode, output):
            outcomes[output] = Raised("NoAnswer", f"{outcome.reason}, and the adapter does not say that there is none")
    encoded: dict[str, messages.OutcomeMessage] = {}
    for output in outputs:
        got = outcomes.get(
            output, Raised("NoAnswer", f"the adapter {adapter.name} left out {output}, which was asked for")
        )
        try:
            encoded[output] = messages.outcome_message(got)
        except TypeError as error:
            encoded[output] = messages.outcome_message(Raised("TypeError", str(error)))
    return Answer(request.serial, case.id, encoded, time.perf_counter() - start, adapter.compiled() - before)


def _outcomes(
    adapter: Adapter, recipe: Recipe, case: Case, request: Request, outputs: tuple[str, ...]
) -> dict[str, Outcome]:
    """The outcomes; where asking for all at once raises, they are asked for apart, so that one cannot hide others."""
    try:
        asked = outputs if request.mode == "eager" else steps.widened(recipe, outputs)
        return adapter.read(adapter.prepare(recipe, case, request.mode, request.dtype, request.device, asked)())
    except Exception as error:
        parts = _parts(outputs, one_by_one=request.mode in adapter.eager)
        if len(parts) == 1:
            return {output: Raised(type(error).__name__, str(error)) for output in outputs}
        apart = (_outcomes(adapter, recipe, case, request, part) for part in parts)
        return {output: outcome for some in apart for output, outcome in some.items()}


def _parts(outputs: tuple[str, ...], one_by_one: bool) -> list[tuple[str, ...]]:
    """Where every part is compiled anew, only the three kinds of output are told apart."""
    if one_by_one:
        return [(output,) for output in outputs]
    kinds = dict.fromkeys(output.split("/")[0] for output in outputs)
    return [tuple(o for o in outputs if o.split("/")[0] == kind) for kind in kinds]


def end_with_parent(read_fd: int) -> None:
    """Linux kills this process with its parent, even in a call that never returns; elsewhere the pipe is watched."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def watch() -> None:
        poll = select.poll()
        poll.register(read_fd, 0)
        while True:
            if any(event & (select.POLLHUP | select.POLLNVAL) for _, event in poll.poll()):
                if os.getpgrp() == os.getpid():
                    os.killpg(os.getpid(), signal.SIGKILL)  # what the framework forked goes too
                os._exit(1)

    threading.Thread(target=watch, daemon=True, name="lossvet-parent-watch").start()


def key_cache() -> None:
    """LOSSVET_CACHE, if given, becomes a folder for exactly these versions on this kind of processor.

    Compiled code that is kept must never meet another version or a processor that lacks an instruction.
    """
    base = os.environ.get("LOSSVET_CACHE")
    if not base:
        return
    installed = sorted({f"{d.name}=={d.version}" for d in distributions()})
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(errors="replace").splitlines() if cpu.exists() else []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    key = hashlib.sha256("\n".join([platform.python_version(), platform.machine(), flags, *installed]).encode())
    os.environ["LOSSVET_CACHE"] = str(Path(base) / key.hexdigest()[:16])
