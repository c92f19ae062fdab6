"""The safetensors format, read by hand: eight bytes of header length, a JSON header, raw little-endian data.

https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "U8": "<u1"}
MOST_HEADER = 10**6


class _Tensor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def read(path: Path, most: int) -> dict[str, Any]:
    """Every tensor by name, BF16 as float32. Raises ValueError where the file is not as the format says or holds more
    than `most` bytes, and OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
        if not 2 <= length <= min(size - 8, MOST_HEADER):
            raise ValueError(f"{path}: not a safetensors file: its first 8 bytes are not the length of a header")
        header = file.read(length)
        held = size - 8 - length
        tensors = _header(path, header, held, most)
        data = file.read(held)
    return {name: _array(tensor, data) for name, tensor in tensors.items()}


def _header(path: Path, header: bytes, held: int, most: int) -> dict[str, _Tensor]:
    """What the header lists, checked against the bytes that are there."""
    try:
        listed = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        listed.pop("__metadata__", None)
        tensors = {name: msgspec.json.decode(raw, type=_Tensor) for name, raw in listed.items()}
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path}: the header of the safetensors file cannot be read: {error}") from error
    if held > most:
        raise ValueError(f"{path}: {held:,} bytes of arrays, more than {most >> 20} MiB; give a smaller batch")
    at = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        if tensor.dtype not in DTYPES:
            raise ValueError(f"{path}: {name!r} has dtype {tensor.dtype}; expected one of {', '.join(DTYPES)}")
        begin, end = tensor.data_offsets
        if min(tensor.shape, default=0) < 0:
            raise ValueError(f"{path}: {name!r} has shape {tensor.shape}; expected no negative length")
        wanted = math.prod(tensor.shape) * np.dtype(DTYPES[tensor.dtype]).itemsize
        if begin != at or end - begin != wanted or end > held:
            raise ValueError(
                f"{path}: {name!r} of shape {tensor.shape} and dtype {tensor.dtype} needs {wanted:,} bytes from {at:,} "
                f"on; its offsets are {begin:,} to {end:,}, and the file holds {held:,}"
            )
        at = end
    if at != held:
        raise ValueError(f"{path}: {held - at:,} bytes at the end belong to no tensor")
    return tensors


def _array(tensor: _Tensor, data: bytes) -> Any:
    begin, end = tensor.data_offsets
    found = np.frombuffer(data[begin:end], dtype=DTYPES[tensor.dtype]).reshape(tensor.shape)
    if tensor.dtype == "BF16":
        return (found.astype("<u4") << 16).view("<f4")
    return found.astype(found.dtype.newbyteorder("="))
