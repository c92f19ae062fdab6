"""Recipes that are code of an adapter, lifted out of it by the syntax tree: what is printed is what was judged.

Such a recipe is a function of `adapters/NAME_recipes.py`, local to one that is given the framework's modules and
returns a table of recipes. Local functions become functions of a module that imports these; `params.x` becomes an
argument; what a recipe was made with stands in its place.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.util import find_spec

from lossvet import adapters
from lossvet.adapters import spelling
from lossvet.adapters.spelling import Dialect
from lossvet.verify.spelling.writer import tidy

LETTERS = {
    "class_weight": "w", "sample_weight": "v", "pos_weight": "q", "cost_matrix": "M", "label_smoothing": "a",
}  # fmt: skip
"""What a parameter is called as an argument: its own name may be that of a function."""
IGNORED = "ignore_index"
TYPES = ("__future__", "collections", "typing", "lossvet")
"""Packages that annotations are from, which are left out."""


@cache
def code(framework: str, variant: str, recipe: str) -> str:
    """The recipe as a module with a function `losses` of the rows and `loss`, its mean; empty where the adapter has no
    such code."""
    place = f"{adapters.__name__}.{framework}_recipes"
    if find_spec(place) is None or recipe.startswith("native"):
        return ""
    tree = ast.parse(inspect.getsource(importlib.import_module(place)))
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and recipe in function.name:
            found = _table(function).get(variant)
            if found is not None:
                return _Lift(tree, function, spelling.dialect(framework)).module(found)
    return ""


def _table(function: ast.FunctionDef) -> dict[str, ast.expr]:
    """The table that a function returns, by key."""
    match function.body[-1]:
        case ast.Return(value=ast.Dict(keys=keys, values=values)):
            pairs = zip(keys, values, strict=True)
            return {k.value: v for k, v in pairs if isinstance(k, ast.Constant) and isinstance(k.value, str)}
    return {}


@dataclass
class _Lift:
    """`written` are the definitions that the recipe needs, in the order in which they must stand."""

    tree: ast.Module
    function: ast.FunctionDef
    words: Dialect
    written: dict[str, ast.stmt] = field(default_factory=dict)

    def module(self, entry: ast.expr) -> str:
        losses = self._losses(entry)
        self._needs(losses)
        taken = [a.arg for a in losses.args.args]
        text = "\n\n\n".join(map(_unparsed, [*self.written.values(), losses]))
        call = f"losses({', '.join(taken)})"
        body = f"return {tidy(self.words.operations['mean'].format(x=call))}"
        if IGNORED in taken:
            kept = self.words.operations["differ"].format(a=taken[1], b=IGNORED)
            total = self.words.operations["sum"].format(x="rows")
            count = self.words.operations["count"].format(x=f"({kept})", like=taken[0])
            body = f"rows = {call}\n    return {tidy(f'{total} / {count}')}"
        text = f"{text}\n\n\ndef loss({', '.join(taken)}):\n    {body}\n"
        switch = [self.words.switch] if self.words.switch else []
        return "\n".join([*self._imports(text), *switch, "", "", text])

    def _losses(self, entry: ast.expr) -> ast.FunctionDef:
        """The call of a row of the table, as a function of its inputs and of the parameters that it reads."""
        call, given = self._call(entry)
        arguments = [a.arg for a in call.args.args]
        inputs, params = arguments[:2], arguments[2]
        body = [ast.Return(call.body)] if isinstance(call, ast.Lambda) else call.body
        found = [_Made(given, params).visit(copy.deepcopy(statement)) for statement in body]
        statements = [s for part in found for s in (part if isinstance(part, list) else [part])]
        read = {n.id for s in statements for n in ast.walk(s) if isinstance(n, ast.Name)}
        taken = [name for name in (*LETTERS.values(), IGNORED) if name in read]
        made = ast.FunctionDef("losses", _arguments([*inputs, *taken]), statements, [])
        return ast.fix_missing_locations(made)

    def _call(self, entry: ast.expr) -> tuple[ast.Lambda | ast.FunctionDef, dict[str, ast.expr]]:
        """The function of a `Native(function, ...)`, and what the local function that makes one was given."""
        assert isinstance(entry, ast.Call)
        made, given, near = entry, dict[str, ast.expr](), self._local
        if isinstance(entry.func, ast.Name) and entry.func.id in near:
            maker = near[entry.func.id]
            assert isinstance(maker, ast.FunctionDef)
            names = [a.arg for a in maker.args.args]
            given = dict(zip(names[::-1], maker.args.defaults[::-1], strict=False))
            given |= dict(zip(names, entry.args, strict=False)) | {k.arg or "": k.value for k in entry.keywords}
            (last,) = [s.value for s in maker.body if isinstance(s, ast.Return)]
            assert isinstance(last, ast.Call)
            made, near = last, {s.name: s for s in maker.body if isinstance(s, ast.FunctionDef)}
        first = made.args[0]
        if isinstance(first, ast.Lambda):
            return first, given
        assert isinstance(first, ast.Name)
        found = near[first.id]
        assert isinstance(found, ast.FunctionDef)
        return found, given

    def _needs(self, statement: ast.stmt) -> None:
        """Write what a statement reads of the function around it and of its module, and what that reads."""
        around = {**self._global, **self._local}
        own = {a.arg for n in ast.walk(statement) if isinstance(n, ast.arguments) for a in n.args}
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id in around and node.id not in own | self.written.keys():
                self.written[node.id] = around[node.id]  # before what it reads, lest it be met again
                self._needs(around[node.id])
                self.written[node.id] = self.written.pop(node.id)

    @cached_property
    def _local(self) -> dict[str, ast.stmt]:
        """What the function around the recipes defines, with its own arguments as what it is called with."""
        given = self._given()
        body = [_Renamed(given).visit(copy.deepcopy(s)) for s in self.function.body[:-1]]
        return {name: found for s in body for name, found in _defined(s) if not self._imported(found)}

    @cached_property
    def _global(self) -> dict[str, ast.stmt]:
        kinds = (ast.FunctionDef, ast.Assign)
        return {name: found for s in self.tree.body if isinstance(s, kinds) for name, found in _defined(s)}

    def _given(self) -> dict[str, ast.expr]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == self.function.name:
                return dict(zip([a.arg for a in self.function.args.args], node.args, strict=True))
        return {}

    def _imported(self, statement: ast.stmt) -> bool:
        """Whether it gives a module the name that it is imported under."""
        written = ast.unparse(statement)
        return any(written == f"{line.split()[-1]} = {line.split()[1]}" for line in self.words.imports)

    def _imports(self, text: str) -> Iterator[str]:
        """The imports of the framework and of the recipes' module that the text uses."""
        roots = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
        for statement in self.tree.body:
            match statement:
                case ast.Import(names=names) if used := [a for a in names if (a.asname or a.name) in roots]:
                    yield ast.unparse(ast.Import(used))
                case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] not in TYPES:
                    if used := [a for a in names if (a.asname or a.name) in roots]:
                        yield ast.unparse(ast.ImportFrom(module, used, 0))
        known = {line.split()[-1].split(".")[-1]: line for line in self.words.imports}
        modules = {n.id for call in self._given().values() for n in ast.walk(call) if isinstance(n, ast.Name)}
        yield from (known.get(name, f"import {name}") for name in sorted((modules | known.keys()) & roots))


