"""What a name means: a variant, a hazard, a deviation, a verdict, a reduction, an accuracy class, or a function of a
framework, as text."""

from __future__ import annotations

import difflib
import inspect
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lossvet import adapters
from lossvet.adapters import unloaded
from lossvet.adapters.spelling import title
from lossvet.conformance import apart, deviations, explain_native, functions, types
from lossvet.conformance.deviations import Deviation
from lossvet.reference import evaluate, variants, vectors
from lossvet.reference.hazards import HAZARDS
from lossvet.reference.types import Variant

VERDICTS = (types.Agrees, types.Differs, types.Deviates, types.Absent, types.Errored, types.Crashed, types.TimedOut)

REDUCTIONS = tomllib.loads(Path(__file__).with_name("explain_reductions.toml").read_text())
"""A description of each reduction, and the frameworks that have it: by name, as text."""

CLASSES = {
    "relative": "The error is small compared to the result, however small it is. Tails of the loss keep their digits.",
    "shift-invariant": "The error is small compared to the spread of the logits, whatever is added to all of them.",
    "absolute": "The error is small compared to the logits themselves. Every sound kernel is at least as good as this.",
}

ACCOUNTS = {
    "uninformative": "A check that agrees but could not have failed: its result is empty; or undefined throughout, so "
    "any value would do; or its bound is so wide that a wrong value of 0 would agree. It is not counted among the "
    "checks that agree.",
    "lost": "An element within its bound without one correct bit: its error is at least half of the exact value, such "
    "as 0 for a loss of 1e-8. The bound allows it, since the terms that were added are large. It counts only where "
    "nothing cancels by nature, so that another way of computing preserves the digits, and nothing underflows.",
}

EXAMPLE_PARAMS = {
    "pos_weight": 3.0,
    "class_weight": [0.5, 2.0, 4.0],
    "cost_matrix": [[0.0, 1.0, 4.0], [2.0, 0.0, 1.0], [8.0, 1.0, 0.0]],
    "label_smoothing": 0.125,
}


def explain(name: str, importing: Callable[[str], None] = lambda framework: None) -> str:
    """The explanation of a name, as plain text. Raises KeyError, with the nearest names, for any other name.

    `importing` is called with the name of a framework before it is imported, which is the last resort.
    """
    topics = {name: text for of_kind in _topics().values() for name, text in of_kind.items()}
    if name in topics:
        return topics[name]()
    known = list(functions.spelled())
    found = functions.matching(name, known) or functions.imported(name, importing)
    if found:
        return explain_native.text(name, found)
    near = nearest(name, [*topics, *functions.names(known)])
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(sorted(topics))}"
    raise KeyError(f"no such name: {name!r}; {hint}")


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Up to three of these that look like it, whatever module it is said to be in."""
    bare = name.partition("(")[0].rpartition(".")[2] or name
    return difflib.get_close_matches(name, known, n=3) or difflib.get_close_matches(bare, known, n=3)


def names() -> Mapping[str, tuple[str, ...]]:
    """Everything that `explain` explains, by kind."""
    return {kind: tuple(of_kind) for kind, of_kind in _topics().items()}


def _topics() -> Mapping[str, Mapping[str, Callable[[], str]]]:
    """Every name that can be explained, and how, by kind; of a name that two kinds have, the last one counts."""
    return {
        "reductions": {name: partial(_reduction, name) for name in REDUCTIONS},
        "accuracy": {name: partial(_titled, name, "an accuracy", text) for name, text in CLASSES.items()},
        "totals": {name: partial(_titled, name, "in the totals of a run", text) for name, text in ACCOUNTS.items()},
        "verdicts": {verdict.__name__.lower(): partial(_verdict, verdict) for verdict in VERDICTS},
        "deviations": {deviation.id: partial(_deviation, deviation) for deviation in deviations.read()},
        "hazards": {name: partial(_titled, name, "a hazard", f"{h.why}\n\n{h.example}") for name, h in HAZARDS.items()},
        "variants": {name: partial(_variant, name) for name in variants.names()},
    }


def _titled(name: str, kind: str, text: str) -> str:
    return f"{name}: {kind}\n\n{text}"


def _reduction(name: str) -> str:
    functions = list(explain_native.dividing(name))
    listed = ["", "", "Functions that reduce so:", "", *(f"  {line}" for line in functions)] if functions else []
    return _titled(name, "a reduction", REDUCTIONS[name] + "\n".join(listed))


def _deviation(deviation: Deviation) -> str:
    versions = ", ".join(f"{package} {specifier}" for package, specifier in deviation.versions.items())
    where = f"a known deviation ({', '.join(deviation.frameworks)}; {versions})"
    parts = (f"{deviation.title}.", deviation.reason, deviation.example, deviation.link)
    return _titled(deviation.id, where, "\n\n".join(part.strip() for part in parts if part))


def _verdict(verdict: type) -> str:
    return f"{verdict.__name__.lower()}: a verdict\n\n{inspect.cleandoc(verdict.__doc__ or '')}"


def _variant(name: str) -> str:
    variant = variants.load(name)
    module = sys.modules[variant.definition.__module__]
    goldens = vectors.load(variant.name)
    hazards = sorted({h for g in goldens for h in g.case.hazards})
    params = ", ".join(f.name for f in fields(variant.params)) or "none"
    return "\n".join(
        [
            f"{variant.name}: a variant ({variant.family} labels)",
            "",
            inspect.cleandoc(module.__doc__ or ""),
            "",
            f"loss        {variant.formula}",
            f"parameters  {params}",
            f"reductions  {', '.join(variant.reductions)}",
            textwrap.fill(
                f"{len(goldens)}; hazards: {', '.join(hazards)}",
                width=80,
                initial_indent="cases       ",
                subsequent_indent=" " * 12,
            ),
            "",
            *_example(variant),
            *_taken_for(name),
            *_called(name),
            *_recipes(name),
        ]
    )


def _taken_for(name: str) -> Iterator[str]:
    """The variants that this one is taken for, and where they part."""
    for group in apart.groups([name]):
        yield from ("", "Which is mine:", "", *(f"  {line}".rstrip() for line in apart.text(group, 86)))


def _called(name: str) -> Iterator[str]:
    """The functions of frameworks that are this variant."""
    own = [one for one in functions.spelled() if one.own and one.variant == name]
    if own:
        yield from ("", "Functions:", "")
        yield from (f"  {title(one.framework)}: {one.native.spelling}" for one in own)


def _recipes(name: str) -> Iterator[str]:
    """The recipes of each framework that tells them without being imported, as `verify` takes them."""
    yield from ("", "Recipes, as recipe:FRAMEWORK/VARIANT/RECIPE:", "")
    for framework in adapters.names():
        natives = unloaded.natives(framework)
        if natives is not None:
            yield f"  recipe:{framework}/{name}/  {', '.join(['composed', *natives.get(name, ())])}"


def _example(variant: Variant) -> Iterator[str]:
    """Two rows with numbers, computed now by the reference."""
    logits = [[2.0, 0.0, -1.0], [0.5, 1.0, 0.0]]
    labels = [0, 2] if variant.family == "sparse" else [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    names = {f.name for f in fields(variant.params)}
    params: dict[str, Any] = {name: value for name, value in EXAMPLE_PARAMS.items() if name in names}
    yield f"example     logits {logits}, labels {labels}"
    for name, value in params.items():
        yield f"            {name} {value}"
    for reduction in variant.reductions:
        found = evaluate(variant.name, logits, labels, reduction=reduction, **params)
        yield f"            {reduction}: {np.array2string(found.loss, precision=6, separator=', ')}"
