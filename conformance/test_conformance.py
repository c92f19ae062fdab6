"""The conformance suite: every cell of the quick matrix is a test, and its cases are subtests.

    pytest --pyargs lossvet.conformance

It runs what `lossvet run` runs and judges by the same function. A cell of which the ledger has an entry is a strict
xfail: it has to deviate as the entry says, and nothing else may differ in it. A framework that is not installed is one
skipped test, and a failed one where LOSSVET_REQUIRE (names, with commas) has it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lossvet.conformance import deviations, run
from lossvet.conformance.options import Options
from lossvet.conformance.plan import Plan, Selection, make
from lossvet.conformance.summary import kind
from lossvet.conformance.types import Cell, Deviates, Verdict
from lossvet.reference import variants
from lossvet.workers.messages import Greeting, Hello, Unavailable

REQUIRED = tuple(filter(None, os.environ.get("LOSSVET_REQUIRE", "").split(",")))


MOST_COMPILED = 100
"""Functions; each costs a quarter of a second, and they are what a quick run consists of."""


class Suite:
    """One run for the session: planned when tests are collected, begun when the first of them wants its result."""

    def __init__(self) -> None:
        self.greetings: Mapping[str, Greeting] = {}
        self.plan: Plan | None = None
        self.error: Exception | None = None
        self._result: run.Result | None = None
        self._folder = TemporaryDirectory(prefix="lossvet-")
        self._planned, self._wanted = threading.Event(), threading.Event()
        # A daemon, so that a session that collects these tests and runs others does not wait for it.
        self._thread = threading.Thread(target=self._run, daemon=True, name="lossvet-suite")
        self._thread.start()
        self._planned.wait()

    def _run(self) -> None:
        try:
            options = Options(require=REQUIRED, journal=Path(self._folder.name) / "run.jsonl")
            self._result = run.run(options, self)
        except Exception as error:
            self.error = error
        finally:
            self._planned.set()

    def result(self) -> run.Result:
        """The finished run. Raises what the run raised."""
        self._wanted.set()
        self._thread.join()
        if self._result is None:
            raise self.error or RuntimeError("the run ended without a result")
        return self._result

    def cells(self) -> list[Cell]:
        return list(dict.fromkeys(item.cell for item in self.plan)) if self.plan else []

    def starting(self, frameworks: Sequence[str]) -> None: ...

    def begin(self, greetings: Mapping[str, Greeting], plan: Plan, done: int) -> None:
        self.greetings, self.plan = greetings, plan
        self._planned.set()
        self._wanted.wait()

    def counted(self, checks: int) -> None: ...

    def remark(self, framework: str, text: str) -> None: ...


@cache
def suite() -> Suite:
    return Suite()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cell" in metafunc.fixturenames:
        metafunc.parametrize("cell", suite().cells(), ids=str)
    if "framework" in metafunc.fixturenames:
        metafunc.parametrize("framework", sorted(suite().greetings))


@cache
def _in_ledger() -> set[Cell]:
    """The cells of which the ledger has something to say, going by the cases that are planned."""
    places = [where for d in deviations.read() for where in d.where]
    return {
        item.cell
        for item in suite().plan or ()
        if not item.absent
        and any(w.names_cell(item.cell) and w.names_check(item.case, o) for w in places for o in item.outputs)
    }


def test_the_run_comes_to_its_end() -> None:
    result = suite().result()
    print("\n".join(f"{name}: {count:,}" for name, count in result.summary.totals.items()))
    assert result.summary.totals["checks"] > 0, "no check was made"
    assert result.incomplete == 0, f"{result.incomplete} checks were given up"


def test_compilation_stays_within_its_budget() -> None:
    assert suite().result().summary.compiled <= MOST_COMPILED


def test_the_full_plan_asks_every_framework_for_every_reduction() -> None:
    quick = suite().plan
    assert quick is not None
    full = make(suite().greetings, quick.goldens, Selection(level="full"))
    asked = {(i.cell.framework, i.cell.variant, o) for i in full for o in i.outputs if i.cell.recipe == "composed"}
    assert asked, "no framework is there"
    for framework in full.items:
        for name in variants.names():
            for reduction in variants.load(name).reductions:
                for output in (f"loss/{reduction}", f"gradient/{reduction}/logits"):
                    assert (framework, name, output) in asked, f"{framework} is never asked for {output} of {name}"


def test_framework_is_there(framework: str) -> None:
    greeting = suite().greetings[framework]
    if isinstance(greeting, Unavailable) and greeting.missing and framework not in REQUIRED:
        pytest.skip(f"{framework} is missing ({greeting.reason}); see: lossvet doctor")
    assert isinstance(greeting, Hello), f"{framework} does not start, or is required and missing: {greeting.reason}"


def test_the_ledger_holds() -> None:
    problems = suite().result().problems
    assert not problems, "\n".join(problems)


def test_cell(cell: Cell, subtests: pytest.Subtests) -> None:
    deviations: set[str] = set()
    by_case: dict[str, list[str]] = {}
    for case, output, verdict in _by_cell().get(cell, ()):
        wrong = by_case.setdefault(case, [])
        if kind(verdict) in ("differs", "errored"):
            wrong.append(f"{output}: {verdict}")
        if isinstance(verdict, Deviates):
            deviations.add(verdict.deviation)
    assert by_case, f"{cell} was planned, and nothing of it was judged"
    for case, wrong in by_case.items():
        with subtests.test(case):
            again = f"lossvet run --only {case} --framework {cell.framework} --dtype {cell.dtype}"
            assert not wrong, "\n".join([*wrong, f"again: {again}"])
    # A strict xfail in the test and not by its mark: the mark would take each subtest that passes for a failure.
    if cell in _in_ledger():
        assert deviations, f"{cell} deviates no longer, and the ledger says it does: narrow the entry, or remove it"
        pytest.xfail(", ".join(sorted(deviations)))


@cache
def _by_cell() -> dict[Cell, list[tuple[str, str, Verdict]]]:
    found: dict[Cell, list[tuple[str, str, Verdict]]] = {}
    for cell, case, output, verdict in suite().result().summary.seen:
        found.setdefault(cell, []).append((case, output, verdict))
    return found