def _defined(statement: ast.stmt) -> Iterator[tuple[str, ast.stmt]]:
    """What a statement defines, name by name."""
    match statement:
        case ast.FunctionDef(name=name):
            yield name, _bare(statement)
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            for target, value in zip(targets, values, strict=True):
                yield ast.unparse(target), ast.fix_missing_locations(ast.Assign([target], value, lineno=0))
        case ast.Assign(targets=[ast.Name(id=name)]):
            yield name, statement


def _bare(function: ast.FunctionDef) -> ast.FunctionDef:
    """The function without annotations."""
    found = copy.deepcopy(function)
    for node in ast.walk(found):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for a in (*node.args.args, node.args.vararg, node.args.kwarg):
                if a is not None:
                    a.annotation = None
    bare: ast.FunctionDef = _Renamed({}).visit(found)
    return bare


class _Renamed(ast.NodeTransformer):
    """Names as what they were given."""

    def __init__(self, given: Mapping[str, ast.expr]) -> None:
        self.given = given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self.given.get(node.id, node))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        assert node.value is not None
        return ast.Assign([node.target], self.visit(node.value), lineno=0)


class _Made(_Renamed):
    """What a recipe was made with in its place, choices by it made, and parameters as arguments."""

    def __init__(self, given: Mapping[str, ast.expr], params: str) -> None:
        super().__init__({k: v for k, v in given.items() if not isinstance(v, ast.Lambda)})
        self.functions = {k: v for k, v in given.items() if isinstance(v, ast.Lambda)}
        self.params = {params}

    def visit_Call(self, node: ast.Call) -> ast.expr:
        function = self.functions.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if function is None:
            return self.generic_visit(node)  # type: ignore[return-value]  # a call stays a call
        names = [a.arg for a in function.args.args]
        self.params.add(names[0])
        inner = _Renamed(dict(zip(names[1:], node.args[1:], strict=True))).visit(copy.deepcopy(function.body))
        found: ast.expr = self.visit(inner)
        return found

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id in self.params:
            return ast.Name(LETTERS.get(node.attr, node.attr), ast.Load())
        return self.generic_visit(node)  # type: ignore[return-value]  # an attribute stays one

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        test = self.visit(node.test)
        if isinstance(test, ast.Constant):
            chosen: ast.expr = self.visit(node.body if test.value else node.orelse)
            return chosen
        return self.generic_visit(node)  # type: ignore[return-value]  # a choice stays one


def _arguments(names: list[str]) -> ast.arguments:
    return ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])


def _unparsed(statement: ast.stmt) -> str:
    return ast.unparse(ast.fix_missing_locations(statement))
