"""Mutants and controls run through the real adapter, and the real judge compares their answers with golden."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from lossvet.adapters.types import Outcome, Raised
from lossvet.conformance import documented
from lossvet.conformance.documented import Documented
from lossvet.conformance.judge import judge
from lossvet.conformance.plan import says_something
from lossvet.conformance.types import Absent, Agrees, Cell, Differs, Verdict
from lossvet.reference import variants
from lossvet.reference.bounds import Bound, bounds
from lossvet.reference.dtypes import NARROW
from lossvet.reference.hazards import HAZARDS
from lossvet.reference.types import Case, output_names
from lossvet.reference.vectors import Golden, load
from mutants import controls, wrong_gradient, wrong_meaning, wrong_precision, wrong_weights
from mutants.frames import ADAPTER, BOTH, Tested

COLLECTIONS = (wrong_meaning.LOSSES, wrong_weights.LOSSES, wrong_gradient.LOSSES, wrong_precision.LOSSES)
MUTANTS = {name: mutant for losses in COLLECTIONS for name, mutant in losses.by_name.items()}
CONTROLS = controls.LOSSES.by_name
INVALID = HAZARDS["invalid_label"].name
PAST_RANGE = ("sum_past_range", "weights_past_range", "nearly_empty_class")
DOCUMENTED = documented.read()


@dataclass(frozen=True)
class Check:
    """What the judge said of one output of one case."""

    case: str
    output: str
    verdict: Verdict

    @property
    def factor(self) -> float:
        """How far outside the bound, infinite for NaN, shape and dtype; 0 where this kills nothing."""
        return self.verdict.ratio if isinstance(self.verdict, Differs) else 0.0


def goldens(variant: str, dtype: str) -> list[Golden]:
    """The cases that are run in this dtype and have a mathematical outcome; in 16 bits without those past the range,
    where a mean that is composed is infinite in sound losses too, as the ledger says."""
    past = PAST_RANGE if dtype in NARROW else ()
    return [
        g
        for g in load(variant)
        if says_something(g, dtype) and INVALID not in g.case.hazards and g.case.id.partition("/")[2] not in past
    ]


def golden(variant: str, case: str) -> Golden:
    (found,) = (g for g in load(variant) if g.case.id == case)
    return found


@cache
def _bounds(variant: str, case: str, dtypes: tuple[str, ...]) -> Mapping[str, Mapping[str, Bound]]:
    return bounds(variants.load(variant), golden(variant, case).case, dtypes)


def checks(tested: Tested, proven: Golden, dtype: str, table: Documented = DOCUMENTED) -> list[Check]:
    """Every output of one case; `table` says what is documented."""
    case, variant = proven.case, tested.recipe.variant
    names = output_names(variant, case)
    allowed = _bounds(variant.name, case.id, NARROW if dtype in NARROW else BOTH)[dtype]
    cell = Cell(variant.name, "native", ADAPTER.name, "eager", dtype)
    answers = _answers(tested, case, dtype, names)
    return [
        Check(
            case.id,
            name,
            judge(answers[name], proven.outputs[name], allowed[name], dtype, table.outcome(case, cell, name)),
        )
        for name in names
    ]


def _answers(tested: Tested, case: Case, dtype: str, names: tuple[str, ...]) -> dict[str, Outcome]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ADAPTER.read(ADAPTER.prepare(tested.recipe, case, "eager", dtype, "cpu", names)())
        except Exception as error:
            return {name: Raised(type(error).__name__, str(error)) for name in names}


def all_checks(tested: Tested, dtype: str) -> list[Check]:
    return [one for g in goldens(tested.variant, dtype) for one in checks(tested, g, dtype)]


def heaviest(checked: Iterable[Check]) -> Check | None:
    """The check with the greatest factor; None for what survives.

    Finite factors come first, and of them those where golden is an ordinary number: beside a golden 0 any error is
    1e36 bounds, which says little. Infinite ones (NaN, shape, dtype) kill where there is nothing else.
    """

    def weight(c: Check) -> tuple[bool, bool, float]:
        golden = c.verdict.golden if isinstance(c.verdict, Differs) else None
        return c.factor < float("inf"), golden is not None and abs(golden) > 2.0**-40, c.factor

    return max((c for c in checked if c.factor > 0), key=weight, default=None)


def worst_ratio(checked: Iterable[Check]) -> float:
    """The largest error over its bound among what agrees."""
    return max((c.verdict.ratio for c in checked if isinstance(c.verdict, Agrees)), default=0.0)


def failures(checked: Iterable[Check]) -> list[str]:
    """What a control must not meet: a difference or an exception, in a sentence each."""
    return [f"{c.case} {c.output}: {c.verdict}" for c in checked if not isinstance(c.verdict, Agrees | Absent)]
