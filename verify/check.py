"""One loss held to the golden results of a variant: bound, asked case by case, judged as a run judges frameworks.

The result is of one reduction and has its outputs alone. What a variant leaves undefined is nothing that a loss of the
user's documents: there it may answer what it will. A function that is the framework's own is held to what the framework
documents, and its known deviations are known.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Protocol

import msgspec
import numpy as np

from lossvet.adapters.types import exact_in
from lossvet.conformance.judging import Judging
from lossvet.conformance.ledger import Ledger
from lossvet.conformance.plan import DTYPES, Plan
from lossvet.conformance.summary import CellSummary, Finding, kind
from lossvet.conformance.types import Absent, Agrees, Cell, Crashed, TimedOut, Verdict
from lossvet.reference import variants, vectors
from lossvet.reference.types import Case, Reduction, Variant, output_names
from lossvet.reference.vectors import Golden
from lossvet.verify.answer import Identified
from lossvet.verify.binding import Options as BindingOptions
from lossvet.verify.bound import identify_bound
from lossvet.verify.check_remote import Asked, CheckRemote, Told
from lossvet.verify.checked import Checked, CheckedOutput, Record
from lossvet.verify.fitting import Fitted
from lossvet.verify.messages import Way
from lossvet.verify.options import Options
from lossvet.verify.probing import Bound
from lossvet.verify.questions import Side
from lossvet.verify.sources import FileSource, ModuleSource, SourceError, near, parse
from lossvet.verify.user_recipe import RECIPE
from lossvet.workers import caches
from lossvet.workers.messages import Hello

TELLING = 8
"""Cases by which a reduction is found out."""


class Answering(Protocol):
    """A loss that answers the cases of a variant, one after another: `CheckRemote`, or one of this process."""

    @property
    def spec(self) -> str: ...
    @property
    def framework(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def differentiable(self) -> bool: ...
    @property
    def notes(self) -> tuple[str, ...]: ...

    def imported(self) -> Hello:
        """Import it, and say what its framework can be asked."""

    def fit(self, variant: str) -> Fitted:
        """Bind it so that it can be asked as a variant. Raises SourceError."""

    def told(self, cell: Cell, recipe: str, reduction: Reduction, asked: Sequence[Asked]) -> Iterator[tuple[str, Told]]:
        """What it answers to each case, in order, until it has died or hung too often."""

    def identifiable(self) -> None:
        """Bind it as verify does, for `sides`. Raises SourceError."""

    def sides(self) -> Sequence[tuple[Way | Bound, Side]]:
        """For every way of calling it, the side that is called so."""


def check(
    spec: str, variant: str, reduction: str = "", options: Options | None = None, only: Sequence[str] = ()
) -> Checked:
    """Judge the loss of `spec` as `variant`, by the outputs of `reduction`, in every dtype (or in that of the options).

    Without a reduction it is found out. `only` names cases, with or without the variant, or globs. Raises ValueError
    for a variant, reduction, mode, dtype or case that there is not; SourceError for a loss that cannot be had.
    """
    options = options or Options()
    known(variant, reduction)
    chosen = cases(variant, only)
    source = parse(spec)
    if not isinstance(source, FileSource | ModuleSource):
        raise SourceError(
            "spec", f"{spec} is no function of a framework: `lossvet run` judges those, and the reference"
        )
    side = options.source
    said = BindingOptions(side.bind, options.labels, options.classes, side.init, side.mode)
    with CheckRemote(
        spec, said, side.python or sys.executable, limit=options.timeout, cache=caches.default()
    ) as remote:  # fmt: skip
        return judged(remote, variants.load(variant), reduction, options, chosen)


def known(variant: str, reduction: str) -> None:
    """Raises ValueError, with what there is, for a variant or a reduction of it that does not exist."""
    if variant not in variants.names():
        raise ValueError(f"--as {variant}: no variant is called so{near(variant, variants.names(), 20)}")
    reductions = variants.load(variant).reductions
    if reduction and reduction not in reductions:
        raise ValueError(f"--reduction {reduction}: {variant} has no such reduction; it has: {', '.join(reductions)}")


def cases(variant: str, only: Sequence[str]) -> dict[str, Golden]:
    """The golden results by case, all or those that the patterns name. Raises ValueError for one that names none."""
    every = {golden.case.id: golden for golden in vectors.load(variant)}
    if not only:
        return every
    met = {
        pattern: [name for name in every if any(fnmatchcase(n, pattern) for n in (name, name.partition("/")[2]))]
        for pattern in only
    }
    for pattern, found in met.items():
        if not found:
            raise ValueError(f"--only {pattern}: no case of {variant} is called so{near(pattern, every)}")
    return {name: golden for name, golden in every.items() if any(name in found for found in met.values())}


def judged(
    remote: Answering, variant: Variant, reduction: str, options: Options, chosen: Mapping[str, Golden]
) -> Checked:
    """Judge a loss, in a worker or in this process, by these golden results. Raises ValueError, SourceError."""
    hello = remote.imported()
    mode, dtypes = _asked_for(hello, options)
    fitted = remote.fit(variant.name)
    session = _Session(remote, variant, fitted, mode or fitted.mode or hello.modes[0], chosen)
    warnings = list(remote.notes)
    settled, words = session.reduction(reduction)
    warnings += [words] if words else []
    for dtype in dtypes:
        session.work(settled, dtype)
    checked = session.checked(settled, tuple(warnings), again(remote.spec, variant.name, settled, options))
    if checked.exit_code == 1:
        if {row.dtype for row in checked.outputs if row.differs} == {"float64"} and len(dtypes) > 1:
            words = "it differs in float64 alone: it may compute in float32 whatever it is given"
            checked = msgspec.structs.replace(checked, warnings=(*checked.warnings, words))
        found = _instead(remote)
        checked = msgspec.structs.replace(checked, identified=found)
    return checked


def _asked_for(hello: Hello, options: Options) -> tuple[str, tuple[str, ...]]:
    """Mode and dtypes. Raises ValueError for those that the framework has not."""
    side = options.source
    if side.mode and side.mode not in hello.modes:
        raise ValueError(f"--mode {side.mode}: {hello.name} has {', '.join(hello.modes)}")
    dtypes = tuple(dtype for dtype in DTYPES if dtype in hello.dtypes)
    if side.dtype and side.dtype not in dtypes:
        raise ValueError(f"--dtype {side.dtype}: golden results are held against {' and '.join(dtypes)}")
    return side.mode, (side.dtype,) if side.dtype else dtypes


def _instead(remote: Answering) -> Identified | None:
    """What the loss is, as identify says it; None where it cannot be bound any more."""
    try:
        remote.identifiable()
    except SourceError:
        return None
    sides = [(side, way.binding) for way, side in remote.sides()]
    found, _ = identify_bound(
        sides,
        spec=remote.spec,
        framework=remote.framework,
        version=remote.version,
        differentiable=remote.differentiable,
    )
    return found


def again(spec: str, variant: str, reduction: str, options: Options) -> tuple[str, ...]:
    """The words of the command that checks this again."""
    side = options.source
    words = ["lossvet", "check", spec, "--as", variant, "--reduction", reduction]
    for role, parameter in side.bind.items():
        words += ["--bind", f"{role}={parameter}"]
    given = (("init", side.init), ("python", side.python), ("mode", side.mode), ("labels", options.labels))
    for name, value in (*given, ("classes", str(options.classes or ""))):
        words += [f"--{name}", value] if value else []
    return tuple(words)


def outputs(variant: Variant, case: Case, reduction: Reduction) -> tuple[str, ...]:
    """The outputs of one reduction; the Hessian product is of the unreduced loss."""
    own = [name for name in output_names(variant, case) if name.split("/")[1:2] == [reduction]]
    return (*own, "hvp") if reduction == "none" else tuple(own)


def told(output: str) -> str:
    """An output without its reduction, in words."""
    name, *path = output.split("/")
    return f"gradient in {path[1]}" if name == "gradient" else name


@dataclass
class _Session:
    """The loss under judgement."""

    remote: Answering
    variant: Variant
    fitted: Fitted
    mode: str
    chosen: Mapping[str, Golden]
    records: list[Record] = field(default_factory=list)
    planned: int = 0

    def __post_init__(self) -> None:
        own = {name: replace(g, case=replace(g.case, expect={"*": "may_raise"})) for name, g in self.chosen.items()}
        native = self.fitted.native
        plan = Plan({}, {}, {self.variant.name: self.chosen if native else own})
        self.judging = Judging(plan, Ledger.read() if native else Ledger(()))

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
        return "mean", "no reduction was given, and none fits: it is checked as mean; --reduction says which it is"

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
    return DTYPES.index(row.dtype), kinds.index(row.output if row.output in kinds else "")


def _row(output: str, dtype: str, summary: CellSummary, reasons: tuple[str, ...]) -> CheckedOutput:
    counts = summary.counts
    ulp = summary.ulp_flushed if summary.accuracy == "R" else None
    return CheckedOutput(
        output=output,
        dtype=dtype,
        checks=summary.checks,
        agrees=counts["agrees"],
        deviates=counts["deviates"],
        differs=counts["differs"] + counts["errored"],
        absent=counts["absent"],
        reasons=reasons,
        accuracy=summary.accuracy,
        ulp=ulp,
        worst=summary.worst,
    )
