"""The judging of a loss: its cases run in one dtype after another, judged, and counted by output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lossvet.adapters.types import exact_in
from lossvet.conformance import documented, ledger
from lossvet.conformance.judging import Judging
from lossvet.conformance.ledger import Ledger
from lossvet.conformance.plan import Plan
from lossvet.conformance.summary import CellSummary, Finding, kind
from lossvet.conformance.types import Absent, Agrees, Cell, Crashed, TimedOut, Verdict
from lossvet.reference.dtypes import WIDE
from lossvet.reference.hazards import HAZARDS
from lossvet.reference.types import Case, Reduction, Variant, output_names
from lossvet.reference.vectors import Golden
from lossvet.verify.answering import Answering
from lossvet.verify.check_remote import Asked, Told
from lossvet.verify.checked import Checked, CheckedOutput, Record
from lossvet.verify.fitting import Fitted
from lossvet.verify.user_recipe import RECIPE

UNDEFINED = HAZARDS["ignored_undefined"].name
"""A loss of a user is not held to ignored rows that have no softmax: the loss of its framework may have NaN for their
gradient, and no user can help that."""
TELLING = 8
"""Cases by which a reduction is found out."""


def outputs(variant: Variant, case: Case, reduction: Reduction) -> tuple[str, ...]:
    """The outputs of one reduction; the Hessian product is of the unreduced loss."""
    own = [name for name in output_names(variant, case) if name.split("/")[1:2] == [reduction]]
    return (*own, "hvp") if reduction == "none" else tuple(own)


def told(output: str) -> str:
    """An output without its reduction, in words."""
    name, *path = output.split("/")
    return f"gradient in {path[1]}" if name == "gradient" else name


@dataclass
class Session:
    """The loss under judgement."""

    remote: Answering
    variant: Variant
    fitted: Fitted
    mode: str
    chosen: Mapping[str, Golden]
    records: list[Record] = field(default_factory=list)
    planned: int = 0

    def __post_init__(self) -> None:
        plan = Plan({}, {}, {self.variant.name: self.chosen})
        if self.fitted.native:
            self.judging = Judging(plan, ledger.read(), documented.read(), WIDE)
        else:
            self.judging = Judging(plan, Ledger(()), documented.NOTHING, WIDE)

    def cell(self, dtype: str) -> Cell:
        """As the judge and the ledger know it."""
        return Cell(self.variant.name, self.fitted.native or RECIPE, self.remote.framework, self.mode, dtype)

    def reduction(self, said: str) -> tuple[Reduction, str]:
        """The reduction that was said, else the one that most ordinary cases agree with; and a warning about it."""
        known = self.variant.reductions
        for one in known:
            if one == said:
                return one, ""
        if not self.fitted.scalar:
            return "none", ""
        first = known[1]
        cases = {g.case.id: (f"loss/{first}",) for g in self._telling(known[1:])}
        scores = dict.fromkeys(known[1:], 0)
        for case, outcomes in self._told(first, "float32", cases):
            if isinstance(outcomes, Absent | Crashed | TimedOut):
                continue
            answer = {f"loss/{one}": outcomes[f"loss/{first}"] for one in scores}
            verdicts = self.judging.judge(self.cell("float32"), case, answer)
            for one in scores:
                scores[one] += isinstance(verdicts[f"loss/{one}"], Agrees)
        best = max(scores, key=lambda one: scores[one])
        if scores[best]:
            return best, ""
        return (
            "mean",
            "no reduction was given, and none fits: the loss is checked as mean; name its reduction with --reduction",
        )

    def work(self, reduction: Reduction, dtype: str) -> None:
        """Ask and judge every case that this dtype can hold."""
        asked = {
            name: outputs(self.variant, golden.case, reduction)
            for name, golden in self.chosen.items()
            if exact_in(golden.case, dtype)
        }
        self.planned += sum(map(len, asked.values()))
        self.records += self._answers(reduction, dtype, asked)

    def _telling(self, reductions: Sequence[Reduction]) -> list[Golden]:
        """Some cases that can be asked, those first in which the most reductions have results of their own."""

        def results(golden: Golden) -> int:
            losses = [float(golden.outputs[f"loss/{one}"]) for one in reductions]
            return len({loss for loss in losses if np.isfinite(loss)})

        fit = [
            golden
            for golden in self.chosen.values()
            if exact_in(golden.case, "float32") and not self.fitted.unserved(self.variant, golden.case)
        ]
        return sorted(fit, key=results, reverse=True)[:TELLING]

    def _answers(self, reduction: Reduction, dtype: str, asked: Mapping[str, tuple[str, ...]]) -> Iterator[Record]:
        for case, outcomes in self._told(reduction, dtype, asked):
            verdicts: Mapping[str, Verdict]
            match outcomes:
                case Absent() | Crashed() | TimedOut():
                    verdicts = dict.fromkeys(asked[case], outcomes)
                case _:
                    verdicts = self.judging.judge(self.cell(dtype), case, outcomes)
            yield from (Record(dtype, case, name, verdict) for name, verdict in verdicts.items())

    def _told(
        self, reduction: Reduction, dtype: str, asked: Mapping[str, tuple[str, ...]]
    ) -> Iterator[tuple[str, Told | Absent]]:
        """What it answers to each case, or why it is not asked."""
        sent = []
        only = "float32" if self.fitted.binding.dtype == "float32" else dtype
        for case, names in asked.items():
            why = self.fitted.unserved(self.variant, self.chosen[case].case)
            if not self.fitted.native and UNDEFINED in self.chosen[case].case.hazards:
                why = why or "ignored rows without a softmax, as in ignored_undefined"
            why = why or (f"it computes in {only} only" if only != dtype else "")
            if why:
                yield case, Absent(why)
            else:
                sent.append(Asked(case, self.judging.message(self.variant.name, case), names))
        yield from self.remote.told(self.cell(dtype), RECIPE, reduction, sent)

    def checked(self, reduction: Reduction, warnings: tuple[str, ...], words: tuple[str, ...]) -> Checked:
        summaries: dict[tuple[str, str], CellSummary] = {}
        reasons: dict[tuple[str, str], dict[str, None]] = {}
        findings, undefined = [], 0
        for r in self.records:
            cell = replace(self.cell(r.dtype), recipe=self.fitted.native or RECIPE)
            where = (told(r.output), r.dtype)
            summaries.setdefault(where, CellSummary(cell)).add(r.case, r.output, r.verdict)
            if isinstance(r.verdict, Absent):
                reasons.setdefault(where, {})[r.verdict.reason] = None
            if kind(r.verdict) in ("differs", "errored"):
                findings.append(Finding(cell, r.case, r.output, r.verdict))  # type: ignore[arg-type]  # what `kind` says of it
            elif isinstance(r.verdict, Agrees):
                undefined += bool(np.isnan(self.chosen[r.case].outputs[r.output]).any())
        rows = [_row(*where, summary, tuple(reasons.get(where, ()))) for where, summary in summaries.items()]
        return Checked(
            spec=self.remote.spec,
            framework=self.remote.framework,
            version=self.remote.version,
            variant=self.variant.name,
            reduction=reduction,
            mode=self.mode,
            binding=self.fitted.binding,
            native=self.fitted.native,
            outputs=tuple(sorted(rows, key=_place)),
            records=tuple(self.records),
            findings=tuple(findings),
            undefined=0 if self.fitted.native else undefined,
            not_run=self.planned - len(self.records),
            again=words,
            warnings=warnings,
        )


def _place(row: CheckedOutput) -> tuple[int, int]:
    kinds = ("loss", "gradient in logits", "gradient in labels", "", "gradient in sample_weight", "hvp")
    return WIDE.index(row.dtype), kinds.index(row.output if row.output in kinds else "")


def _row(output: str, dtype: str, summary: CellSummary, reasons: tuple[str, ...]) -> CheckedOutput:
    counts = summary.counts
    ulp = summary.ulp_flushed if summary.accuracy == "relative" else None
    return CheckedOutput(
        output=output,
        dtype=dtype,
        checks=summary.checks,
        agrees=counts["agrees"],
        uninformative=counts["uninformative"],
        lost=summary.lost,
        deviates=counts["deviates"],
        differs=counts["differs"] + counts["errored"],
        absent=counts["absent"],
        reasons=reasons,
        accuracy=summary.accuracy,
        ulp=ulp,
        worst=summary.worst,
    )
