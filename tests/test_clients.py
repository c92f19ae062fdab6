"""A worker as its user sees it, whatever it serves: asked, waited for, replaced; and its failures are values."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from parrot import Count, Do, Double, Refused, Said

from lossvet.workers import lifecycle
from lossvet.workers.client import Client, Gone, Side
from lossvet.workers.machine import cores
from lossvet.workers.messages import Hello, Unavailable
from lossvet.workers.process import Died, Hung, Process, Stopped, Unreadable

Parrot = Client[Any, Any]
HERE = Side(sys.executable, {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])})


def parrot(name: str = "polly", side: Side = HERE, **more: Any) -> Parrot:
    return Client(name, side, "parrot", **more)


@pytest.fixture
def client() -> Iterator[Parrot]:
    with parrot() as made:
        yield made


def pid(client: Parrot) -> int:
    assert client._process is not None
    return client._process.pid


# What is asked and answered ------------------------------------------------------------------------------------------


def test_a_worker_says_hello_without_an_adapter(client: Parrot) -> None:
    assert isinstance(client.greeting, Hello)
    assert (client.greeting.name, client.greeting.modes, client.greeting.natives) == ("polly", (), {})
    assert client.greeting.python.endswith(sys.executable)


def test_one_request_has_one_answer_and_another_has_several(client: Parrot) -> None:
    assert client.ask(Count(1)) == Said(0, pid(client), cores())
    client.send(Count(3))
    assert [client.receive().number for _ in range(3)] == [0, 1, 2]
    assert client.ask(Count(1)) == Said(0, pid(client), cores())


def test_arrays_travel_in_messages(client: Parrot) -> None:
    array = np.array([[1.0, np.nan], [np.inf, -0.0]])
    np.testing.assert_array_equal(client.ask(Double(array)).array, 2 * array)
    assert client.ask(Double(np.zeros(0))).array is None


def test_several_start_at_once() -> None:
    with parrot() as one, parrot() as other:
        assert one.greeting == other.greeting
        assert pid(one) != pid(other)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this platform has no cores to stay on")
def test_a_worker_stays_on_its_core() -> None:
    core = cores()[-1]
    with parrot(core=core) as client:
        assert client.ask(Count(1)).cores == (core,)
    with parrot(side=Side(HERE.python, {**HERE.environment, lifecycle.CORE: str(core)})) as client:
        assert client.ask(Count(1)).cores == (core,)


def test_leaving_ends_the_worker() -> None:
    with parrot() as client:
        assert isinstance(client.ask(Count(1)), Said)
        process = client._process
        assert process is not None
    assert process._child.returncode == -signal.SIGKILL


def test_whoever_waits_can_be_stopped(client: Parrot) -> None:
    stop: list[bool] = []
    with parrot(stopped=lambda: bool(stop)) as client:
        client.greeting  # noqa: B018  # waits until it has started
        stop.append(True)
        with pytest.raises(Stopped):
            client.ask(Do("hang"))


# What goes wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("crash", "SIGSEGV; Fatal Python error: Segmentation fault"),
        ("exit", "exit code 0 before it answered"),
        ("raise", "exit code 1 before it answered; ValueError: an exception that nobody caught"),
        ("fork and die", "exit code 7 before it answered"),
    ],
)
def test_a_death_costs_one_answer(client: Parrot, what: str, words: str) -> None:
    first = client.ask(Count(1)).pid
    start = time.monotonic()
    failure = client.ask(Do(what), limit=20)
    assert time.monotonic() - start < 15, "a child that holds the pipe hides no death"
    assert isinstance(failure, Died)
    assert failure.how.startswith(words)
    assert not failure.outside
    assert str(failure).startswith(f"its worker died: {words}")
    assert client.ask(Count(1)).pid != first


def test_a_kill_from_outside_is_told_from_a_death(client: Parrot) -> None:
    client.greeting  # noqa: B018  # waits until it has started
    client.send(Do("hang"))
    os.kill(pid(client), signal.SIGKILL)
    assert client.receive(10) == Died("SIGKILL", outside=True)


def test_a_hang_costs_its_limit(client: Parrot) -> None:
    first = client.ask(Count(1)).pid
    start = time.monotonic()
    assert client.ask(Do("hang"), limit=0.5) == Hung(0.5)
    assert 0.4 < time.monotonic() - start < 10
    assert str(Hung(0.5)) == "no answer within 0.5 s"
    assert client.ask(Count(1)).pid != first


def test_an_answer_that_is_awaited_again_is_the_same_failure(client: Parrot) -> None:
    client.send(Do("exit"))
    failure = client.receive(20)
    assert isinstance(failure, Died)
    assert client.receive(20) == failure


@pytest.mark.parametrize(
    ("what", "words"), [("nonsense", "a frame announces 4294967295 bytes"), ("stranger", "Invalid value 'Unavailable'")]
)
def test_what_is_no_answer_is_told(client: Parrot, what: str, words: str) -> None:
    failure = client.ask(Do(what), limit=20)
    assert isinstance(failure, Unreadable)
    assert words in str(failure)
    assert isinstance(client.ask(Count(1)), Said)


def test_what_is_too_large_is_refused_in_words_of_the_service(client: Parrot) -> None:
    refused = client.ask(Do("large"))
    assert isinstance(refused, Refused)
    assert "exceeds the limit" in refused.reason


def test_what_is_printed_is_no_answer(client: Parrot) -> None:
    assert isinstance(client.ask(Do("print")), Said)
    assert isinstance(client.ask(Count(1)), Said)


def test_a_child_never_answers(client: Parrot) -> None:
    """Neither one that was forked at a request nor one that was forked at the start."""
    assert client.ask(Do("fork")).pid == pid(client)
    client.send(Count(2))
    assert [client.receive() for _ in range(2)] == [Said(n, pid(client), cores()) for n in range(2)]
    with parrot("forks") as other:
        assert isinstance(other.greeting, Hello)
        assert other.ask(Count(1)).pid == pid(other)
        assert other.ask(Do("hang"), limit=0.5) == Hung(0.5), "nobody else says anything"


def test_a_worker_may_end_itself_after_an_answer(client: Parrot) -> None:
    assert isinstance(client.ask(Do("end")), Said)
    process = client._process
    assert process is not None
    assert process._child.wait(timeout=20) == 0


# What does not start -------------------------------------------------------------------------------------------------


def test_what_does_not_open_says_why() -> None:
    with parrot("absent") as absent, parrot("broken") as broken:
        assert absent.greeting == Unavailable("absent", "ModuleNotFoundError: No module named 'parrot'", missing=True)
        assert broken.greeting == Unavailable("broken", "RuntimeError: it does not fly", missing=False)
        assert broken.ask(Count(1)) == Gone("RuntimeError: it does not fly")


def test_an_interpreter_that_is_none_says_so() -> None:
    with parrot(side=Side("/no/such/python")) as client:
        assert client.greeting == Unavailable(
            "polly", "/no/such/python cannot be started: No such file or directory", missing=False
        )
    with parrot(side=Side("/bin/false")) as client:
        assert isinstance(client.greeting, Unavailable)
        assert client.greeting.reason.startswith("its worker died at the start: exit code 1")


def test_a_start_that_is_killed_from_outside_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    remarks: list[str] = []
    killed: list[int] = []

    def start(process: Process, *given: Any) -> None:
        begin(process, *given)
        if len(killed) < 2:
            os.kill(process.pid, signal.SIGKILL)
            killed.append(process.pid)

    begin = Process.__init__
    monkeypatch.setattr(Process, "__init__", start)
    with parrot(remark=remarks.append) as client:
        assert isinstance(client.greeting, Hello)
        assert len(remarks) == 2
        assert all("killed from outside (SIGKILL) at the start" in remark for remark in remarks)
    killed.clear()
    monkeypatch.setattr("lossvet.workers.client.STARTS", 2)
    with parrot() as client:
        assert client.greeting == Unavailable("polly", "its worker died at the start: SIGKILL", missing=False)


def test_a_worker_that_is_another_one_now_is_no_replacement(tmp_path: Path) -> None:
    counter = tmp_path / "versions"
    counter.touch()
    with parrot(str(counter)) as client:
        assert isinstance(client.ask(Do("exit")), Died)
        assert client.ask(Count(1)) == Gone("it is 2 now")
        assert client._process is None
        assert isinstance(client.ask(Count(1)), Gone)
