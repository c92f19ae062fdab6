"""Strangers' code that behaves badly: one clear sentence each, and nothing breaks. The losses are in tests/manners/."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossvet import adapters
from lossvet.verify import worker
from lossvet.verify.binding import Options
from lossvet.verify.manners import Late, limited
from lossvet.verify.messages import Ask, Bind, Found, Load, Loaded, Refused, Reply, asked
from lossvet.verify.questions import Answer, Question, cotangent, direction
from lossvet.verify.remote import FAILURES, Remote
from lossvet.verify.sources import SourceError

MANNERS = Path(__file__).parent / "manners"
pytest.importorskip("torch")


def question(rows: int = 5, **more: Any) -> Question:
    logits = np.sin(np.arange(rows * 3.0)).reshape(rows, 3)
    return Question(
        {"logits": logits, "labels": np.arange(rows) % 3, "class_weight": np.array([1.0, 2.0, 4.0])}, **more
    )


# In this process: what a worker does when it is asked -----------------------------------------------------------------


@pytest.fixture
def side() -> worker.Side:
    return worker.Side(adapters.primitives("torch"))


def told(side: worker.Side, name: str, limit: float = 120.0) -> Reply:
    """What binding says of a loss of torch_losses.py; loading has to succeed."""
    (loaded,) = side.answers(Load(f"torch:torch_losses.py::{name}", str(MANNERS), 0.0))
    if isinstance(loaded, Refused):
        return loaded
    assert isinstance(loaded, Loaded)
    (reply,) = side.answers(Bind(Options(), limit))
    return reply


def answer(side: worker.Side, one: Question) -> Any:
    (reply,) = side.answers(Ask(0, (asked(one),), 120.0))
    return reply


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("plain", ()),
        ("prints", ("prints",)),
        ("in_place", ("changes logits in place",)),
        ("weights_in_place", ("changes class_weight in place",)),
        (
            "random",
            ("uses global randomness: the same call gives different results", "calling it changes the seed of torch"),
        ),
        ("seeds", ("calling it changes the seed of torch",)),
        ("returns_a_number", ("returns a Python number, which has no gradient",)),
        ("returns_a_tuple", ("returns a tuple: its part 1 is taken",)),
        ("returns_a_mapping", ("returns a mapping, of which 'loss' is used",)),
    ],
)
def test_harmless_manners_are_named_and_break_nothing(
    side: worker.Side, name: str, notes: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(side, name)
    assert isinstance(found, Found), found
    assert found.notes == notes
    reply = answer(side, question(leaves=("logits",)))
    assert reply.error == ""
    assert reply.value is not None
    assert (reply.gradients["logits"] is None) == (name == "returns_a_number")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("exits", "exit", "calling exits exits the interpreter (exit code 3)"),
        ("raises", "binding", "the first raised ValueError: expected a tensor of rank 7."),
        ("returns_none", "binding", "NoLoss: returns None; expected a tensor or a number"),
        ("not_a_function", "not_callable", "not_a_function in torch_losses.py is a Tensor"),
        ("hangs", "hang", "hangs did not return within 0.5 s when it was called on a few rows"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_a_sentence(side: worker.Side, name: str, kind: str, words: str) -> None:
    refused = told(side, name, limit=0.5 if name == "hangs" else 120.0)
    assert isinstance(refused, Refused), refused
    assert refused.kind == kind
    assert words in refused.sentence
    assert "\n" not in refused.sentence


def test_a_second_backward_pass_is_looked_at(side: worker.Side) -> None:
    told(side, "once_only")
    twice = answer(side, question(leaves=("logits",), derivative="twice"))
    assert twice.notes == ("a second backward pass differs",)
    assert not np.any(twice.gradients["logits"])
    assert np.any(answer(side, question(leaves=("logits",))).gradients["logits"])
    told(side, "plain")
    assert answer(side, question(leaves=("logits",), derivative="twice")).notes == ()


def test_a_gradient_that_pytorch_refuses_costs_no_other(side: worker.Side) -> None:
    told(side, "plain")
    reply = answer(side, question(leaves=("logits", "class_weight")))
    assert reply.gradients["class_weight"] is None
    assert reply.refused["class_weight"].startswith("not differentiable: RuntimeError: ")
    np.testing.assert_allclose(reply.gradients["logits"].sum(1), 0, atol=1e-15)


def test_gradients_are_those_of_the_cotangent(side: worker.Side) -> None:
    """Of a scalar 0.75 times the gradient; Hessian and forward mode agree with differences of it."""
    told(side, "plain")
    whole = answer(side, question(leaves=("logits",)))
    x = question().inputs["logits"]
    step = 1e-6

    def at(moved: Any) -> Any:
        inputs = {**question().inputs, "logits": moved}
        return answer(side, Question(inputs, leaves=("logits",)))

    ahead, behind = at(x + step * direction(x.shape)), at(x - step * direction(x.shape))
    slope = (ahead.value - behind.value) / (2 * step)
    np.testing.assert_allclose((whole.gradients["logits"] * direction(x.shape)).sum(), cotangent(()) * slope, rtol=1e-8)
    hessian = answer(side, question(derivative="hessian")).gradients["logits"]
    np.testing.assert_allclose(
        hessian, (ahead.gradients["logits"] - behind.gradients["logits"]) / (2 * step), atol=1e-8
    )
    np.testing.assert_allclose(answer(side, question(derivative="forward")).gradients["forward"], slope, rtol=1e-8)


def test_a_limit_interrupts_python_and_leaves_no_alarm() -> None:
    start = time.perf_counter()
    with pytest.raises(Late), limited(0.05):
        any(False for _ in itertools.count())
    assert time.perf_counter() - start < 5
    with limited(0.05):
        pass
    time.sleep(0.1)


# In processes of their own --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def remote() -> Iterator[Callable[..., Remote]]:
    """Starts sides, all that a test wants at once, and ends them."""
    made: list[Remote] = []

    def make(spec: str, **more: Any) -> Remote:
        made.append(Remote(spec, folder=str(MANNERS), **more))
        return made[-1]

    yield make
    for one in made:
        one.end()


def refusal(side: Remote) -> SourceError:
    with pytest.raises(SourceError) as caught:
        side.load()
    side.end()
    return caught.value


def test_one_question_that_kills_or_hangs_costs_no_other(remote: Callable[..., Remote]) -> None:
    side = remote("numpy:numpy_losses.py::by_rows", limit=1.0).load()
    rows = (5, 7, 5, 9, 8, 5, 6)
    answers = side.ask([question(n) for n in rows])
    assert [a.error for a in answers] == [
        "",
        "Died: it ends the process (exit code 5)",
        "",
        "ValueError: nine rows",
        "Late: no answer within 1 s",
        f"NotAsked: {FAILURES} earlier requests ended the worker or took longer than 1 s",
        f"NotAsked: {FAILURES} earlier requests ended the worker or took longer than 1 s",
    ]
    np.testing.assert_array_equal(answers[0].value, answers[2].value)  # type: ignore[arg-type]  # both are there


def test_a_loss_that_ends_the_process_is_told_from_one_whose_import_does(remote: Callable[..., Remote]) -> None:
    calls, imports = remote("numpy:numpy_losses.py::ends"), remote("numpy:ends.py::loss")
    assert str(refusal(imports)) == "importing ends.py ends the process at once (exit code 9)"
    assert str(refusal(calls)) == "calling ends ends the process at once (exit code 4)"


def test_a_fork_has_one_answer_each(remote: Callable[..., Remote]) -> None:
    calls, imports = remote("torch:torch_losses.py::forks"), remote("numpy:forks.py::loss")
    assert imports.load().notes == ("importing it forks a process",)
    assert calls.load().notes == ("calling it forks a process",)
    answers = [*calls.ask([question(n) for n in (4, 5, 6)]), *calls.ask([question(n) for n in (4, 5, 6)])]
    values = [float(a.value) for a in answers if a.value is not None]
    assert values[:3] == values[3:]
    assert len(set(values)) == 3


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="nobody tells how much memory is in use")
def test_ten_gib_are_too_many(remote: Callable[..., Remote]) -> None:
    refused = refusal(remote("torch:torch_losses.py::allocates"))
    assert refused.kind == "memory"
    assert "calling allocates on a few rows needs more memory than it is allowed" in str(refused)


def test_an_import_that_hangs_is_ended(remote: Callable[..., Remote]) -> None:
    refused = refusal(remote("numpy:hangs.py::loss", import_limit=1.0))
    assert (refused.kind, refused.exit_code) == ("hang", 3)
    assert str(refused) == "importing hangs.py takes longer than 1 s"


def test_what_an_import_changes_is_named(remote: Callable[..., Remote]) -> None:
    (note,) = remote("torch:sets_flags.py::loss").load().notes
    for change in (
        "torch's number of threads from 1 to 2",
        "torch's default dtype from torch.float32 to torch.float64",
        "the environment variable LOSSES_OF_MINE",
        "the seed of numpy.random",
    ):
        assert change in note


def test_an_interpreter_that_is_not_there(remote: Callable[..., Remote]) -> None:
    refused = refusal(remote("numpy:numpy_losses.py::weighted", python="/no/such/python"))
    assert "numpy does not start for /no/such/python: /no/such/python cannot be started" in str(refused)
    assert refused.exit_code == 3


def test_numpy_has_values_and_no_gradients(remote: Callable[..., Remote]) -> None:
    side = remote("numpy:numpy_losses.py::weighted").load()
    assert side.differentiable is False
    assert side.bindings[0].call == "weighted(labels, logits, w=class_weight)"
    (found,) = side.ask([question(leaves=("logits",))])
    assert found.gradients == {"logits": None}
    assert found.refused["logits"].startswith("not differentiable: ")
    changes = remote("numpy:numpy_losses.py::changes_labels").load()
    assert "changes labels in place" in changes.notes


@pytest.mark.slow  # three processes with JAX, each of which compiles
def test_jax_is_traced_where_it_can_be(remote: Callable[..., Remote]) -> None:
    pytest.importorskip("jax")
    weighted, untraced = remote("jax:jax_losses.py::weighted"), remote("jax:jax_losses.py::untraced")
    flags = remote("jax:sets_x64.py::loss")
    weighted.load()
    assert weighted.bindings[0].call == "weighted(logits, labels, w=class_weight)"
    (found,) = weighted.ask([question(leaves=("logits", "class_weight"))])
    assert found.dtype == "float64"
    assert _same(found, remote("numpy:numpy_losses.py::weighted").load().ask([question()])[0])
    assert untraced.load().bindings[0].call == "untraced(logits, labels)"
    (found,) = untraced.ask([question(leaves=("logits",))])
    assert found.answered
    assert flags.load().notes == ("importing it changes jax_enable_x64 from False to True",)


@pytest.mark.sweep  # TensorFlow takes seconds to import
def test_tensorflow_in_both_behaviours(remote: Callable[..., Remote]) -> None:
    pytest.importorskip("tensorflow")
    specs = ("weighted_categorical_crossentropy", "in_float32", "per_example")
    sides = [remote(f"tensorflow:tensorflow_losses.py::{name}") for name in specs]
    old = remote("tensorflow_v1:tensorflow_losses.py::tf1").load()
    maker, narrow, rows = (side.load() for side in sides)
    assert maker.bindings[0].call == "weighted_categorical_crossentropy(weights=class_weight)(labels, logits)"
    assert (narrow.bindings[0].dtype, rows.bindings[0].dtype) == ("float32", "float64")
    assert rows.bindings[0].call == "per_example(labels, logits, weights=sample_weight)"
    assert old.bindings[0].call == "tf1(labels, logits, weights=sample_weight)"
    inputs = {**question().inputs, "sample_weight": np.array([1.0, 0.0, 2.0, 4.0, 0.5])}
    new, before = (side.ask([Question(inputs, leaves=("logits",))])[0] for side in (rows, old))
    assert new.value is not None
    assert before.value is not None
    np.testing.assert_allclose(
        before.value * 4, new.value * 7.5, rtol=1e-6
    )  # by weights that are not 0, and by their sum


def _same(one: Answer, other: Answer) -> bool:
    assert one.value is not None
    assert other.value is not None
    return bool(np.allclose(one.value, other.value, rtol=1e-12))
