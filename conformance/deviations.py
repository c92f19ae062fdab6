"""The entries of the ledger as data: what is known to deviate, where, in which versions, and what is seen there."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from lossvet.conformance import deviant, rounded_product
from lossvet.conformance.types import Cell
from lossvet.reference.dtypes import DTYPES
from lossvet.reference.output import Output, parse
from lossvet.reference.types import Array, Case, kept

DEFAULT = Path(__file__).parent / "deviations.toml"

ANY = ("*",)


class LedgerError(Exception):
    """A ledger that cannot be read, or says what makes no sense. The message names the file and the place."""


class Observed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was seen; of an element a hex float, "nan", "inf" or "-inf"; of all "raises NAME", "shape [0]"."""

    case: str
    output: str
    value: str
    index: tuple[int, ...] = ()


class Where(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Checks in which a deviation shows, every one of them. Lists hold names or globs; `elements` is a key of ELEMENTS,
    and says which elements are wrong."""

    framework: tuple[str, ...]
    variant: tuple[str, ...]
    output: tuple[str, ...]
    cases: tuple[str, ...] = ANY
    recipe: tuple[str, ...] = ANY
    mode: tuple[str, ...] = ANY
    dtype: tuple[str, ...] = ANY
    elements: str = "all"

    def names_cell(self, cell: Cell) -> bool:
        """Whether checks of this cell are among them."""
        fields = ("framework", "variant", "recipe", "mode", "dtype")
        return all(_fits(getattr(cell, f), getattr(self, f)) for f in fields)

    def names_check(self, case: str, output: str) -> bool:
        """Whether this check of a cell that it names is among them, if any of its elements is."""
        return _fits(case, self.cases) and _fits(output, self.output)

    def mask(self, case: Case, output: str, shape: tuple[int, ...], dtype: str) -> Array | Any:
        """The elements of an output that are wrong, as booleans of its shape."""
        return np.broadcast_to(_of_output(ELEMENTS[self.elements](case, dtype), case, parse(output)), shape)


class Deviation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One known disagreement.

    `title` names the symptom as a user meets it. `shows` says what the wrong elements are: a key of `deviant.MODELS` or
    of `deviant.KINDS`, or "whole" for an output of another shape or an exception. `versions` are those in which it was
    confirmed: version specifiers by package.
    """

    id: str
    title: str
    reason: str
    versions: dict[str, str]
    observed: tuple[Observed, ...]
    where: tuple[Where, ...]
    shows: str
    link: str = ""
    example: str = ""

    @property
    def frameworks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for one in self.where for name in one.framework))

    def outside(self, packages: Mapping[str, str]) -> str:
        """The package whose version is outside those in which this was confirmed, with that version; empty where none
        is. `packages` are those of one framework, itself among them, with their versions."""
        for name, specifier in self.versions.items():
            version = packages.get(name)
            if version is not None and not SpecifierSet(specifier).contains(version, prereleases=True):
                return f"{name} {version}"
        return ""


ELEMENTS: Mapping[str, Callable[[Case, str], Any]] = {
    "all": lambda case, dtype: np.ones(case.logits.shape, bool),
    "logit_zero": lambda case, dtype: case.logits == 0,
    "logit_infinite": lambda case, dtype: np.isinf(case.logits),
    "logit_plus_infinite": lambda case, dtype: case.logits == np.inf,
    "logit_minus_infinite": lambda case, dtype: case.logits == -np.inf,
    "row_with_masked_class": lambda case, dtype: _rows(case, ((case.logits == -np.inf) & (_dense(case) == 0)).any(1)),
    "other_class_than_infinite_label": lambda case, dtype: _rows(case, _infinite_label(case)) & (_dense(case) == 0),
    "row_with_negative_label": lambda case, dtype: _rows(case, kept("sparse", case) & (case.labels < 0)),
    "row_with_label_out_of_range": lambda case, dtype: _rows(
        case, kept("sparse", case) & ((case.labels < 0) | (case.labels >= case.logits.shape[1]))
    ),
    "ignored_row_without_softmax": lambda case, dtype: _rows(case, ~kept("sparse", case) & ~_has_softmax(case)),
    "class_with_few_positives": lambda case, dtype: np.broadcast_to(
        len(case.labels) / case.labels.sum(0) ** 2 >= DTYPES["float16"].overflow, case.logits.shape
    ),
    "row_with_rounded_product": lambda case, dtype: _rows(case, rounded_product.rows(case, dtype)),
    "row_with_product_rounded_up": lambda case, dtype: _rows(case, rounded_product.rounded_up(case, dtype)),
    "undefined_softmax_of_rounded_product": rounded_product.undefined_softmax,
    "row_labels_not_summing_to_1": lambda case, dtype: _rows(case, case.labels.sum(1) != 1),
}
"""Which elements are wrong in a dtype, as booleans [N, C]. A reduced output is wrong where any of them is. A masked
class has a logit of -inf and a label of 0."""


def read(path: Path = DEFAULT) -> tuple[Deviation, ...]:
    """The entries of a file. Raises LedgerError for a file that is not one, and for ids that occur twice."""
    try:
        with path.open("rb") as file:
            entries = tomllib.load(file).get("deviation", [])
        deviations = tuple(msgspec.convert(entry, Deviation) for entry in entries)
        for d in deviations:
            for specifier in d.versions.values():
                SpecifierSet(specifier)
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError, InvalidSpecifier) as error:
        raise LedgerError(f"{path}: {error}") from None
    for d in deviations:
        if not (d.observed and d.where and d.versions) or any(w.elements not in ELEMENTS for w in d.where):
            what = f"observed values, versions, and `where` with elements among {', '.join(ELEMENTS)}"
            raise LedgerError(f"{path}: {d.id} needs {what}")
        if d.shows not in (shown := (*deviant.MODELS, *deviant.KINDS, deviant.WHOLE)):
            raise LedgerError(f"{path}: {d.id} shows {d.shows!r}; expected one of {', '.join(shown)}")
    if len({d.id for d in deviations}) != len(deviations):
        raise LedgerError(f"{path}: two entries have the same id")
    return deviations


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _rows(case: Case, rows: Any) -> Any:
    return np.broadcast_to(rows[:, None], case.logits.shape)


def _dense(case: Case) -> Array:
    """Labels [N, C], one-hot where they are classes."""
    if case.labels.ndim == 2:
        return np.asarray(case.labels, np.float64)
    return np.asarray(np.equal.outer(case.labels, np.arange(case.logits.shape[1])), np.float64)


def _has_softmax(case: Case) -> Any:
    """Rows with a largest logit that is a number."""
    return np.isfinite(case.logits.max(1))


def _infinite_label(case: Case) -> Any:
    """Rows whose label has a logit of -inf, and whose loss is infinite."""
    return ((case.logits == -np.inf) & (_dense(case) != 0)).any(1)


def _of_output(mask: Any, case: Case, output: Output) -> Any:
    """Of elements [N, C] that are wrong, those of an output, as booleans that broadcast to its shape."""
    if output == Output("gradient", "weighted_mean", "labels"):
        return mask.any()  # through the sum of weights, each label meets the loss of every row
    if output.leaf in ("logits", "labels"):
        return mask
    if output == Output("loss", "none"):
        return mask if case.cotangent.ndim == 2 else mask.any(1)
    match output.leaf:
        case "sample_weight":
            return mask.any(1)
        case "pos_weight" | "class_weight":
            return mask.any(0)
        case _:
            return mask.any()
