"""Where a loss comes from: the specifications that the command line takes, and the function that one of them names.

    FRAMEWORK:path/file.py::name        a function or class in a file; a dotted name reaches into a class
    FRAMEWORK:package.module:name       the same by import, from the current directory or what is installed
    variant:NAME?facet=value&...        the reference itself
    recipe:FRAMEWORK/VARIANT/RECIPE     a recipe of an adapter
    path.contract.toml                  a contract that was written to a file

Parsing looks at nothing but the text, so that it costs no import; `verify.loading` finds what a specification names.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lossvet import adapters
from lossvet.adapters import unloaded
from lossvet.reference import variants

CONTRACT_SUFFIX = ".contract.toml"

Kind = Literal[
    "spec", "framework", "file", "syntax", "import", "name", "not_callable", "init", "binding", "exit", "hang",
    "memory", "died", "spell", "nan",
]  # fmt: skip
USAGE: tuple[Kind, ...] = ("spec", "file", "syntax", "name", "not_callable", "init", "binding")
"""Refusals that the caller mends by another command line or file: exit code 2. The others leave nothing to judge: 3."""


class SourceError(Exception):
    """Why a loss cannot be had: one sentence or two, with what to do. `kind` says which of the refusals it is."""

    def __init__(self, kind: Kind, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sentence = sentence

    @property
    def exit_code(self) -> int:
        return 2 if self.kind in USAGE else 3


@dataclass(frozen=True)
class FileSource:
    """`FRAMEWORK:path::name`."""

    framework: str
    path: str
    name: str

    def __str__(self) -> str:
        return f"{self.framework}:{self.path}::{self.name}"


@dataclass(frozen=True)
class ModuleSource:
    """`FRAMEWORK:module:name`."""

    framework: str
    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.framework}:{self.module}:{self.name}"


@dataclass(frozen=True)
class VariantSource:
    """`variant:NAME?facet=value&...`; the settings as they stand there, in order."""

    variant: str
    settings: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        settings = "&".join(f"{facet}={value}" for facet, value in self.settings)
        return f"variant:{self.variant}{'?' if settings else ''}{settings}"


@dataclass(frozen=True)
class RecipeSource:
    """`recipe:FRAMEWORK/VARIANT/RECIPE`."""

    framework: str
    variant: str
    recipe: str

    @property
    def name(self) -> str:
        return self.recipe

    def __str__(self) -> str:
        return f"recipe:{self.framework}/{self.variant}/{self.recipe}"


@dataclass(frozen=True)
class ContractSource:
    """A path that ends in `.contract.toml`."""

    path: str

    def __str__(self) -> str:
        return self.path


FunctionSource = FileSource | ModuleSource
Source = FunctionSource | VariantSource | RecipeSource | ContractSource

FORMS = (
    "FRAMEWORK:path/file.py::name, FRAMEWORK:package.module:name, variant:NAME, recipe:FRAMEWORK/VARIANT/RECIPE "
    "or a file that ends in .contract.toml"
)


def frameworks() -> tuple[str, ...]:
    """Those whose functions can be given: every adapter, and NumPy, which has none and no gradients."""
    return tuple(sorted({*adapters.names(), "numpy"}))


def parse(spec: str) -> Source:
    """The source that a specification names. Raises SourceError (kind "spec") where it is none."""
    if spec.endswith(CONTRACT_SUFFIX):
        return ContractSource(spec)
    head, colon, rest = spec.partition(":")
    if not colon or not rest:
        raise SourceError("spec", f"{spec!r} is not a loss; expected {FORMS}")
    if head == "variant":
        return _variant(rest)
    if head == "recipe":
        return _recipe(rest)
    if head not in frameworks():
        raise SourceError("spec", f"no such framework: {head!r}{near(head, frameworks())}; in {spec!r}")
    path, two, name = rest.rpartition("::")
    if two:
        source: FunctionSource = FileSource(head, path, name)
        if not path.endswith(".py"):
            raise SourceError("spec", f"{path!r} does not end in .py; expected FRAMEWORK:path/file.py::name")
    else:
        module, _, name = rest.rpartition(":")
        source = ModuleSource(head, module, name)
        if not module:
            path = rest if rest.endswith(".py") else "package.module"
            form = f"{head}:{path}::name" if rest.endswith(".py") else f"{head}:package.module:name"
            raise SourceError("spec", f"{spec!r} does not name a function; write {form}")
        if module.endswith(".py") or "/" in module:
            raise SourceError("spec", f"{module!r} is a file: write {head}:{module}::{name}, with two colons")
        if not all(part.isidentifier() for part in module.split(".")):
            raise SourceError("spec", f"{module!r} is not the name of a module; expected {head}:package.module:name")
    if not all(part.isidentifier() for part in name.split(".")):
        raise SourceError("spec", f"{name!r} is not the name of a function; expected {FORMS}")
    return source


def near(name: str, names: Iterable[str], all_up_to: int = 8) -> str:
    """ " (did you mean ...?)" with what is spelled alike; else all of them where they are few; else nothing."""
    choices = sorted(set(names))
    lowered = {choice.lower(): choice for choice in choices}
    alike = [lowered[n] for n in difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.6)]
    alike += [c for c in choices if name and c not in alike and (name.lower() in c.lower())][: 3 - len(alike)]
    if alike:
        return f" (did you mean {' or '.join(alike)}?)"
    if 0 < len(choices) <= all_up_to:
        return f" (there {'is' if len(choices) == 1 else 'are'}: {', '.join(choices)})"
    return ""


def _variant(rest: str) -> VariantSource:
    name, _, query = rest.partition("?")
    if name not in variants.names():
        raise SourceError("spec", f"no such variant: {name!r}{near(name, variants.names(), 20)}")
    settings = []
    for part in filter(None, query.split("&")):
        facet, equals, value = part.partition("=")
        if not equals or not facet or not value:
            raise SourceError("spec", f"{part!r} is not facet=value; expected variant:{name}?denominator=weights")
        settings.append((facet, value))
    return VariantSource(name, tuple(settings))


def _recipe(rest: str) -> RecipeSource:
    parts = rest.split("/")
    if len(parts) != 3 or not all(parts):
        raise SourceError("spec", f"recipe:{rest} is not a recipe; expected recipe:FRAMEWORK/VARIANT/RECIPE")
    framework, variant, recipe = parts
    if framework not in adapters.names():
        raise SourceError("spec", f"no such framework: {framework!r}{near(framework, adapters.names())}")
    if variant not in variants.names():
        raise SourceError("spec", f"no such variant: {variant!r}{near(variant, variants.names(), 20)}")
    known = recipe_names(framework, variant)
    if known and recipe not in known:
        raise SourceError("spec", f"{framework} has no recipe {variant}/{recipe}{near(recipe, known)}")
    return RecipeSource(framework, variant, recipe)


def recipe_names(framework: str, variant: str) -> tuple[str, ...]:
    """The recipes of a variant in an adapter, without its framework; none where the adapter does not tell."""
    natives = unloaded.natives(framework)
    return () if natives is None else ("composed", *natives.get(variant, ()))
