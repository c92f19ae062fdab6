"""The plan of a run: which cases in which cells, for which outputs, and what is left out for which reason."""

from __future__ import annotations

import difflib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache

import numpy as np

from lossvet.adapters.types import exact_in
from lossvet.conformance.extent import Extent, Level, extents
from lossvet.conformance.types import Cell
from lossvet.reference import variants
from lossvet.reference.dtypes import DTYPES, NAMES, WIDE
from lossvet.reference.output import parse
from lossvet.reference.types import Array, Case, Variant, output_names
from lossvet.reference.vectors import Golden
from lossvet.workers.messages import Greeting, Hello, NativeSpec, Unavailable

SMALL = 128
"""Logits of a case that is run in 16 bits: with 1,000 classes the bound of bfloat16 passes 96 of 100 gradients of 0."""


class NothingMatches(Exception):
    """A filter that matches nothing, or a name that nothing has. The message says which are near."""


@dataclass(frozen=True)
class Selection:
    """What the user asked for. Empty filters let everything through."""

    level: Level = "quick"
    only: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    device: str = "cpu"


@dataclass(frozen=True)
class Item:
    """One case of one cell. `absent` says why the cell has no answer, where that is known without asking."""

    cell: Cell
    case: str
    outputs: tuple[str, ...]
    absent: str = ""


@dataclass(frozen=True)
class Plan:
    """Items in the order in which they are asked, by framework; `left_out` counts checks by framework and reason."""

    items: Mapping[str, tuple[Item, ...]]
    left_out: Mapping[tuple[str, str], int]
    goldens: Mapping[str, Mapping[str, Golden]] = field(repr=False)
    """By variant and case id."""
    level: Level = "quick"

    def __iter__(self) -> Iterator[Item]:
        for items in self.items.values():
            yield from items

    @property
    def checks(self) -> int:
        return sum(len(item.outputs) for item in self)

    @property
    def digest(self) -> str:
        """Of all that each framework computes, in what order, and of the golden results."""
        found = hashlib.sha256()
        for item in (item for framework in sorted(self.items) for item in self.items[framework]):
            found.update(f"{item.cell}\0{item.case}\0{','.join(item.outputs)}\0{item.absent}\n".encode())
        for variant, goldens in self.goldens.items():
            for case, golden in goldens.items():
                found.update(f"{variant}\0{case}\n".encode())
                for output, value in golden.outputs.items():
                    found.update(output.encode() + value.tobytes())
        return found.hexdigest()


def choose(load: Callable[[str], Sequence[Golden]], only: Sequence[str]) -> dict[str, dict[str, Golden]]:
    """The golden results that the patterns name: by variant, by case id with or without it, or by a glob over either.

    Raises NothingMatches for a pattern that names nothing.
    """
    everything = {name: {golden.case.id: golden for golden in load(name)} for name in variants.names()}
    if not only:
        return everything
    unmet = set(only)
    chosen: dict[str, dict[str, Golden]] = {}
    for variant, goldens in everything.items():
        for case, golden in goldens.items():
            if met := [
                p for p in only if any(fnmatchcase(name, p) for name in (variant, case, case.partition("/")[2]))
            ]:
                unmet.difference_update(met)
                chosen.setdefault(variant, {})[case] = golden
    if unmet:
        known = [*everything, *(case for goldens in everything.values() for case in goldens)]
        raise NothingMatches("; ".join(_unknown("--only", pattern, known) for pattern in sorted(unmet)))
    return chosen


def known(what: str, names: Iterable[str], there_are: Sequence[str]) -> None:
    """Raises NothingMatches, with the nearest names, if a name is not among `there_are`."""
    if unknown := [name for name in names if name not in there_are]:
        raise NothingMatches("; ".join(_unknown(what, name, there_are) for name in unknown))


def _unknown(what: str, name: str, there_are: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, there_are, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(there_are[:20])}"
    return f"{what} {name}: no such name; {hint}"


def make(greetings: Mapping[str, Greeting], goldens: Mapping[str, Mapping[str, Golden]], selection: Selection) -> Plan:
    """Everything that the run computes, and everything that it leaves out: every output of every case and cell.

    Raises NothingMatches if nothing is left to compute in the installed frameworks.
    """
    items: dict[str, tuple[Item, ...]] = {}
    left_out: Counter[tuple[str, str]] = Counter()
    for framework, greeting in greetings.items():
        match greeting:
            case Hello():
                items[framework] = tuple(_items(greeting, goldens, selection, left_out))
                if not devices(greeting, selection.device):
                    left_out[framework, f"sees no device {selection.device}"] += _least(goldens, selection)
                elif selection.dtypes and not set(selection.dtypes) & set(greeting.dtypes):
                    left_out[framework, f"has no {' or '.join(selection.dtypes)}"] += _least(goldens, selection)
            case Unavailable(missing=missing):
                reason = "is not installed" if missing else "does not start"
                left_out[framework, reason] += _least(goldens, selection)
    if not any(items.values()) and any(isinstance(greeting, Hello) for greeting in greetings.values()):
        raise NothingMatches("the filters together select no checks; give fewer filters, or --full")
    return Plan(items, dict(left_out), goldens, selection.level)


