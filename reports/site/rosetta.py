"""How a loss is written in each framework, made from the source that is judged, so that it cannot drift from it.

A composed recipe is a function over `ops` (reference/variants/NAME.py); every operation is a method of an adapter's
class. Here the methods' own expressions are put in the place of the calls, and what is left is code of that framework.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

from lossvet.adapters import reduced, spelling
from lossvet.adapters.spelling import Dialect
from lossvet.reference import composed, variants

INFINITY = float("inf")


@cache
def code(variant: str, framework: str) -> str:
    """The unreduced loss as a function `losses` of logits, labels and the variant's own arrays and numbers; before it,
    where it has such, the `weights` of its rows, by whose sum a mean may divide.

    Raises KeyError for a framework without a dialect, ValueError for one whose recipes are not composed of operations.
    """
    language, found = spelling.dialect(framework), variants.load(variant)
    writer = _Writer(language, {found.weights: "weights"})
    losses = writer.function(found.losses, "losses")
    if found.weights is not None:
        writer.helper(found.weights)
    return _text(language, [*writer.written.values(), losses])


@cache
def reductions(framework: str) -> str:
    """How rows are left out and losses are reduced, as functions to paste. Raises KeyError as `code` does."""
    language = spelling.dialect(framework)
    writer = _Writer(language, {})
    main = [writer.function(function, function.__name__) for function in reduced.SPELLED]
    return _text(language, [*writer.written.values(), *main])


def _text(language: Dialect, functions: Sequence[ast.FunctionDef]) -> str:
    text = "\n\n\n".join(map(ast.unparse, functions))
    switch = [language.switch] if language.switch else []
    return "\n".join([*language.above(text), *switch, "", "", text, ""])


@dataclass
class _Writer:
    """Translates functions; `written` holds the helpers that they call, in the order in which they must stand. `names`
    are of those that users call too."""

    language: Dialect
    names: Mapping[Any, str]
    written: dict[str, ast.FunctionDef] = field(default_factory=dict)

    def function(self, function: Any, name: str) -> ast.FunctionDef:
        """A function over `ops` as one without: it takes what it needs of `params` as arguments of its own."""
        source = _source(function)
        arguments = [a.arg for a in source.args.args if a.arg not in ("ops", "params")]
        body = [_Translate(self, function).visit(statement) for statement in _body(source)]
        return _define(name, [*arguments, *taken(function)], body)

    def helper(self, function: Any) -> str:
        # not as in the source: there, a local variable may be called as the function is
        name = self.names.get(function) or f"_{function.__name__.lstrip('_')}"
        if name not in self.written:
            self.written[name] = self.function(function, name)
        return name

    def operation(self, name: str, arguments: list[ast.expr]) -> ast.expr:
        """A call of an operation: its expression with the arguments in place, or a call of a helper where it is more
        than one."""
        source = _source(getattr(self.language.operations_class(), name))
        names = [a.arg for a in source.args.args[1:]]
        defaults = dict(zip(names[::-1], source.args.defaults[::-1], strict=False))
        body = _body(source)
        spelled = _Spell(self.language.fields, {})
        match body:
            case [ast.Return(value=ast.expr() as value)]:
                given = {**defaults, **dict(zip(names, arguments, strict=False))}
                found: ast.expr = _Spell(self.language.fields, given).visit(value)
                return found
        own = f"_{name}"
        if own not in self.written:
            self.written[own] = _define(own, names, [spelled.visit(statement) for statement in body])
        return ast.Call(ast.Name(own), arguments, [])


class _Translate(ast.NodeTransformer):
    """Operations spelled out, `params.x` as x, constants as their values, and other functions as helpers."""

    def __init__(self, writer: _Writer, function: Any) -> None:
        self._writer, self._function = writer, function
        self._names = {k: v for k, v in function.__globals__.items() if isinstance(v, FunctionType | ModuleType)}
        self._constants = {k: v for k, v in function.__globals__.items() if isinstance(v, float)}

    def visit_Call(self, node: ast.Call) -> ast.expr:
        match node.func:
            case ast.Attribute(value=ast.Name(id="ops"), attr=name):
                return self._writer.operation(name, [self.visit(a) for a in node.args])
            case ast.Attribute(value=ast.Name(id="composed"), attr=name):
                return self._helper(getattr(composed, name), node)
            case ast.Name(id=name) if name in self._names:
                return self._helper(self._names[name], node)
        return ast.Call(self.visit(node.func), [self.visit(a) for a in node.args], node.keywords)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == "params":
            return ast.Name(node.attr)
        return ast.Attribute(self.visit(node.value), node.attr)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        match node:
            case ast.UnaryOp(op=ast.USub(), operand=ast.Name(id=name)) if abs(self._constants.get(name, 0)) == INFINITY:
                return ast.parse(f"float('{-self._constants[name]}')", mode="eval").body
        return ast.UnaryOp(node.op, self.visit(node.operand))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self._constants:
            return node
        value = self._constants[node.id]
        return ast.parse(f"float('{value}')" if abs(value) == INFINITY else repr(value), mode="eval").body

    def _helper(self, function: Any, node: ast.Call) -> ast.expr:
        given = [a for a in node.args if not (isinstance(a, ast.Name) and a.id in ("ops", "params"))]
        own = [ast.Name(name) for name in taken(function)]
        return ast.Call(ast.Name(self._writer.helper(function)), [*map(self.visit, given), *own], [])


class _Spell(ast.NodeTransformer):
    """`self.field` as users call it, and arguments in the place of their names."""

    def __init__(self, fields: Mapping[str, str], given: Mapping[str, ast.expr]) -> None:
        self._fields, self._given = fields, given

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return ast.parse(self._fields[node.attr], mode="eval").body
        return ast.Attribute(self.visit(node.value), node.attr)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Without an axis of None, which nobody writes."""
        call = ast.Call(self.visit(node.func), [self.visit(a) for a in node.args], [])
        given = [ast.keyword(k.arg, self.visit(k.value)) for k in node.keywords]
        call.keywords = [k for k in given if not _is_none(k.value)]
        while call.args and _is_none(call.args[-1]):
            call.args.pop()
        return call

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._given.get(node.id, node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        match node.op, operand:
            case ast.USub(), ast.UnaryOp(op=ast.USub(), operand=twice):  # - -x
                return twice
        return ast.UnaryOp(node.op, operand)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


@cache
def taken(function: Any) -> tuple[str, ...]:
    """What a function takes of `params`, itself or through those to which it hands them on, in order."""
    found: dict[str, None] = {}
    for node in ast.walk(_source(function)):
        match node:
            case ast.Attribute(value=ast.Name(id="params"), attr=name):
                found[name] = None
            case ast.Call(func=ast.Name(id=name), args=args) if any(
                isinstance(a, ast.Name) and a.id == "params" for a in args
            ):
                found |= dict.fromkeys(taken(function.__globals__[name]))
    return tuple(sorted(found))


def _source(function: Any) -> ast.FunctionDef:
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(found, ast.FunctionDef)
    return found


def _body(function: ast.FunctionDef) -> list[ast.stmt]:
    """The statements without the docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def _define(name: str, arguments: list[str], body: list[ast.stmt]) -> ast.FunctionDef:
    args = ast.arguments([], [ast.arg(a) for a in arguments], None, [], [], None, [])
    return ast.fix_missing_locations(ast.FunctionDef(name, args, body, []))
