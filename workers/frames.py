"""Messages to and from a worker: msgpack behind a length, over a pipe that carries nothing else.

An array is sent as dtype, shape and bytes, wherever it occurs in a message; a field typed as a NumPy array (not as
`Any`) is one again on arrival. Nothing that is read here can execute code, and no length over `LIMIT` is allocated.
"""

from __future__ import annotations

import math
import os
import struct
from typing import Any, TypeVar, get_origin

import msgspec
import numpy as np
from msgspec.msgpack import Decoder
from numpy.typing import NDArray

from lossvet.reference.dtypes import DTYPES

LIMIT = 64 * 2**20
"""The largest frame, in bytes."""

_HEADER = struct.Struct("<I")
T = TypeVar("T")


class FrameError(Exception):
    """What came over the pipe is no message."""


class TruncatedFrame(FrameError):
    """The pipe ended inside a frame."""


class OversizedFrame(FrameError):
    """A frame announces, or would need, more than `LIMIT` bytes."""


class MalformedFrame(FrameError):
    """A whole frame that is not the message expected."""


class Block(msgspec.Struct, array_like=True, frozen=True):
    """An array on its way: `dtype` as NumPy writes it ("<f4"), or "bfloat16", which it has
    from ml_dtypes, and the elements in C order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


def pack(array: NDArray[Any]) -> Block:
    """Raises TypeError where the elements are Python objects."""
    if array.dtype.hasobject:
        raise TypeError(f"an array of dtype {array.dtype} cannot be sent: its elements are Python objects")
    # what ml_dtypes adds to NumPy has the word of raw bytes there
    added = array.dtype.kind == "V" and array.dtype.name in DTYPES
    return Block(array.dtype.name if added else array.dtype.str, array.shape, array.tobytes())


def unpack(block: Block) -> NDArray[Any]:
    """Raises MalformedFrame where the bytes are not as many as dtype and shape say, or where the dtype is none.

    Of the dtypes that ml_dtypes adds to NumPy bfloat16 is known; others arrive as raw bytes, for the judge to refuse.
    """
    try:
        dtype = DTYPES[block.dtype].numpy if block.dtype in DTYPES else np.dtype(block.dtype)
    except (TypeError, ValueError) as error:
        raise MalformedFrame(f"{block.dtype!r} is not a dtype of NumPy") from error
    if dtype.hasobject or dtype.itemsize == 0 or any(n < 0 for n in block.shape):
        raise MalformedFrame(f"an array of dtype {block.dtype!r} and shape {block.shape} cannot be received")
    expected = math.prod(block.shape) * dtype.itemsize
    if len(block.data) != expected:
        raise MalformedFrame(f"{dtype} of shape {block.shape} takes {expected} bytes, the frame has {len(block.data)}")
    return np.frombuffer(block.data, dtype).reshape(block.shape)


def _packed(value: Any) -> Block:
    if isinstance(value, np.ndarray | np.generic):
        return pack(np.asarray(value))
    raise NotImplementedError(f"a {type(value).__name__} cannot be sent")  # as msgspec wants it


def _unpacked(kind: Any, value: Any) -> Any:
    if (get_origin(kind) or kind) is np.ndarray:
        return unpack(msgspec.convert(value, Block))
    raise NotImplementedError(f"a {kind} cannot be received")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_packed)


def decoder(kind: Any) -> Decoder[Any]:
    """What reads messages of this kind, a tagged struct or a union of them, arrays included."""
    return Decoder(kind, dec_hook=_unpacked)


def encode(message: Any) -> bytes:
    """The frame of a message, length first. Raises OversizedFrame over the limit, TypeError for what cannot be sent."""
    body = _ENCODER.encode(message)
    if len(body) > LIMIT:
        raise OversizedFrame(f"a message of {len(body)} bytes exceeds the limit of {LIMIT}")
    return _HEADER.pack(len(body)) + body


def decode(body: bytes, decoder: Decoder[T]) -> T:
    """The message in a frame's body. Raises MalformedFrame where it is not of the decoder's kind."""
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise MalformedFrame(f"expected a {getattr(decoder.type, '__name__', decoder.type)}: {error}") from error


class Splitter:
    """Bytes in, in any portions; bodies of frames out, whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> bytes | None:
        """The next body, or None where it is not all there yet. Raises OversizedFrame before it is gathered."""
        if len(self._buffer) < _HEADER.size:
            return None
        (length,) = _HEADER.unpack_from(self._buffer)
        if length > LIMIT:
            raise OversizedFrame(f"a frame announces {length} bytes; the limit is {LIMIT}")
        end = _HEADER.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_HEADER.size : end])
        del self._buffer[:end]
        return body

    def end(self) -> None:
        """The pipe has ended. Raises TruncatedFrame where that is in the middle of a frame."""
        if self._buffer:
            raise TruncatedFrame(f"the pipe ended {len(self._buffer)} bytes into a frame")


def read(fd: int, splitter: Splitter) -> bytes | None:
    """The next body from a blocking pipe; None at its end. Raises TruncatedFrame and OversizedFrame."""
    while (body := splitter.next()) is None:
        data = os.read(fd, 1 << 20)
        if not data:
            splitter.end()
            return None
        splitter.feed(data)
    return body


def write(fd: int, frame: bytes) -> None:
    """Write the whole frame into a blocking pipe. Raises BrokenPipeError if the reader is gone."""
    view = memoryview(frame)
    while view:
        view = view[os.write(fd, view) :]
