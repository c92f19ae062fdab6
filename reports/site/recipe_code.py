"""The code of a recipe, ready to paste: one whole function, with the reduction that was judged."""

from __future__ import annotations

import ast
import builtins

from lossvet.adapters import spelling
from lossvet.adapters.spelling import Dialect
from lossvet.reports.site import lifted, rosetta
from lossvet.reports.site.facts import Spelling
from lossvet.reports.site.listing import Link
from lossvet.reports.site.moves import unasked
from lossvet.verify.spelling.writer import tidy

ORDER = ("x", "logits", "t", "y", "labels", "class_weight", "w", "q", "pos_weight", "M", "cost_matrix", "v", "a")
"""In which the inputs of a call stand in the function around it; others after them."""


def code(s: Spelling) -> str:
    """A module with one function `loss`; empty where there is none to show: no dialect, or a formula in words."""
    if s.framework not in spelling.frameworks():
        return ""
    words = spelling.dialect(s.framework)
    if s.recipe == "composed":
        return composed(s.variant, s.framework) if words.ops else ""
    return lifted.code(s.framework, s.variant, s.recipe) or _called(s, words)


def linked(s: Spelling, text: str, page: str = "") -> Link | str:
    """The text as a link to the code of a recipe on the page of its variant; bare where there is none to show."""
    return Link(text, f"{page}#code-{s.framework}-{s.recipe}") if code(s) else text


def composed(variant: str, framework: str) -> str:
    """The recipe made of operations, then its plain mean."""
    text, words = rosetta.code(variant, framework), spelling.dialect(framework)
    (function,) = [f for f in ast.parse(text).body if isinstance(f, ast.FunctionDef) and f.name == "losses"]
    taken = ", ".join(a.arg for a in function.args.args)
    mean = tidy(words.operations["mean"].format(x=f"losses({taken})"))
    return f"{text.rstrip()}\n\n\ndef loss({taken}):\n    return {mean}\n"


def _called(s: Spelling, words: Dialect) -> str:
    """The call of the framework's own function, with its reduction, or the mean of it where it has none."""
    try:
        *before, last = ast.parse(s.spelling).body
    except SyntaxError:
        return ""
    if not isinstance(last, ast.Expr):
        return ""
    modules = {line.split()[-1].split(".")[-1] for line in words.imports}
    call = ast.unparse(last.value)
    stored = {n.id for b in before for n in ast.walk(b) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    known = stored | modules | set(vars(builtins)) | {"C", "N"}
    roots = {n.value.id for n in ast.walk(last) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)}
    names = {n.id for b in (*before, last) for n in ast.walk(b) if isinstance(n, ast.Name)}
    foreign = [root for root in sorted(roots - known) if root not in ORDER]  # packages of losses
    taken = sorted(names - known - set(foreign), key=lambda n: (ORDER.index(n) if n in ORDER else len(ORDER), n))
    sizes = [f"C = {words.operations['classes_size'].format(x=taken[0])}"] if "C" in names else []
    result = call if unasked(s) else tidy(words.operations["mean"].format(x=f"({call})"))
    body = "\n    ".join([*sizes, *map(ast.unparse, before), f"return {result}"])
    imports = [*(f"import {name}" for name in foreign), *(line for line in words.above(result) if _used(line, body))]
    switch = [words.switch] if words.switch else []
    return "\n".join([*imports, *switch, "", "", f"def loss({', '.join(taken)}):", f"    {body}", ""])


def _used(line: str, code: str) -> bool:
    return f"{line.split()[-1].split('.')[-1]}." in code
