"""The mutation of our own code can fail: a survivor is seen, and so is a reason that nothing needs any more."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the command is no part of the package

from mutation import accounting, patching
from mutation.accounting import Change, Tally

TESTS = Path(__file__).parent
LINE = 'HVP = Output("hvp", "none", "logits")'
SURVIVES = Change("reference/output.py", LINE, LINE.replace("hvp", "HVP"))
KILLED = Change("reference/output.py", LINE, LINE.replace("none", "NONE"))


def of(killed: int, *survivors: Change) -> Tally:
    return Tally("output", (*((KILLED, "killed"),) * killed, *((one, "survived") for one in survivors)))


def test_all_is_well_where_every_survivor_has_a_reason() -> None:
    assert accounting.problems([of(9, SURVIVES)], {SURVIVES: "it means the same"}) == []
    assert of(9, SURVIVES).share == 0.9


@pytest.mark.parametrize(
    ("tally", "known", "words"),
    [
        (of(9, SURVIVES), {}, "survives without a reason: reference/output.py"),
        (of(8, SURVIVES), {SURVIVES: "it means the same"}, "88.9 % of the mutants are killed, expected 90 %"),
        (of(9), {KILLED: "it means the same"}, "has a reason to survive, and is killed"),
        (of(9), {Change("reference/output.py", "x = 1", "x = 2"): "gone"}, "its line is no more"),
        (of(9), {Change("nowhere.py", "x = 1", "x = 2"): "gone"}, "its line is no more"),
    ],
)
def test_what_is_not_as_it_has_to_be_is_told(tally: Tally, known: dict[Change, str], words: str) -> None:
    (problem,) = accounting.problems([tally], known)
    assert words in problem


def test_a_mutant_that_does_not_end_is_killed_and_counted_apart() -> None:
    tally = Tally("output", ((KILLED, "timeout"), (KILLED, "killed"), (SURVIVES, "survived")), 2.0)
    assert accounting.table([tally]).splitlines()[1].split() == ["output", "3", "1", "1", "1", "66.7", "2"]


def test_the_reasons_on_file_are_read() -> None:
    known = accounting.reasons()
    assert all(reason for reason in known.values())
    assert not [problem for problem in accounting.problems([], known) if "no more" in problem]


LOADED = """
from functools import cache

LIMIT = 3

def plain(x, by=1):
    return x + by

@cache
def nested(x):
    return [y + 1 for y in (x,)]

class One:
    least = 1

    @property
    def two(self):
        return 2

TABLE = {"half": lambda x: x / 2}
"""


def loaded(path: Path) -> ModuleType:
    path.write_text(LOADED)
    spec = importlib.util.spec_from_file_location("loaded_to_be_patched", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("was", "now", "call", "before", "after"),
    [
        ("x + by", "x - by", "plain(3)", 4, 2),
        ("y + 1", "y - 1", "nested.__wrapped__(3)", [4], [2]),
        ("return 2", "return 3", "One().two", 2, 3),
        ("x / 2", "x // 2", "TABLE['half'](3)", 1.5, 1),
    ],
)
def test_functions_that_are_loaded_get_the_code_of_a_mutant(
    was: str, now: str, call: str, before: object, after: object, tmp_path: Path
) -> None:
    module = loaded(tmp_path / "loaded.py")
    codes = patching.changed(LOADED, LOADED.replace(was, now))
    assert codes is not None
    (place,) = codes
    assert eval(call, vars(module)) == before
    patching.put(codes, patching.loaded(str(tmp_path / "loaded.py")))
    assert eval(call, vars(module)) == after
    patching.put({("nowhere", 1): codes[place]}, {})


@pytest.mark.parametrize(
    ("was", "now"), [("LIMIT = 3", "LIMIT = 4"), ("by=1", "by=True"), ("least = 1", "least = 2"), ("@cache", "")]
)
def test_what_an_import_runs_is_not_patched(was: str, now: str) -> None:
    assert patching.changed(LOADED, LOADED.replace(was, now)) is None


TRIED = """
from mutation import trial
from mutation.trial import Source

path = "reference/output.py"
text = (trial.ROOT / path).read_text()
sources = {
    "same": text,
    "wrong": text.replace('f"loss/', 'f"LOSS/'),
    "never called": text.replace("raise ValueError(", "raise TypeError("),
    "wrong where it is imported": text.replace('HVP = Output("hvp"', 'HVP = Output("loss"'),
    "no Python": text + "(",
    "without end": text + "\\nwhile True:\\n    pass\\n",
}
trial.prepare(["numpy", "msgspec"])
tests = trial.baseline(["tests/test_output.py::test_outputs_are_values"])
made = ((name, Source(path, source)) for name, source in sources.items())
print(sorted(trial.tried(made, tests, tests.seconds, 2)))
try:
    trial.baseline(["tests/test_output.py::test_that_is_not_there"])
except trial.Broken as error:
    print(error)
"""


@pytest.mark.sweep
def test_a_module_is_tried_with_another_source() -> None:
    """In a process of its own, which forks before it imports anything of lossvet."""
    done = subprocess.run([sys.executable, "-c", TRIED], cwd=TESTS, capture_output=True, text=True, check=True)
    ends, broken = done.stdout.splitlines()
    assert ends == str(
        [
            ("never called", "survived"),
            ("no Python", "killed"),
            ("same", "survived"),
            ("without end", "timeout"),
            ("wrong", "killed"),
            ("wrong where it is imported", "killed"),
        ]
    )
    assert broken == "without a mutant, pytest tests/test_output.py::test_that_is_not_there ends with 4"


A_KILLED_ONE = f"""
[[survivor]]
path = "{KILLED.path}"
was = '{LINE}'
now = '{LINE.replace("none", "none_")}'
reason = "it means the same"
"""


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("reasons", "status", "words"),
    [
        (accounting.FILE.read_text(), 0, "every survivor has its reason"),
        ("", 1, "survives without a reason: reference/output.py"),
        (accounting.FILE.read_text() + A_KILLED_ONE, 1, "has a reason to survive, and is killed"),
    ],
    ids=["all is well", "no reason", "killed"],
)
def test_the_command_ends_as_its_survivors_are_listed(reasons: str, status: int, words: str, tmp_path: Path) -> None:
    pytest.importorskip("cosmic_ray")
    path = tmp_path / "survivors.toml"
    path.write_text(reasons)
    command = [sys.executable, "mutate.py", "output", "--reasons", str(path)]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)
    assert (done.returncode, words in done.stdout) == (status, True), done.stdout + done.stderr


@pytest.mark.sweep
def test_mutants_are_sampled_by_seed_and_stay_in_the_sample() -> None:
    pytest.importorskip("cosmic_ray")
    from mutation import population

    path = "reference/output.py"
    every = population.sample([path], None, 1)
    assert len(every) > 20
    assert all(one.change[0] != one.change[1] for one in every)
    few, more, other = (population.sample([path], size, seed) for size, seed in ((5, 1), (10, 1), (10, 2)))
    assert more[:5] == few
    assert set(more) <= set(every)
    assert set(more) != set(other)
