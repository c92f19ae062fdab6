"""What a run says about each way to write a loss: how it divides, where it has no gradient, how accurate it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lossvet.adapters.types import Native
from lossvet.conformance.run import Result
from lossvet.conformance.summary import CLASSES, CellSummary
from lossvet.conformance.types import Absent, AccuracyClass, Cell, Deviates, Verdict
from lossvet.reference import variants
from lossvet.reference.output import parse
from lossvet.reference.reductions import DIVISORS
from lossvet.reference.types import Reduction
from lossvet.workers.messages import Hello, NativeSpec

PLAIN = {"zero_denominator": "nan", "empty_batch": "nan"}
"""What a mean gives for nothing where it is written as a sum over a number."""


@dataclass
class Spelling:
    """One recipe of a variant in a framework, over all its cells: `spelling` as users write it.

    `divides` says by what its own means divide, and how each is asked for, empty where it need not be; `without` names
    the inputs into which it has no gradient;
    `deviations` are ids of the ledger with the number of checks that show them; `agrees` counts checks.
    """

    variant: str
    framework: str
    recipe: str
    spelling: str
    divides: Mapping[str, str]
    sample_weight: bool
    ignore_index: bool
    reductions: Mapping[Reduction, str] = field(default_factory=dict)
    edges: Mapping[str, str] = field(default_factory=dict)
    stopped: tuple[str, ...] = ()
    """As `adapters.types.Native` has them; of the edges, those of a plain mean where it does not reduce unasked."""
    without: tuple[str, ...] = ()
    deviations: Counter[str] = field(default_factory=Counter)
    agrees: int = 0
    accuracy: AccuracyClass | None = None
    ulp: float | None = None
    ratio: float | None = None
    judged: int = 0
    """In float32, the worst over all modes: class, error of the loss in ulp, error over bound; and how many checks."""

    def add(self, cell: CellSummary) -> None:
        self.agrees += cell.counts["agrees"]
        if cell.cell.dtype == "float32" and cell.accuracy:
            self.accuracy = max(filter(None, (self.accuracy, cell.accuracy)), key=CLASSES.index)
            self.ulp = max((u for u in (self.ulp, cell.ulp_loss) if u is not None), default=None)
            self.ratio = max((r for r in (self.ratio, cell.ratio) if r is not None), default=None)
            self.judged += cell.checks


Spelled = Mapping[str, Mapping[str, Sequence[Spelling]]]
"""By variant and framework."""


def spellings(result: Result) -> dict[str, dict[str, list[Spelling]]]:
    """By variant and framework, composed first. Frameworks that were not there have none."""
    found: dict[tuple[str, str, str], Spelling] = {}
    for counted in result.summary.cells:
        key = (counted.cell.variant, counted.cell.framework, counted.cell.recipe)
        if key not in found:
            found[key] = _spelling(result, counted.cell)
        found[key].add(counted)
    leaves: dict[tuple[str, str, str], dict[str, set[str]]] = {}
    for cell, _, output, verdict in result.summary.seen:
        key = (cell.variant, cell.framework, cell.recipe)
        if isinstance(verdict, Deviates) and not verdict.stray:
            found[key].deviations[verdict.deviation] += 1
        if (of := parse(output)).kind == "gradient":
            leaves.setdefault(key, {}).setdefault(of.leaf, set()).add(_gradient(verdict))
    for key, by_leaf in leaves.items():
        found[key].without = tuple(
            sorted(leaf for leaf, said in by_leaf.items() if "none" in said and "some" not in said)
        )
    grouped: dict[str, dict[str, list[Spelling]]] = {}
    for (variant, framework, _), own in found.items():
        grouped.setdefault(variant, {}).setdefault(framework, []).append(own)
    return dict(sorted(grouped.items()))


def offered(own: Sequence[Spelling]) -> list[Spelling]:
    """What a framework offers for a loss: its own functions, else what is composed."""
    native = [s for s in own if s.recipe.startswith("native") and s.accuracy]
    return native or [s for s in own if s.recipe == "composed"]


def _spelling(result: Result, cell: Cell) -> Spelling:
    greeting = result.greetings[cell.framework]
    assert isinstance(greeting, Hello), "who has cells has said hello"
    native = greeting.natives.get(cell.variant, {}).get(cell.recipe)
    own = (cell.variant, cell.framework, cell.recipe)
    if native is None:
        family = variants.load(cell.variant).family
        return Spelling(*own, "composed of operations", {}, family != "binary", family == "sparse", edges=PLAIN)
    return of_native(*own, native)


def of_native(
    variant: str, framework: str, recipe: str, native: NativeSpec | Native, accuracy: AccuracyClass | None = None
) -> Spelling:
    """A way to write a loss that calls a function of the framework, before anything is judged."""
    divides = {DIVISORS[reduction]: asked for reduction, asked in native.reductions.items() if reduction in DIVISORS}
    return Spelling(
        variant,
        framework,
        recipe,
        native.spelling,
        divides,
        native.sample_weight,
        native.ignore_index,
        native.reductions,
        native.edges if "" in divides.values() else {**PLAIN, **native.edges},
        native.no_gradient,
        accuracy=accuracy,
    )


def _gradient(verdict: Verdict) -> str:
    """What a verdict on a gradient says of there being one: "some", "none", or nothing."""
    if not isinstance(verdict, Absent):
        return "some"
    return "none" if "no gradient" in verdict.reason or "no such derivative" in verdict.reason else ""


def most_accurate(own: Iterable[Spelling]) -> list[Spelling]:
    """Of a variant, those that were judged in float32, the most accurate first: those that deviate last, then by class,
    error of the loss in ulp, and error over the bound."""

    def rank(s: Spelling) -> tuple[bool, int, float, float, str, str]:
        ulp, ratio = (float("inf") if x is None else x for x in (s.ulp, s.ratio))
        return bool(s.deviations), CLASSES.index(s.accuracy or "absolute"), ulp, ratio, s.framework, s.recipe

    return sorted((s for s in own if s.accuracy), key=rank)
