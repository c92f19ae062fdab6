"""The text of --init: arguments as they would be written in a call, read and never evaluated."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from lossvet.verify.questions import ROLES
from lossvet.verify.sources import SourceError, near

EXPECTED = "expected literals and @roles, as in 'weight=@class_weight, reduction=\"sum\"'"
ANY_WEIGHT = "weights"
"""Weights of a kind that is to be found out: what a caller may say for a role, after the @ and in --bind."""
IGNORE_INDEX = "ignore_index"
"""After the @: the label that is left out, which is -100."""


@dataclass(frozen=True)
class Marker:
    """@role: the argument has this role."""

    role: str


def parse_init(text: str) -> dict[str, Any]:
    """Arguments by name from text such as 'weight=@weights, reduction="sum"': literals, and a Marker for each @role.

    Arguments without a name have the keys "0", "1"... Nothing is evaluated. Raises SourceError (kind "init").
    """
    marked, quote = [], ""
    for character in text:  # an @ outside of a string stands for a role, which Python's grammar has no word for
        quote = "" if character == quote else character if not quote and character in "'\"" else quote
        marked.append("_role_." if character == "@" and not quote else character)
    try:
        call = ast.parse(f"f({''.join(marked)})", mode="eval").body
    except SyntaxError as error:
        raise SourceError("init", f"{text!r} cannot be read: {error.msg}; {EXPECTED}") from None
    assert isinstance(call, ast.Call), "f(...) is a call"
    found: dict[str, Any] = {str(i): _literal(node, text) for i, node in enumerate(call.args)}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise SourceError("init", f"{text!r} contains **; {EXPECTED}")
        found[keyword.arg] = _literal(keyword.value, text)
    return found


def _literal(node: ast.expr, text: str) -> Any:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "_role_":
        return Marker(role_named(node.attr))
    try:
        return ast.literal_eval(node)
    except ValueError:
        words = ast.unparse(node).replace("_role_.", "@")
        raise SourceError(
            "init", f"{words} in {text!r} is not a literal, and names are not evaluated; {EXPECTED}"
        ) from None


def role_named(name: str) -> str:
    """The name, where it is that of a role, ANY_WEIGHT or IGNORE_INDEX. Raises SourceError (kind "init")."""
    if name not in (*ROLES, ANY_WEIGHT, IGNORE_INDEX):
        raise SourceError("init", f"no such role: {name!r}{near(name, (*ROLES, ANY_WEIGHT, IGNORE_INDEX), 20)}")
    return name
