"""A folder that shows a difference without lossvet: a script, the inputs and both recorded answers, and a README."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lossvet.verify.answer import Comparison, Identified
from lossvet.verify.hexes import shape
from lossvet.verify.options import SideOptions
from lossvet.verify.replay import Recorded

TEMPLATES = Path(__file__).with_name("templates")
SCRIPT, INPUTS, README = "show.py", "inputs.json", "README"
FREE = ("N", "C")
"""Names that a call may use beside its roles: the number of rows and of classes."""


class BundleError(ValueError):
    """The folder cannot be written as asked; the message says why."""


@dataclass(frozen=True)
class _Place:
    framework: str
    path: str
    module: str
    name: str


def frameworks() -> list[str]:
    """Those whose losses a bundle can run: each has a template."""
    return sorted(path.stem for path in TEMPLATES.glob("*.txt") if path.stem != "show")


def write(found: Comparison, record: Recorded, folder: Path) -> None:
    """Write the folder. Files of an earlier bundle are replaced. Raises BundleError, OSError."""
    if folder.exists() and any(p.name not in (SCRIPT, INPUTS, README) for p in folder.iterdir()):
        raise BundleError(f"--bundle {folder}: the folder holds other files; give a new or an empty folder")
    parts = {
        "old": _side("old", found.source, record.source, record.options.source, record, record.options.base),
        "new": _side("new", found.target, record.target, record.options.target, record, ""),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCRIPT).write_text(_script(record, parts, folder), encoding="utf-8")
    (folder / INPUTS).write_bytes(msgspec.json.format(msgspec.json.encode(_stored(record, parts)), indent=1) + b"\n")
    (folder / README).write_text(_readme(record, parts), encoding="utf-8")


@dataclass(frozen=True)
class _Side:
    """`why` says why the script does not run this side, else it is empty; `call` is the body of its function."""

    name: str
    spec: str
    why: str
    place: _Place | None = None
    call: str = ""
    dtype: str = ""
    python: str = ""
    flat: bool = False


def _side(name: str, side: Identified, spec: str, options: SideOptions, record: Recorded, base: str) -> _Side:
    place = _place(spec)
    if base:
        return _Side(name, f"{spec} at {base}", f"it is the loss at revision {base}; `git show` has it")
    if place is None:
        return _Side(name, spec, "it is a contract, not code; its result was computed by lossvet")
    if place.framework not in frameworks():
        return _Side(name, spec, f"{place.framework} has no template; there are: {', '.join(frameworks())}")
    call = _call(side, place)
    if call is None:
        return _Side(name, spec, "how it is called cannot be written as one expression")
    widest = side.binding.dtype if side.binding is not None else record.dtype
    dtype = options.dtype or (widest if record.dtype == "float64" else record.dtype)
    return _Side(name, spec, "", place, call, dtype, options.python, _flat(side))


def _flat(side: Identified) -> bool:
    """Whether the loss takes logits of shape [N], which are asked for as [N, 1]."""
    return side.binding is not None and side.binding.layout == "n"


def _place(spec: str) -> _Place | None:
    """Where a function is; None for contracts, variants and recipes."""
    framework, colon, rest = spec.partition(":")
    if not colon or spec.endswith(".toml") or framework in ("variant", "recipe"):
        return None
    path, two, name = rest.rpartition("::")
    if two:
        return _Place(framework, path, "", name)
    module, _, name = rest.rpartition(":")
    return _Place(framework, "", module, name)


def _call(side: Identified, place: _Place) -> str | None:
    """The call as code over the roles, with `loss` for the function; None where it is not such an expression."""
    if side.binding is None:
        return None
    named = next(
        (n for n in (place.name, place.name.rpartition(".")[2]) if side.binding.call.startswith(f"{n}(")), None
    )
    if named is None:
        return None
    call = f"loss{side.binding.call[len(named) :]}"
    try:
        names = {node.id for node in ast.walk(ast.parse(call, mode="eval")) if isinstance(node, ast.Name)}
    except SyntaxError:
        return None
    return call if names <= {"loss", *side.binding.roles, *FREE} else None


def _script(record: Recorded, sides: dict[str, _Side], folder: Path) -> str:
    used = sorted({side.place.framework for side in sides.values() if side.place is not None and not side.why})
    asks = [(TEMPLATES / f"{name}.txt").read_text(encoding="utf-8").rstrip() for name in used]
    text = (TEMPLATES / "show.txt").read_text(encoding="utf-8")
    for mark, words in {
        "@OLD@": _inert(sides["old"].spec),
        "@NEW@": _inert(sides["new"].spec),
        "@ROOT@": _literal(os.path.relpath(Path.cwd(), folder.resolve())),
        "@FRAMEWORKS@": "\n\n\n".join(asks),
        "@CALLS@": "\n\n\n".join(_function(side, record) for side in sides.values() if not side.why),
        "@SIDES@": "\n".join(_entry(side) for side in sides.values() if not side.why),
    }.items():
        text = text.replace(mark, words)
    return text


def _function(side: _Side, record: Recorded) -> str:
    names = ast.walk(ast.parse(side.call, mode="eval"))
    free = {node.id for node in names if isinstance(node, ast.Name)} & set(FREE)
    lines = ["    N, C = logits.shape"] if free else []
    if side.flat:  # a binary loss that takes [N]
        lines.append("    logits = logits[:, 0]")
        lines += ["    labels = labels[:, 0]"] if len(shape(record.inputs.get("labels"))) == 2 else []
    taken = ", ".join(["loss", *record.inputs])
    return "\n".join([f"def {side.name}({taken}):", *lines, f"    return {side.call}"])


def _entry(side: _Side) -> str:
    assert side.place is not None
    place = ", ".join(map(_literal, (side.place.path, side.place.module, side.place.name)))
    rest = f"{_literal(side.dtype)}, {_literal(side.python)}"
    return f"    {_literal(side.name)}: (ask_{side.place.framework}, {side.name}, ({place}), {rest}),"


def _literal(words: str) -> str:
    return ascii(words)


def _inert(words: str) -> str:
    """Text that cannot end a docstring."""
    return ascii(words)[1:-1].replace('"', "'")


def _stored(record: Recorded, sides: dict[str, _Side]) -> dict[str, Any]:
    return {
        "output": record.output,
        "inputs": record.inputs,
        "old": {"value": record.source_value, "error": record.source_error, **_named(sides["old"])},
        "new": {"value": record.target_value, "error": record.target_error, **_named(sides["new"])},
    }


def _named(side: _Side) -> dict[str, str]:
    return {"spec": side.spec.encode("utf-8", "replace").decode(), "why": side.why}


def _readme(record: Recorded, sides: dict[str, _Side]) -> str:
    return "\n".join(_readme_lines(record, sides)) + "\n"


def _readme_lines(record: Recorded, sides: dict[str, _Side]) -> Iterator[str]:
    yield f"An input on which two losses differ, in {record.output}."
    for name, side in sides.items():
        yield f"{name}: {_inert(side.spec)}{f' ({side.why})' if side.why else ''}"
    yield f"Run it: python {SCRIPT}   (needs the frameworks of both losses, and their files where they are now)"
    yield f"{INPUTS} holds the input and the results of both losses when this was written, floats as hex strings."
