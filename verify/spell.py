"""A contract as code: one whole function of a framework that has the meaning, with its reduction and its edges.

`spell` writes it; `spelled_and_verified` runs what was written, holds it against the contract on every probe, and says
what it does differently at the edges.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lossvet import adapters
from lossvet.adapters.spelling import Dialect, dialect
from lossvet.verify import edges, loss, probes
from lossvet.verify.binding import Options
from lossvet.verify.contract import Contract, default
from lossvet.verify.facets import facets
from lossvet.verify.identify import FRESH, Session
from lossvet.verify.probes import Domain, Probe
from lossvet.verify.questions import ROLES, Side
from lossvet.verify.spelling import labels, probability, reduction, rows
from lossvet.verify.spelling.writer import Unspellable, Writer

__all__ = ["Edge", "Spelled", "Unspellable", "shown", "spell", "spelled_and_verified", "verified"]

ONLY = {
    "gradient_logits": ("exact", "stopped", "normalised_labels_only", "wrong_at_zero", "filtered"),
    "broadcast": ("aligned", "outer"),
    "ignored": ("none", "label"),
    "upstream": ("exact",),
    "log": ("taken", "missing"),
    "weights_from": ("argument", "constant", "batch_counts"),
}
"""Of these facets, only these values can be written; another one is a fault that nobody would write on purpose."""
NOT_KEPT = ("gradient_logits", "precision", "side_effects", "shape")
"""Faults that are left behind: the code has the default of these facets, and the answer says so."""
EDGES = ("zero_denominator", "invalid_label", "all_ignored", "empty_batch")
SHAPES = {
    "class_weight": "[C]", "pos_weight": "[] or [C]", "binary_weights": "[2], of label 0 and of label 1",
    "cost_matrix": "[C, C]", "sample_weight": "[N]", "mask": "[N] of zeros and ones", "count": "a number",
}  # fmt: skip


@dataclass(frozen=True)
class Edge:
    """A facet in which the code does not do what the contract says: both values, and how the code comes to it."""

    facet: str
    source: str
    spelled: str

    def __str__(self) -> str:
        return f"{self.facet}: {self.source} in the source, {self.spelled} here"


@dataclass(frozen=True)
class Spelled:
    """`text` is a module with one function `loss`. `differs` holds the edges that the framework cannot keep; `verified`
    says in sentences what was held against the contract, and is empty where nothing was run."""

    framework: str
    text: str
    bind: dict[str, str]
    remarks: tuple[str, ...] = ()
    verified: tuple[str, ...] = ()
    differs: tuple[Edge, ...] = ()
    failed: str = ""
    """Where the code does not mean what the contract says: one sentence. Such code is not to be shown."""


def spell(contract: Contract, domain: Domain, framework: str) -> Spelled:
    """The contract as code of a framework, with arguments in the order of `questions.ROLES`; nothing is run.

    Raises Unspellable, in one sentence that names the facet; KeyError for a framework that has no dialect.
    """
    for name, values in ONLY.items():
        if contract.value(name) not in values:
            raise Unspellable(f"{name}={contract.value(name)} cannot be spelled, and is best not written anew")
    x = {"logits": "logits"}.get(contract.value("input"), contract.value("input"))
    words = dialect(framework)
    roles = tuple(role for role in ROLES if role in domain.roles or role in ("logits", "labels"))
    w = Writer(contract, words, domain.labels == "sparse", roles, x)
    for stage in (labels, probability, rows, reduction):
        stage.write(w)
    w.lines = _live(w.lines)
    arguments = [x if role == "logits" else role for role in roles]
    used = "\n".join(w.lines)
    taken = [a for a in arguments if a in (x, "labels") or a in used]
    text = _text(w, words, contract, taken)
    return Spelled(framework, text, {r: a for r, a in zip(roles, arguments, strict=True) if a in taken}, tuple(w.remarks))


def _live(lines: list[str]) -> list[str]:
    """Without a statement `x = x`."""
    return [line for line in lines if line.split(" = ")[0] != line.partition(" = ")[2]]


def _text(w: Writer, words: Dialect, contract: Contract, arguments: Sequence[str]) -> str:
    shapes = {w.x: "[N, C]", "labels": "[N] integers" if w.sparse else "[N, C]", **SHAPES}
    meaning = "; ".join(f"{n}: {_told(contract, n)}" for n in contract if n in facets() and not facets()[n].edge)
    doc = f"{'Sigmoid' if w.binary else 'Softmax'} cross-entropy{'; ' if meaning else ''}{meaning}."
    takes = ", ".join(f"{a} {shapes[a]}" for a in arguments)
    body = [f'"""{doc}', "", f"{takes}.", '"""'] if len(doc) + len(takes) > 90 else [f'"""{doc} {takes}."""']
    body = [part for line in body for part in (textwrap.wrap(line, 112, break_long_words=False) or [""])]
    used = "\n".join(w.lines)
    imports = [line for line in words.imports if f"{line.split()[-1].split('.')[-1]}." in used]
    written = textwrap.indent("\n".join([*body, *w.lines]), "    ", lambda line: bool(line.strip()))
    return "\n".join([*(imports or words.imports[-1:]), "", "", f"def loss({', '.join(arguments)}):", written, ""])


def _told(contract: Contract, name: str) -> str:
    """A facet's value with its numbers."""
    value = contract[name]
    numbers = [f"{contract[n]:g}" for n in facets()[name].numbers if n in contract and isinstance(contract[n], float)]
    return " ".join([" and ".join(map(str, value)) if isinstance(value, tuple) else str(value), *numbers])


