"""NAME.contract.toml: the contract of a loss as a file that a project stores with the loss, and reviews."""

from __future__ import annotations

import difflib
import re
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lossvet
from lossvet.verify.answer import Identified
from lossvet.verify.contract import Contract, Setting, numbers
from lossvet.verify.contract_words import DEFAULT, told
from lossvet.verify.facets import facets

SUFFIX = ".contract.toml"
SCHEMA = 1
WIDTH = 100

VECTOR = "constants"
"""The one number that may be several."""

_TOP = {"schema": int, "lossvet": str, "identified": dict, "contract": dict}
_IDENTIFIED = ("spec", "framework", "version")


class ContractFileError(ValueError):
    """All mistakes of a file, a line each, as file:line or file:line:column."""


@dataclass(frozen=True)
class ContractFile:
    """What a contract file says: the contract, from what it was identified, and by which lossvet."""

    contract: Contract
    spec: str = ""
    framework: str = ""
    version: str = ""
    lossvet: str = ""


def is_contract_file(spec: str) -> bool:
    return spec.endswith(SUFFIX)


def text(found: ContractFile) -> str:
    """The file. Stable: the same contract and source give the same bytes; facets stand in the order they are told."""
    lines = [
        *_comment(f"What {found.spec} means, as lossvet identified it. A change of this file is a change of meaning."),
        *_comment(f"Facets that are not listed are those of {DEFAULT}."),
        f"schema = {SCHEMA}",
        f"lossvet = {_string(found.lossvet or lossvet.__version__)}",
        "",
        "[identified]",
        *(f"{name} = {_string(getattr(found, name))}" for name in _IDENTIFIED),
        "",
        "[contract]",
    ]
    sentences: dict[str, list[str]] = {}
    for t in told(found.contract):
        sentences.setdefault(t.facet, []).append(t.sentence)
    for facet in facets().values():
        for sentence in sentences.get(facet.name, []):
            lines += _comment(sentence)
        names = [n for n in (facet.name, *facet.numbers) if n in set(found.contract)]
        lines += [f"{name} = {_setting(found.contract[name])}" for name in names]
    return "\n".join(lines) + "\n"


def of(identified: Identified) -> ContractFile:
    """Raises ContractFileError where the side has not exactly one contract: a file claims only what is known."""
    if identified.status != "confirmed" or identified.contract is None:
        why = {
            "ambiguous": f"{len(identified.candidates)} contracts explain every probe",
            "unexplained": "no contract explains it",
        }.get(identified.status, "it cannot be judged")
        raise ContractFileError(f"no contract file is written for {identified.spec}: {why}")
    return ContractFile(identified.contract, identified.spec, identified.framework, identified.version)


def write(found: ContractFile, path: Path) -> None:
    """Raises ContractFileError where the name does not end in .contract.toml; OSError."""
    if not path.name.endswith(SUFFIX):
        raise ContractFileError(f"{path}: the name of a contract file must end in {SUFFIX}, as in weighted_ce{SUFFIX}")
    path.write_text(text(found), encoding="utf-8")


