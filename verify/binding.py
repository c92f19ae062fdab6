"""How a user loss might be called: its parameters, bound to roles by name, otherwise by position.

A signature gives a list of plausible bindings, the likeliest first; `probing` finds out which of them can be called. A
role is handed over in a layout: logits as [N, C] ("nc"), or of a binary loss as [N, 1] ("n1") or [N] ("n"), where C is
1; labels and weights likewise ("" as the role has it, "n1", "n", "nc" repeated over the classes, "scalar").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from lossvet.verify.answer import Binding


class Options(msgspec.Struct, frozen=True):
    """What the caller says of a loss, and what need not be found out. All of it may be left out.

    `bind`: by role, the parameter ("logits": "prediction"). `labels`: "dense" or "sparse". `classes`: how many there
    have to be. `init`: arguments of a class's constructor, or fixed ones of a function, as `parse_init` reads them.
    `mode`: how the framework runs it ("eager", "jit", ...), its usual one where empty.
    """

    bind: dict[str, str] = {}
    labels: str = ""
    classes: int = 0
    init: str = ""
    mode: str = ""


@dataclass(frozen=True)
class Role:
    """An argument that has a role. `how` says what bound it: "name", "position", "probing", "given" or "init"."""

    parameter: str
    role: str
    layout: str = ""
    how: str = "name"
    by_position: bool = False
    """Whether it is handed over by its place, and not by the name of the parameter."""


@dataclass(frozen=True)
class Constant:
    """An argument that is the same in every call; with `size`, "classes" and "batch" stand for C and N of the call."""

    parameter: str
    value: Any
    how: str = "name"
    size: bool = False
    by_position: bool = False


Argument = Role | Constant


@dataclass(frozen=True)
class Plan:
    """One way of calling a loss: what it is made with, if it is a class or a maker, and what it is called with."""

    name: str
    arguments: tuple[Argument, ...]
    labels: str
    logits_layout: str = "nc"
    made_with: tuple[Argument, ...] | None = None
    unused: tuple[str, ...] = ()
    classes: int = 0
    """The one C that it takes, 0 for any."""
    strange_labels: tuple[int, ...] = ()

    @property
    def all(self) -> tuple[Argument, ...]:
        return (*(self.made_with or ()), *self.arguments)

    @property
    def extra_parameters(self) -> tuple[str, ...]:
        """Those that have a role beside logits and labels."""
        return tuple(a.parameter for a in self.all if isinstance(a, Role) and a.role not in ("logits", "labels"))

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(a.role for a in self.all if isinstance(a, Role))

    @property
    def layouts(self) -> dict[str, str]:
        """By role, how its argument is laid out."""
        return {a.role: a.layout for a in self.all if isinstance(a, Role)}

    def call(self) -> str:
        """As a reader would write it, with the roles for values: "f(pred, target, weight=class_weight)"."""
        binary = self.logits_layout != "nc"
        made, called = ([_written(a, binary) for a in part] for part in (self.made_with or (), self.arguments))
        maker = "" if self.made_with is None else f"({', '.join(made)})"
        return f"{self.name}{maker}({', '.join(called)})"

    def binding(self) -> Binding:
        bound = [a for a in self.all if isinstance(a, Role)]
        return Binding(
            call=self.call(),
            roles={a.role: a.parameter for a in bound},
            how={a.role: a.how for a in bound},
            labels=self.labels,
            unused=self.unused,
            strange_labels=self.strange_labels,
            layout=self.logits_layout,
            classes=self.classes,
            scalars=tuple(a.role for a in bound if a.layout == "scalar"),
        )


def _written(argument: Argument, binary: bool) -> str:
    match argument:
        case Role(role=role, layout=layout):
            columns = layout == "n1" and role != "logits" and not (role == "labels" and binary)
            value = role + ("[:, None]" if columns else "")
            if layout == "nc" and role not in ("logits", "labels"):
                value = f"broadcast_to({role}[:, None], (N, C))"
        case Constant(value=value, size=size):
            value = {"classes": "C", "batch": "N"}[value] if size else repr(value)
    return value if argument.by_position else f"{argument.parameter}={value}"
