"""Frames: what goes in comes out, in whatever portions; what is no frame is refused before it costs anything."""

from __future__ import annotations

import os
import struct
from typing import Any

import ml_dtypes
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.msgpack import Decoder
from numpy.typing import NDArray

from lossvet.adapters.types import Measured, Missing, Outcome, Raised
from lossvet.reference import variants, vectors
from lossvet.reference.dtypes import DTYPES
from lossvet.workers import frames, messages
from lossvet.workers.frames import Block

WORDS: Decoder[list[str]] = Decoder(list[str])
HUGE = struct.pack("<I", frames.LIMIT + 1)


@given(st.lists(st.lists(st.text(max_size=8), max_size=3), max_size=5), st.integers(1, 64))
@settings(max_examples=50, deadline=None)
def test_bodies_come_out_whole_in_whatever_portions(bodies: list[list[str]], portion: int) -> None:
    data = b"".join(map(frames.encode, bodies))
    splitter, found = frames.Splitter(), []
    for start in range(0, len(data), portion):
        splitter.feed(data[start : start + portion])
        while (body := splitter.next()) is not None:
            found.append(frames.decode(body, WORDS))
    splitter.end()
    assert found == bodies


def test_a_pipe_carries_frames_and_its_end() -> None:
    read_fd, write_fd = os.pipe()
    frames.write(write_fd, frames.encode(["a"]) + frames.encode(["b"]))
    os.close(write_fd)
    splitter = frames.Splitter()
    assert frames.decode(frames.read(read_fd, splitter) or b"", WORDS) == ["a"]
    assert frames.decode(frames.read(read_fd, splitter) or b"", WORDS) == ["b"]
    assert frames.read(read_fd, splitter) is None
    os.close(read_fd)


def test_an_end_inside_a_frame_is_told() -> None:
    read_fd, write_fd = os.pipe()
    os.write(write_fd, frames.encode(["a"])[:-1])
    os.close(write_fd)
    with pytest.raises(frames.TruncatedFrame):
        frames.read(read_fd, frames.Splitter())
    os.close(read_fd)


def test_a_length_over_the_limit_is_refused_before_anything_is_gathered() -> None:
    splitter = frames.Splitter()
    splitter.feed(HUGE)
    with pytest.raises(frames.OversizedFrame, match="announces"):
        splitter.next()
    with pytest.raises(frames.OversizedFrame, match="exceeds the limit"):
        frames.encode(bytes(frames.LIMIT))


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x93\x01\x02", msgspec.msgpack.encode(3)])
def test_what_is_another_message_is_refused(body: bytes) -> None:
    with pytest.raises(frames.MalformedFrame, match="expected a"):
        frames.decode(body, WORDS)


@pytest.mark.parametrize(
    "array",
    [
        np.array(1.5, np.float32),
        np.zeros((0, 3)),
        np.arange(6, dtype=np.int64).reshape(2, 3).T,
        np.array([True]),
        np.array([[1.5, -np.inf, 2.0**-130]], DTYPES["bfloat16"].numpy),
        np.array([65504.0, 2.0**-24], np.float16),
    ],
)
def test_an_array_arrives_as_it_was(array: Any) -> None:
    body = msgspec.msgpack.encode(frames.pack(array))
    found = frames.unpack(msgspec.msgpack.decode(body, type=Block))
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_a_narrow_float_that_no_cell_has_arrives_as_raw_bytes() -> None:
    assert frames.unpack(frames.pack(np.ones(2, ml_dtypes.float8_e4m3fn))).dtype == np.dtype("V1")


@pytest.mark.parametrize(
    "block",
    [
        Block("<f4", (2,), b"1234567"),
        Block("<f4", (-1, -1), b"1234"),
        Block("O", (1,), b"12345678"),
        Block("V0", (1,), b""),
        Block("no dtype", (1,), b""),
    ],
)
def test_an_array_that_is_not_what_it_says_is_refused(block: Block) -> None:
    with pytest.raises(frames.MalformedFrame):
        frames.unpack(block)


class Holder(msgspec.Struct):
    array: NDArray[np.float64] | None
    by_name: dict[str, NDArray[np.int64]] = {}


def test_arrays_stand_in_messages() -> None:
    sent = Holder(np.array([1.0, 2.0]), {"a": np.arange(3)})
    found = frames.decode(frames.encode(sent)[4:], frames.decoder(Holder))
    np.testing.assert_array_equal(found.array, sent.array)
    np.testing.assert_array_equal(found.by_name["a"], sent.by_name["a"])
    assert frames.decode(frames.encode(Holder(None))[4:], frames.decoder(Holder)) == Holder(None)


@pytest.mark.parametrize("array", [3, ["<f4"], ["<f4", [2], b"1234567"], ["O", [1], b"12345678"]])
def test_what_stands_for_an_array_and_is_none_is_refused(array: object) -> None:
    with pytest.raises(frames.MalformedFrame):
        frames.decode(msgspec.msgpack.encode({"array": array}), frames.decoder(Holder))


@pytest.mark.parametrize("value", [np.array([object()]), object()])
def test_what_is_no_data_cannot_be_sent(value: object) -> None:
    with pytest.raises((TypeError, NotImplementedError), match=r"cannot be sent"):
        frames.encode([value])


@pytest.mark.parametrize("outcome", [Measured(np.float32([1, np.nan])), Raised("E", "words"), Missing("none")])
def test_an_outcome_arrives_as_it_was(outcome: Outcome) -> None:
    decoder: Decoder[Any] = Decoder(messages.OutcomeMessage)
    found = messages.outcome(decoder.decode(msgspec.msgpack.encode(messages.outcome_message(outcome))))
    assert str(found) == str(outcome)


@pytest.mark.parametrize("name", variants.names())
def test_a_case_arrives_without_what_is_expected_of_it(name: str) -> None:
    for golden in vectors.load(name)[:20]:
        message = frames.decode(bytes(messages.case_message(name, golden.case)), messages.CASES)
        found = messages.case(message)
        assert (message.variant, found.id, found.bits) == (name, golden.case.id, golden.case.bits)
        assert not found.undefined
        np.testing.assert_array_equal(found.logits, golden.case.logits)
        np.testing.assert_array_equal(found.labels, golden.case.labels)
        assert str(found.params) == str(golden.case.params)


@pytest.mark.parametrize("words", ["\ud800", "x" * 10_000, "\x00"])
def test_words_are_made_fit_to_travel(words: str) -> None:
    text = messages.text(words)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(text)) == text
    assert len(text) <= messages.LONGEST_TEXT + 4
