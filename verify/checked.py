"""The result of check: one loss compared with the golden results of a variant. Plain data."""

from __future__ import annotations

import msgspec

from lossvet.conformance.summary import Finding
from lossvet.conformance.types import AccuracyClass, Verdict
from lossvet.verify.answer import Binding, Identified


class Record(msgspec.Struct, frozen=True):
    """One check, and what the judge said of it."""

    dtype: str
    case: str
    output: str
    verdict: Verdict


class CheckedOutput(msgspec.Struct, frozen=True):
    """One output in one dtype, over all cases.

    `output` is "loss", "gradient in logits" and so on, or "hvp". `checks` were judged: `agrees` within the bound,
    `deviates` as a known deviation says, `differs` otherwise; `uninformative` ones could not have failed; `absent` had
    nothing to judge, for `reasons`. In `lost` checks that agree, an element has not one right bit.
    `accuracy` is the class of the worst that agrees, `ulp` the largest error there in ulp, where that is relative.
    """

    output: str
    dtype: str
    checks: int = 0
    agrees: int = 0
    uninformative: int = 0
    lost: int = 0
    deviates: int = 0
    differs: int = 0
    absent: int = 0
    reasons: tuple[str, ...] = ()
    accuracy: AccuracyClass | None = None
    ulp: float | None = None
    worst: str = ""
    """The case of the largest error over its bound."""


class Checked(msgspec.Struct, frozen=True):
    """The answer of `lossvet check`."""

    spec: str
    framework: str
    version: str
    variant: str
    reduction: str
    mode: str = ""
    binding: Binding | None = None
    native: str = ""
    """The recipe of the adapter that the loss is, where it is the framework's own function."""
    outputs: tuple[CheckedOutput, ...] = ()
    records: tuple[Record, ...] = ()
    """Every check, in the order in which they were made."""
    findings: tuple[Finding, ...] = ()
    """Those that differ."""
    undefined: int = 0
    """Checks of which some elements have no defined result, which were held to nothing."""
    not_run: int = 0
    """Checks that were given up, because the loss hung or ended its process too often."""
    identified: Identified | None = None
    """What it is instead, where it is not the variant."""
    again: tuple[str, ...] = ()
    """The words of the command that made this."""
    not_checked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reason: str = ""
    """Why it cannot be judged."""

    @property
    def checks(self) -> int:
        return sum(o.checks for o in self.outputs)

    @property
    def agrees(self) -> int:
        return sum(o.agrees for o in self.outputs)

    @property
    def deviates(self) -> int:
        return sum(o.deviates for o in self.outputs)

    @property
    def uninformative(self) -> int:
        return sum(o.uninformative for o in self.outputs)

    @property
    def lost(self) -> int:
        return sum(o.lost for o in self.outputs)

    @property
    def differs(self) -> int:
        return sum(o.differs for o in self.outputs)

    @property
    def exit_code(self) -> int:
        """0 it conforms; 1 it does not; 3 cannot judge, not everything was judged, or no check could have failed."""
        if self.differs:
            return 1
        return 3 if self.reason or self.checks == self.uninformative or self.not_run else 0
