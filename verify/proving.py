"""The proof of a meaning: candidates that explain every answer in the derived bound, on fresh probes as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify import canonical, probes, refine
from lossvet.verify.answer import Status
from lossvet.verify.arithmetic import rounded
from lossvet.verify.contract import Contract
from lossvet.verify.matching import Asked, roughly
from lossvet.verify.session import Session

FRESH = 24
PRECISIONS = ("float64", "float32", "bfloat16", "float16")
COARSE = {"bfloat16": 2.0**-6, "float16": 2.0**-9}
"""How far, relative to the result, a first look lets a contract be from what was computed in 16 bits: some
roundings."""


@dataclass(frozen=True)
class Found:
    """Contracts that explain every answer, those of one meaning once; where there is none, the nearest and why not."""

    status: Status
    candidates: tuple[Contract, ...] = ()
    reason: str = ""
    needed: str = ""
    fresh: int = 0
    largest: float = 0.0


def proven(session: Session, candidates: list[Contract], seed: int) -> Found:
    """Those that explain everything within the bound, and fresh probes; guards and clips are found where needed."""
    tried = session.informative()
    candidates = [c for c in candidates if c["label_mixing"] != "other" or _mixes_otherwise(session, c)]
    exact: list[Contract] = []
    for session.precision in PRECISIONS:
        if not representable(session, session.precision):
            continue
        exact = [c for c in candidates if session.explains(c, tried)]
        if not exact and session.precision == session.domain.dtype:
            exact = [finer for c in candidates for finer in _finer(session, c, tried)]
        if exact:
            break
    if not exact:
        session.precision = "float64"
        return unexplained(session, candidates)
    if session.precision != session.domain.dtype:
        exact = [c.with_(precision=_computed_in(session)) for c in exact]
    d = session.domain
    wanted = [*probes.fresh(d, FRESH, seed), *probes.crowded(d), *probes.light(d), *probes.alike(d)]
    fresh = [one for one in session.ask(wanted) if one.answer.answered]
    held = [c for c in exact if session.explains(c, fresh)]
    if not held:
        return unexplained(session, exact)
    if len(fresh) < FRESH // 4:
        return Found(
            "cannot_judge", reason=f"{len(fresh)} of {len(wanted)} fresh probes gave a result; the others raised"
        )
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


def representable(session: Session, precision: str) -> bool:
    """Whether every result is a number of this precision: else it was not computed in it."""
    return _numbers_of([one.answer.value for one in session.informative()], precision)


def _computed_in(session: Session) -> str:
    """Where the results alone are numbers of 16 bits, and gradients are finer, it was only summed in them."""
    gradients = [g for one in session.informative() for g in one.answer.gradients.values()]
    summed = session.precision in COARSE and not _numbers_of(gradients, session.precision)
    return "low_precision_accumulation" if summed else session.precision


def _numbers_of(arrays: Iterable[Array | None], precision: str) -> bool:
    with np.errstate(all="ignore"):
        return all(bool((rounded(a, precision) == a)[np.isfinite(a)].all()) for a in arrays if a is not None)


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


def unexplained(session: Session, nearest: Sequence[Contract]) -> Found:
    tried = session.informative()
    if not nearest:
        fixed = session.domain.classes or session.domain.one_column
        hint = "" if fixed else "; if it is written for one number of classes, name it with --classes"
        return Found("unexplained", reason=f"no contract comes near its results, even with weights of 1{hint}")
    misses = {c: [one for one in tried if not session.fit(c, one).fits] for c in list(nearest)[:20]}
    contract = min(misses, key=lambda c: len(misses[c]))
    if not misses[contract]:
        return Found("unexplained", (contract,), reason="it differs from the nearest contract on fresh probes only")
    first = misses[contract][0]
    where = f"on the probe {first.probe.shows or first.probe.name}, in {session.fit(contract, first).where}"
    return Found("unexplained", (contract,), reason=f"it differs from the nearest contract {where}")
