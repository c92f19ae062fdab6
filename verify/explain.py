"""What a facet or one of its values means, as text; every other name is explained by `conformance/explain.py`."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator

from lossvet.conformance import explain as other
from lossvet.conformance import explain_cases, explain_native, functions
from lossvet.verify.contract import Setting
from lossvet.verify.facet import Example, Facet, Value
from lossvet.verify.facets import facets

WIDTH = 88

LETTERS = (
    "Letters: x logits, t dense labels, y integer labels, p = softmax(x) or sigmoid(x), p_y the probability of the "
    "label, w class weights, v sample weights, q pos_weight, M costs, m a mask of zeros and ones, e an epsilon, a the "
    "smoothing, N rows, C classes; `loss` holds the losses of the rows."
)

FACETS = "facets"
"""The name under which all facets are listed."""


def explain(name: str, importing: Callable[[str], None] = lambda framework: None) -> str:
    """The explanation of a facet ("denominator"), of a value ("denominator=weights"), of "facets", or of any name that
    `conformance` explains, as plain text. Raises KeyError, with the nearest names, where there is no such name.

    `importing` is called with the name of a framework before it is imported.
    """
    if name == FACETS:
        return "\n".join(_list())
    facet_name, equals, value_name = name.partition("=")
    facet = facets().get(facet_name)
    if facet is not None and equals:
        return "\n".join(_value(facet, _found(facet, value_name)))
    if facet is not None:
        text = "\n".join(_facet(facet))
        return f"{text}\n\n{other.explain(name)}" if name in _others() else text  # a hazard of the same name
    if name in _others():
        return other.explain(name)
    if case := explain_cases.text(name):
        return case
    known = list(functions.spelled())
    if found := functions.matching(name, known) or functions.imported(name, importing):
        return explain_native.text(name, found)
    near = _near(name, functions.names(known))
    hint = f"did you mean {' or '.join(near)}?" if near else "`lossvet explain` lists all names"
    raise KeyError(f"no such name: {name!r}; {hint}")


def overview(width: int = WIDTH) -> str:
    """Every name that can be explained, by kind."""
    kinds = {"facets": (FACETS, *facets()), **other.names()}
    return "\n\n".join(
        textwrap.fill(f"{kind:<12}{', '.join(sorted(own))}", width, subsequent_indent=" " * 12, break_long_words=False)
        for kind, own in reversed(kinds.items())
    )


def names() -> tuple[str, ...]:
    """Everything that can be explained, values of facets left out."""
    return (FACETS, *facets(), *_others())


def _others() -> tuple[str, ...]:
    return tuple(name for own in other.names().values() for name in own)


def _near(name: str, functions: Iterable[str]) -> list[str]:
    """The facet values of that very name, else the nearest names."""
    of_facets = [f"{f.name}={v.name}" for f in facets().values() for v in f.values if v.name == name]
    return of_facets or other.nearest(name, [*names(), *explain_cases.names(), *functions])


def _found(facet: Facet, value: str) -> Value:
    try:
        return facet.value(value)
    except KeyError as error:
        near = difflib.get_close_matches(value, [v.name for v in facet.values], n=1)
        raise KeyError(f"{error.args[0]}{f'; did you mean {facet.name}={near[0]}?' if near else ''}") from None


def _list() -> Iterator[str]:
    yield "facets: the questions about a loss that verify answers and compares"
    for edge in (False, True):
        yield ""
        if edge:
            yield from _filled("Edge facets, which are reported but do not by themselves make two losses different:")
            yield ""
        for facet in (f for f in facets().values() if f.edge == edge):
            yield f"{facet.name:<21}{facet.asks}"
            yield from _filled(", ".join(v.name for v in facet.values), indent=21)
    yield ""
    yield from _filled(
        "The first value is the default. More: `lossvet explain FACET` or `lossvet explain FACET=VALUE`."
    )


def _facet(facet: Facet) -> Iterator[str]:
    yield f"{facet.name}: {'an edge facet' if facet.edge else 'a facet'}"
    yield ""
    yield from _filled(facet.asks)
    for value in facet.values:
        yield ""
        yield f"{facet.name}={value.name}{', the default' if value.name == facet.default else ''}"
        yield from _words(value, indent=4)
    yield from _example(facet, shown=None)
    if facet.numbers:
        yield ""
        yield from _filled(f"Its numbers in a contract: {', '.join(facet.numbers)}.")
    yield ""
    yield from _filled(LETTERS)


def _value(facet: Facet, value: Value) -> Iterator[str]:
    default = ", the default" if value.name == facet.default else f"; the default is {facet.default}"
    yield f"{facet.name}={value.name}: a value of a facet{default}"
    yield ""
    yield from _filled(facet.asks)
    yield ""
    yield from _words(value, indent=0)
    if facet.example is not None and value.name in facet.example.losses:
        yield from _example(facet, shown={facet.default, value.name})
    yield ""
    yield from _filled(LETTERS)


def _words(value: Value, indent: int) -> Iterator[str]:
    yield from _filled(f"The loss {value.says}.", indent)
    yield from _filled(f"Training: {value.training}", indent)
    yield from _filled(f"To write it: {value.change}", indent)


def _example(facet: Facet, shown: set[str] | None) -> Iterator[str]:
    """The batch, and a line for each of the values `shown`, or for all that the example has."""
    example = facet.example
    if example is None:
        return
    yield ""
    yield from _batch(example)
    for value, loss in example.losses.items():
        if shown is None or value in shown:
            yield f"            {value:<20}{loss:>12.6f}"


def _batch(example: Example) -> Iterator[str]:
    predictions = str(example.settings.get("input", "logits")).replace("_", "-")
    yield f"example     {predictions} {_numbers(example.logits)}, labels {_numbers(example.labels)}"
    given = [f"{role} {_numbers(weights)}" for role, weights in example.weights.items()]
    given += [f"{name} {_setting(setting)}" for name, setting in example.settings.items() if name != "input"]
    if given:
        yield from _filled(", ".join(given), indent=12)


def _setting(setting: Setting) -> str:
    return ", ".join(str(s) for s in setting) if isinstance(setting, tuple) else _numbers(setting)


def _numbers(array: object) -> str:
    """Nested tuples as lists, and whole numbers without a point."""
    if isinstance(array, tuple):
        return f"[{', '.join(_numbers(a) for a in array)}]"
    return f"{array:g}" if isinstance(array, float) else str(array)


def _filled(text: str, indent: int = 0) -> Iterable[str]:
    """Lines of at most WIDTH; code between backticks is not broken."""
    whole = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
    prefix = " " * indent
    lines = textwrap.wrap(
        whole, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
