"""One result that a loss is asked for, as a value: its value, a gradient of it, or a Hessian product.

Files, messages and the command line spell it: "loss/mean", "gradient/none/logits", "hvp". It is parsed and spelled here
and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from lossvet.reference.reductions import REDUCTIONS, Reduction

Kind = Literal["loss", "gradient", "hvp"]


@dataclass(frozen=True, order=True)
class Output:
    """`reduction` is that of the loss; `leaf` the input in which it is differentiated, empty for the loss itself.

    The gradient of "none" is that of sum(cotangent * loss), and "hvp" the Hessian of that sum, in the logits, times the
    direction. They sort by kind, then by reduction, then by leaf.
    """

    kind: Kind
    reduction: Reduction = "none"
    leaf: str = ""

    def __str__(self) -> str:
        match self.kind:
            case "loss":
                return f"loss/{self.reduction}"
            case "gradient":
                return f"gradient/{self.reduction}/{self.leaf}"
            case "hvp":
                return "hvp"


HVP = Output("hvp", "none", "logits")


def loss(reduction: Reduction) -> str:
    """The name of a loss."""
    return str(Output("loss", reduction))


def gradient(reduction: Reduction, leaf: str) -> str:
    """The name of a gradient."""
    return str(Output("gradient", reduction, leaf))


@cache
def parse(name: str) -> Output:
    """The output of this name. Raises ValueError where there is none."""
    reductions: dict[str, Reduction] = {str(reduction): reduction for reduction in REDUCTIONS}
    match name.split("/"):
        case ["loss", reduction] if reduction in reductions:
            return Output("loss", reductions[reduction])
        case ["gradient", reduction, leaf] if reduction in reductions and leaf:
            return Output("gradient", reductions[reduction], leaf)
        case ["hvp"]:
            return HVP
    raise ValueError(
        f"{name!r} is not an output; expected loss/REDUCTION, gradient/REDUCTION/LEAF or hvp, "
        f"with a REDUCTION of {', '.join(reductions)}"
    )
