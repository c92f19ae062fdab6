"""What a framework's function computes in each of its calls: which variant belongs to which call."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from lossvet.adapters.spelling import title
from lossvet.conformance import apart, functions
from lossvet.conformance.functions import Spelled
from lossvet.reference import variants
from lossvet.reference.reductions import DIVISORS

WIDTH = 88
LETTERS = (
    "x logits; t labels [N, C]; y labels [N] of integers; w class weights [C]; v sample weights [N]; q pos_weight; "
    "M costs [C, C]; a label smoothing."
)


def text(name: str, found: Sequence[Spelled]) -> str:
    """The explanation of a function, under the name that it was looked up by."""
    own = [one for one in found if one.own] or list(found)
    titles = " and ".join(dict.fromkeys(title(one.framework) for one in own))
    lines = [f"{name.strip()}: {'a function' if own[0].own else 'called by recipes'} of {titles}", ""]
    for framework in dict.fromkeys(one.framework for one in own):
        lines += [title(framework), ""] if " and " in titles else []
        lines += _framework([one for one in own if one.framework == framework])
    hand = [one for one in found if not one.own]
    if hand and own[0].own:
        lines += ["Code around it, as usually written:", ""]
        lines += [line for one in hand for line in _one(one, ())]
    for group in apart.groups(one.variant for one in own):
        lines += ["Which is mine:", "", *(f"  {line}".rstrip() for line in apart.text(group, WIDTH - 2)), ""]
    lines += [*textwrap.wrap(LETTERS, WIDTH), ""]
    more = f"More: `lossvet explain {own[0].variant}`; `lossvet run --only {own[0].variant}` judges it."
    return "\n".join([*lines, *textwrap.wrap(more, WIDTH)])


def _framework(own: Sequence[Spelled]) -> Iterator[str]:
    """Every way to call it, then what holds for all of them."""
    facts = [list(_facts(one)) for one in own]
    shared = [fact for fact in facts[0] if len(own) > 1 and all(fact in others for others in facts)]
    for one in own:
        yield from _one(one, shared)
    if shared:
        yield from _indented(f"All of them: {'; '.join(shared)}.", "  ")
        yield ""


def _one(one: Spelled, shared: Sequence[str]) -> Iterator[str]:
    """A way to call it, the variant that this is, and what else there is to know."""
    variant = variants.load(one.variant)
    labels = "labels [N] of integers" if variant.family == "sparse" else "labels [N, C]"
    yield f"  {one.native.spelling}"
    yield from _indented(f"{one.variant}, {labels}: {variant.formula}", "      ")
    if facts := [fact for fact in _facts(one) if fact not in shared]:
        yield from _indented(f"{'; '.join(facts)}.", "      ")
    yield ""


def _facts(one: Spelled) -> Iterator[str]:
    """What its mean divides by, by default and otherwise; missing gradients; edge cases."""
    asked = {r: how for r, how in one.native.reductions.items() if r in DIVISORS}
    unasked = [DIVISORS[r] for r, how in asked.items() if not how]
    yield f"its mean divides by {unasked[0]}" if unasked else "it does not reduce"
    yield from (f"with {how} by {DIVISORS[r]}" for r, how in asked.items() if how)
    if one.native.no_gradient:
        yield f"it has no gradient into {', '.join(one.native.no_gradient)}"
    edges = one.native.edges
    if edges.get("zero_denominator") in ("zero", "nan"):
        gives = {"zero": "0, with gradients of 0", "nan": "NaN, with gradients of NaN"}
        yield f"where it would divide by 0, it gives {gives[edges['zero_denominator']]}"
    if "invalid_label" in edges:
        yield f"labels out of range: {edges['invalid_label']}"


def dividing(reduction: str) -> Iterator[str]:
    """The functions with this reduction, those that have it by default first: a line for each."""
    found: dict[tuple[str, str, str], None] = {}
    for one in functions.spelled():
        how = {str(r): asked for r, asked in one.native.reductions.items()}
        if one.own and reduction in how:
            function = one.native.spelling.partition("(")[0]
            found[how[reduction], title(one.framework), function] = None
    for asked, framework, function in sorted(found):
        yield f"{framework}: {function}{f' with {asked}' if asked else ' by default'}"


def _indented(words: str, indent: str) -> Iterable[str]:
    return textwrap.wrap(words, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
