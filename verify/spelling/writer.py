"""The function that is being written: its statements, and the operations of the framework that they are made of."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from lossvet.adapters.spelling import Dialect
from lossvet.verify.contract import Contract
from lossvet.verify.sources import SourceError


class Unspellable(SourceError):
    """A contract that cannot be written as code; the message is one sentence that names the facet."""

    def __init__(self, sentence: str) -> None:
        super().__init__("spell", sentence)


@dataclass
class Writer:
    """`sparse` says whether labels are [N] integers; `roles` which inputs the function takes. `x` names what the loss
    takes as logits, `given` the dense labels, `t` those that the terms are weighted by, `kept` the rows that count."""

    contract: Contract
    dialect: Dialect
    sparse: bool
    roles: tuple[str, ...]
    x: str = "logits"
    given: str = "labels"
    t: str = "labels"
    kept: str = ""
    weights: str = ""
    """The name of what a weighted mean divides by the sum of, [N] or [N, C]; empty where every weight is 1."""
    lines: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def binary(self) -> bool:
        return self.contract["family"] == "sigmoid"

    def op(self, name: str, *, like: str = "", **operands: object) -> str:
        """An operation as an expression that can stand anywhere; `like` is what the loss takes as logits."""
        written = self.dialect.operations[name].format(like=like or self.x, **operands)
        return f"({written})"

    def let(self, name: str, expression: str) -> str:
        """A statement `name = expression`; returns the name."""
        self.lines.append(f"{name} = {tidy(expression)}")
        return name

    def say(self, comment: str) -> None:
        self.lines.append(f"# {comment}")

    def remark(self, fact: str) -> None:
        """What this framework cannot do, where it has a sentence on that: in the code, and in the answer."""
        sentence = self.dialect.remarks.get(fact)
        if sentence is not None and sentence not in self.remarks:
            self.say(sentence)
            self.remarks.append(sentence)

    def check(self, bad: str, message: str) -> bool:
        """A statement that raises; False where the framework has none."""
        if not self.dialect.check:
            return False
        condition, _, rest = self.dialect.check.format(bad=tidy(bad), message=message).partition("\n")
        self.lines += [condition, *rest.splitlines()]
        return True

    def where(self, condition: str, a: str, b: str) -> str:
        return self.op("where", condition=condition, a=a, b=b)

    def returns(self, expression: str) -> None:
        self.lines.append(f"return {tidy(expression)}")


def tidy(expression: str) -> str:
    """The expression with the parentheses that it needs, and no others."""
    return ast.unparse(ast.parse(expression.strip(), mode="eval"))
