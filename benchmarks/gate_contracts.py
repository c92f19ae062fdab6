"""A contract file in both checkouts, with the loss: a change of the file in head is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lossvet.benchmarks.pairs import NAMES, Name
from lossvet.verify import contract_file
from lossvet.verify.answer import Comparison, Difference
from lossvet.verify.contract import Contract
from lossvet.verify.differences import differences
from lossvet.verify.known import Known


@dataclass(frozen=True)
class Contracts:
    """The contract that each side's file has; base may have none."""

    path: str
    by_side: Mapping[Name, Contract]

    @staticmethod
    def read(path: str, folders: Mapping[Name, Path]) -> Contracts:
        """Raises ValueError (ContractFileError among them) where head has no such file, or a side is no checkout."""
        if set(folders) != set(NAMES):
            raise ValueError(f"--contract {path}: a contract file needs two checkouts, and one side is not a checkout")
        if not (folders["head"] / path).is_file():
            raise ValueError(
                f"--contract {path}: head has no such file; write it there with `lossvet identify LOSS --write {path}`"
            )
        there = [name for name in NAMES if (folders[name] / path).is_file()]
        return Contracts(path, {name: contract_file.read(folders[name] / path).contract for name in there})

    def settled(self, found: Comparison, base: Known, head: Known) -> Comparison:
        """The comparison, with its differences accepted where each side is what its own file says."""
        sides: dict[Name, Known] = {"base": base, "head": head}
        if not found.differences or any(name not in self.by_side or self._parted(name, sides[name]) for name in NAMES):
            return found
        return msgspec.structs.replace(
            found,
            differences=tuple(msgspec.structs.replace(d, accepted=True) for d in found.differences),
            accepted=(*found.accepted, f"{self.path}, which head changes as well"),
        )

    def unmet(self, head: Known) -> str:
        """Why head is not what its own file says; empty where it is."""
        parted = self._parted("head", head)
        if not parted:
            return ""
        words = ", ".join(f"{d.facet}: {d.source} there, {d.target} found" for d in parted)
        return f"it differs from {self.path} in head: {words}"

    def _parted(self, name: Name, side: Known) -> list[Difference]:
        """In what the file's contract differs from the side's; a side without a contract differs from any."""
        found = side.identified
        if found.contract is None or found.status not in ("confirmed", "ambiguous"):
            return [Difference("contract", "one", "none that explains it", False)]
        every = [differences(self.by_side[name], own, side.domain) for own in found.candidates]
        return min(([d for d in one if not d.edge] for one in every), key=len)
