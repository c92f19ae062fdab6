"""The worker of check: it does what a worker of verify does, and computes cases of a variant like a worker of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import msgspec

from lossvet.adapters.types import Adapter, Raised
from lossvet.conformance import requests
from lossvet.conformance import worker as run_worker
from lossvet.reference import variants
from lossvet.reference.types import Reduction
from lossvet.verify import fit, fitting, messages, user_recipe
from lossvet.verify.binding import Options
from lossvet.verify.fitting import Fitted
from lossvet.verify.manners import Late, limited
from lossvet.verify.messages import Refused
from lossvet.verify.probing import Bound, sample
from lossvet.verify.questions import Answer, Question
from lossvet.verify.raised import described
from lossvet.verify.sources import SourceError
from lossvet.verify.worker import Side
from lossvet.workers import frames, machine, serve
from lossvet.workers.messages import CASES, Greeting, hello, outcome_message
from lossvet.workers.serve import Service


class Fit(msgspec.Struct, frozen=True, tag=True):
    """Bind the loss that was loaded so that it can be asked as a variant; no call may take longer than `limit` s."""

    variant: str
    options: Options
    limit: float


class Judge(msgspec.Struct, frozen=True, tag=True):
    """Cases of the variant that the loss was fitted to, as a loss that reduces like this, `limit` s each."""

    request: requests.Request
    reduction: Reduction
    limit: float


Request = messages.Load | messages.Bind | messages.Ask | Fit | Judge
Reply = messages.Loaded | messages.Found | messages.Answered | Refused | Fitted | requests.Answer


class Checked(Side):
    """The loss of this worker, as a recipe of its adapter once it was fitted."""

    def __init__(self, adapter: Adapter) -> None:
        assert adapter.primitives is not None, (
            f"the adapter {adapter.name} has no primitives, which binding a loss needs"
        )
        super().__init__(adapter.primitives)
        self.adapter = adapter
        self.adapters: dict[Reduction, Adapter] = {}
        self.calling: user_recipe.Calling | None = None
        self.dtypes: tuple[str, ...] = ()

    def respond(self, request: Request) -> Iterator[Reply]:
        match request:
            case Fit():
                yield self._fit(request)
            case Judge():
                yield from self._judge(request)
            case other:
                yield from self.answers(other)

    def _fit(self, request: Fit) -> Fitted | Refused:
        variant = variants.load(request.variant)
        assert self.function is not None, "it is loaded first"
        guard = partial(limited, request.limit)
        try:
            found = fit.suited(self.primitives, self.function, self.name, variant, request.options, guard)
        except SourceError as error:
            return Refused(error.kind, error.sentence)
        except Late:
            sentence = f"{self.name} did not return within {request.limit:g} s when it was called on a few rows"
            return Refused("hang", sentence)
        best, plan = found.best, found.plan
        self.dtypes = ("float32",) if best.dtype == "float32" else self.adapter.dtypes
        self.calling = found.calling(variant, self.adapter.ops)
        self.adapters = {}
        return Fitted(
            binding=msgspec.structs.replace(plan.binding(), domain=best.domain, dtype=best.dtype),
            layouts=plan.layouts,
            settings=fitting.settings(plan),
            scalar=_scalar(best),
            mode=best.subject.mode,
            native=user_recipe.native_of(self.adapter, variant.name, self.function, self.name),
            notes=found.notes,
        )

    def _judge(self, asked: Judge) -> Iterator[requests.Answer]:
        assert self.calling is not None, "it is fitted first"
        if asked.reduction not in self.adapters:
            self.adapters[asked.reduction] = user_recipe.added(
                self.adapter, self.calling, asked.reduction, self.dtypes
            )  # fmt: skip
        request = asked.request
        for case, outputs in zip(request.cases, request.outputs, strict=True):
            one = msgspec.structs.replace(request, cases=[case], outputs=[outputs])
            try:
                with limited(asked.limit):
                    answered = list(run_worker.answers(self.adapters[asked.reduction], one))
            except (Late, SystemExit) as error:
                kind, _, words = described(error).partition(": ")
                raised = outcome_message(Raised(kind, words))
                name = frames.decode(bytes(case), CASES).id
                answered = [requests.Answer(request.serial, name, dict.fromkeys(outputs, raised), 0.0, 0)]
            yield from answered


def _scalar(bound: Bound) -> bool:
    plan = bound.subject.plan
    classes = bound.binding.classes or (1 if plan.logits_layout != "nc" else 3)
    inputs = sample(plan, 5, classes)
    with contextlib.suppress(Exception):
        (answer,) = bound.subject.ask([Question(inputs, derivative="value", dtype=bound.dtype)])
        if answer.value is not None:
            return answer.value.shape == ()
    return True


def opened(name: str) -> tuple[Greeting, Callable[[Request], Iterable[Reply]]]:
    """Import the framework as a run does, and nothing of the loss yet."""
    adapter = serve.adapter(name)
    return hello(adapter, machine.python()), Checked(adapter).respond


def refused(reply: Reply, reason: str) -> Reply:
    """For an answer that is too large to be sent."""
    return messages.answered(Answer(error=f"OversizedFrame: {reason}"))


SERVICE: Service[Request, Reply] = Service(Request, Reply, opened, refused)
