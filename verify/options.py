"""The options about the two sides of a comparison, and about what counts as a difference."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from lossvet.verify.questions import ROLES

DTYPES = ("float64", "float32", "bfloat16", "float16")
TIMEOUT = 60.0
"""Seconds that one answer of a side may take, imports included."""


class SideOptions(msgspec.Struct, frozen=True):
    """What was said about one side; an empty value means that nothing was said.

    `bind` names the parameter of a role, `init` holds the arguments of a class's constructor as Python source
    ('weight=@class_weight, reduction="sum"'), `python` an interpreter, `search` folders to put first on its sys.path.
    """

    bind: dict[str, str] = {}
    init: str = ""
    python: str = ""
    mode: str = ""
    dtype: str = ""
    search: tuple[str, ...] = ()


class Options(msgspec.Struct, frozen=True):
    """`batch` is the caller's own batch by role, float64 or int64 arrays; `classes` 0 where it was not given; `base`
    the git revision at which the source is taken, for a replay."""

    source: SideOptions = SideOptions()
    target: SideOptions = SideOptions()
    labels: Literal["", "dense", "sparse"] = ""
    classes: int = 0
    timeout: float = TIMEOUT
    base: str = ""
    batch: dict[str, Any] | None = None


def bindings(values: Iterable[str], option: str) -> dict[str, str]:
    """The parameter by role, of values such as "logits=prediction", several in one by commas.

    Raises ValueError, naming the option, where one is not ROLE=PARAMETER, or names a role or a parameter twice.
    """
    found: dict[str, str] = {}
    for pair in (part.strip() for value in values for part in value.split(",")):
        role, equals, parameter = (part.strip() for part in pair.partition("="))
        if not (role and equals and parameter):
            raise ValueError(f"{option} {pair!r} is not ROLE=PARAMETER, as in logits=prediction")
        if role not in ROLES:
            near = difflib.get_close_matches(role, ROLES, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ValueError(f"{option} {pair!r}: no such role: {role!r}; {hint}The roles are: {', '.join(ROLES)}")
        if role in found:
            raise ValueError(f"{option} binds {role} twice, to {found[role]!r} and to {parameter!r}")
        if parameter in found.values():
            raise ValueError(f"{option} binds the parameter {parameter!r} to two roles")
        found[role] = parameter
    return found
