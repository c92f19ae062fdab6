"""Results judged: golden, bounds, judge and ledger brought together, one case of one cell at a time."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from lossvet.adapters.types import Measured, Outcome, exact_in
from lossvet.conformance import overflow
from lossvet.conformance.documented import Documented
from lossvet.conformance.judge import judge
from lossvet.conformance.ledger import Ledger
from lossvet.conformance.plan import Plan
from lossvet.conformance.types import Cell, Differs, Verdict
from lossvet.reference import variants
from lossvet.reference.bounds import Bound, bounds
from lossvet.reference.cancelling import uncancelled
from lossvet.workers import messages


@dataclass(frozen=True)
class _Derived:
    """Of one case: the bounds by dtype and output, and by output where nothing cancels."""

    bounds: Mapping[str, Mapping[str, Bound]]
    uncancelled: Mapping[str, NDArray[np.bool_] | None]


class Judging:
    """What a case lets its answers be is derived once, for all dtypes together; so is the case as it travels.

    The same bits are judged once: half of all answers are those of another mode or recipe.
    """

    def __init__(self, plan: Plan, ledger: Ledger, documented: Documented, dtypes: Iterable[str]) -> None:
        self._goldens = plan.goldens
        self._dtypes = tuple(dtypes)
        self._ledger = ledger
        self._documented = documented
        self._known: dict[tuple[str, str], _Derived] = {}
        self._messages: dict[tuple[str, str], msgspec.Raw] = {}
        self._verdicts: dict[Hashable, Verdict] = {}

    def judge(self, cell: Cell, case: str, outcomes: Mapping[str, Outcome]) -> dict[str, Verdict]:
        """The verdicts by output. Raises KeyError for a case or an output that has no golden result."""
        golden = self._goldens[cell.variant][case]
        derived = self._derived(cell.variant, case)
        by_output = derived.bounds[cell.dtype]

        def one(output: str, outcome: Outcome) -> Verdict:
            bound, true = by_output[output], golden.outputs[output]
            expected = self._documented.outcome(golden.case, cell, output)
            key = (case, output, cell.dtype, expected, _content(outcome))
            if key not in self._verdicts:
                uncancelled = derived.uncancelled.get(output)
                found = judge(outcome, true, bound, cell.dtype, expected, uncancelled)
                self._verdicts[key] = (
                    overflow.explained(found, golden, output, cell.dtype) if isinstance(found, Differs) else found
                )
            verdict = self._verdicts[key]
            return self._ledger.weigh(cell, golden, bound, output, outcome, verdict, expected)

        return {output: one(output, outcome) for output, outcome in outcomes.items()}

    def message(self, variant: str, case: str) -> msgspec.Raw:
        """The case, encoded once for all its cells."""
        key = (variant, case)
        if key not in self._messages:
            self._messages[key] = messages.case_message(variant, self._goldens[variant][case].case)
        return self._messages[key]

    def _derived(self, variant: str, case: str) -> _Derived:
        key = (variant, case)
        if key not in self._known:
            golden, of = self._goldens[variant][case], variants.load(variant)
            dtypes = tuple(dtype for dtype in self._dtypes if exact_in(golden.case, dtype))
            self._known[key] = _Derived(
                bounds(of, golden.case, dtypes),
                {output: uncancelled(of, golden.case, output) for output in golden.outputs},
            )
        return self._known[key]


def _content(outcome: Outcome) -> Hashable:
    """What a verdict can depend on, of an outcome."""
    match outcome:
        case Measured(value):
            return value.dtype.str, value.shape, value.tobytes()
        case other:
            return other
