"""`lossvet check`: it says of a function what a run says of the recipe that calls it, and finds mutants likewise."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from plugged import plug_here

from lossvet.adapters.types import exact_in
from lossvet.conformance import documented, ledger
from lossvet.conformance.judging import Judging
from lossvet.conformance.plan import Plan
from lossvet.conformance.requests import Answer, Request
from lossvet.conformance.summary import Finding, kind
from lossvet.conformance.types import Absent, Agrees, Cell, Deviates, Differs, Verdict
from lossvet.reference import variants, vectors
from lossvet.reference.dtypes import WIDE
from lossvet.reference.types import Reduction
from lossvet.reports import checked_formats, checked_text, checked_words
from lossvet.reports.findings import smallest
from lossvet.verify.check import check
from lossvet.verify.check_session import outputs
from lossvet.verify.checked import Checked, Record
from lossvet.verify.options import Options, SideOptions
from lossvet.verify.sources import SourceError
from lossvet.workers import caches
from lossvet.workers.client import Client, Side
from lossvet.workers.messages import Hello, outcome

HERE = Path(__file__).parent
NATIVES, MUTANTS = HERE / "natives_as_losses.py", HERE / "mutants_as_losses.py"
MODULES = {"torch": "torch", "tensorflow": "tensorflow", "tensorflow_v1": "tensorflow", "jax": "optax"}
MODES = {"torch": "eager", "tensorflow": "eager", "tensorflow_v1": "session", "jax": "jit"}

LOSSES = """
import torch
import torch.nn.functional as F

def weighted(x, y, weight):
    rows = -weight[y] * F.log_softmax(x, -1).gather(1, y[:, None])[:, 0]
    return rows.sum() / weight[y].sum()

def batch(x, y, weight):
    rows = -weight[y] * F.log_softmax(x, -1).gather(1, y[:, None])[:, 0]
    return rows.mean()

def unweighted(x, y):
    return F.cross_entropy(x, y)

class Weighted(torch.nn.Module):
    def __init__(self, weight=None, ignore_index=-100):
        super().__init__()
        self.inner = torch.nn.CrossEntropyLoss(weight, ignore_index=ignore_index)

    def forward(self, pred, target):
        return self.inner(pred, target)

def sleeps(x, y, weight):
    if len(x) == 1:
        import time
        time.sleep(60)
    return weighted(x, y, weight)

def dies(x, y, weight):
    if len(x) == 1:
        import os
        os._exit(5)
    return weighted(x, y, weight)

def number(x, y, weight):
    return float(weighted(x, y, weight))
"""
IN_NUMPY = """
import numpy as np

def unweighted(x, y):
    return (np.log(np.exp(x).sum(1)) - x[np.arange(len(y)), y]).mean()

def nothing(a, b, c, d):
    return None
"""

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
needs_jax = pytest.mark.skipif(find_spec("optax") is None, reason="JAX is not installed")
needs_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
NEEDS = {"torch": needs_torch, "jax": needs_jax, "tensorflow": needs_tensorflow, "tensorflow_v1": needs_tensorflow}


@pytest.fixture
def losses(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(LOSSES)
    return path


@pytest.fixture
def in_numpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Losses in NumPy, whose worker starts ten times as fast, with the adapter of another package."""
    plug_here(tmp_path / "others", monkeypatch)
    path = tmp_path / "mine.py"
    path.write_text(IN_NUMPY)
    return path