def devices(hello: Hello, wanted: str) -> tuple[str, ...]:
    """The devices of a framework that `wanted` means: its own name, "gpu" for whatever is no CPU, "auto" for all."""
    if wanted == "auto":
        return hello.devices
    if wanted == "gpu":
        return tuple(device for device in hello.devices if device != "cpu")
    return tuple(device for device in hello.devices if device == wanted)


def _items(
    hello: Hello, goldens: Mapping[str, Mapping[str, Golden]], selection: Selection, left_out: Counter[tuple[str, str]]
) -> Iterator[Item]:
    dtypes = tuple(d for d in NAMES if d in hello.dtypes and (not selection.dtypes or d in selection.dtypes))
    extent = extents(selection.level, hello, selection.dtypes)
    for name, by_case in goldens.items():
        variant = variants.load(name)
        names = {case: output_names(variant, golden.case) for case, golden in by_case.items()}
        held = {dtype: {case: g for case, g in by_case.items() if says_something(g, dtype)} for dtype in dtypes}
        recipes: dict[str, NativeSpec | None] = {"composed": None, **hello.natives.get(name, {})}
        for recipe, native in recipes.items():
            for mode in hello.modes:
                for dtype in dtypes:
                    for device in devices(hello, selection.device):
                        cell = Cell(name, recipe, hello.name, mode, dtype, device)
                        absent = "" if native is None else _absent(native, cell)
                        for case, golden in held[dtype].items():
                            asked = _outputs(extent[mode], cell, golden.case, names[case], native)
                            if asked:
                                yield Item(cell, case, asked, absent)
                            if left := len(names[case]) - len(asked):
                                left_out[hello.name, _why(extent[mode], cell, native, bool(asked))] += left


@cache  # the same for every framework
def says_something(golden: Golden, dtype: str) -> bool:
    """Whether a case is one for this dtype: its inputs are numbers of it.

    Of 16 bits it has to be small, or the bound passes zeros; a step of its logits is below 1, or no digit of a softmax
    is left; and what it results in, sums apart, is in range.
    """
    if dtype in WIDE or not exact_in(golden.case, dtype):
        return exact_in(golden.case, dtype)
    logits, of = golden.case.logits, DTYPES[dtype]
    results = (_largest(v) for name, v in golden.outputs.items() if parse(name).reduction != "sum")
    return logits.size <= SMALL and _largest(logits) <= 1 / of.u and max(results) <= of.largest


def _largest(values: Array) -> float:
    """Of the magnitudes that are finite."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def _absent(native: NativeSpec, cell: Cell) -> str:
    """Why a native has no answers in this cell at all; empty where it has some."""
    if cell.dtype not in native.dtypes:
        return f"{native.spelling} computes in {', '.join(native.dtypes)} only"
    if native.modes and cell.mode not in native.modes:
        return f"{native.spelling} runs in {', '.join(native.modes)} only"
    return ""


def _outputs(
    extent: Extent | None, cell: Cell, case: Case, names: tuple[str, ...], native: NativeSpec | None
) -> tuple[str, ...]:
    """The outputs that a level asks for, of one case in one cell."""
    if extent is None or not extent.runs(cell.recipe, native) or cell.dtype not in extent.dtypes:
        return ()
    shape = case.logits.shape
    if extent.shapes and shape not in extent.shapes:
        return ()
    if extent.reach == "every" or shape in extent.every_at:
        return names
    if extent.reach == "loss":
        return ("loss/none",)
    reductions = {"none"}
    if native is not None and (extent.reach == "own" or "none" not in native.reductions):
        reductions.update(native.reductions)
    return tuple(name for name in names if parse(name).reduction in reductions)


def _why(extent: Extent | None, cell: Cell, native: NativeSpec | None, some_asked: bool) -> str:
    """What a level leaves out, in words that follow a number of checks."""
    if extent is None:
        return cell.mode
    if not extent.runs(cell.recipe, native):
        return f"{cell.mode} {cell.recipe}"
    if cell.dtype not in extent.dtypes:
        return f"{cell.mode} {cell.dtype}"
    if some_asked:
        return f"{cell.mode} reductions"
    return f"{cell.mode} other shapes"


def _least(goldens: Mapping[str, Mapping[str, Golden]], selection: Selection) -> int:
    """What a framework that is not there would at least be asked: all outputs, in one mode, composed, in one dtype."""
    dtype = selection.dtypes[0] if selection.dtypes else NAMES[0]

    def outputs(variant: Variant, cases: Iterable[Golden]) -> int:
        return sum(len(output_names(variant, g.case)) for g in cases if says_something(g, dtype))

    return sum(outputs(variants.load(name), by_case.values()) for name, by_case in goldens.items())
