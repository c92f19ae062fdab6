"""lossvet.testing: it says what the commands say, in the caller's process, and leaves that as it was."""

from __future__ import annotations

import doctest
import importlib.util
import json
import os
import subprocess
import sys
import warnings
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossvet.testing
from lossvet.reports import checked_text, verify_text
from lossvet.testing import assert_conforms, assert_contract, assert_same_loss, conforming
from lossvet.testing.asking import Options, spec
from lossvet.testing.frameworks import candidates
from lossvet.testing.undisturbed import undisturbed
from lossvet.verify import verify
from lossvet.verify.options import Options as CommandOptions

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "docs" / "examples"
PAGE = HERE.parent / "docs" / "testing.md"
sys.path.insert(0, str(HERE))  # the losses beside this file

from numpy_losses_to_compare import by_batch, by_weights, constant, strange  # noqa: E402

LOSSES = "numpy:tests/numpy_losses_to_compare.py"
IN_PROCESSES = [
    "torch",
    pytest.param("jax", marks=pytest.mark.sweep),
    pytest.param("tensorflow", marks=pytest.mark.sweep),
]


def page_of(assertion: Any, *arguments: Any, **options: Any) -> str:
    """With what an assertion fails."""
    with pytest.raises(AssertionError) as raised:
        assertion(*arguments, **options)
    return str(raised.value)


def words(assertion: Any, *arguments: Any, **options: Any) -> str:
    """The same, on one line."""
    return " ".join(page_of(assertion, *arguments, **options).split())


@cache
def asked(*arguments: str, **environment: str) -> Any:
    """What the program answers, in a process of its own."""
    package = {"keras": "keras"}.get(arguments[1], arguments[1])
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    program = [sys.executable, str(HERE / "testing_asked.py"), *arguments]
    done = subprocess.run(program, capture_output=True, env={**os.environ, **environment}, timeout=300)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_it_fails_with_the_page_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE.parent)
    page = verify_text.text(verify.compare(f"{LOSSES}::by_batch", f"{LOSSES}::by_weights", CommandOptions()))
    assert page_of(assert_same_loss, by_batch, by_weights) == page
    assert " ".join(page.split()).startswith(f"different: {LOSSES}::by_batch and {LOSSES}::by_weights do not mean")


def test_what_is_accepted_passes() -> None:
    assert_same_loss(by_batch, by_weights, accept="denominator=batch->weights")
    assert "denominator" in words(assert_same_loss, by_batch, by_weights, accept="denominator=weights->batch")


def test_an_accept_that_meets_nothing_warns() -> None:
    again = partial(by_batch)
    with pytest.warns(UserWarning, match="--accept smoothing accepts nothing"):
        assert_same_loss(by_batch, again, accept="smoothing")


def test_a_dead_loss_and_the_same_function_pass_for_nothing() -> None:
    assert "it returns 2 on every probe" in words(assert_same_loss, constant, by_batch)
    assert "both sides are the same function" in words(assert_same_loss, by_batch, by_batch)


