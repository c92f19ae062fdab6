"""The golden files: cases and their proven outcomes as text, one file a variant.

JSON with every float as a hex string, since JSON has no infinity and no NaN and both are outcomes: "inf", "-inf", and
"undefined" for NaN. RUN or more equal numbers in a row are written once, with how many they are. `schema.json`
describes a file, `manifest.json` holds the sha256 of every other file. Reading executes
nothing, and refuses a file whose digest is not the manifest's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from itertools import groupby
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from lossvet.reference import output, variants
from lossvet.reference.types import Array, Case, Variant, array_params, leaves, output_names

FOLDER = Path(__file__).parent / "golden"
FORMAT = 2
RUN = 32


class GoldenError(Exception):
    """A golden file that is missing, altered or not understood. The message names the file and what to do."""


@dataclass(frozen=True, eq=False)
class Golden:
    """A case and its true outcome: arrays by output name (`types.output_names`), NaN where undefined."""

    case: Case
    outputs: Mapping[str, Array]


@cache
def load(name: str, folder: Path = FOLDER) -> tuple[Golden, ...]:
    """The golden results of a variant. Raises GoldenError where the file is not the one that the manifest names."""
    file = folder / f"{name}.json"
    digests = manifest(folder)
    content = _read(file)
    if digests.get(file.name) != digest(content):
        raise GoldenError(
            f"{file} is not the file listed in manifest.json; restore it, or make it anew with: lossvet golden"
        )
    return decode(variants.load(name), content)


def manifest(folder: Path = FOLDER) -> dict[str, str]:
    """sha256 by file name. Raises GoldenError where there is no manifest or it cannot be read."""
    try:
        found = json.loads(_read(folder / "manifest.json"))["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise GoldenError(
            f"{folder / 'manifest.json'} cannot be read ({error}); make it with: lossvet golden"
        ) from None
    return {str(name): str(value) for name, value in found.items()}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def encode(variant: Variant, goldens: tuple[Golden, ...]) -> bytes:
    """The file of a variant, in its one canonical form: a line for each field of a case."""
    lines = [f'  "format": {FORMAT}', f'  "variant": {json.dumps(variant.name)}']
    lines += [f'  "formula": {json.dumps(variant.formula)}']
    cases = ",\n".join(_encode_case(golden) for golden in goldens)
    lines.append(f'  "cases": [\n{cases}\n  ]')
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _encode_case(golden: Golden) -> str:
    case = golden.case
    arrays = array_params(case.params)
    params = {f.name: getattr(case.params, f.name) for f in fields(case.params)}
    record = {
        "id": case.id,
        "note": case.note,
        "bits": case.bits,
        "hazards": list(case.hazards),
        "undefined": case.undefined,
        "shape": list(case.logits.shape),
        "logits": _hex(case.logits),
        "labels": case.labels.tolist() if case.labels.dtype.kind == "i" else _hex(case.labels),
        "params": {k: _hex(arrays[k]) if k in arrays else _scalar(v) for k, v in params.items() if v is not None},
        "cotangent": _hex(case.cotangent),
        "direction": _hex(case.direction),
    }
    lines = [f'      "{key}": {json.dumps(value)}' for key, value in record.items()]
    outputs = ",\n".join(f'        "{name}": {json.dumps(_hex(value))}' for name, value in golden.outputs.items())
    lines.append(f'      "outputs": {{\n{outputs}\n      }}')
    return "    {\n" + ",\n".join(lines) + "\n    }"


def decode(variant: Variant, content: bytes) -> tuple[Golden, ...]:
    """The inverse of `encode`. Raises GoldenError for what `encode` does not write."""
    try:
        document = json.loads(content)
        if document["format"] != FORMAT or document["variant"] != variant.name:
            raise ValueError(f"it is format {document['format']} of {document['variant']}")
        return tuple(_decode_case(variant, record) for record in document["cases"])
    except (ValueError, KeyError, TypeError) as error:
        raise GoldenError(f"the golden file of {variant.name} cannot be read: {error}") from None


def _decode_case(variant: Variant, record: dict[str, Any]) -> Golden:
    shape = tuple(record["shape"])
    rows = shape if variant.family == "binary" else shape[:1]
    given = {k: _param(v) for k, v in record["params"].items()}
    sparse = variant.family == "sparse"
    case = Case(
        id=record["id"],
        bits=record["bits"],
        logits=_array(record["logits"]).reshape(shape),
        labels=np.array(record["labels"], np.int64) if sparse else _array(record["labels"]).reshape(shape),
        params=variant.params(**given),
        cotangent=_array(record["cotangent"]).reshape(rows),
        direction=_array(record["direction"]).reshape(shape),
        hazards=tuple(record["hazards"]),
        undefined=record["undefined"],
        note=record["note"],
    )
    by_leaf = {name: value.shape for name, value in leaves(variant, case).items()}

    def sized(name: str) -> Array:
        of = output.parse(name)
        unreduced = rows if of.reduction == "none" else ()
        return _array(record["outputs"][name]).reshape(unreduced if of.kind == "loss" else by_leaf[of.leaf])

    if set(record["outputs"]) != set(output_names(variant, case)):
        raise ValueError(f"{case.id} has outputs {sorted(record['outputs'])}")
    return Golden(case, {name: sized(name) for name in output_names(variant, case)})


def _hex(value: Array) -> Any:
    return _text(np.asarray(value).tolist())


def _text(value: Any) -> Any:
    """A number as a string; of a list, the entries, RUN or more equal ones as one."""
    if not isinstance(value, list):
        return "undefined" if isnan(value) else value.hex()
    runs = (list(run) for _, run in groupby(map(_text, value)))
    return [entry for run in runs for entry in (run if len(run) < RUN else [{"times": len(run), "value": run[0]}])]


def _scalar(value: float | int) -> Any:
    return value if isinstance(value, int) else {"float": float(value).hex()}


def _number(text: str) -> float:
    return float("nan") if text == "undefined" else float.fromhex(text)


def _array(nested: Any) -> Array:
    def walk(part: Any) -> Any:
        return [number for p in part for number in entries(p)] if isinstance(part, list) else _number(part)

    def entries(part: Any) -> list[Any]:
        return [walk(part["value"])] * part["times"] if isinstance(part, dict) else [walk(part)]

    return np.array(walk(nested), np.float64)


def _param(value: Any) -> Any:
    """A setting, an integer or {"float": hex}; or else an array, one string where it has no axes."""
    if isinstance(value, dict):
        return _number(value["float"])
    return value if isinstance(value, int) else _array(value)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise GoldenError(f"{file} cannot be read ({error.strerror}); make it with: lossvet golden") from None
