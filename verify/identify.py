"""What a loss means: cheap questions first, then its core, then one stage after the other, and a proof on fresh probes.

The search proposes and never decides. A contract is confirmed when it explains every answer, value and gradients, in
the derived bound, fresh probes among them; when another one does so too that means something else, both are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from lossvet.verify import canonical, constants, core_search, derivatives, edges, probes, refine, stages_of_search
from lossvet.verify.answer import Binding, Identified, Status
from lossvet.verify.arithmetic import rounded
from lossvet.verify.contract import Contract
from lossvet.verify.matching import Asked, Fit, fit, roughly
from lossvet.verify.probes import Domain, Probe
from lossvet.verify.questions import Side
from lossvet.verify.sides import domain_of

FRESH = 24
PRECISIONS = ("float64", "float32", "bfloat16", "float16")


@dataclass
class Session:
    """One side under questioning: what was asked of it so far."""

    side: Side
    domain: Domain
    asked: list[Asked] = field(default_factory=list)
    precision: str = "float64"
    fits: dict[tuple[Contract, str, str], Fit] = field(default_factory=dict)

    def fit(self, contract: Contract, one: Asked) -> Fit:
        """How well the contract explains an answer, in the precision of the side."""
        key = (contract, one.probe.name, self.precision)
        if key not in self.fits:
            self.fits[key] = fit(contract, one, dtype=self.precision)
        return self.fits[key]

    def explains(self, contract: Contract, asked: Iterable[Asked]) -> bool:
        return all(self.fit(contract, one).fits for one in asked)

    def ask(self, wanted: Sequence[Probe]) -> list[Asked]:
        """Answers to probes, none of which is asked twice."""
        known = {one.probe.name: one for one in self.asked}
        new = [probe for probe in wanted if probe.name not in known]
        if new:
            answers = self.side.ask([probe.question for probe in new])
            found = [Asked(probe, answer) for probe, answer in zip(new, answers, strict=True)]
            self.asked += found
            known |= {one.probe.name: one for one in found}
        return [known[probe.name] for probe in wanted]

    def informative(self) -> list[Asked]:
        return [one for one in self.asked if one.answer.answered]


@dataclass(frozen=True)
class Found:
    """Contracts that explain every answer, those of one meaning once; where there is none, the nearest and why not."""

    status: Status
    candidates: tuple[Contract, ...] = ()
    reason: str = ""
    needed: str = ""
    fresh: int = 0
    largest: float = 0.0


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
        warnings=edges.warnings(session),
        reason=found.reason,
    )


def _swallowed(session: Session, contract: Contract) -> bool:
    """Whether weights are taken and not used."""
    unused = set(session.domain.weights()) - set(domain_of(contract).roles)
    return bool(unused) and contract["arguments"] == "as_named"


def _searched(session: Session, seed: int) -> tuple[Found, list[str]]:
    domain = session.domain
    first = session.ask(probes.core(domain))
    if reason := edges.dead(session, first):
        return Found("cannot_judge", reason=reason), []
    shift, learnt = _leads(session)
    nearest: list[Contract] = []
    for candidates in _cores(session, first, shift):
        nearest = nearest or candidates
        reached, candidates = _refined(session, candidates)
        if reached:
            nearest = reached
        if candidates:
            found = _proven(session, candidates, seed)
            if found.status != "unexplained":
                return found, learnt
            nearest = list(found.candidates) or nearest
        if reached:
            break  # results with unequal weights were explained: what is left is no other core
    return _unexplained(session, nearest), learnt


def _cores(session: Session, first: Sequence[Asked], shift: bool | None) -> Iterator[list[Contract]]:
    """What the core may be, the simplest first: a step of the search at a time, weights in the code in between."""
    for step, cores in enumerate(core_search.search(session.domain, first, shift)):
        if step == 3:
            more = session.ask([*probes.weighted(session.domain), *probes.square(session.domain)])
            yield list(constants.contracts(session.domain, [*first, *more], shift))
        yield list(dict.fromkeys(core.contract for core in cores))


def _leads(session: Session) -> tuple[bool | None, list[str]]:
    """Whether adding a constant to a row changes nothing, as of a softmax; and what is seen, in words."""
    plain, moved = session.ask(probes.shifted(session.domain))
    if not (plain.answer.answered and moved.answer.answered) or session.domain.one_column:
        return None, []
    assert plain.answer.value is not None
    assert moved.answer.value is not None
    with np.errstate(all="ignore"):
        same = np.allclose(plain.answer.value, moved.answer.value, rtol=1e-6, atol=1e-9, equal_nan=True)
    if np.isnan(plain.answer.value).any():
        return None, []
    words = "does not change" if same else "changes"
    return bool(same), [f"The result {words} when a constant is added to a row of logits."]


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


def _proven(session: Session, candidates: list[Contract], seed: int) -> Found:
    """Those that explain everything within the bound, and fresh probes; guards and clips are found where needed."""
    tried = session.informative()
    candidates = [c for c in candidates if c["label_mixing"] != "other" or _mixes_otherwise(session, c)]
    exact: list[Contract] = []
    for session.precision in PRECISIONS:
        if not _representable(session):
            continue
        exact = [c for c in candidates if session.explains(c, tried)]
        if not exact and session.precision == session.domain.dtype:
            exact = [finer for c in candidates for finer in _finer(session, c, tried)]
        if exact:
            break
    if not exact:
        session.precision = "float64"
        return _unexplained(session, candidates)
    if session.precision != session.domain.dtype:
        exact = [c.with_(precision=session.precision) for c in exact]
    fresh = [one for one in session.ask(probes.fresh(session.domain, FRESH, seed)) if one.answer.answered]
    held = [c for c in exact if session.explains(c, fresh)]
    if not held:
        return _unexplained(session, exact)
    if len(fresh) < FRESH // 4:
        return Found("cannot_judge", reason=f"{len(fresh)} of {FRESH} fresh probes were answered; the others raised")
    meanings, needed = canonical.meanings(held, session.domain)
    largest = max((session.fit(meanings[0], one).ratio for one in (*tried, *fresh)), default=0.0)
    status: Status = "confirmed" if len(meanings) == 1 else "ambiguous"
    return Found(status, tuple(meanings), needed=needed, fresh=len(fresh), largest=largest)


def _mixes_otherwise(session: Session, contract: Contract) -> bool:
    """Whether no known way of mixing soft labels gives the results: only then is nothing said of them.

    A loss whose results are known, and whose gradient in the labels is not, is unexplained.
    """
    answered = [one for one in session.ask(probes.softly(session.domain)) if one.answer.answered]
    soft = [one for one in answered if np.any(one.answer.value)]  # a loss of 0 is what many mixings give
    plain = contract.with_(label_mixing="each_term")
    known = [plain, plain.with_(label_mixing="interpolated"), *refine.soft_labels(session.domain, plain, soft)]
    return bool(answered) and not (soft and any(all(roughly(c, one) for one in soft) for c in known))


def _representable(session: Session) -> bool:
    """Whether every result is a number of the precision in question: else it was not computed in it."""
    results = [one.answer.value for one in session.informative() if one.answer.value is not None]
    with np.errstate(all="ignore"):
        return all(bool((rounded(r, session.precision) == r)[np.isfinite(r)].all()) for r in results)


def _finer(session: Session, candidate: Contract, tried: Sequence[Asked]) -> list[Contract]:
    """What explains the last digits as well, where only these are missing: a guard in the denominator, a small clip."""
    failing = next(one for one in tried if not session.fit(candidate, one).fits)
    if not roughly(candidate, failing, gradients=True):
        return []
    alternatives = (refine.guards, refine.small_clips)
    return [
        finer
        for made in alternatives
        for finer in made(session.domain, candidate, tried)
        if session.fit(finer, failing).fits and session.explains(finer, tried)
    ]


def _unexplained(session: Session, nearest: Sequence[Contract]) -> Found:
    tried = session.informative()
    if not nearest:
        return Found("unexplained", reason="no contract comes near its results, even with weights of 1")
    misses = {c: [one for one in tried if not session.fit(c, one).fits] for c in list(nearest)[:20]}
    contract = min(misses, key=lambda c: len(misses[c]))
    if not misses[contract]:
        return Found("unexplained", (contract,), reason="it parts from the nearest contract on fresh probes alone")
    first = misses[contract][0]
    where = f"on the probe {first.probe.shows or first.probe.name}, in {session.fit(contract, first).where}"
    return Found("unexplained", (contract,), reason=f"it parts from the nearest contract {where}")