@pytest.fixture(scope="module")
def another_mean(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """What is said of a mean over the batch that claims to be one by weights."""
    path = tmp_path_factory.mktemp("another_mean") / "mine.py"
    path.write_text(LOSSES)
    return check(f"torch:{path}::batch", "sparse_class_weight", "weighted_mean")


@pytest.fixture(scope="module", name="runs")
def _runs() -> Iterator[Mapping[str, Client[Request, Answer]]]:
    """Workers of a run, by framework."""

    class Started(dict[str, Client[Request, Answer]]):
        def __missing__(self, framework: str) -> Client[Request, Answer]:
            side, module = Side(sys.executable), "lossvet.conformance.worker"
            self[framework] = Client(framework, side, module, cache=caches.default())
            return self[framework]

    started = Started()
    yield started
    for one in started.values():
        one.end()


def as_run(worker: Client[Request, Answer], cell: Cell, reduction: Reduction) -> dict[tuple[str, str], Verdict]:
    """What a run says of a cell, by case and output, of the outputs of one reduction."""
    variant = variants.load(cell.variant)
    goldens = {g.case.id: g for g in vectors.load(cell.variant) if exact_in(g.case, cell.dtype)}
    judging = Judging(Plan({}, {}, {cell.variant: goldens}), ledger.read(), documented.read(), WIDE)
    asked = {name: outputs(variant, g.case, reduction) for name, g in goldens.items()}
    cases = [judging.message(cell.variant, name) for name in goldens]
    worker.send(Request(0, cell.recipe, cell.mode, cell.dtype, cell.device, cases, list(asked.values())))
    found: dict[tuple[str, str], Verdict] = {}
    for name in goldens:
        answer = worker.receive()
        assert isinstance(answer, Answer), answer
        outcomes = {output: outcome(message) for output, message in answer.outcomes.items()}
        found |= {(name, output): v for output, v in judging.judge(cell, name, outcomes).items()}
    return found


def agree(one: Verdict, other: Verdict, native: bool) -> bool:
    """Whether check says what a run says. Of a loss of the user's, a known deviation is a difference, and what has no
    defined result agrees."""
    if isinstance(one, Absent):  # in other words
        return isinstance(other, Absent)
    if native:
        return repr(one) == repr(other)  # NaN is equal to NaN
    match one:
        case Deviates(differs=differs):
            same = (Differs, Agrees) if differs.golden != differs.golden else (Differs,)
            return isinstance(other, same) or "raises" in differs.why
        case Absent():
            return isinstance(other, Absent)
        case Agrees():
            return isinstance(other, Agrees) and (one.ratio, one.ulp, one.index) == (
                other.ratio,
                other.ulp,
                other.index,
            )
    return type(one) is type(other)


def disagreements(found: Checked, by_dtype: Mapping[str, Mapping[tuple[str, str], Verdict]]) -> list[object]:
    assert {(r.dtype, r.case, r.output) for r in found.records} == {
        (dtype, *where) for dtype, run in by_dtype.items() for where in run
    }
    return [
        (r, by_dtype[r.dtype][r.case, r.output])
        for r in found.records
        if not agree(by_dtype[r.dtype][r.case, r.output], r.verdict, bool(found.native))
    ]


def against_run(
    runs: Mapping[str, Client[Request, Answer]], spec: str, framework: str, variant: str, recipe: str, reduction: str
) -> Checked:  # fmt: skip
    """Check a loss, and see to it that it agrees with the run of its cell, check by check."""
    found = check(spec, variant, reduction, Options(source=SideOptions(mode=MODES[framework])))
    (named,) = (r for r in variants.load(variant).reductions if r == reduction)
    cells = {dtype: Cell(variant, recipe, framework, MODES[framework], dtype) for dtype in ("float32", "float64")}
    by_dtype = {dtype: as_run(runs[framework], cell, named) for dtype, cell in cells.items()}
    assert found.checks > 50
    assert disagreements(found, by_dtype) == []
    return found


@pytest.mark.parametrize(
    ("framework", "function", "variant", "recipe", "reduction"),
    [
        pytest.param("torch", "torch.nn.functional:cross_entropy", "sparse_class_weight", "native", "weighted_mean"),
        pytest.param(
            "torch",
            "torch.nn.functional:binary_cross_entropy_with_logits",
            "sigmoid",
            "native",
            "mean",
            marks=pytest.mark.slow,
        ),
        pytest.param("jax", "optax:softmax_cross_entropy", "softmax", "native", "none", marks=pytest.mark.slow),
        pytest.param(
            "tensorflow",
            "tensorflow:nn.softmax_cross_entropy_with_logits",
            "softmax",
            "native",
            "none",
            marks=pytest.mark.sweep,
        ),
    ],
)
def test_a_function_of_a_framework_is_judged_as_a_run_judges_it(
    runs: Mapping[str, Client[Request, Answer]],
    framework: str,
    function: str,
    variant: str,
    recipe: str,
    reduction: str,
) -> None:
    pytest.importorskip(MODULES[framework])
    found = against_run(runs, f"{framework}:{function}", framework, variant, recipe, reduction)
    assert found.native == recipe
    assert found.exit_code == 0, checked_text.text(found)
    deviations = sum(isinstance(r.verdict, Deviates) for r in found.records)
    assert deviations == found.deviates > 0


def every_native() -> Iterator[tuple[str, str, str, str]]:
    """Framework, variant, recipe and reduction of every native function, from the adapters as they greet."""
    for framework, module in MODULES.items():
        if find_spec(module) is None:
            continue
        with Client[Request, Answer](framework, Side(sys.executable), "lossvet.conformance.worker") as client:
            greeting = client.greeting
        assert isinstance(greeting, Hello)
        for variant, recipes in greeting.natives.items():
            for recipe, spec in recipes.items():
                if recipe.startswith("native"):
                    yield from ((framework, variant, recipe, reduction) for reduction in spec.reductions)


@pytest.mark.sweep
def test_every_native_is_judged_as_a_run_judges_it(runs: Mapping[str, Client[Request, Answer]]) -> None:
    seen = 0
    for framework, variant, recipe, reduction in every_native():
        spec = f"{framework}:{NATIVES}::{framework}__{variant}__{recipe}__{reduction}"
        if framework == "tensorflow_v1" and recipe == "native_losses":
            continue  # computes in float32 whatever it is given: a user's loss is asked in float64 all the same
        against_run(runs, spec, framework, variant, recipe, reduction)
        seen += 1
    assert seen >= 40


SLOW_MUTANTS = (
    ("sigmoid_twice", "none"),
    ("sigmoid_positives_only", "sum"),
    ("sigmoid_swapped", "none"),
    ("sigmoid_hardened", "mean"),
    ("softmax_clamped", "none"),
    ("softmax_epsilon_in_log", "sum"),
    ("softmax_normalised_labels", "none"),
    ("sparse_ignored_leak", "sum"),
    ("weighted_mean_over_batch", "weighted_mean"),
    ("weights_squared", "mean"),
)
MUTANTS_CHECKED = (
    pytest.param("sparse_sign", "none", marks=pytest.mark.slow),
    ("sigmoid_clamped", "mean"),
    *(pytest.param(name, reduction, marks=pytest.mark.sweep) for name, reduction in SLOW_MUTANTS),
)


@cache
def on_trial(name: str, reduction: Reduction) -> tuple[Record, ...]:
    """What the judge says of a mutant, in this process and without any binding."""
    from mutants import judged

    tested = judged.MUTANTS[name]
    found = []
    for dtype in ("float32", "float64"):
        for golden in vectors.load(tested.variant):
            if exact_in(golden.case, dtype):
                checked = {c.output: c.verdict for c in judged.checks(tested, golden, dtype, documented.NOTHING)}
                wanted = outputs(tested.recipe.variant, golden.case, reduction)
                found += [Record(dtype, golden.case.id, output, checked[output]) for output in wanted]
    return tuple(found)


def first(records: tuple[Record, ...], variant: str) -> tuple[str, str, str, str]:
    """The first difference as a run shows it."""
    goldens = {golden.case.id: golden for golden in vectors.load(variant)}
    findings = [
        Finding(Cell(variant, "own", "torch", "eager", r.dtype), r.case, r.output, r.verdict)  # type: ignore[arg-type]  # those that differ
        for r in records
        if kind(r.verdict) in ("differs", "errored")
    ]
    finding = smallest(findings, Plan({}, {}, {variant: goldens}))[0].finding
    return finding.case, finding.output, finding.cell.dtype, repr(finding.verdict)


@needs_torch
@pytest.mark.parametrize(("name", "reduction"), MUTANTS_CHECKED)
def test_a_mutant_is_red_with_the_difference_that_the_judge_finds(name: str, reduction: Reduction) -> None:
    variant = on_trial(name, reduction)[0].case.partition("/")[0]
    found = check(f"torch:{MUTANTS}::{name}__{reduction}", variant, reduction)
    assert found.exit_code == 1
    expected = first(on_trial(name, reduction), variant)
    assert first(found.records, variant) == expected
    shown = checked_words.differences(found)[0].finding
    assert (shown.case, shown.output, shown.cell.dtype, repr(shown.verdict)) == expected


@needs_torch
def test_what_it_is_instead_is_said(another_mean: Checked) -> None:
    assert another_mean.exit_code == 1
    page = checked_text.text(another_mean, 80)
    assert "denominator         batch, not weights" in page
    path = another_mean.spec.removeprefix("torch:")
    assert max(map(len, page.splitlines())) <= 80 or all(path in x for x in page.splitlines() if len(x) > 80)


@pytest.mark.sweep
@needs_torch
def test_the_command_of_a_difference_shows_it_again(losses: Path) -> None:
    found = check(f"torch:{losses}::batch", "sparse_class_weight", "weighted_mean")
    described = checked_words.differences(found)[0]
    words = checked_words.again(described.finding, found).split()
    command = [sys.executable, "-c", "from lossvet.cli import main; main()", *words[1:], "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert document["differences"][0]["lines"][0] == described.what.split("   (")[0]


@needs_torch
@pytest.mark.parametrize(("name", "reduction"), [("weighted", "weighted_mean"), ("batch", "mean")])
def test_a_reduction_that_was_not_said_is_found_out(losses: Path, name: str, reduction: str) -> None:
    found = check(f"torch:{losses}::{name}", "sparse_class_weight", only=("one_row", "zero_weight*", "random*"))
    assert (found.reduction, found.exit_code) == (reduction, 0)


@needs_torch
def test_a_class_is_made_with_what_it_takes(losses: Path) -> None:
    found = check(f"torch:{losses}::Weighted", "sparse_class_weight", "weighted_mean")
    assert found.exit_code == 0, checked_text.text(found)
    assert found.binding is not None
    assert "ignore_index=ignore_index" in found.binding.call
    ignored = [r for r in found.records if "ignore" in r.case and r.output == "loss/weighted_mean"]
    assert sum(isinstance(r.verdict, Agrees) for r in ignored) > 10
    assert all(isinstance(r.verdict, Agrees | Absent) for r in ignored)  # it takes no sample weights


@needs_torch
def test_weights_that_are_not_taken_make_it_differ(losses: Path) -> None:
    found = check(f"torch:{losses}::unweighted", "sparse_class_weight", "mean", only=("random*",))
    assert found.exit_code == 1
    assert found.identified is not None
    assert found.identified.contract is not None
    assert "weighting" not in found.identified.contract.record()


@needs_torch
@pytest.mark.sweep
@pytest.mark.parametrize(("name", "says"), [("sleeps", "no answer within 10 s"), ("dies", "exit code 5")])
def test_what_hangs_or_dies_costs_its_case_alone(losses: Path, name: str, says: str) -> None:
    found = check(
        f"torch:{losses}::{name}",
        "sparse_class_weight",
        "weighted_mean",
        Options(source=SideOptions(dtype="float32"), timeout=10),
        ("one_row", "random*"),
    )
    by_case = {r.case: r.verdict for r in found.records if r.output == "loss/weighted_mean"}
    bad = {case for case, verdict in by_case.items() if kind(verdict) == "errored"}
    assert bad == {"sparse_class_weight/one_row"}
    assert says in " ".join(checked_text.text(found).split())
    assert found.exit_code == 1


@needs_torch
def test_a_number_of_python_is_no_loss(losses: Path) -> None:
    found = check(f"torch:{losses}::number", "sparse_class_weight", "weighted_mean", only=("one_row",))
    assert "returns a Python float, which has no gradient; expected a tensor" in " ".join(
        checked_text.text(found).split()
    )


def test_a_variant_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"--as sparse_clas_weight: no such variant \(did you mean sparse_cl"):
        check("torch:x:y", "sparse_clas_weight")


def test_a_reduction_that_the_variant_has_not() -> None:
    with pytest.raises(
        ValueError, match="--reduction weighted_mean: sigmoid has no such reduction; it has: none, sum, mean"
    ):
        check("torch:x:y", "sigmoid", "weighted_mean")


def test_a_case_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"--only one_ro: sigmoid has no such case"):
        check("torch:x:y", "sigmoid", only=("one_ro",))


def test_a_variant_is_no_function() -> None:
    with pytest.raises(SourceError, match="is not a function of a framework; `lossvet run` judges recipes"):
        check("variant:sparse", "sparse")


def test_a_mode_that_the_framework_has_not(in_numpy: Path) -> None:
    with pytest.raises(ValueError, match="--mode jit: numpy has eager"):
        check(f"numpy:{in_numpy}::unweighted", "sparse", options=Options(source=SideOptions(mode="jit")))


def test_a_loss_that_cannot_be_bound(in_numpy: Path) -> None:
    with pytest.raises(SourceError, match="cannot be called as a loss") as refused:
        check(f"numpy:{in_numpy}::nothing", "sparse")
    assert refused.value.exit_code == 2


def test_a_loss_that_takes_other_inputs_than_the_variant(in_numpy: Path) -> None:
    with pytest.raises(SourceError, match="cannot be checked as sigmoid, which takes logits") as refused:
        check(f"numpy:{in_numpy}::unweighted", "sigmoid")
    assert refused.value.exit_code == 2


@needs_torch
def test_every_format_says_the_verdict(another_mean: Checked) -> None:
    found = another_mean
    assert json.loads(checked_formats.json(found))["checks"]["differ"] == found.differs > 0
    suite = ET.fromstring(checked_formats.junit(found))[0]
    assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure")) > 1
    assert checked_formats.github(found).startswith("::error ")
    of_loss = [r.verdict for r in found.records if (r.dtype, r.output) == ("float32", "loss/weighted_mean")]
    of_loss = [verdict for verdict in of_loss if not isinstance(verdict, Absent)]
    differ = sum(isinstance(verdict, Differs) for verdict in of_loss)
    assert f"| loss | float32 | {differ} differ | {len(of_loss)} |" in checked_formats.markdown(found)
    good = msgspec.structs.replace(found, outputs=(), findings=(), reason="why")
    assert good.exit_code == 3
    assert "cannot judge" in checked_formats.github(good)
