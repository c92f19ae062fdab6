"""The loss of both sides, each in a worker of its own checkout and interpreter, identified and compared.

Two checkouts of a gate are never the same function twice, unless both are one file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec

from lossvet.benchmarks import gate_direct
from lossvet.benchmarks.gate_contracts import Contracts
from lossvet.benchmarks.gate_meaning import Meaning, in_short, short
from lossvet.benchmarks.gate_timed_as import timed_as
from lossvet.benchmarks.pairs import NAMES, Name
from lossvet.benchmarks.user_loss import UserLoss
from lossvet.conformance.run import CannotJudge
from lossvet.reference.types import Reduction
from lossvet.verify import accepting, comparing, variant_of
from lossvet.verify.accepting import Accept
from lossvet.verify.answer import Comparison, Difference, Identified
from lossvet.verify.known import Known, of_loss
from lossvet.verify.own_recipe import OwnRecipe
from lossvet.verify.remote import Remote
from lossvet.verify.sources import FileSource, SourceError
from lossvet.verify.verify import RemoteLoss
from lossvet.workers.client import Side


class Gone(Exception):
    """Base has the loss, and head has not; the message says why."""


class Identifying:
    """What is asked about meaning. `folders` are the checkouts, of those sides that are one; modules of the others are
    those that their interpreter finds. `contract` is a contract file's path within a checkout."""

    def __init__(
        self,
        loss: UserLoss,
        sides: Mapping[Name, Side],
        folders: Mapping[Name, Path],
        accepts: tuple[str, ...] = (),
        contract: str = "",
    ) -> None:
        """Raises ValueError for an accept or a contract file that cannot be."""
        self.loss, self.sides, self.folders = loss, sides, folders
        self.accepts: list[Accept] = [accepting.parsed(text) for text in accepts]
        self.contracts = Contracts.read(contract, folders) if contract else None

    def meaning(
        self, caches: Mapping[Name, Path], empty: Path, direct: bool, say: Callable[[str], None]
    ) -> tuple[Meaning, gate_direct.Found]:
        """What both sides mean, and how accurate they are where no variant says what is true; nothing of that for a
        meaning that has changed, unless `direct`.

        Raises SourceError where the loss is not to be had on either side, CannotJudge where base has none, Gone where
        head has none.
        """
        with ExitStack() as stack:
            say("identifying the loss of base and of head")
            remotes = {name: stack.enter_context(self._remote(name, caches[name], empty)) for name in NAMES}
            self._load(remotes)
            self._distinct(remotes)
            known = {name: of_loss(RemoteLoss(remotes[name], self._spec(name))) for name in NAMES}
            base, head = (known[name] for name in NAMES)
            for name in NAMES:
                if (binding := known[name].identified.binding) is not None:
                    say(f"{name} is called as {binding.call}")
            found = accepting.settled(eased(comparing.compare(base, head)), self.accepts)
            if self.contracts is not None:
                found = self.contracts.settled(found, base, head)
            meaning = self.verdict(found, base, head, empty)
            say(meaning.words)
            if meaning.judged or not (direct or meaning.colour == "green"):
                return meaning, gate_direct.Found()
            return meaning, gate_direct.no_worse(base, head, str(self.loss.source))

    def folder(self, name: Name, empty: Path) -> str:
        """Where the loss is looked for; a checkout may keep its packages under src/."""
        if name not in self.folders:
            return str(empty)
        root = self.folders[name]
        packages = root / "src"
        return str(packages if packages.is_dir() and not isinstance(self.loss.source, FileSource) else root)

    def _spec(self, name: Name) -> str:
        return f"{self.loss.source} in {name}"

    def _remote(self, name: Name, cache: Path, empty: Path) -> Remote:
        return Remote(
            str(self.loss.source),
            self.loss.binding,
            python=self.sides[name].python or sys.executable,
            folder=self.folder(name, empty),
            limit=self.loss.timeout,
            cache=cache,
            environment=self.sides[name].environment,
        )

    def _load(self, remotes: Mapping[Name, Remote]) -> None:
        refused: dict[Name, SourceError] = {}
        for name, remote in remotes.items():
            try:
                remote.load()
            except SourceError as error:
                refused[name] = error
        if not refused:
            return
        words = {name: self._refusal(name, error) for name, error in refused.items()}
        if len(refused) == len(NAMES):
            kind = refused["base"].kind
            raise SourceError("file" if kind in MISSING else kind, f"{words['base']}; {words['head']}")
        (name,) = refused
        if refused[name].kind in ("binding", "init"):
            raise SourceError(refused[name].kind, words[name])
        if name == "base":
            raise CannotJudge(f"nothing to compare with: {words['base']}")
        raise Gone(words["head"])

    def _refusal(self, name: Name, error: SourceError) -> str:
        words = error.sentence.replace("--source-", "--")
        where = f" ({self.folders[name]})" if name in self.folders else ""
        if error.kind == "import" and words.startswith("there is no module"):
            module = words.removeprefix("there is no module ").partition(";")[0]
            return f"there is no module {module} in {name}{where}"
        return f"{words}, in {name}{where}" if error.kind in MISSING else f"in {name}: {words}"

    def _distinct(self, remotes: Mapping[Name, Remote]) -> None:
        """Raises CannotJudge where the loss on both sides is one file although the sides are two."""
        base, head = (remotes[name] for name in NAMES)
        apart = self.sides["base"] != self.sides["head"]
        if isinstance(self.loss.source, FileSource) or not apart or base.python != head.python:
            return
        if base.file and base.file == head.file:
            raise CannotJudge(
                f"{self.loss.where} is {head.file} on both sides: neither folder holds it, but another "
                "one on PYTHONPATH does"
            )

    def verdict(self, found: Comparison, base: Known, head: Known, empty: Path) -> Meaning:
        """What a comparison makes of the gate, and as which variant the loss is to be judged and timed."""
        readings = {
            name: variant_of.readings(k.identified, k.domain) for name, k in zip(NAMES, (base, head), strict=True)
        }
        changed = found.verdict not in ("same", "equal_on_probes") and found.exit_code != 0
        own = (readings["base"] or readings["head"]) if changed else readings["head"]
        chosen = self._claimed_among(own) or next(iter(own), None)
        judged = chosen is not None
        chosen = chosen or timed_as(head.identified)
        recipes = (
            {} if chosen is None else {name: self._recipe(name, *chosen, head.identified, empty) for name in NAMES}
        )
        unsaid = self._unclaimed(head, readings["head"])
        if self.contracts is not None and not unsaid:
            unsaid = self.contracts.unmet(head)
        called = "/".join(self._claimed_among(readings["head"]) or next(iter(readings["head"]), ()))
        return Meaning(found, self.loss.claimed, called or short(head.identified), recipes, judged, unsaid)

    def _claimed_among(self, readings: tuple[tuple[str, Reduction], ...]) -> tuple[str, Reduction] | None:
        """The reading that is what was claimed."""
        loss = self.loss
        met = [r for r in readings if r[0] == loss.variant and loss.reduction in (None, r[1])]
        return met[0] if met else None

    def _recipe(self, name: Name, variant: str, reduction: Reduction, found: Identified, empty: Path) -> OwnRecipe:
        labels = found.binding.labels if found.binding is not None else ""
        options = self.loss.binding if not labels else msgspec.structs.replace(self.loss.binding, labels=labels)
        return OwnRecipe(str(self.loss.source), self.folder(name, empty), variant, reduction, options)

    def _unclaimed(self, head: Known, readings: tuple[tuple[str, Reduction], ...]) -> str:
        """Why the loss is not what was claimed, naming what it is; empty where it is, or nothing was claimed."""
        loss, found = self.loss, head.identified
        if not loss.variant or self._claimed_among(readings):
            return ""
        said = f"it is not {loss.claimed}, as was stated"
        if found.contract is None or found.status == "unexplained":
            return f"{said}: no contract explains it; it is {short(found)}"
        if readings:
            said = f"{said}: it is {'/'.join(readings[0])}"
        among = [loss.reduction] if loss.reduction else list(variant_of.reductions(loss.variant))
        parted = min(
            (variant_of.departures(found.contract, loss.variant, one, head.domain) for one in among), key=len
        )  # fmt: skip
        facets = ", ".join(f"{d.facet}: {d.source} stated, {d.target} found" for d in parted)
        return f"{said} ({facets})" if readings else f"{said}: {facets or in_short(found.contract)}"


def eased(found: Comparison) -> Comparison:
    """A gradient into labels or weights that PyTorch's own function lacks, and the same loss written out has, is
    reported and alone no change: they are data, or the training would have raised."""

    def one(d: Difference) -> Difference:
        lacks = d.facet in ("gradient_labels", "gradient_weights") and "not_differentiable" in (d.source, d.target)
        return msgspec.structs.replace(d, edge=True) if lacks else d

    differences = tuple(map(one, found.differences))
    same = found.verdict == "different" and found.counterexample is None and all(d.edge for d in differences)
    return msgspec.structs.replace(found, differences=differences, verdict="same" if same else found.verdict)


MISSING = ("import", "file", "name", "not_callable")
"""Refusals of a loss that is not where it was looked for."""
