"""An identified loss as code of another framework: written, run, compared with the contract, then shown."""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from lossvet import adapters
from lossvet.verify import bound, edges, loss, probes
from lossvet.verify.answer import Identified
from lossvet.verify.batches import Domain
from lossvet.verify.binding import Options
from lossvet.verify.contract import Contract, default
from lossvet.verify.facets import facets
from lossvet.verify.options import Options as Said
from lossvet.verify.probes import Probe
from lossvet.verify.proving import FRESH
from lossvet.verify.questions import Side
from lossvet.verify.remote import Remote
from lossvet.verify.session import Session
from lossvet.verify.sources import SourceError
from lossvet.verify.spelling.function import NOT_KEPT, Edge, Spelled, shown, written

EDGES = ("zero_denominator", "invalid_label", "all_ignored", "empty_batch")


def spell(found: Identified, framework: str, said: Said | None = None) -> str:
    """A confirmed loss as code of a framework, with what was verified and what differs in comments above it.

    The code is run in a worker first. Raises SourceError: kind "spell" where the contract cannot be written, or what
    was written does not mean the same; "framework" where the framework is missing.
    """
    contract, binding = found.contract, found.binding
    if contract is None or binding is None:
        raise SourceError("spell", f"{found.spec} was not identified, so no code can be written for it")
    try:
        spelled = written(contract, bound.domain(binding, differentiable=True), framework)
    except KeyError as error:
        raise SourceError("spell", str(error.args[0])) from None
    options = Options(bind=spelled.bind, labels=binding.labels, classes=binding.classes)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "spelled.py").write_text(spelled.text)
        with Remote(f"{framework}:spelled.py::loss", options, folder=folder) as remote:
            remote.load()
            ways = remote.sides()
            side = next((side for way, side in ways if way.binding.layout == "nc"), ways[0][1])
            domain = replace(bound.domain(binding, remote.differentiable), dtype="float64", probabilities=False)
            spelled = verified(spelled, contract, domain, side)
    if spelled.failed:
        raise SourceError(
            "spell", f"the code written for {framework} does not mean the same, and is not shown: {spelled.failed}"
        )
    return f"# Saved as loss.py, compare it again: {again(found.spec, spelled, said or Said())}\n{shown(spelled)}"


def again(spec: str, spelled: Spelled, said: Said) -> str:
    """The command that compares the code, saved as loss.py, with the loss, and accepts what is known to differ."""
    words = ["lossvet", "verify", spec, f"{spelled.framework}:loss.py::loss"]
    for role, parameter in said.source.bind.items():
        words += ["--source-bind", f"{role}={parameter}"]
    given = (("source-init", said.source.init), ("source-python", said.source.python), ("labels", said.labels))
    for name, value in (*given, ("classes", str(said.classes or ""))):
        words += [f"--{name}", value] if value else []
    for edge in spelled.differs:
        words += [] if facets()[edge.facet].edge else ["--accept", edge.facet]
    return shlex.join(words)


def spelled_and_verified(contract: Contract, domain: Domain, framework: str) -> Spelled:
    """The contract as code that was run in this process, with what was verified; `failed` where it means another thing.

    Raises Unspellable as `function.written` does, ImportError where the framework is missing, SourceError
    where the code cannot be called at all.
    """
    spelled = written(contract, domain, framework)
    space: dict[str, Any] = {}
    exec(compile(spelled.text, f"<loss spelled for {framework}>", "exec"), space)
    primitives = adapters.primitives(framework)
    options = Options(bind=spelled.bind, labels=domain.labels, classes=domain.classes or 0)
    bound = loss.subjects(primitives, space["loss"], options).bound
    side = next((b.subject for b in bound if b.binding.layout == "nc"), bound[0].subject)
    differentiable = domain.differentiable and framework != "numpy"
    return verified(spelled, contract, replace(domain, differentiable=differentiable, dtype="float64"), side)


def verified(spelled: Spelled, contract: Contract, domain: Domain, side: Side) -> Spelled:
    """The code that was written, compared with the contract by running it: on every probe, and at the edges."""
    kept = _kept(contract)
    session = Session(side, domain)
    asked = session.ask([*_probes(domain, contract.value("input")), *probes.fresh(domain, FRESH, 40_000)])
    raised = [one for one in asked if one.answer.error]
    if raised:
        return replace(spelled, failed=f"on the probe {raised[0].probe.name} it raises {raised[0].answer.error}")
    parts = [one for one in asked if not session.fit(kept, one).fits]
    if parts:
        where = f"{parts[0].probe.shows or parts[0].probe.name}, in {session.fit(kept, parts[0]).where}"
        return replace(spelled, failed=f"it differs from the contract on {len(parts)} of {len(asked)} probes: {where}")
    informative = sum(session.fit(kept, one).informative for one in asked)
    seen = edges.observed(session, kept)
    told = [name for name in EDGES if name in contract and name in seen]
    same = [name for name in told if seen[name] == contract[name]]
    differs = [Edge(name, str(contract[name]), str(kept[name])) for name in NOT_KEPT if contract[name] != kept[name]]
    differs += [Edge(name, str(contract[name]), str(seen[name])) for name in told if name not in same]
    what = "value and gradients are" if domain.differentiable else "the value is"
    claims = [f"{what} the contract's on {informative} probes, within the bound of float64 rounding"]
    claims += [f"{name}: {seen[name]}, as in the source" for name in same]
    return replace(spelled, verified=tuple(claims), differs=tuple(differs))


def _kept(contract: Contract) -> Contract:
    """What the code is to mean: without what nobody would write on purpose."""
    return contract.with_(
        {name: default(name) for name in NOT_KEPT if contract[name] not in (default(name), "stopped", "factor_stopped")}
    )


def _probes(domain: Domain, kind: str) -> list[Probe]:
    found = [*probes.core(domain), *probes.weighted(domain), *probes.square(domain), *probes.softly(domain)]
    return found + (probes.far(domain, kind) if kind == "logits" else [])
