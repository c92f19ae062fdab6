"""The worker of a run: it computes cases of one cell, one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import msgspec

from lossvet.adapters import steps
from lossvet.adapters.protocol import Cost
from lossvet.adapters.types import Adapter, Missing, Outcome, Raised, Recipe, recipes
from lossvet.conformance.requests import Answer, Request
from lossvet.reference import variants
from lossvet.reference.output import parse
from lossvet.reference.types import Case
from lossvet.workers import frames, machine, messages, serve
from lossvet.workers.messages import CaseMessage, Greeting


def opened(name: str) -> tuple[Greeting, Callable[[Request], Iterable[Answer]]]:
    """The adapter's greeting, and what answers of it. Raises what the framework's import raises."""
    adapter = serve.adapter(name)
    return messages.hello(adapter, machine.python()), partial(answers, adapter)


def answers(adapter: Adapter, request: Request) -> Iterator[Answer]:
    """One for each case, in order."""
    for raw, outputs in zip(request.cases, request.outputs, strict=True):
        yield _answer(adapter, request, frames.decode(bytes(raw), messages.CASES), outputs)


def refused(answer: Answer, reason: str) -> Answer:
    """In place of an answer that is too large to be sent."""
    words = messages.outcome_message(Raised("OversizedFrame", reason))
    return msgspec.structs.replace(answer, outcomes=dict.fromkeys(answer.outcomes, words))


SERVICE: serve.Service[Request, Answer] = serve.Service(Request, Answer, opened, refused)


def _answer(adapter: Adapter, request: Request, message: CaseMessage, outputs: tuple[str, ...]) -> Answer:
    recipe = recipes(adapter, variants.load(message.variant))[request.recipe]
    case, before, start = messages.case(message), adapter.compiled(), time.perf_counter()
    outcomes = _outcomes(adapter, recipe, case, request, outputs)
    for output, outcome in outcomes.items():
        # An upgrade that loses a gradient must not look like a function that never had one.
        if isinstance(outcome, Missing) and steps.unexpected(adapter, recipe, case, request.mode, output):
            outcomes[output] = Raised(
                "NoAnswer", f"{outcome.reason}, and the adapter does not declare that there is none"
            )
    encoded: dict[str, messages.OutcomeMessage] = {}
    for output in outputs:
        got = outcomes.get(
            output, Raised("NoAnswer", f"the adapter {adapter.name} did not return {output}, which was requested")
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
        parts = _parts(outputs, one_by_one=not adapter.costs.get(request.mode, Cost()).compiles)
        if len(parts) == 1:
            return {output: Raised(type(error).__name__, str(error)) for output in outputs}
        apart = (_outcomes(adapter, recipe, case, request, part) for part in parts)
        return {output: outcome for some in apart for output, outcome in some.items()}


def _parts(outputs: tuple[str, ...], one_by_one: bool) -> list[tuple[str, ...]]:
    """Where every part is compiled anew, only the three kinds of output are told apart."""
    if one_by_one:
        return [(output,) for output in outputs]
    kinds = dict.fromkeys(parse(output).kind for output in outputs)
    return [tuple(o for o in outputs if parse(o).kind == kind) for kind in kinds]
