"""The sentences that every format of verify shares: the verdict, the evidence, the effect, what ends a command."""

from __future__ import annotations

import math
import shlex

from lossvet.reports.pages import counted, joined
from lossvet.verify.answer import Binding, Comparison, Difference, Effect, Identified
from lossvet.verify.contract import Contract
from lossvet.verify.contract_words import told
from lossvet.verify.facets import facets

SIDES = ("old", "new")


def headline(found: Comparison) -> str:
    """The verdict in words, with both specs; what was accepted does not contradict the exit code 0."""
    both = f"{found.source.spec} and {found.target.spec}"
    if excepted := _excepted(found):
        return f"{excepted}: {both} otherwise mean the same on everything that was tried."
    if found.verdict in found.accepted:
        _, _, words = _verdict(found, both).partition(": ")
        return f"accepted ({found.verdict.replace('_', ' ')}): {words}"
    return _verdict(found, both)


def _excepted(found: Comparison) -> str:
    """ "same, except for accepted differences in clip", where each is accepted or an edge case; or nothing."""
    if found.exit_code or found.verdict == "same" or found.verdict in found.accepted:
        return ""
    accepted = [d.facet for d in found.differences if d.accepted]
    edges = len(found.differences) - len(accepted)
    words = [f"accepted differences in {joined(accepted)}"] if accepted else []
    words += [counted(edges, "edge case")] if edges else []
    return f"same, except for {', and '.join(words)}"


def _verdict(found: Comparison, both: str) -> str:
    match found.verdict:
        case "same":
            edges = f", except for {counted(len(found.differences), 'edge case')}" if found.differences else ""
            return f"same: {both} mean the same on everything that was tried{edges}."
        case "different":
            names = [d.facet for d in found.differences if not d.edge] or [d.facet for d in found.differences]
            what = f": they differ in {joined(names)}" if names else ", although no known facet distinguishes them"
            return f"different: {both} do not mean the same{what}."
        case "same_gradient":
            return f"same gradient: {both} have different values, but the same gradient in the logits."
        case "equal_on_probes":
            return (
                f"equal on probes: {both} give the same results on {counted(found.tried, 'probe')}, but no contract "
                "explains them: their behaviour on other inputs is not known."
            )
        case "unexplained" if found.counterexample is not None:
            return f"unexplained: {both} give different results, and no known difference in meaning explains why."
        case "unexplained":
            return f"unexplained: no difference between {both} was found, but their meaning is not known."
        case "cannot_judge":
            return f"cannot judge {both}: {found.reason.rstrip('.') or 'no reason is known'}."


def ending(found: Comparison) -> str:
    """The last sentence of a command, before the exit code."""
    verdict = found.verdict.replace("_", " ")
    left = [d for d in found.differences if not d.accepted and not d.edge]
    accepted = sum(d.accepted for d in found.differences)
    if found.verdict in found.accepted:
        return f"{verdict}, which is accepted"
    if excepted := _excepted(found):
        return excepted
    if found.verdict in ("different", "same_gradient") and found.differences:
        beside = f"; {accepted} more accepted" if accepted else ""
        return f"{verdict} in {joined(d.facet for d in left)}{beside}"
    if found.verdict == "unexplained":
        return "unexplained, with different results" if found.counterexample else "unexplained; no difference was found"
    if found.verdict == "same":
        return f"the same on {counted(found.tried, 'probe')} and {found.fresh:,} fresh ones"
    return verdict


