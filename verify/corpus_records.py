"""The corpus of known losses, read: where each loss is, how it is made, and what it means."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from lossvet.verify.contract import Contract
from lossvet.verify.facets import facets

CORPUS = Path(__file__).parent / "corpus"
INCIDENTAL = ("family", "input", "ignored", "counted", "weights_formula", "gradient_labels", "gradient_weights")
"""Facets that come with others, and are a fault only where a loss departs in nothing else from its sound one."""


@dataclass(frozen=True)
class Record:
    """`contracts` are all that are right, the one of the record first; none where no contract describes the loss.

    `outside` says why none does; where `maybe_outside`, no answer is as right. `faults` are the facets in which it
    departs from the sound loss that it was made from, or from the default; `several` says that there are more than one
    on purpose. `edges` are the edge facets that the record tells.
    """

    key: str
    framework: str
    path: Path
    name: str
    init: str = ""
    contracts: tuple[Contract, ...] = ()
    outside: str = ""
    maybe_outside: bool = False
    random: bool = False
    faults: tuple[str, ...] = ()
    several: bool = False
    edges: tuple[str, ...] = ()

    @property
    def spec(self) -> str:
        return f"{self.framework}:{self.path}::{self.name}"


@dataclass(frozen=True)
class Pair:
    """Two losses by key, the verdict that is right, and the facets in which they differ. `outside`: one of them is."""

    source: str
    target: str
    verdict: str
    facets: tuple[str, ...] = ()
    outside: bool = False

    @property
    def key(self) -> str:
        return f"{self.source} -> {self.target}"


@dataclass(frozen=True)
class Selection:
    """A part of the corpus: keys by glob ("torch_weights.py::*"), frameworks; what is empty leaves nothing out."""

    only: tuple[str, ...] = field(default=())
    frameworks: tuple[str, ...] = field(default=())

    def losses(self) -> dict[str, Record]:
        """By key. Raises ValueError where nothing is left."""
        every = records()
        if unknown := set(self.frameworks) - {record.framework for record in every.values()}:
            known = ", ".join(sorted({record.framework for record in every.values()}))
            raise ValueError(f"the corpus has no losses in {', '.join(sorted(unknown))}; it has losses in: {known}")
        kept = {key: record for key, record in every.items() if self._has(record)}
        if not kept:
            raise ValueError(
                f"no loss of the corpus matches {', '.join(self.only)}; expected a glob such as 'FILE_*.py::*'"
            )
        return kept

    def pairs(self) -> list[Pair]:
        """Those of which both losses are selected."""
        kept = self.losses()
        return [pair for pair in pairs() if pair.source in kept and pair.target in kept]

    def _has(self, record: Record) -> bool:
        named = not self.only or any(fnmatch(record.key, glob) for glob in self.only)
        return named and (not self.frameworks or record.framework in self.frameworks)


def records() -> dict[str, Record]:
    """All losses by FILE.py::NAME. Raises KeyError for a facet, a value or a number that there is not."""
    tables = dict(_tables())
    return {key: _record(key, table, tables) for key, table in tables.items()}


def pairs() -> list[Pair]:
    document = tomllib.loads((CORPUS / "pairs.toml").read_text(encoding="utf-8"))
    return [
        Pair(table["source"], table["target"], table["verdict"], tuple(table.get("facets", ())), "outside" in table)
        for table in document["pair"]
    ]


def _tables() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(CORPUS.glob("*.toml")):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        for table in document.get("loss", ()):
            yield f"{path.stem}.py::{table['name']}", {**table, "framework": document["framework"]}


def _record(key: str, table: dict[str, Any], tables: dict[str, dict[str, Any]]) -> Record:
    file, _, name = key.partition("::")
    contracts = [_contract(given) for given in (table.get("contract"), *table.get("also", ())) if given is not None]
    sound = _contract(tables[table["of"]]["contract"]) if "of" in table else Contract()
    departs = tuple(departing(contracts[0], sound)) if contracts else ()
    faults = tuple(name for name in departs if name not in INCIDENTAL)
    told = {facet for facet in table.get("contract", {}) if facet in facets() and facets()[facet].edge}
    return Record(
        key,
        table["framework"],
        CORPUS / file,
        name,
        table.get("init", ""),
        tuple(dict.fromkeys(contracts)),
        table.get("outside", ""),
        "also_outside" in table,
        "random" in table,
        faults or (departs if "of" in table else ()),
        "of" not in table and len(faults) > 1,
        tuple(sorted(told)),
    )


def _contract(given: dict[str, Any]) -> Contract:
    return Contract.of({name: tuple(s) if isinstance(s, list) else s for name, s in given.items()})


def departing(one: Contract, other: Contract) -> Iterator[str]:
    """The facets in which two contracts differ by value or by number; what a mean over nothing gives is left out."""
    for name, facet in facets().items():
        seen = (name, *facet.numbers)
        if name != "zero_denominator" and any(_setting(one, n) != _setting(other, n) for n in seen):
            yield name


def _setting(contract: Contract, name: str) -> object:
    return contract[name] if name in facets() or name in contract else None
