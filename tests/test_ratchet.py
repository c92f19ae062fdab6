"""Accuracy is held: what became worse is found, what did not is left alone; a broken file says all that is wrong."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from lossvet.benchmarks import gate_accuracy, ratchet, user_loss
from lossvet.benchmarks.gate_report import Options
from lossvet.benchmarks.ratchet import BaselineError, Reached
from lossvet.benchmarks.subjects import Wanted
from lossvet.conformance.summary import CellSummary
from lossvet.conformance.types import Cell
from lossvet.workers import machine

A = "sparse/native/torch/eager/float32/cpu"
B = "sigmoid/composed/jax/jit/float64/cpu"
FOUND = {A: Reached("relative", 1.25), B: Reached("absolute", None)}

# The file ------------------------------------------------------------------------------------------------------------


def file(folder: Path, *lines: str) -> Path:
    path = folder / "accuracy.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_file_comes_back(tmp_path: Path) -> None:
    path = file(tmp_path, ratchet.write(FOUND, "linux-x86_64-avx2"))
    assert ratchet.read(path, "linux-x86_64-avx2") == FOUND
    assert path.read_text().startswith(f"[linux-x86_64-avx2]\n{B} absolute -\n{A} relative 1.25\n")


def test_each_platform_has_lines_of_its_own(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "# reviewed",
        "[one]",
        f"{A} relative 1",
        "",
        "[two]",
        f"  {A}   shift-invariant  2.5   # since 2.13",
        f"{B} absolute -",
    )
    assert ratchet.read(path, "one") == {A: Reached("relative", 1.0)}
    assert ratchet.read(path, "two") == {A: Reached("shift-invariant", 2.5), B: Reached("absolute", None)}


def test_a_platform_that_is_not_in_the_file_is_named_and_so_is_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"no baselines for \[three\]; it has: one, two\. .*accuracy\.txt: review"):
        ratchet.read(file(tmp_path, "[one]", "[two]", f"{A} relative 1"), "three")
    with pytest.raises(BaselineError, match="it has: none"):
        ratchet.read(file(tmp_path), "three")


def test_all_mistakes_are_said_at_once_with_their_lines(tmp_path: Path) -> None:
    wrong = {
        1: f"{A} relative 1",  # below no platform
        4: f"{A} relative 2",  # a second time
        5: f"{B} X 2",  # no class
        6: f"{B} relative",
        7: f"{B} relative 1 2",
        8: f"{B} relative one",
        9: "sparse/native/torch relative 1",  # no cell
        10: f"{B} relative nan",  # nothing would ever be worse
        11: f"{B} relative -1",
        12: "[one",
    }
    lines = [wrong.get(number, "") for number in range(1, 13)]
    lines[1:3] = ["[one]", f"{A} relative 1"]
    path = file(tmp_path, *lines)
    with pytest.raises(BaselineError) as caught:
        ratchet.read(path, "one")
    said = str(caught.value).splitlines()
    assert [int(re.fullmatch(rf"{re.escape(str(path))}:(\d+): expected .*", line)[1]) for line in said] == sorted(wrong)  # type: ignore[index]  # where it is None, the test fails
    for line, words in zip(said, (wrong[n] for n in sorted(wrong)), strict=True):
        assert line.endswith(f"found {words!r}")


def test_the_profile_is_one_word() -> None:
    assert re.fullmatch(r"[a-z0-9_]+(-[a-z0-9_]+)+", machine.profile())


# What is worse -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (Reached("relative", 1.0), Reached("relative", 1.0), ""),
        (
            Reached("relative", 1.0),
            Reached("shift-invariant", 1.0),
            "its accuracy falls from relative to shift-invariant",
        ),
        (
            Reached("shift-invariant", None),
            Reached("absolute", None),
            "its accuracy falls from shift-invariant to absolute",
        ),
        (Reached("shift-invariant", 1.0), Reached("relative", 1.0), ""),
        (Reached("absolute", None), Reached("shift-invariant", 9.0), ""),
        (Reached("relative", 1.0), Reached("relative", 2.0), ""),  # an ulp more, and no more than that
        (Reached("relative", 1.0), Reached("relative", 2.01), "from 1 to 2.01 ulp"),
        (Reached("relative", 0.5), Reached("relative", 1.45), ""),  # nearly three times, but less than an ulp
        (Reached("relative", 0.0), Reached("relative", 1.1), "from 0 to 1.1 ulp"),
        (Reached("relative", 10.0), Reached("relative", 14.9), ""),  # nearly five ulp, but less than half
        (Reached("relative", 10.0), Reached("relative", 15.1), "from 10 to 15.1 ulp"),
        (Reached("shift-invariant", 10.0), Reached("shift-invariant", 15.1), "from 10 to 15.1 ulp"),
        (Reached("relative", 10.0), Reached("relative", 0.5), ""),
        (
            Reached("shift-invariant", 1.0),
            Reached("shift-invariant", None),
            "none of its unreduced losses is of relative accuracy any more",
        ),
        (Reached("shift-invariant", None), Reached("shift-invariant", 1.0), ""),
        (Reached("relative", 1.0), Reached("relative", float("inf")), "to inf ulp"),
    ],
)
def test_worse(before: Reached, now: Reached, words: str) -> None:
    found = ratchet.compare({A: before}, {A: now})
    assert bool(found) == bool(words)
    for worse in found:
        assert (worse.cell, worse.kind) == (A, "worse")
        assert words in worse.words


def test_gone_and_new_are_told_apart_and_give_the_line() -> None:
    found = {w.cell: w for w in ratchet.compare({A: Reached("relative", 1.0)}, {B: Reached("absolute", 0.5)})}
    assert found[A].kind == "gone"
    assert found[B].kind == "new"
    assert found[B].words.endswith(f"add the line: {B} absolute 0.5")
    (worse,) = ratchet.compare({A: Reached("relative", 1.0)}, {A: Reached("relative", 9.0)})
    assert worse.words.endswith(f"change its line to: {A} relative 9")


def test_a_line_that_is_proposed_is_accepted(tmp_path: Path) -> None:
    """What the gate writes is not worse than what it wrote it of, though it is rounded."""
    for number in range(1, 2000):
        now = {A: Reached("relative", number * 0.7371)}
        path = file(tmp_path, ratchet.write(now, "here"))
        assert not ratchet.compare(ratchet.read(path, "here"), now), number


def test_a_cell_without_a_verdict_on_accuracy_reaches_nothing() -> None:
    none, some = (CellSummary(Cell(*name.split("/")), counts=Counter()) for name in (A, B))
    some.accuracy, some.ulp_loss = "relative", 0.5
    assert ratchet.reached([none, some]) == {B: Reached("relative", 0.5)}


# What a filter leaves out --------------------------------------------------------------------------------------------

LINES = (
    "sparse/native/torch/eager/float32/cpu",
    "sparse/composed/jax/jit/float32/cpu",
    "sparse/native/torch/eager/float32/cuda",
    "sigmoid/native/torch/eager/float32/cpu",
    "sparse/own/torch/eager/float32/cpu",
    "sigmoid/own/torch/eager/float32/cpu",
)


def asked(wanted: Wanted, loss: str = "") -> set[str]:
    """The lines of the file that are about what is judged."""
    options = Options({}, wanted, user_loss.parsed(loss) if loss else None)
    return {line for line in LINES if gate_accuracy._asked(line, options)}


@pytest.mark.parametrize(
    ("wanted", "loss", "numbers"),
    [
        (Wanted(), "", {0, 1, 3}),
        (Wanted(device="auto"), "", {0, 1, 2, 3}),
        (Wanted(device="gpu"), "", {2}),
        (Wanted(device="cuda"), "", {2}),
        (Wanted(only=("sparse",)), "", {0, 1}),
        (Wanted(only=("sparse/native",)), "", {0, 1}),  # all recipes of a variant are judged
        (Wanted(only=("s*",)), "", {0, 1, 3}),
        (Wanted(frameworks=("jax",)), "", {1}),
        (Wanted(only=("sigmoid",), frameworks=("torch",)), "", {3}),
        (Wanted(only=("sparse/own",), frameworks=("torch",)), "torch/sparse=m:f", {4}),
        (Wanted(only=("sigmoid/own",), frameworks=("torch",)), "torch/sigmoid=m:f", {5}),
        (Wanted(only=("sparse/own",), frameworks=("jax",)), "jax/sparse=m:f", set()),
    ],
)
def test_filters_do_not_make_other_lines_gone(wanted: Wanted, loss: str, numbers: set[int]) -> None:
    assert asked(wanted, loss) == {LINES[n] for n in numbers}
