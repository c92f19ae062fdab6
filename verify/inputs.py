"""A batch of the caller's own, from a file: .npz or .safetensors, never pickle. No header's claim is allocated."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lossvet.verify.questions import ROLES
from lossvet.verify.safetensors import read as read_safetensors

MOST_BYTES = 2**30
"""A batch larger than this is refused: it is to show an effect, not to train."""

ALIASES = {
    "logits": ("logits", "x", "input", "inputs", "y_pred", "pred", "preds", "output", "outputs", "scores"),
    "labels": ("labels", "label", "target", "targets", "y", "y_true", "t"),
    "class_weight": ("class_weight", "class_weights", "weight", "weights", "w", "alpha"),
    "cost_matrix": ("cost_matrix", "cost"),
    "sample_weight": ("sample_weight", "sample_weights"),
}
"""What an array may be called, by role; the first is the name that is shown. Other roles have their own names alone."""

SHAPES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "logits": (("N", "C"),),
    "labels": (("N",), ("N", "C")),
    "class_weight": (("C",),),
    "pos_weight": ((), ("C",)),
    "binary_weights": (("2",),),
    "cost_matrix": (("C", "C"),),
    "sample_weight": (("N",),),
    "mask": (("N",),),
    "count": ((),),
}
"""The shapes that each role may have, N and C those of the logits."""


class InputsError(ValueError):
    """The file is no batch that can be used; the message says what was found and what was expected."""


def load(path: Path) -> dict[str, Any]:
    """The batch by role: integers as int64, everything else as float64. Raises InputsError, OSError."""
    match path.suffix:
        case ".npz":
            found = _npz(path)
        case ".safetensors":
            try:
                found = read_safetensors(path, MOST_BYTES)
            except ValueError as error:
                raise InputsError(str(error)) from error
        case other:
            raise InputsError(f"{path}: expected a file ending in .npz or .safetensors; found {other or 'no ending'}")
    return _by_role(path, found)


def _npz(path: Path) -> dict[str, Any]:
    """Every array's size is read from its header, and compared with the bytes that are there, before it is made."""
    try:
        with zipfile.ZipFile(path) as archive:
            total = 0
            for info in archive.infolist():
                if not info.filename.endswith(".npy"):
                    raise InputsError(
                        f"{path}: {info.filename!r} is not an array; an .npz file may hold only .npy members"
                    )
                with archive.open(info) as member:
                    total += _size(path, info.filename, member, info.file_size)
                if total > MOST_BYTES:
                    raise InputsError(f"{path}: more than {MOST_BYTES >> 20} MiB of arrays; give a smaller batch")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, EOFError, KeyError) as error:
        raise InputsError(f"{path}: not an .npz file ({error}); write one with numpy.savez") from error
    except ValueError as error:
        raise error if isinstance(error, InputsError) else InputsError(f"{path}: {error}") from error


def _size(path: Path, name: str, member: Any, held: int) -> int:
    version = np.lib.format.read_magic(member)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(member)
    if dtype.hasobject:
        raise InputsError(f"{path}: {name} holds Python objects; only arrays of numbers are read")
    size = math.prod(shape) * dtype.itemsize
    if size > held:
        raise InputsError(f"{path}: {name} claims {size:,} bytes but holds {held:,}; the file is damaged")
    return size


def _by_role(path: Path, found: Mapping[str, Any]) -> dict[str, Any]:
    roles: dict[str, Any] = {}
    named: dict[str, str] = {}
    wrong = []
    for name, array in found.items():
        role = next((r for r in ROLES if name in ALIASES.get(r, (r,))), None)
        if role is None:
            wrong.append(f"{name!r} is not a role")
        elif role in roles:
            wrong.append(f"{named[role]!r} and {name!r} both mean {role}")
        elif array.dtype.kind not in "fiub":
            wrong.append(f"{name!r} has dtype {array.dtype}; expected floats or integers")
        else:
            named[role] = name
            roles[role] = array.astype(np.int64 if array.dtype.kind in "iub" and role == "labels" else np.float64)
    wrong += [f"{role} is missing" for role in ("logits", "labels") if role not in roles]
    wrong = wrong or _shapes(roles)
    if wrong:
        names = ", ".join(f"{name} {list(array.shape)}" for name, array in found.items()) or "nothing"
        raise InputsError(f"{path}: {'; '.join(wrong)}. Found: {names}. Expected: {_expected()}")
    return roles


def _shapes(roles: Mapping[str, Any]) -> list[str]:
    """What is wrong with the shapes, a sentence each."""
    logits = roles["logits"]
    if logits.ndim != 2:
        return [f"the logits have shape {list(logits.shape)}; expected [N, C]"]
    if 0 in logits.shape:
        return [f"the logits have shape {list(logits.shape)}: there is nothing to measure"]
    sizes = {"N": logits.shape[0], "C": logits.shape[1], "2": 2}
    wrong = []
    for role, array in roles.items():
        if array.shape not in [tuple(sizes[s] for s in shape) for shape in SHAPES[role]]:
            wrong.append(f"{role} has shape {list(array.shape)}; expected {_either(role)} with {_sizes(sizes)}")
    return wrong


def _sizes(sizes: Mapping[str, int]) -> str:
    return f"N = {sizes['N']} and C = {sizes['C']} as in the logits"


def _either(role: str) -> str:
    return " or ".join(f"[{', '.join(shape)}]" for shape in SHAPES[role])


def _expected() -> str:
    needed = [f"{role} {_either(role)}" for role in ("logits", "labels")]
    return f"{' and '.join(needed)}, and, if the loss takes them, {', '.join(ROLES[2:])}"