def test_a_function_that_cannot_be_called_fails_with_the_sentence_of_the_command() -> None:
    assert words(assert_same_loss, strange, by_batch).startswith("strange(logits, labels) cannot be called")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"accept": "denominater"}, "did you mean denominator"),
        ({"bind": {"logit": "x"}}, "did you mean logits"),
        ({"labels": "sprase"}, "expected dense or sparse"),
        ({"framework": "pytorch"}, "no such framework: 'pytorch'"),
        ({"framework": "tensorflow_v1"}, "`lossvet verify`"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        assert_same_loss(by_batch, by_weights, **options)


def test_options_for_each_side() -> None:
    def odd(a: Any, b: Any, c: Any) -> Any:
        return by_batch(b, a, c)

    bind = {"logits": "b", "labels": "a", "class_weight": "c"}
    assert_same_loss(odd, by_batch, bind=(bind, {}))


def test_contracts_as_files_and_as_mappings(tmp_path: Path) -> None:
    assert_contract(by_weights, {"weighting": ["class_weight"], "denominator": "weights"})
    assert "denominator: weights in old, batch in new" in words(
        assert_contract, by_weights, {"weighting": "class_weight"}
    )
    assert_contract(by_weights, EXAMPLES / "weighted.contract.toml")
    assert "denominator" in words(assert_contract, by_batch, str(EXAMPLES / "weighted.contract.toml"))
    with pytest.raises(ValueError, match="no such facet: 'denominater'"):
        assert_contract(by_weights, {"denominater": "weights"})
    with pytest.raises(FileNotFoundError):
        assert_contract(by_weights, tmp_path / "missing.contract.toml")


def test_conforming() -> None:
    assert_conforms(by_weights, "sparse_class_weight", "weighted_mean")
    said = page_of(assert_conforms, by_batch, "sparse_class_weight", "weighted_mean")
    assert "batch, not weights" in said
    with undisturbed():
        found = conforming.checked(by_batch, "sparse_class_weight", "weighted_mean", Options())
    assert said == checked_text.text(found)
    with pytest.raises(ValueError, match="no such variant"):
        assert_conforms(by_batch, "sparse_class_wait")


def test_python_hides_the_frames_of_an_assertion() -> None:
    with pytest.raises(AssertionError) as raised:
        assert_same_loss(by_batch, by_weights)
    hidden = [entry.frame.f_locals.get("__tracebackhide__") for entry in raised.traceback]
    assert hidden[0] is None
    assert all(hidden[1:])


def test_frameworks_are_told_by_module_annotation_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "jax", "tensorflow"):
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name, type(sys)(name)))
    torch = sys.modules["torch"]

    def annotated(x: torch.Tensor, y: Any) -> Any:
        return x

    def coded(x: Any, y: Any) -> Any:
        return torch.mean(helper(x))

    def helper(x: Any) -> Any:
        return x

    def wrapper(x: Any, y: Any) -> Any:
        return coded(x, y)

    assert candidates(annotated)[0] == candidates(coded)[0] == candidates(wrapper)[0] == "torch"
    assert candidates(by_batch)[0] == "numpy"
    assert candidates(helper)[-1] == "numpy"
    assert set(candidates(helper)) == {"torch", "jax", "tensorflow", "numpy"}


def test_nothing_is_imported_that_was_not() -> None:
    code = (
        "import sys; import lossvet.testing; from lossvet.testing import frameworks;"
        "print(frameworks.candidates(lambda x, y: x), [n for n in ('torch', 'jax', 'tensorflow') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "('numpy',) []"


def test_specs_are_those_of_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE.parent)
    assert spec(by_batch, "numpy") == f"{LOSSES}::by_batch" == spec(partial(by_batch), "numpy")
    assert spec(np.mean, "numpy") == "numpy:numpy:mean"


def test_what_is_set_is_set_again_even_where_a_loss_raises() -> None:
    np.random.seed(8)
    state = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]  # the legacy state is a tuple
    filters, errors = list(warnings.filters), np.geterr()

    def careless() -> None:
        np.random.random(3)
        np.seterr(all="raise")
        warnings.simplefilter("error")
        raise KeyError

    with pytest.raises(KeyError), undisturbed():
        careless()
    assert (np.random.get_state()[1] == state).all()  # type: ignore[index]  # as above
    assert warnings.filters == filters
    assert np.geterr() == errors


@pytest.mark.parametrize("framework", ["numpy", *IN_PROCESSES])
def test_the_example_runs_and_leaves_the_process_as_it_was(framework: str) -> None:
    found = asked("example", framework)
    assert len(found["ran"]) >= 2
    assert found["changed"] == []
    assert found["random"]
    if framework in ("torch", "tensorflow"):  # what a worker does would not have gone unseen
        assert found["set up"], "a worker's set-up changes something here, or fails"


@pytest.mark.sweep
def test_graphs_and_sessions_are_refused_in_a_sentence() -> None:
    for sentence in asked("refused", "tensorflow"):
        assert "`lossvet verify`" in sentence
        assert "\n" not in sentence


@pytest.mark.sweep
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_loss_of_keras_is_called_in_the_framework_of_its_backend(backend: str) -> None:
    words = asked("on_backend", "keras", KERAS_BACKEND=backend)
    assert words.startswith(f"different: {backend}:keras")
    assert "they differ in smoothing" in " ".join(words.split())


def test_the_page_shows_the_examples() -> None:
    for name in ("torch", "jax", "tensorflow", "numpy"):
        assert (EXAMPLES / f"{name}_losses.py").read_text() in PAGE.read_text()


def test_the_docstrings_are_right() -> None:
    found = doctest.testmod(lossvet.testing)
    assert found.failed == 0
    assert found.attempted > 10
