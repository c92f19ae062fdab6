"""The sentences that every format of check shares."""

from __future__ import annotations

import shlex

from lossvet.conformance.plan import Plan
from lossvet.conformance.summary import Finding
from lossvet.reference import variants, vectors
from lossvet.reference.types import REDUCTIONS
from lossvet.reports.accuracy import words
from lossvet.reports.findings import Described, smallest
from lossvet.reports.pages import counted, joined
from lossvet.reports.variant_words import matches
from lossvet.verify import variants as meanings
from lossvet.verify.checked import Checked, CheckedOutput
from lossvet.verify.contract import Contract

MOST_CASES = 6
"""Cases that are named in a sentence."""


def what(found: Checked) -> str:
    return f"{found.variant} with reduction {found.reduction}" if found.reduction else found.variant


def headline(found: Checked) -> str:
    match found.exit_code:
        case 0:
            return f"conforms: {found.spec} is {what(found)}"
        case 1 if matches(found.identified, found.variant, found.reduction):
            return f"differs: {found.spec} is {what(found)}, except on {_cases(found)}"
        case 1:
            return f"differs: {found.spec} is not {what(found)}"
    return f"cannot judge {found.spec} as {what(found)}: {_reason(found)}"


def _cases(found: Checked) -> str:
    """The cases on which it differs, by name: "one_row, ties and 3 more cases"."""
    names = list(dict.fromkeys(one.case.partition("/")[2] for one in found.findings))
    more = [counted(len(names) - MOST_CASES, "more case")] if len(names) > MOST_CASES else []
    return joined([*names[:MOST_CASES], *more])


def _reason(found: Checked) -> str:
    if found.not_run:
        return f"{counted(found.not_run, 'check')} given up, because the loss hung or ended its process"
    return found.reason.rstrip(".") or "no check was made"


def counts(found: Checked) -> str:
    parts = [f"{found.agrees:,} of {counted(found.checks, 'check')} agree"]
    parts += [f"{found.uninformative:,} uninformative"] if found.uninformative else []
    parts += [f"{found.deviates:,} show known deviations of {found.framework}"] if found.deviates else []
    parts += [f"{found.differs:,} {'differs' if found.differs == 1 else 'differ'}"]
    parts += [f"{found.not_run:,} not run"] if found.not_run else []
    return ", ".join(parts)


def ending(found: Checked) -> str:
    return f"cannot judge: {_reason(found)}" if found.exit_code == 3 else counts(found)


def verdict(row: CheckedOutput) -> str:
    """What became of one output: "ok, shift-inv.", "ok, relative 3.4 ulp", "14 differ", "absent"."""
    if row.differs:
        return f"{row.differs:,} {'differs' if row.differs == 1 else 'differ'}"
    if row.deviates:
        return f"{row.deviates:,} deviation{'' if row.deviates == 1 else 's'}"
    if row.accuracy is None:
        return "absent"
    return f"ok, {words(row.accuracy, row.ulp)}"


def differences(found: Checked) -> list[Described]:
    """The smallest of each kind of difference, as a run describes them, the first of them first."""
    goldens = {golden.case.id: golden for golden in vectors.load(found.variant)}
    return smallest(found.findings, Plan({}, {}, {found.variant: goldens}))


def lines(described: Described, found: Checked) -> list[str]:
    """What, at which input, why that is hard, and the command that shows it again."""
    return [
        line
        for line in (described.what, described.where, described.why, f"again: {again(described.finding, found)}")
        if line
    ]


def again(finding: Finding, found: Checked) -> str:
    """The command that checks this case in this dtype again, and nothing else."""
    case = finding.case.partition("/")[2]
    return shlex.join([*found.again, "--only", case, "--dtype", finding.cell.dtype])


def contract(found: Checked) -> Contract | None:
    """What the loss should be; None if its variant has no contract."""
    if variants.load(found.variant).means is None:
        return None
    (reduction,) = (one for one in REDUCTIONS if one == found.reduction)
    roles = {} if found.binding is None else found.binding.roles
    ignored = -100 if "ignore_index" in roles else None
    return meanings.contract(found.variant, reduction, sample_weight="sample_weight" in roles, ignore_index=ignored)


def not_checked(found: Checked) -> list[str]:
    """What was not judged and why, one sentence each."""
    where: dict[str, list[str]] = {}
    for row in found.outputs:
        for reason in row.reasons:
            where.setdefault(reason, []).append(row.output)
    said = []
    for reason, outputs in where.items():
        which = "some cases" if "loss" in outputs else joined(dict.fromkeys(outputs))
        said.append(f"{which}: {reason}")
    if found.undefined:
        have = "check has" if found.undefined == 1 else "checks have"
        said.append(f"{found.undefined:,} {have} elements whose result is undefined: those are not judged")
    return [*said, *found.not_checked]
