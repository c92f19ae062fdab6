"""What check says: one loss held to the golden results of a variant. Plain data."""

from __future__ import annotations

import msgspec

from lossvet.verify.answer import Binding, Identified


class CheckedDifference(msgspec.Struct, frozen=True):
    """One output of one case that is not as golden has it. `lines` describe it as `run` does, the first says what."""

    case: str
    output: str
    dtype: str
    lines: tuple[str, ...]


class Checked(msgspec.Struct, frozen=True):
    """The answer of `lossvet check`. `deviates` counts checks that differ as a known deviation says."""

    spec: str
    framework: str
    version: str
    variant: str
    reduction: str
    binding: Binding | None
    checks: int = 0
    agrees: int = 0
    deviates: int = 0
    uninformative: int = 0
    differs: int = 0
    differences: tuple[CheckedDifference, ...] = ()
    """The smallest of each kind."""
    accuracy: str = ""
    """The accuracy of the worst output, in words."""
    identified: Identified | None = None
    """What it is instead, where it is not the variant."""
    not_checked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reason: str = ""
    """Why it cannot be judged."""

    @property
    def exit_code(self) -> int:
        """0 it conforms; 1 it does not; 3 cannot judge, or nothing was judged."""
        if self.reason or not self.checks:
            return 3
        return 1 if self.differs else 0
