"""A contract as code: one whole function of a framework that has the meaning, with its reduction and its edges."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from lossvet.adapters.spelling import Dialect, dialect
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract
from lossvet.verify.facets import facets
from lossvet.verify.questions import ROLES
from lossvet.verify.spelling import labels, probability, reduction, rows
from lossvet.verify.spelling.writer import Unspellable, Writer

ONLY = {
    "gradient_logits": ("exact", "stopped", "factor_stopped", "normalised_labels_only", "wrong_at_zero", "filtered"),
    "broadcast": ("aligned", "outer"),
    "ignored": ("none", "label"),
    "upstream": ("exact",),
    "log": ("taken", "missing"),
    "weights_from": ("argument", "constant", "batch_counts"),
}
"""Of these facets, only these values can be written; another one is a fault that nobody would write on purpose."""
NOT_KEPT = ("gradient_logits", "precision", "side_effects", "shape")
"""Faults that are left behind: the code has the default of these facets, and the answer says so."""
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


def written(contract: Contract, domain: Domain, framework: str) -> Spelled:
    """The contract as code of a framework, with arguments in the order of `questions.ROLES`; nothing is run.

    Raises Unspellable, in one sentence that names the facet; KeyError for a framework that has no dialect.
    """
    for name, values in ONLY.items():
        if contract.value(name) not in values:
            raise Unspellable(f"{name}={contract.value(name)} is a fault that no code is written for")
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
    return Spelled(
        framework, text, {r: a for r, a in zip(roles, arguments, strict=True) if a in taken}, tuple(w.remarks)
    )


def _live(lines: list[str]) -> list[str]:
    """Without a statement `x = x`."""
    return [line for line in lines if line.split(" = ")[0] != line.partition(" = ")[2]]


def _text(w: Writer, words: Dialect, contract: Contract, arguments: Sequence[str]) -> str:
    shapes = {w.x: "[N, C]", "labels": "[N] integers" if w.sparse else "[N, C]", **SHAPES}
    meaning = "; ".join(
        f"{n}: {_told(contract, n)}" for n in contract if n in facets() and not facets()[n].edge and n not in NOT_KEPT
    )
    doc = f"{'Sigmoid' if w.binary else 'Softmax'} cross-entropy{'; ' if meaning else ''}{meaning}."
    takes = ", ".join(f"{a} {shapes[a]}" for a in arguments)
    body = [f'"""{doc}', "", f"{takes}.", '"""'] if len(doc) + len(takes) > 90 else [f'"""{doc} {takes}."""']
    body = [part for line in body for part in (textwrap.wrap(line, 112, break_long_words=False) or [""])]
    written = textwrap.indent("\n".join([*body, *w.lines]), "    ", lambda line: bool(line.strip()))
    return "\n".join([*words.above("\n".join(w.lines)), "", "", f"def loss({', '.join(arguments)}):", written, ""])


def _told(contract: Contract, name: str) -> str:
    """A facet's value with its numbers."""
    value = contract[name]
    numbers = [f"{contract[n]:g}" for n in facets()[name].numbers if n in contract and isinstance(contract[n], float)]
    return " ".join([" and ".join(map(str, value)) if isinstance(value, tuple) else str(value), *numbers])


def shown(spelled: Spelled) -> str:
    """The code with what was verified above it, and what differs, as comments."""
    above = [*(f"Verified: {claim}." for claim in spelled.verified), *(f"Differs: {edge}." for edge in spelled.differs)]
    above += [f"Note: {remark}." for remark in spelled.remarks if spelled.differs]
    lines = [line for text in above for line in textwrap.wrap(text, 110, subsequent_indent="    ")]
    return "".join(f"# {line}\n" for line in lines) + spelled.text
