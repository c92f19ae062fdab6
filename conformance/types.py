"""What is judged and what is said of it: cells and verdicts."""

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
    """Elements whose error is at least half of the exact value although nothing cancels in it by nature: how many, and
    of the largest of them its index, the answer and the exact value."""

    count: int
    index: tuple[int, ...]
    got: float
    golden: float


@dataclass(frozen=True)
class Agrees:
    """Within the bound, element by element.

    `ratio` is the largest error over the bound; `ulp` the largest error in ulp of the exact value, and `ulp_flushed`
    the same where subnormals count as one step to zero; `accuracy` the class. `resolution` is the median bound over
    |golden|: what this check could tell apart. `index` is of the element with the largest `ulp_flushed`.
    `uninformative` says why no answer, or no answer of 0, could have failed; such a check counts apart. `lost` elements
    are within the bound without one right bit.
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
    """Outside the bound, or of another shape, dtype or kind. `index`, `got` and `golden` are of the worst element."""

    why: str
    index: tuple[int, ...] = ()
    got: float | None = None
    golden: float | None = None
    ratio: float = float("inf")
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deviates:
    """Differs as the ledger says it does; `stray` says what is not as the ledger says, where something is not.

    `unconfirmed` names the package, and its version, in which nobody has confirmed the deviation yet.
    """

    deviation: str
    differs: Differs
    stray: str = ""
    unconfirmed: str = ""


@dataclass(frozen=True)
class Absent:
    """There is nothing to judge, and that is no fault: the reason says why."""

    reason: str


@dataclass(frozen=True)
class Errored:
    """The framework raised where an answer was expected."""

    error: str
    message: str


@dataclass(frozen=True)
class Crashed:
    """The worker died; `how` names the signal or the exit code, and what it left on stderr."""

    how: str


@dataclass(frozen=True)
class TimedOut:
    """No answer within the limit, in seconds."""

    limit: float


Verdict = Agrees | Differs | Deviates | Absent | Errored | Crashed | TimedOut
