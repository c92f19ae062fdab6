"""What is judged, and the result: cells and verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AccuracyClass = Literal["relative", "shift-invariant", "absolute"]
"""The error is small compared to the result; to the spread of the logits; to the logits themselves. The best first."""


@dataclass(frozen=True, order=True)
class Cell:
    """The unit of the report: one recipe of one variant, in one framework, mode, dtype and device."""

    variant: str
    recipe: str
    framework: str
    mode: str
    dtype: str
    device: str = "cpu"

    def __str__(self) -> str:
        return "/".join((self.variant, self.recipe, self.framework, self.mode, self.dtype, self.device))


@dataclass(frozen=True)
class Lost:
    """Elements whose error is at least half of the exact value although nothing cancels in it by nature: their number,
    and the index, the result and the exact value of the largest."""

    count: int
    index: tuple[int, ...]
    got: float
    golden: float


@dataclass(frozen=True)
class Agrees:
    """Within the bound, element by element.

    `ratio` is the largest error over the bound; `ulp` the largest error in ulp of the exact value, and `ulp_flushed`
    the same where subnormals count as one step to zero; `accuracy` the class. `resolution` is the median bound over
    |golden|: the smallest difference that this check can detect. `index` is that of the element with the largest
    `ulp_flushed`. `uninformative` says why no result, or no result of 0, could have failed; such a check is counted
    separately. `lost` elements are within the bound without one correct bit.
    """

    ratio: float
    ulp: float
    ulp_flushed: float
    accuracy: AccuracyClass
    resolution: float
    notes: tuple[str, ...] = ()
    index: tuple[int, ...] = ()
    uninformative: str = ""
    lost: Lost | None = None


@dataclass(frozen=True)
class Differs:
    """Outside the bound, or of another shape, dtype or kind. `index`, `got`, `golden`: of the worst element."""

    why: str
    index: tuple[int, ...] = ()
    got: float | None = None
    golden: float | None = None
    ratio: float = float("inf")
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deviates:
    """Differs as the ledger says; `stray` says how the result contradicts the ledger, if it does.

    `unconfirmed` names the package, and its version, in which the deviation has not been confirmed.
    """

    deviation: str
    differs: Differs
    stray: str = ""
    unconfirmed: str = ""


@dataclass(frozen=True)
class Absent:
    """There is nothing to judge, and this is not a fault: the reason says why."""

    reason: str


@dataclass(frozen=True)
class Errored:
    """The framework raised where a result was expected."""

    error: str
    message: str


@dataclass(frozen=True)
class Crashed:
    """The worker died; `how` names the signal or the exit code, and the last output on stderr."""

    how: str


@dataclass(frozen=True)
class TimedOut:
    """No result within the limit, in seconds."""

    limit: float


Verdict = Agrees | Differs | Deviates | Absent | Errored | Crashed | TimedOut
