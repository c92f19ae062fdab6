"""`lossvet verify` and `lossvet identify`: from specifications and options to an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lossvet.verify import comparing, contract_file, sources
from lossvet.verify.answer import Binding, Comparison, Identified
from lossvet.verify.effect import NoEffect, effect
from lossvet.verify.known import Known, of_contract, of_loss
from lossvet.verify.opened import of_variant, remote
from lossvet.verify.options import Options, SideOptions
from lossvet.verify.questions import Side
from lossvet.verify.remote import Remote
from lossvet.verify.sources import ContractSource, Source, SourceError, VariantSource

Progress = Callable[[str], None]


@dataclass(frozen=True)
class RemoteLoss:
    """A loss in a worker, as something to identify."""

    remote: Remote
    spec: str

    @property
    def framework(self) -> str:
        return self.remote.framework

    @property
    def version(self) -> str:
        return self.remote.version

    @property
    def differentiable(self) -> bool:
        return self.remote.differentiable

    @property
    def notes(self) -> tuple[str, ...]:
        return self.remote.notes

    def ways(self) -> list[tuple[Side, Binding]]:
        return [(side, way.binding) for way, side in self.remote.sides()]


def compare(source: str, target: str, options: Options, progress: Progress = lambda words: None) -> Comparison:
    """Do the two losses mean the same? Raises SourceError where one of them cannot be had."""
    if _one_object(source, target, options):
        return _cannot_judge(source, target, "both sides are the same function, in the same mode and dtype")
    with ExitStack() as stack:
        stopped = threading.Event()
        both = ((source, options.source), (target, options.target))
        opened = [_opened(stack, spec, options, side, stopped.is_set) for spec, side in both]
        threads = stack.enter_context(ThreadPoolExecutor(len(both)))
        stack.callback(stopped.set)  # before the threads are waited for: after an error there is no use in theirs
        progress("identifying both losses")
        begun = [threads.submit(_known, one, side) for one, (_, side) in zip(opened, both, strict=True)]
        sides: list[Known] = []
        for name, begun_one in zip(("old", "new"), begun, strict=True):
            try:
                sides.append(begun_one.result())
            except SourceError as error:
                if error.kind != "nan":
                    raise
                return _cannot_judge(source, target, f"the {name} loss: {error.sentence}")
        progress("comparing them")
        found = comparing.compare(*sides)
        if options.batch is not None:
            try:
                found = msgspec.structs.replace(found, effect=effect(sides[0].side, sides[1].side, options.batch))
            except NoEffect as error:
                found = msgspec.structs.replace(found, warnings=(*found.warnings, str(error)))
        return found


def _cannot_judge(source: str, target: str, reason: str) -> Comparison:
    sides = [Identified(spec, spec.partition(":")[0], "", "cannot_judge", (), None) for spec in (source, target)]
    return Comparison("cannot_judge", sides[0], sides[1], reason=reason)


def identify(spec: str, options: Options) -> Identified:
    """What one loss means. Raises SourceError where it cannot be had."""
    with ExitStack() as stack:
        return opened(spec, options, stack).identified


def opened(spec: str, options: Options, stack: ExitStack) -> Known:
    """One side, identified; what it needs ends with the stack."""
    return _known(_opened(stack, spec, options, options.source), options.source)


Opened = RemoteLoss | Known


def _opened(
    stack: ExitStack, spec: str, options: Options, side: SideOptions, stopped: Callable[[], bool] = lambda: False
) -> Opened:
    """A side that has begun to start; `_known` waits for it, until `stopped` says that nobody needs it."""
    source = sources.parse(spec)
    match source:
        case VariantSource(variant, settings):
            return of_contract(of_variant(variant, dict(settings)), spec)
        case ContractSource(path):
            return of_contract(contract_file.read(Path(path)).contract, spec)
        case _:
            return RemoteLoss(stack.enter_context(remote(spec, side, options, stopped)), spec)


def _known(one: Opened, side: SideOptions) -> Known:
    if isinstance(one, Known):
        return one
    one.remote.load()
    return of_loss(one, side.dtype)


def _one_object(source: str, target: str, options: Options) -> bool:
    """The same function asked in the same way can only agree with itself, and says nothing."""
    same = _resolved(sources.parse(source)) == _resolved(sources.parse(target)) and options.source == options.target
    return same and not options.base


def _resolved(source: Source) -> tuple[str, ...] | Source:
    match source:
        case sources.FileSource(framework, path, name):
            return (framework, str(Path(path).resolve()), name)
        case _:
            return source
