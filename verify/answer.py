"""The result of verify: the verdict on two sides, the evidence, and what it does not cover. Plain data for screens."""

from __future__ import annotations

from typing import Literal

import msgspec

from lossvet.verify.contract import Contract

Verdict = Literal["same", "different", "same_gradient", "equal_on_probes", "unexplained", "cannot_judge"]
Status = Literal["confirmed", "ambiguous", "unexplained", "cannot_judge"]


class Binding(msgspec.Struct, frozen=True):
    """How a function is called: its parameters by role, in its own order, and how each was found.

    `how` is "name", "probing", "given" (by the user) or "init" (an argument of the constructor). `labels` is "sparse"
    or "dense". `call` is the call as a reader would write it: "f(pred, target, weight=class_weight)".
    """

    call: str
    roles: dict[str, str]
    how: dict[str, str]
    labels: str
    unused: tuple[str, ...] = ()
    """Parameters that were left at their defaults."""
    layout: str = "nc"
    """How it takes logits: "nc" as [N, C]; a binary loss "n1" as [N, 1] or "n" as [N]: then it is asked with C = 1."""
    classes: int = 0
    """The one number of classes that it takes; 0 for any."""
    scalars: tuple[str, ...] = ()
    """The roles in which it takes a single number, and no array."""
    domain: str = "any"
    """What it takes for logits: "any" numbers, or "probabilities" alone, where it raises or gives NaN for others."""
    dtype: str = "float64"
    """The widest dtype in which it can be called: "float64", or "float32"."""
    strange_labels: tuple[int, ...] = ()
    """Labels that are no class and that its code or its arguments name."""


class Identified(msgspec.Struct, frozen=True):
    """One side: what it is, and the contract that explains it.

    `candidates` holds every contract that explains all probes, the simplest first: one where the status is confirmed,
    more where it is ambiguous, the nearest one where it is unexplained (none where nothing comes near). `needed` names
    the probe that would tell candidates apart; `learnt` says which invariances were seen, in sentences.
    """

    spec: str
    framework: str
    version: str
    status: Status
    candidates: tuple[Contract, ...]
    binding: Binding | None
    explained: int = 0
    """Probes that the first candidate explains, of `tried`."""
    tried: int = 0
    fresh: int = 0
    """Fresh probes, which had no part in choosing the contract, that it explains."""
    largest: float = 0.0
    """The largest difference met between the side and its contract, as a share of the bound."""
    learnt: tuple[str, ...] = ()
    needed: str = ""
    not_checked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reason: str = ""
    """Why the side cannot be judged, or where it parts from the nearest contract: one sentence."""

    @property
    def contract(self) -> Contract | None:
        return self.candidates[0] if self.candidates else None


class Counterexample(msgspec.Struct, frozen=True):
    """The smallest input found on which two sides part, with both results as both real functions gave them.

    `inputs` by role as nested lists; `output` is "loss" or "gradient/logits" and the like.
    """

    inputs: dict[str, list[object] | float | int]
    output: str
    source: list[object] | float | None
    target: list[object] | float | None
    source_error: str = ""
    target_error: str = ""


class Difference(msgspec.Struct, frozen=True):
    """One facet in which the sides differ. `source` and `target` are its values, numbers included ("added 1e-07").

    `says` is one sentence with both values in words, `training` what it does to training, `change` what makes the
    target match the source.
    """

    facet: str
    source: str
    target: str
    confirmed: bool
    says: str = ""
    training: str = ""
    change: str = ""
    counterexample: Counterexample | None = None
    accepted: bool = False
    edge: bool = False


class Effect(msgspec.Struct, frozen=True):
    """What the difference does on the caller's own batch: shares and relative changes."""

    rows: int
    rows_touched: int
    loss: tuple[float, float]
    loss_change: float
    """|target - source| / |source|."""
    gradient_length: float
    """The length of the target's gradient over that of the source's."""
    gradient_angle: float
    """Degrees between the two gradients."""


class Comparison(msgspec.Struct, frozen=True):
    """The answer of `lossvet verify`."""

    verdict: Verdict
    source: Identified
    target: Identified
    differences: tuple[Difference, ...] = ()
    counterexample: Counterexample | None = None
    tried: int = 0
    """Probes on which the two sides were compared directly."""
    fresh: int = 0
    uninformative: int = 0
    """Probes that both sides refuse or answer with NaN: not counted as tried."""
    largest: float = 0.0
    """The largest direct difference, as a share of the bound."""
    parts_at: str = ""
    """For unexplained sides: the first stage at which they part, as far as it can be seen."""
    not_checked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reason: str = ""
    effect: Effect | None = None
    replay: str = ""
    accepted: tuple[str, ...] = ()
    """What the user accepted and was met here, as it was written; the verdict itself may stand among it."""

    @property
    def exit_code(self) -> int:
        """0 the same, or all accepted; 1 different; 3 cannot judge, or unexplained without a difference found."""
        if self.verdict in self.accepted:
            return 0
        match self.verdict:
            case "same":
                return 0
            case "different" | "same_gradient":
                left = [d for d in self.differences if not d.accepted and not d.edge]
                return 1 if left or not self.differences else 0
            case "unexplained":
                return 1 if self.counterexample is not None else 3
            case "equal_on_probes" | "cannot_judge":
                return 3
