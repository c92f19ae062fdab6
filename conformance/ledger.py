"""The ledger of known deviations: what differs, where, by which value, and why. Strict both ways.

An entry excuses only the outputs and elements it names, and holds those to what it says they are; everything beside
them is judged as ever. Each holds at least one observed value. An entry that matches nothing, that no longer deviates,
or that shows another value fails the run.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lossvet.adapters.types import Measured, Outcome
from lossvet.conformance import deviant
from lossvet.conformance.judge import judge
from lossvet.conformance.types import Absent, Agrees, Cell, Deviates, Differs, Errored, Verdict
from lossvet.reference import variants
from lossvet.reference.bounds import Bound, bounds
from lossvet.reference.output import Output, parse
from lossvet.reference.types import Case
from lossvet.reference.vectors import Golden

DEFAULT = Path(__file__).parent / "deviations.toml"


class LedgerError(Exception):
    """A ledger that cannot be read, or says what makes no sense. The message names the file and the place."""


class Observed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was seen; of an element a hex float, "nan", "inf" or "-inf"; of all "raises NAME", "shape [0]"."""

    case: str
    output: str
    value: str
    index: tuple[int, ...] = ()


class Deviation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One known disagreement. Lists hold names or globs.

    `title` names the symptom, as who meets it would. `elements` is a key of ELEMENTS, and says which may be wrong;
    `shows` says what they are instead: a key of `deviant.MODELS`, "nan", or "whole" for an output of another shape or
    an exception.
    """

    id: str
    title: str
    reason: str
    versions: str
    observed: tuple[Observed, ...]
    framework: tuple[str, ...]
    variant: tuple[str, ...]
    output: tuple[str, ...]
    cases: tuple[str, ...]
    shows: str
    link: str = ""
    example: str = ""
    recipe: tuple[str, ...] = ("*",)
    mode: tuple[str, ...] = ("*",)
    dtype: tuple[str, ...] = ("*",)
    elements: str = "all"

    def covers(self, cell: Cell, case: str) -> bool:
        """Whether this entry speaks of this case in this cell."""
        fields = ("framework", "recipe", "mode", "dtype")
        named = any(_fits(name, self.variant) for name in (cell.variant, f"{cell.variant}/{cell.recipe}"))
        return named and all(_fits(getattr(cell, f), getattr(self, f)) for f in fields) and _fits(case, self.cases)


ELEMENTS: Mapping[str, Callable[[Case], Any]] = {
    "all": lambda case: np.ones(case.logits.shape, bool),
    "logit_zero": lambda case: case.logits == 0,
    "logit_infinite": lambda case: np.isinf(case.logits),
    "row_with_infinite_logit": lambda case: _rows(case, np.isinf(case.logits).any(1)),
    "row_labels_not_summing_to_1": lambda case: _rows(case, case.labels.sum(1) != 1),
}
"""Which elements an entry excuses, as booleans [N, C]. In a reduced output any of them excuses the whole."""


class Ledger:
    """The entries of one file, and what they make of verdicts."""

    def __init__(self, deviations: tuple[Deviation, ...]) -> None:
        self.deviations = deviations

    @classmethod
    def read(cls, path: Path = DEFAULT) -> Ledger:
        """Read a ledger. Raises LedgerError for a file that is not one, and for ids that occur twice."""
        try:
            with path.open("rb") as file:
                entries = tomllib.load(file).get("deviation", [])
            deviations = tuple(msgspec.convert(entry, Deviation) for entry in entries)
        except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise LedgerError(f"{path}: {error}") from None
        for d in deviations:
            if not d.observed or d.elements not in ELEMENTS:
                raise LedgerError(f"{path}: {d.id} needs an observed value, and elements among {', '.join(ELEMENTS)}")
            if d.shows not in (shown := (*deviant.MODELS, deviant.NAN, deviant.WHOLE)):
                raise LedgerError(f"{path}: {d.id} shows {d.shows!r}; expected one of {', '.join(shown)}")
        if len({d.id for d in deviations}) != len(deviations):
            raise LedgerError(f"{path}: two entries have the same id")
        return cls(deviations)

    def weigh(
        self, cell: Cell, golden: Golden, bound: Bound, output: str, outcome: Outcome, verdict: Verdict
    ) -> Verdict:
        """The verdict, as a Deviates where an entry explains all that is wrong with it."""
        if not isinstance(verdict, Differs | Errored):
            return verdict
        for d in self.deviations:
            if (
                d.covers(cell, golden.case.id)
                and _fits(output, d.output)
                and _explains(d, cell, golden, bound, output, outcome)
            ):
                differs = (
                    verdict if isinstance(verdict, Differs) else Differs(f"raises {verdict.error}: {verdict.message}")
                )
                return Deviates(d.id, differs, _stray(d, cell, golden, bound, output, outcome))
        return verdict

    def stale(self, seen: Iterable[tuple[Cell, str, str, Verdict]]) -> list[str]:
        """In a sentence each, the entries that are not as they say, going by all that was judged.

        Such an entry agrees where a value was observed, shows another value, or matches none of the outputs that it was
        observed in although they were judged.
        """
        samples: dict[tuple[str, str], list[Deviation]] = {}
        for d in self.deviations:
            for o in d.observed:
                samples.setdefault((o.case, o.output), []).append(d)
        judged: set[str] = set()
        matched: set[str] = set()
        found: dict[str, None] = {}
        for cell, case, output, verdict in seen:
            if isinstance(verdict, Deviates):
                matched.add(verdict.deviation)
                if verdict.stray:
                    found[f"{verdict.deviation}: {verdict.stray} ({cell}, {case}, {output})"] = None
            for d in samples.get((case, output), ()):
                if d.covers(cell, case) and not isinstance(verdict, Absent):
                    judged.add(d.id)
                    if isinstance(verdict, Agrees):
                        found[f"{d.id}: {output} of {case} agrees now in {cell}: narrow the entry, or remove it"] = None
        nothing = (
            f"{name}: matches nothing where it was observed: correct or remove it" for name in sorted(judged - matched)
        )
        return [*nothing, *found]


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _rows(case: Case, rows: Any) -> Any:
    return np.broadcast_to(rows[:, None], case.logits.shape)


def _mask(d: Deviation, case: Case, output: str) -> Any:
    """The excused elements of this output, as booleans that broadcast to its shape."""
    mask = ELEMENTS[d.elements](case)
    of = parse(output)
    if of == Output(
        "gradient", "weighted_mean", "labels"
    ):  # through the sum of weights, each label meets the loss of every row
        return mask.any()
    if of.leaf in ("logits", "labels"):
        return mask
    if of == Output("loss", "none"):
        return mask if case.cotangent.ndim == 2 else mask.any(1)
    return mask.any(1) if of.leaf == "sample_weight" else mask.any()


def _explains(d: Deviation, cell: Cell, golden: Golden, bound: Bound, output: str, outcome: Outcome) -> bool:
    """Whether every element is right, or excused and what the entry says that it is; or the whole is as observed."""
    true = golden.outputs[output]
    if not isinstance(outcome, Measured) or outcome.value.shape != true.shape:
        return d.shows == deviant.WHOLE and any(o.value == _whole(outcome) for o in d.observed)
    if d.shows == deviant.WHOLE:
        return False
    excused = np.broadcast_to(_mask(d, golden.case, output), true.shape)
    if d.shows == deviant.NAN:
        known = np.where(excused & np.isnan(outcome.value), np.nan, true)
    else:
        known = np.where(excused, deviant.MODELS[d.shows].values(golden.case, output), true)
        bound = _widest(bound, _bounds_like(d.shows, cell.variant, golden.case, cell.dtype)[output])
    return isinstance(judge(outcome, known, bound, cell.dtype, "any"), Agrees)


@cache
def _bounds_like(shows: str, variant: str, case: Case, dtype: str) -> Mapping[str, Bound]:
    return bounds(variants.load(variant), deviant.MODELS[shows].like(case), (dtype,))[dtype]


def _widest(a: Bound, b: Bound) -> Bound:
    return Bound(**{f.name: np.maximum(getattr(a, f.name), getattr(b, f.name)) for f in fields(Bound)})


def _whole(outcome: Outcome) -> str:
    """What an entry calls an answer that cannot be judged by element."""
    return f"shape {list(outcome.value.shape)}" if isinstance(outcome, Measured) else f"raises {outcome.error}"  # type: ignore[union-attr]  # Missing is Absent, and never weighed


def _stray(d: Deviation, cell: Cell, golden: Golden, bound: Bound, output: str, outcome: Outcome) -> str:
    """What is not as observed, where this very output is one that was observed; else nothing."""
    for o in d.observed:
        if (o.case, o.output) != (golden.case.id, output):
            continue
        if not isinstance(outcome, Measured) or outcome.value.shape != golden.outputs[output].shape:
            if o.value != _whole(outcome):
                return f"{_whole(outcome)}, and the ledger has {o.value!r}"
            continue
        if o.value.startswith(("raises ", "shape ")):
            return f"is an answer, and the ledger has {o.value!r}"
        got, value = outcome.value[o.index], _value(o.value)
        here = Bound(**{f.name: np.asarray(getattr(bound, f.name)[o.index]) for f in fields(Bound)})
        if not isinstance(judge(Measured(np.asarray(got)), np.asarray(value), here, cell.dtype), Agrees):
            return f"element {list(o.index)} is {float(got):.9g}, and the ledger has {value:.9g}"
    return ""


def _value(text: str) -> float:
    return float("nan") if text == "nan" else float.fromhex(text)
