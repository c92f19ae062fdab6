"""What can be timed: a cell at a shape, only forward or with the gradient; and the selection of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from lossvet.benchmarks import workloads
from lossvet.benchmarks.workloads import Shape
from lossvet.conformance import plan
from lossvet.conformance.extent import SLOW
from lossvet.conformance.types import Cell
from lossvet.reference import variants
from lossvet.reference.output import gradient, loss
from lossvet.reference.types import Reduction
from lossvet.workers.messages import Greeting, Hello, NativeSpec

Task = Literal["forward", "train"]
TASKS: tuple[Task, ...] = ("forward", "train")
"""forward: the reduced loss, no gradient recorded. train: the loss and its gradient in the logits."""


@dataclass(frozen=True, order=True)
class Subject:
    """The unit that is timed. Its string is its name everywhere: in samples, tables, the gate and asv."""

    cell: Cell
    shape: Shape
    task: Task

    def __str__(self) -> str:
        return f"{self.cell}/{self.shape}/{self.task}"


def subject(text: str) -> Subject:
    """The subject of this name. Raises ValueError where it is none."""
    *cell, at, task = text.split("/")
    if len(cell) != 6 or task not in TASKS:
        raise ValueError(f"{text!r} is not a benchmark; expected variant/recipe/framework/mode/dtype/device/NxC/task")
    return Subject(Cell(*cell), workloads.shape(at), "train" if task == "train" else "forward")


def reduction(native: NativeSpec | None) -> Reduction:
    """The one that is timed: the mean over what counts; for a function that has none, its own mean by weights, or the
    only one that it has."""
    own = {} if native is None else native.reductions
    if "mean" not in own and "weighted_mean" in own:
        return "weighted_mean"
    return "mean" if not own or {"mean", "none"} & set(own) else next(iter(own))


def outputs(task: Task, by: Reduction) -> tuple[str, ...]:
    return (loss(by),) if task == "forward" else (loss(by), gradient(by, "logits"))


@dataclass(frozen=True)
class Wanted:
    """What the user asked for. Empty filters let everything through, but for the slow modes."""

    only: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = tuple(workloads.shape(s) for s in workloads.DEFAULT_SHAPES)
    modes: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32",)
    tasks: tuple[Task, ...] = ("train",)
    device: str = "cpu"


@dataclass(frozen=True)
class Programme:
    """Subjects by framework, each with its reduction; why others are absent; which modes were left out."""

    subjects: Mapping[str, Mapping[Subject, Reduction]]
    absent: Mapping[Subject, str]
    left_out: Mapping[str, str]

    def __iter__(self) -> Iterator[Subject]:
        yield from self.reductions

    @property
    def reductions(self) -> Mapping[Subject, Reduction]:
        return {subject: by for own in self.subjects.values() for subject, by in own.items()}


def choose(greetings: Mapping[str, Greeting], wanted: Wanted) -> Programme:
    """Raises plan.NothingMatches for a pattern or mode that names nothing, or where nothing is left to time."""
    hellos = [g for g in greetings.values() if isinstance(g, Hello)]
    plan.known("--mode", wanted.modes, sorted({mode for hello in hellos for mode in hello.modes}))
    found: dict[str, dict[Subject, Reduction]] = {hello.name: {} for hello in hellos}
    absent: dict[Subject, str] = {}
    left_out: dict[str, str] = {}
    met: set[str] = set()
    for hello in hellos:
        for cell, native in _cells(hello, wanted):
            names = _names(cell)
            if hits := [p for p in wanted.only if any(fnmatchcase(name, p) for name in names)]:
                met.update(hits)
            elif wanted.only:
                continue
            if (why := untimed(hello, cell.mode)) and not wanted.modes:
                left_out[f"{cell.framework}/{cell.mode}"] = why
                continue
            for at in wanted.shapes:
                for task in wanted.tasks:
                    why = workloads.feasible(variants.load(cell.variant), at) or _refusal(hello, native, at, task, cell)
                    if why:
                        absent[Subject(cell, at, task)] = why
                    else:
                        found[hello.name][Subject(cell, at, task)] = reduction(native)
    if unmet := set(wanted.only) - met:
        known = sorted({*variants.names(), *(n for h in hellos for own in h.natives.values() for n in own)})
        plan.known("--only", sorted(unmet), known)
        raise plan.NothingMatches(f"--only {' '.join(sorted(unmet))}: no such recipe in an installed framework")
    if not any(found.values()):
        why = "; ".join(sorted(set(absent.values()) | {f"{m}: {w}" for m, w in left_out.items()}))
        raise plan.NothingMatches(f"the filters together select nothing to time{f' ({why})' if why else ''}")
    return Programme(found, absent, left_out)


def untimed(hello: Hello, mode: str) -> str:
    """Why a mode is timed only where it is asked for; empty where it is timed."""
    cost, first = hello.costs[mode], hello.modes[0]
    if cost.function >= SLOW:
        return f"a function takes about {cost.function:g} s to compile"
    if not cost.function and cost.shapes:
        return "it compiles and dispatches each operation separately"
    if cost.function and not cost.shapes and mode != first:
        return f"its graphs use the kernels of {first}"
    return ""


def _names(cell: Cell) -> tuple[str, ...]:
    """What `Wanted.only` may call it."""
    return str(cell), cell.variant, f"{cell.variant}/{cell.recipe}"


def fitting(subjects: Iterable[Subject], wanted: Wanted) -> list[Subject]:
    """Those of subjects that were timed that are wanted; an empty filter lets everything through, slow modes too.

    Raises plan.NothingMatches where none is left, and for a pattern that names none.
    """
    known = list(subjects)
    unmet = [p for p in wanted.only if not any(fnmatchcase(name, p) for s in known for name in _names(s.cell))]
    plan.known("--only", unmet, sorted({name for s in known for name in _names(s.cell)[1:]}))

    def fits(s: Subject) -> bool:
        filters = (
            (wanted.frameworks, s.cell.framework),
            (wanted.modes, s.cell.mode),
            (wanted.dtypes, s.cell.dtype),
            (wanted.tasks, s.task),
            (wanted.shapes, s.shape),
            ((wanted.device,) if wanted.device else (), s.cell.device),
        )
        named = any(fnmatchcase(name, p) for p in wanted.only for name in _names(s.cell))
        return (named or not wanted.only) and all(not own or value in own for own, value in filters)

    found = [s for s in known if fits(s)]
    if not found:
        raise plan.NothingMatches("the filters together select nothing that was timed")
    return found


def _cells(hello: Hello, wanted: Wanted) -> Iterator[tuple[Cell, NativeSpec | None]]:
    for variant in variants.names():
        recipes: dict[str, NativeSpec | None] = {"composed": None, **hello.natives.get(variant, {})}
        for recipe, native in recipes.items():
            for mode in hello.modes:
                for dtype in wanted.dtypes:
                    for device in plan.devices(hello, wanted.device):
                        allowed = dtype in hello.dtypes and (native is None or dtype in native.dtypes)
                        allowed = allowed and (native is None or not native.modes or mode in native.modes)
                        if allowed and (not wanted.modes or mode in wanted.modes):
                            yield Cell(variant, recipe, hello.name, mode, dtype, device), native


def _refusal(hello: Hello, native: NativeSpec | None, at: Shape, task: Task, cell: Cell) -> str:
    if native is not None and at.ignored and not native.ignore_index:
        return f"{native.spelling} cannot ignore rows"
    if cell.device not in hello.measured:
        return f"{hello.name} does not declare how to time {cell.device}"
    if task == "train" and {"*", "logits"} & set(hello.no_gradient.get(cell.mode, ())):
        return f"{hello.name} has no gradient"
    return ""