def read(path: Path) -> ContractFile:
    """Raises ContractFileError with every mistake in it, and OSError."""
    try:
        source = path.read_text(encoding="utf-8")
        document = tomllib.loads(source)
    except UnicodeDecodeError as error:
        raise ContractFileError(f"{path}: not UTF-8 text: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ContractFileError(_located(path, source, str(error))) from error
    wrong = list(_mistakes(document))
    if wrong:
        lines = [f"{path}:{_line(source, table, name)}: {words}" for table, name, words in wrong]
        raise ContractFileError("\n".join(lines))
    settings = {name: tuple(s) if isinstance(s, list) else s for name, s in document["contract"].items()}
    identified = {name: document.get("identified", {}).get(name, "") for name in _IDENTIFIED}
    return ContractFile(Contract.of(settings), lossvet=document.get("lossvet", ""), **identified)


def _mistakes(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Table, name and words of each."""
    for name, value in document.items():
        if name not in _TOP:
            yield "", name, f"a contract file has no {name!r}{_near(name, list(_TOP))}"
        elif type(value) is not _TOP[name]:
            yield "", name, f"{name} is {value!r}; expected {'a table' if _TOP[name] is dict else _TOP[name].__name__}"
    if document.get("schema") != SCHEMA and type(document.get("schema", 0)) is int:
        found = f"schema is {document['schema']}" if "schema" in document else "schema is missing"
        yield "", "schema", f"{found}; this lossvet {lossvet.__version__} reads schema = {SCHEMA}"
    if not isinstance(document.get("contract"), dict):
        if "contract" not in document:
            yield "", "contract", "the table [contract] is missing"
        return
    for name, value in document["identified"].items() if isinstance(document.get("identified"), dict) else ():
        if name not in _IDENTIFIED:
            yield "identified", name, f"[identified] has no {name!r}{_near(name, list(_IDENTIFIED))}"
        elif not isinstance(value, str):
            yield "identified", name, f"{name} is {value!r}; expected a string"
    for name, value in document["contract"].items():
        yield from (("contract", name, words) for words in _setting_mistakes(name, value))


def _setting_mistakes(name: str, value: Any) -> Iterator[str]:
    if name == VECTOR and isinstance(value, list):
        yield from (words for one in value for words in _setting_mistakes(name, one))
        return
    if name in numbers():
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{name} is {value!r}; expected a number"
        return
    if name not in facets():
        yield f"no such facet: {name!r}{_near(name, [*facets(), *numbers()])}"
        return
    values = [v.name for v in facets()[name].values]
    several = name == "weighting" and isinstance(value, list)
    for one in value if several else [value]:
        if not isinstance(one, str):
            yield f"{name} is {one!r}; expected one of: {', '.join(values)}"
            continue
        # An edge facet may have a value for each of several inputs: "too large: raises, -1: wraps".
        for part in one.split(", ") if facets()[name].edge else (one,):
            word = part.rpartition(": ")[2]
            if word not in (*values, *(("ignored",) if facets()[name].edge else ())):
                yield f"{name} has no value {word!r}{_near(word, values)}"


def _near(name: str, choices: list[str]) -> str:
    near = difflib.get_close_matches(name, choices, 1)
    return f"; did you mean {near[0]}?" if near else f"; expected one of: {', '.join(choices)}"


def _line(source: str, table: str, name: str) -> int:
    """The line on which the name is set in its table, or on which the table begins; 1 where neither is found."""
    here, begins = "", 1
    for number, line in enumerate(source.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\]]*?)\s*\]", line):
            here, begins = header[1].strip("\"'"), number if header[1] == table else begins
            if not table and here == name:
                return number
        elif here == table and re.match(rf"""\s*["']?{re.escape(name)}["']?\s*=""", line):
            return number
    return begins


def _located(path: Path, source: str, words: str) -> str:
    """A mistake of TOML with its place in front, as everywhere else."""
    words = words.replace("(at end of document)", f"(at line {len(source.splitlines())}, column 1)")
    at = re.search(r" \(at line (\d+), column (\d+)\)$", words)
    return f"{path}:{at[1]}:{at[2]}: {words[: at.start()]}" if at else f"{path}: {words}"


def _comment(words: str) -> list[str]:
    flat = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(words.split()))
    return textwrap.wrap(flat, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)


def _setting(value: Setting) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_setting, value))}]"
    return _string(value) if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    """The shortest that is read back as the same double; whole numbers as a reader writes them."""
    if value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return repr(value)


def _string(value: str) -> str:
    """A basic string of TOML: what cannot be printed is escaped, what UTF-8 cannot hold is replaced."""
    kept = value.encode("utf-8", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    return f'"{"".join(c if c.isprintable() else _escape(c) for c in kept)}"'


def _escape(character: str) -> str:
    point = ord(character)
    return f"\\u{point:04X}" if point < 0x10000 else f"\\U{point:08X}"
