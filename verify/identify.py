"""What a loss means: cheap probes first, then its core, then one stage after the other, and a proof on fresh probes.

The search proposes and never decides. A contract is confirmed if it explains every result, value and gradients, within
the derived bound, fresh probes included; if another contract with a different meaning does so as well, both are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from lossvet.verify import (
    canonical,
    core_search,
    derivatives,
    edges,
    leads,
    probes,
    proving,
    refine,
    solved_weights,
    stages_of_search,
)
from lossvet.verify.answer import Binding, Identified
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract
from lossvet.verify.leads import Leads
from lossvet.verify.matching import Asked
from lossvet.verify.proving import Found
from lossvet.verify.questions import Side
from lossvet.verify.session import Session
from lossvet.verify.sides import domain_of


def identify(
    side: Side,
    domain: Domain,
    *,
    spec: str = "",
    framework: str = "",
    version: str = "",
    binding: Binding | None = None,
    seed: int = 20_000,
) -> Identified:
    """Identify one side. `domain` says what it can be asked; nothing that the side does raises here."""
    session = Session(side, domain)
    found, learnt = _searched(session, seed)
    tried = session.informative()
    explained = sum(1 for one in tried if found.candidates and session.fit(found.candidates[0], one).fits)
    candidates = found.candidates
    if found.status in ("confirmed", "ambiguous"):
        observed = edges.observed(session, candidates[0]) | derivatives.observed(session, candidates[0])
        if _swallowed(session, candidates[0]):
            observed["arguments"] = "swallowed"
        candidates = tuple(c.with_(observed) for c in candidates)
    return Identified(
        spec=spec,
        framework=framework,
        version=version,
        status=found.status,
        candidates=candidates,
        binding=binding,
        explained=explained,
        tried=len(tried),
        fresh=found.fresh,
        largest=found.largest,
        learnt=tuple(learnt),
        needed=found.needed,
        not_checked=edges.not_checked(session),
        warnings=edges.warnings(session) + (edges.not_a_number(session, candidates[0]) if candidates else ()),
        reason=found.reason,
    )


def _swallowed(session: Session, contract: Contract) -> bool:
    """Whether weights are taken and not used."""
    if "after_mean" in contract.weighting:
        return False  # whatever weights there are multiply the mean
    unused = set(session.domain.weights()) - set(domain_of(contract).roles)
    return bool(unused) and contract["arguments"] == "as_named"


def _searched(session: Session, seed: int) -> tuple[Found, list[str]]:
    domain = session.domain
    first = session.ask(probes.core(domain))
    if reason := edges.dead(session, first):
        return Found("cannot_judge", reason=reason), []
    found, learnt = _explained(session, first, seed)
    if found.status == "unexplained":
        for precision, rough in proving.COARSE.items():
            if proving.representable(session, precision):  # so it was probably computed in 16 bits
                session.coarsely(rough)
                again, learnt = _explained(session, [replace(one, rough=rough) for one in first], seed)
                if again.status != "unexplained":
                    return again, learnt
    return found, learnt


def _explained(session: Session, first: Sequence[Asked], seed: int) -> tuple[Found, list[str]]:
    seen = leads.seen(session)
    learnt = seen.words()
    nearest: list[Contract] = []
    for candidates in _cores(session, first, seen):
        nearest = nearest or candidates
        reached, candidates = _refined(session, candidates)
        if reached:
            nearest = reached
        if candidates:
            found = proving.proven(session, candidates, seed)
            if found.status != "unexplained":
                return found, learnt
            nearest = list(found.candidates) or nearest
        if reached:
            break  # results with unequal weights were explained: what is left is no other core
    return proving.unexplained(session, nearest), learnt


def _cores(session: Session, first: Sequence[Asked], seen: Leads) -> Iterator[list[Contract]]:
    """What the core may be, the simplest first: a step of the search at a time, weights in the code in between."""
    for step, cores in enumerate(core_search.search(session.domain, first, seen)):
        if step == 3:
            more = session.ask([*probes.weighted(session.domain), *probes.square(session.domain)])
            solved = list(solved_weights.contracts(session.domain, [*first, *more], seen))
            yield [c for c in solved if solved_weights.looks_written(c)]
            yield [c for c in solved if not solved_weights.looks_written(c)]
        yield list(dict.fromkeys(core.contract for core in cores))


def _refined(session: Session, candidates: list[Contract]) -> tuple[list[Contract], list[Contract]]:
    """The candidates after the first stage, that of weights, and after the last; empty where a stage leaves none."""
    before = session.ask(probes.core(session.domain))
    reached: list[Contract] = []
    for stage in stages_of_search.STAGES:
        if not candidates:
            break
        new = session.ask(stage.probes(session.domain, candidates[0]))
        candidates = canonical.simplest(refine.refined(session.domain, candidates, stage, new, before), session.domain)
        before = before + [one for one in new if one not in before]
        reached = reached or candidates
    return reached, candidates