def sentence(words: str) -> str:
    """A capital letter first, a full stop last."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def explained(side: Identified) -> str:
    """How much of what was tried the contract of a side explains."""
    fresh = f" and {side.fresh:,} fresh ones" if side.fresh else ""
    return f"explains {side.explained:,} of {counted(side.tried, 'probe')}{fresh}"


def evidence(side: Identified) -> str:
    """On what the contract of a side rests."""
    if not side.tried:
        return "nothing was tried"
    return f"{explained(side)}; largest difference {share(side.largest)} the bound"


def evidence_of_both(found: Comparison) -> str:
    old, new = explained(found.source), explained(found.target)
    words = f"each contract {old}" if old == new else f"the contract of old {old}, that of new {new}"
    return f"{words}; largest difference {share(max(found.source.largest, found.target.largest))} the bound"


def direct(found: Comparison) -> str:
    """On how many probes the two sides were compared."""
    if not found.tried:
        return "the two sides were not compared directly"
    fresh = f" and {found.fresh:,} fresh ones" if found.fresh else ""
    void = f"; {found.uninformative:,} more are uninformative: both sides raise or give NaN"
    words = f"compared directly on {counted(found.tried, 'probe')}{fresh}"
    coarse = any(d.facet == "precision" for d in found.differences)
    bound = "the bound of the finer precision" if coarse else "the bound"
    return f"{words}; largest difference {share(found.largest)} {bound}{void if found.uninformative else ''}"


def share(value: float) -> str:
    """ "0.31 of" or "41,230 times", before "the bound"."""
    if value <= 1:
        return f"{value:.2g} of"
    return f"{value:,.0f} times" if 1e2 < value < 1e7 else f"{value:.2g} times"


def title(difference: Difference) -> str:
    return f"{difference.facet}: {difference.source} in old, {difference.target} in new"


def to_match(found: Comparison) -> str:
    """The label of a change: it is for the new loss, or for the old one where the other is a contract or a variant."""
    return "to match new" if found.target.framework == "contract" else "to match old"


def advice(difference: Difference, found: Comparison) -> str:
    """The change, with its label."""
    return f"{to_match(found).capitalize()}: {difference.change}" if difference.change else ""


def remarks(difference: Difference) -> list[str]:
    """What restricts a difference, a few words each."""
    said = ["accepted"] if difference.accepted else []
    said += ["edge case"] if difference.edge else []
    return said if difference.confirmed else [*said, "not confirmed"]


def binding_lines(binding: Binding) -> list[str]:
    """The call, and how each parameter was found: ROLE=PARAMETER, as --source-bind takes it."""
    by_how: dict[str, list[str]] = {}
    for role, parameter in binding.roles.items():
        by_how.setdefault(_HOW.get(binding.how.get(role, ""), "found"), []).append(f"{role}={parameter}")
    found = [f"{how} {', '.join(pairs)}" for how, pairs in by_how.items()]
    lines = [binding.call, "; ".join([*found, f"{binding.labels} labels"])]
    if binding.unused:
        default = "its default" if len(binding.unused) == 1 else "their defaults"
        lines.append(f"left at {default}: {', '.join(binding.unused)}")
    return lines


_HOW = {"name": "by name", "probing": "by probing", "given": "as given", "init": "in the constructor"}


def accept(difference: Difference) -> str:
    """The option that accepts just this difference, quoted for a shell."""
    return f"--accept {shlex.quote(f'{difference.facet}={difference.source}->{difference.target}')}"


def effect_lines(effect: Effect) -> list[str]:
    part = f" ({100 * effect.rows_touched / effect.rows:.3g} %)" if effect.rows else ""
    lines = [
        f"The difference affects {effect.rows_touched:,} of {counted(effect.rows, 'row')}{part}",
        f"The loss goes from {effect.loss[0]:.6g} to {effect.loss[1]:.6g}, a change of {_percent(effect.loss_change)}",
    ]
    if math.isnan(effect.gradient_length):
        return [*lines, "Gradients could not be compared"]
    turn = (
        f"and turns by {effect.gradient_angle:.3g} degrees" if effect.gradient_angle > 1e-4 else "in the same direction"
    )
    return [*lines, f"The gradient in the logits becomes {effect.gradient_length:.6g} times as long, {turn}"]


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %" if math.isfinite(value) else "infinite size (it was 0)"


def rows(source: Contract | None, target: Contract | None) -> list[tuple[str, str, str]]:
    """Facet, value in the old and in the new contract, for every facet in which one of them departs; "?" where a side
    has no contract."""
    known = [None if side is None else dict(values(side)) for side in (source, target)]
    names = [name for name in facets() if any(name in found for found in known if found)]
    old, new = known
    return [(name, _cell(old, name), _cell(new, name)) for name in names]


def _cell(found: dict[str, str] | None, name: str) -> str:
    return "?" if found is None else found.get(name, facets()[name].default)


def values(contract: Contract) -> list[tuple[str, str]]:
    """Facet and value with its numbers, in the order in which facets are told."""
    found: dict[str, list[str]] = {}
    for t in told(contract):
        found.setdefault(t.facet, []).append(t.value)
    return [(name, ", ".join(parts)) for name, parts in found.items()]
