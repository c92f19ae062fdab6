"""Where answers are judged: golden, bounds, judge and ledger brought together, one case of one cell at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lossvet.adapters.types import Outcome, exact_in
from lossvet.conformance.judge import expected, judge
from lossvet.conformance.ledger import Ledger
from lossvet.conformance.plan import DTYPES, Plan
from lossvet.conformance.types import Cell, Verdict
from lossvet.reference import variants
from lossvet.reference.bounds import Bound, bounds
from lossvet.workers import messages

Bounds = Mapping[str, Mapping[str, Bound]]


class Judging:
    """Bounds are derived once for each case, for all dtypes together, and kept; so is the case as it travels."""

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self._goldens = plan.goldens
        self._ledger = ledger
        self._bounds: dict[tuple[str, str], Bounds] = {}
        self._messages: dict[tuple[str, str], msgspec.Raw] = {}

    def judge(self, cell: Cell, case: str, outcomes: Mapping[str, Outcome]) -> dict[str, Verdict]:
        """The verdicts by output. Raises KeyError for a case or an output that has no golden result."""
        golden = self._goldens[cell.variant][case]
        by_output = self._derived(cell.variant, case)[cell.dtype]

        def one(output: str, outcome: Outcome) -> Verdict:
            bound, true = by_output[output], golden.outputs[output]
            verdict = judge(outcome, true, bound, cell.dtype, expected(golden.case, cell, output))
            return self._ledger.weigh(cell, golden, bound, output, outcome, verdict)

        return {output: one(output, outcome) for output, outcome in outcomes.items()}

    def message(self, variant: str, case: str) -> msgspec.Raw:
        """The case, encoded once for all its cells."""
        key = (variant, case)
        if key not in self._messages:
            self._messages[key] = messages.case_message(variant, self._goldens[variant][case].case)
        return self._messages[key]

    def _derived(self, variant: str, case: str) -> Any:
        key = (variant, case)
        if key not in self._bounds:
            golden = self._goldens[variant][case]
            dtypes = tuple(dtype for dtype in DTYPES if exact_in(golden.case, dtype))
            self._bounds[key] = bounds(variants.load(variant), golden.case, dtypes)
        return self._bounds[key]