def spelled_and_verified(contract: Contract, domain: Domain, framework: str) -> Spelled:
    """The contract as code that was run in this process, with what was verified; `failed` where it means another thing.

    Raises Unspellable as `spell` does, ImportError where the framework is missing, SourceError where the code cannot be
    called at all.
    """
    spelled = spell(contract, domain, framework)
    space: dict[str, Any] = {}
    exec(compile(spelled.text, f"<loss spelled for {framework}>", "exec"), space)
    primitives = adapters.primitives(framework)
    options = Options(bind=spelled.bind, labels=domain.labels, classes=domain.classes or 0)
    bound = loss.subjects(primitives, space["loss"], options).bound
    side = next((b.subject for b in bound if b.binding.layout == "nc"), bound[0].subject)
    differentiable = domain.differentiable and framework != "numpy"
    return verified(spelled, contract, replace(domain, differentiable=differentiable, dtype="float64"), side)


def verified(spelled: Spelled, contract: Contract, domain: Domain, side: Side) -> Spelled:
    """What was spelled, held against the contract through a side that runs it: on every probe, and at the edges."""
    kept = _kept(contract)
    session = Session(side, domain)
    asked = session.ask([*_probes(domain, contract.value("input")), *probes.fresh(domain, FRESH, 40_000)])
    raised = [one for one in asked if one.answer.error]
    if raised:
        return replace(spelled, failed=f"on the probe {raised[0].probe.name} it raises {raised[0].answer.error}")
    parts = [one for one in asked if not session.fit(kept, one).fits]
    if parts:
        where = f"{parts[0].probe.shows or parts[0].probe.name}, in {session.fit(kept, parts[0]).where}"
        return replace(spelled, failed=f"it parts from the contract on {len(parts)} of {len(asked)} probes: {where}")
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
    return contract.with_({name: default(name) for name in NOT_KEPT if contract[name] not in (default(name), "stopped")})


def _probes(domain: Domain, kind: str) -> list[Probe]:
    found = [*probes.core(domain), *probes.weighted(domain), *probes.square(domain), *probes.softly(domain)]
    return found + (probes.far(domain, kind) if kind == "logits" else [])


def shown(spelled: Spelled) -> str:
    """The code with what was verified above it, and what differs, as comments."""
    above = [*(f"Verified: {claim}." for claim in spelled.verified), *(f"Differs: {edge}." for edge in spelled.differs)]
    above += [f"Note: {remark}." for remark in spelled.remarks if spelled.differs]
    lines = [line for text in above for line in textwrap.wrap(text, 110, subsequent_indent="    ")]
    return "".join(f"# {line}\n" for line in lines) + spelled.text
