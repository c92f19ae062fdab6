"""From the name of a framework's function, as its users write it, to the variants that it computes."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from lossvet import adapters
from lossvet.adapters import spelling, unloaded
from lossvet.adapters.types import Native
from lossvet.workers.messages import NativeSpec

LETTERS = frozenset("xtywvqMaNC")
"""What spellings call their inputs: methods of these are no functions."""


@dataclass(frozen=True)
class Spelled:
    """A recipe of a framework that calls its functions. `calls` are their full names, the outermost first."""

    framework: str
    variant: str
    recipe: str
    native: Native | NativeSpec
    calls: tuple[str, ...]

    @property
    def own(self) -> bool:
        """Whether it is the framework's function, and not code around one."""
        return self.recipe.startswith("native")


def spelled(frameworks: Iterable[str] | None = None) -> Iterator[Spelled]:
    """Every recipe of these adapters, of all for None, that is spelled as Python; no framework is imported."""
    for framework in adapters.names() if frameworks is None else frameworks:
        yield from of(framework, unloaded.natives(framework) or {})


def of(framework: str, natives: Mapping[str, Mapping[str, Native] | Mapping[str, NativeSpec]]) -> Iterator[Spelled]:
    """The recipes among these that are spelled as Python: a formula in words has no function to be found by."""
    for variant, recipes in natives.items():
        for recipe, native in recipes.items():
            if calls := tuple(dict.fromkeys(full(framework, name) for name in called(native.spelling))):
                yield Spelled(framework, variant, recipe, native, calls)


def called(code: str) -> Iterator[str]:
    """The dotted names that code calls, outermost first; none where it is no Python."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = ast.unparse(node.func)
            if all(part.isidentifier() for part in name.split(".")) and name.partition(".")[0] not in LETTERS:
                yield name


def full(framework: str, name: str) -> str:
    """The name with the module in the place of what its users import it as: F.x is torch.nn.functional.x."""
    first, dot, rest = name.partition(".")
    return f"{_aliases(framework).get(first, first)}{dot}{rest}"


def _aliases(framework: str) -> dict[str, str]:
    if framework not in spelling.frameworks():
        return {}
    lines = [line.split() for line in spelling.dialect(framework).imports]
    return {words[3]: words[1] for words in lines if words[0] == "import" and words[2:3] == ["as"]}


def imported(name: str, importing: Callable[[str], None]) -> list[Spelled]:
    """`matching` among adapters whose losses cannot be read without their framework: each is imported, after
    `importing` was called with its name. Those that are not installed have none."""
    found: list[Spelled] = []
    for framework in adapters.names():
        if unloaded.natives(framework) is None:
            importing(framework)
            with contextlib.suppress(ImportError):
                found += of(framework, adapters.load(framework).native)
    return matching(name, found)


def matching(name: str, among: Iterable[Spelled]) -> list[Spelled]:
    """Those whose function has this name: its full name or the end of it, with or without arguments; the frameworks'
    own first."""
    bare = name.strip().partition("(")[0].strip()
    found = [one for one in among if any(_ends(known, full(one.framework, bare)) for known in _names(one))]
    return sorted(found, key=lambda one: not one.own)


def _names(one: Spelled) -> Iterator[str]:
    """What it can be found by: code around functions by each of them, a framework's own by its function alone."""
    yield from one.calls[:1] if one.own else one.calls
    yield from (full(one.framework, also) for also in (one.native.also if isinstance(one.native, Native) else ()))


def _ends(known: str, name: str) -> bool:
    parts, wanted = known.casefold().split("."), name.casefold().split(".")
    return bool(name) and parts[-len(wanted) :] == wanted


def names(among: Iterable[Spelled]) -> set[str]:
    """What functions are called, without their modules."""
    return {name.rpartition(".")[2] for one in among if one.own for name in _names(one)}
