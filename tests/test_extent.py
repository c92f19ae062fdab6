"""How far each level goes follows from what the modes of a framework cost, whatever the framework is called."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import lossvet
from lossvet.adapters.protocol import Cost
from lossvet.benchmarks import asv_subjects, selftest, subjects
from lossvet.conformance import plan
from lossvet.conformance.extent import SHAPES, SQUARE, Extent, Level, extents
from lossvet.conformance.plan import Selection
from lossvet.conformance.run import CannotJudge
from lossvet.reference import vectors
from lossvet.reference.dtypes import NAMES, NARROW, WIDE
from lossvet.workers.messages import Hello, NativeSpec, Unavailable

NAMELESS = ("workers", "conformance", "benchmarks")
"""Folders in which no framework has a name."""
FRAMEWORK = re.compile(r"torch|tensorflow|\btf\b|jax|optax|keras", re.IGNORECASE)

LATE = Cost(function=0.03)
COMPILED = Cost(function=0.3, shapes=0.3)
SLOW = Cost(function=10.0, shapes=10.0)
ONE_BY_ONE = Cost(shapes=1.0)


def greeting(costs: dict[str, Cost], natives: dict[str, dict[str, NativeSpec]] | None = None) -> Hello:
    """That of a framework that nobody has heard of."""
    return Hello("abacus", "1", tuple(costs), ("cpu",), WIDE, costs, natives or {}, {}, ("cpu",), {}, "")


@pytest.mark.parametrize(
    ("costs", "level", "expected"),
    [
        ({"a": Cost()}, "quick", {"a": Extent(compiled=False)}),
        ({"a": Cost()}, "full", {"a": Extent()}),
        ({"a": Cost(operation=1e-3)}, "quick", {"a": Extent(("float32",), compiled=False)}),
        ({"a": LATE}, "quick", {"a": Extent(("float32",), SHAPES[:2], "own", compiled=False)}),
        ({"a": LATE}, "full", {"a": Extent()}),
        (
            {"a": Cost(), "b": COMPILED},
            "quick",
            {"a": Extent(compiled=False), "b": Extent(("float32",), SHAPES[:2], "unreduced", (), False, False)},
        ),
        ({"a": Cost(), "b": COMPILED}, "full", {"a": Extent(), "b": Extent(WIDE, SHAPES, "own")}),
        ({"a": Cost(), "b": SLOW}, "quick", {"a": Extent(compiled=False), "b": None}),
        ({"a": Cost(), "b": SLOW}, "full", {"a": Extent(), "b": Extent(("float32",), SHAPES[:2], "own")}),
        (
            {"a": ONE_BY_ONE, "b": COMPILED},
            "quick",
            {
                "a": Extent(("float32",), (SQUARE,), "loss", compiled=False),
                "b": Extent(("float32",), SHAPES[:2], "unreduced", (SQUARE,), False, False),
            },
        ),
        (
            {"a": ONE_BY_ONE, "b": COMPILED, "c": COMPILED},
            "full",
            {
                "a": Extent(WIDE, SHAPES, "own"),
                "b": Extent(WIDE, SHAPES, "own", (SQUARE,)),
                "c": Extent(WIDE, SHAPES, "own"),
            },
        ),
    ],
)
def test_an_extent_follows_from_costs(costs: dict[str, Cost], level: Level, expected: dict[str, Extent | None]) -> None:
    assert extents(level, greeting(costs)) == expected


def test_16_bits_are_run_where_they_are_named_as_far_as_float32_is() -> None:
    costs = {"a": Cost(), "b": COMPILED, "c": SLOW}
    named = extents("quick", greeting(costs), ("bfloat16", "float32"))
    assert [extent and extent.dtypes for extent in named.values()] == [
        (*WIDE, "bfloat16"),
        ("float32", "bfloat16"),
        None,
    ]
    levels: tuple[Level, ...] = ("quick", "full")
    for level in levels:
        unnamed = extents(level, greeting(costs)).values()
        assert not any(set(NARROW) & set(extent.dtypes) for extent in unnamed if extent)


def planned(*dtypes: str) -> set[tuple[str, str]]:
    """Dtypes and cases of a full run of a framework that has every dtype."""
    hello = msgspec.structs.replace(greeting({"a": Cost()}), dtypes=NAMES)
    made = plan.make({"abacus": hello}, plan.choose(vectors.load, ["softmax"]), Selection("full", dtypes=dtypes))
    return {(item.cell.dtype, item.case.partition("/")[2]) for item in made}


def test_a_case_of_16_bits_is_small_of_8_bits_and_in_range() -> None:
    chosen = planned(*NARROW)
    assert {dtype for dtype, _ in chosen} == set(NARROW)
    assert {dtype for dtype, _ in planned()} == set(WIDE)
    for case, dtypes in {
        "hard": NARROW,
        "random_24": (),  # not exact
        "offset": ("float16",),  # of a step of 4 in bfloat16
        "very_wide": (),
        "wide_classes": (),
    }.items():
        assert {dtype for dtype, name in chosen if name == case} == set(dtypes), case


def test_every_framework_has_one_mode_with_every_case_or_one_with_every_reduction() -> None:
    """Else a reduction of it would be in no quick run: whatever its modes cost, as far as they are not slow."""
    for costs in ({"a": Cost()}, {"a": ONE_BY_ONE, "b": COMPILED}, {"a": COMPILED}, {"a": COMPILED, "b": Cost()}):
        found = extents("quick", greeting(costs)).values()
        assert any(extent and (extent.reach == "every" or extent.every_at) for extent in found)


def test_a_recipe_that_compiles_by_itself_is_left_to_full_runs() -> None:
    def spec(compiles: bool) -> NativeSpec:
        return NativeSpec("f", {"none": ""}, False, False, WIDE, compiles=compiles)

    natives = {"softmax": {"native": spec(False), "native_fused": spec(True), "fast": spec(False)}}
    hello = greeting({"a": Cost(), "b": COMPILED}, natives)
    goldens = plan.choose(vectors.load, ["softmax"])

    def asked(level: Level) -> set[tuple[str, str]]:
        made = plan.make({"abacus": hello}, goldens, Selection(level=level))
        return {(item.cell.mode, item.cell.recipe) for item in made}

    full = {(mode, recipe) for mode in "ab" for recipe in ("composed", *natives["softmax"])}
    assert asked("full") == full
    assert full - asked("quick") == {("a", "native_fused"), ("b", "native_fused"), ("b", "fast")}


def test_what_is_timed_follows_from_costs() -> None:
    hello = greeting({"eager": Cost(), "graph": LATE, "compiled": COMPILED, "slow": SLOW})
    timed = {mode for mode in hello.modes if not subjects.untimed(hello, mode)}
    assert timed == {"eager", "compiled"}
    assert "kernels of eager" in subjects.untimed(hello, "graph")
    assert "10 s" in subjects.untimed(hello, "slow")
    assert not subjects.untimed(greeting({"graph": LATE}), "graph"), "a framework that has nothing else is timed"
    assert subjects.untimed(greeting({"eager": ONE_BY_ONE, "compiled": COMPILED}), "eager")
    published = {subjects.subject(name).cell.mode for name in asv_subjects.offered({"abacus": hello})}
    assert published == {"eager"}


def test_the_selftest_takes_the_framework_that_adds_least() -> None:
    def named(name: str, cost: Cost) -> Hello:
        return Hello(name, "1", ("a",), ("cpu",), WIDE, {"a": cost}, {}, {}, ("cpu",), {}, "")

    there = [named("jitted", COMPILED), named("brisk", Cost()), named("slow", Cost(operation=1e-3))]
    assert selftest.quickest([*there, Unavailable("absent", "")]) == "brisk"
    with pytest.raises(CannotJudge):
        selftest.quickest([Unavailable("absent", "")])


# Names ---------------------------------------------------------------------------------------------------------------


def named(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The identifiers and strings of a module that hold a framework's name; docstrings may."""
    bodies = [node.body for node in ast.walk(tree) if isinstance(getattr(node, "body", None), list)]
    documentation = {
        id(s.value) for b in bodies for s in b if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if id(node) in documentation:
            continue
        for field in ("value", "id", "attr", "name", "arg"):
            if isinstance(word := getattr(node, field, None), str) and FRAMEWORK.search(word):
                yield getattr(node, "lineno", 0), word


@pytest.mark.parametrize("folder", NAMELESS)
def test_no_framework_has_a_name_here(folder: str) -> None:
    paths = sorted((Path(lossvet.__file__).parent / folder).resolve().glob("*.py"))
    assert paths
    found = [f"{p.name}:{line}: {word!r}" for p in paths for line, word in named(ast.parse(p.read_text()))]
    assert not found, "what is true of one framework belongs to its adapter"


@pytest.mark.parametrize(
    "source", ["torch_first = 1", 'x = {"jax/eager": 1}', "f(tensorflow=2)", "a.keras", "def tf(): 0", 'f"{x} of JAX"']
)
def test_a_name_is_found(source: str) -> None:
    assert list(named(ast.parse(source)))


def test_a_docstring_may_name_a_framework() -> None:
    assert not list(named(ast.parse('"""As PyTorch."""\ndef f():\n    """As JAX."""\nx = 1\n"""As in Keras."""')))
