"""The work of a run is split over as many workers as there are cores to use, and the verdicts stay the same."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from plugged import plug_here

from lossvet.adapters.protocol import Cost
from lossvet.conformance import backlog, journal, plan, pool, run
from lossvet.conformance.backlog import Backlog, Question, Task, Unit
from lossvet.conformance.options import Options
from lossvet.conformance.plan import Item, Plan, Selection
from lossvet.conformance.pool import Answered, Broken, Ended, Pool
from lossvet.conformance.types import Cell
from lossvet.reference import vectors
from lossvet.workers import caches, machine
from lossvet.workers.messages import Greeting, Hello, case_message

ONLY = ("sigmoid", "sparse", "softmax", "class_weight")
COSTS = {"eager": Cost(), "jit": Cost(function=0.3, shapes=0.3), "op_by_op": Cost(shapes=1.0)}


class Silent:
    def starting(self, frameworks: Sequence[str]) -> None: ...
    def begin(self, greetings: Mapping[str, Greeting], plan: Plan, done: int) -> None: ...
    def counted(self, checks: int) -> None: ...
    def remark(self, framework: str, text: str) -> None: ...


def item(mode: str, variant: str, case: str) -> Item:
    return Item(Cell(variant, "composed", "abacus", mode, "float32"), f"{variant}/{case}", ("loss/none",))


def some_units() -> list[Unit]:
    items = [item(mode, variant, case) for mode in COSTS for variant in ("sparse", "softmax") for case in "abc"]
    return backlog.units(items, COSTS, lambda item: (ord(item.case[-1]), 3), lambda variant, case: msgspec.Raw(b""))


def test_what_is_compiled_once_is_one_unit() -> None:
    found = some_units()
    of_mode = defaultdict(list)
    for unit in found:
        (mode,) = {task.cell.mode for task in unit.tasks}
        of_mode[mode].append(sorted(task.cell.variant for task in unit.tasks))
    assert of_mode["op_by_op"] == [["softmax", "sparse"]], "operations are shared by all cells of the mode"
    assert sorted(of_mode["jit"]) == sorted(of_mode["eager"]) == [["softmax"], ["sparse"]]
    assert sum(len(task.questions) for unit in found for task in unit.tasks) == 18
    assert max(found, key=lambda unit: unit.seconds).tasks[0].cell.mode == "op_by_op"


def test_a_backlog_gives_each_task_once_and_the_longest_unit_first() -> None:
    shared = Backlog(some_units())
    one, other = iter(shared), iter(shared)
    first = next(one)
    assert first.cell.mode == "op_by_op"
    assert next(other).cell.mode == "jit"
    rest = [*one, *other]
    assert len({task.cell for task in rest} | {first.cell}) == len(rest) + 1 == 5
    assert shared.seconds == 0


def test_what_is_given_up_is_not_begun() -> None:
    shared = Backlog(some_units())
    taking = iter(shared)
    next(taking)
    shared.give_up()
    assert [task.cell.mode for task in taking] == ["op_by_op"], "the unit that was begun is finished, and nothing else"


def simulated(backlogs: Mapping[str, float], cores: int, start: float) -> tuple[float, Counter[str]]:
    """Seconds until all is done, by a clock of its own, and workers started; each framework's work is 100 equal units.

    The first worker of each framework has started before.
    """
    cell, question = Cell("v", "r", "f", "m", "float32"), Question("c", msgspec.Raw(b""), ())
    queues = {
        name: Backlog(Unit((Task(cell, (question,)),), seconds / 100) for _ in range(100))
        for name, seconds in backlogs.items()
    }
    now, busy, begun, free = 0.0, Counter[str](), Counter[str](), list[tuple[float, str]]()
    share = {name: seconds / 100 for name, seconds in backlogs.items()}
    while True:
        while busy.total() < cores and (name := backlog.next_worker(queues, busy, lambda name: start)):
            free.append((now + (start if begun[name] else 0.0), name))
            busy[name] += 1
            begun[name] += 1
        if not free:
            return now, begun
        now, name = free.pop(free.index(min(free)))
        if next(iter(queues[name]), None) is None:
            busy[name] -= 1
        else:
            free.append((now + share[name], name))


def test_eight_cores_take_a_quarter_of_two() -> None:
    """By a simulated clock, with seconds of work as four frameworks have it, and 3 s for a start."""
    work = {"a": 100.0, "b": 25.0, "c": 25.0, "d": 20.0}
    two, of_two = simulated(work, 2, 3.0)
    eight, of_eight = simulated(work, 8, 3.0)
    assert two == pytest.approx(sum(work.values()) / 2, rel=0.1)
    assert eight < two / 3.2
    assert of_two["a"] <= 2
    assert of_eight["a"] >= 4


def test_no_worker_is_started_for_what_is_nearly_done() -> None:
    _, begun = simulated({"a": 4.0, "b": 4.0}, 8, 3.0)
    assert begun == {"a": 1, "b": 1}


def test_one_worker_at_a_time_does_one_framework_after_another() -> None:
    seconds, begun = simulated({"a": 10.0, "b": 5.0}, 1, 3.0)
    assert begun == {"a": 1, "b": 1}
    assert seconds == pytest.approx(15.0)


def test_questions_are_split_over_the_workers_of_a_framework(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by worker, and cell by cell: real processes, four of one framework."""
    plug_here(tmp_path / "others", monkeypatch)
    with Pool({"numpy": sys.executable}, caches.environment(None), 60.0) as workers:
        greetings, _ = pool.greetings(workers)
        hello = greetings["numpy"]
        assert isinstance(hello, Hello)
        made = plan.make(greetings, plan.choose(vectors.load, ()), Selection())
        goldens = made.goldens

        def message(variant: str, case: str) -> msgspec.Raw:
            return case_message(variant, goldens[variant][case].case)

        items = [item for item in made if not item.absent]
        shared = Backlog(backlog.units(items, hello.costs, lambda item: (), message))
        for number in range(4):
            workers.give("numpy", shared, hello if number else None)
        answered: dict[int, set[Cell]] = defaultdict(set)
        cases, ended = Counter[int](), 0
        while ended < 4:
            match workers.events.get():
                case Answered(cell, _, worker):
                    answered[worker].add(cell)
                    cases[worker] += 1
                case Ended():
                    ended += 1
                case Broken(_, error):
                    raise error
    assert cases.total() == len(items)
    assert sum(len(cells) for cells in answered.values()) == len({item.cell for item in items}), "a cell was split"
    assert cases[0] < len(items), "all was done by one worker"


@pytest.mark.slow
def test_one_worker_and_four_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_here(tmp_path / "others", monkeypatch)
    found = []
    for jobs in (1, 4):
        path = tmp_path / f"{jobs}.jsonl"
        selection = Selection(only=ONLY, frameworks=("numpy", "naughty"))
        result = run.run(Options(selection=selection, cold=True, journal=path, jobs=jobs), Silent())
        assert not result.incomplete
        contents = journal.read(path)
        assert contents is not None
        found.append({(judged.cell, judged.case): judged.verdicts for judged in contents.judged})
    assert found[0] == found[1]


@pytest.mark.parametrize(("cores", "gib", "expected"), [(8, 16, 8), (8, 3, 3), (1, 16, 1), (4, 0, 1)])
def test_workers_are_as_many_as_cores_and_memory_allow(
    monkeypatch: pytest.MonkeyPatch, cores: int, gib: int, expected: int
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: tuple(range(cores)))
    monkeypatch.setattr(machine, "memory", lambda: gib * 2**30 + 5)
    assert machine.workers() == expected


def test_memory_is_that_of_this_machine() -> None:
    assert 2**20 < machine.memory() < 2**50
