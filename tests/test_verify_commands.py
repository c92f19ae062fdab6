"""The commands around verify: what they hand to the engine, what they print, how they end.

The engine's answers are made by hand here; files, git, batches and replays are real.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result
from tests import verify_answers as answers

from lossvet.cli import COMMANDS, group
from lossvet.commands import check, identify, replay, verify
from lossvet.conformance.summary import Finding
from lossvet.conformance.types import Cell, Differs
from lossvet.verify import contract_file, opened, revision
from lossvet.verify.answer import Binding, Comparison, Identified
from lossvet.verify.checked import Checked, CheckedOutput
from lossvet.verify.contract import Contract
from lossvet.verify.options import Options, SideOptions
from lossvet.verify.questions import Question
from lossvet.verify.sources import SourceError
from lossvet.verify.verify import compare

OLD, NEW = "torch:old/losses.py::weighted_ce", "jax:new.losses:weighted_ce"


class Engine(types.ModuleType):
    """Gives the answers that it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__("engine")
        self.comparison: Comparison | Exception = answers.DIFFERENT
        self.identified: Identified | Exception = answers.OLD
        self.checked: Checked | None = None
        self.asked: list[tuple[Any, ...]] = []

    def compare(self, source: str, target: str, options: Options) -> Comparison:
        self.asked.append((source, target, options))
        if isinstance(self.comparison, Exception):
            raise self.comparison
        return self.comparison

    def identify(self, spec: str, options: Options) -> Identified:
        self.asked.append((spec, options))
        if isinstance(self.identified, Exception):
            raise self.identified
        return self.identified

    def check(self, spec: str, variant: str, reduction: str, options: Options, only: tuple[str, ...]) -> Checked:
        self.asked.append((spec, variant, reduction, options, only))
        assert self.checked is not None
        return self.checked

    def spell(self, found: Identified, framework: str, options: Options) -> str:
        return f"# {found.spec} for {framework}"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    found = Engine()
    for name in ("verify", "spell"):
        monkeypatch.setitem(sys.modules, f"lossvet.verify.{name}", found)
    monkeypatch.setattr("lossvet.verify.check.check", found.check)
    monkeypatch.chdir(tmp_path)
    return found


def ran(command: Any, *words: str) -> Result:
    found = CliRunner().invoke(command, list(words))
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def last(found: Result) -> str:
    return found.stderr.splitlines()[-1]


def test_every_command_is_there_and_says_what_it_executes() -> None:
    for name in ("verify", "identify", "check", "replay"):
        assert name in COMMANDS
        found = CliRunner().invoke(group, [name, "--help"])
        assert found.exit_code == 0
        assert "with your rights and without a sandbox" in " ".join(found.output.split())


def test_verify_prints_the_answer_and_ends_with_its_code(engine: Engine) -> None:
    found = ran(verify.command, OLD, NEW)
    assert found.exit_code == 1
    assert last(found) == "different in denominator and clip (exit 1)"
    assert found.stdout.startswith(f"different: {OLD} and")
    key = found.stdout.splitlines()[-1].removeprefix("replay         lossvet replay ")
    assert (Path(".lossvet/replay") / f"{key}.json").is_file()
    assert "\x1b" not in found.output


@pytest.mark.parametrize("form", ["json", "junit", "github", "markdown"])
def test_verify_in_other_formats(form: str, engine: Engine) -> None:
    found = ran(verify.command, OLD, NEW, "--format", form)
    assert found.exit_code == 1
    start = {"json": "{", "junit": "<?xml", "github": "::error", "markdown": "## lossvet verify"}[form]
    assert found.stdout.startswith(start)


def test_options_reach_the_engine(engine: Engine) -> None:
    engine.comparison = msgspec.structs.replace(answers.SAME, effect=answers.EFFECT)
    np.savez("batch.npz", logits=np.zeros((2, 3)), labels=np.array([0, 2]))
    words = (
        "--source-bind logits=pred,labels=gt --source-init reduction='sum' --target-mode jit --target-dtype bfloat16 "
        f"--labels sparse --classes 3 --timeout 5 --inputs batch.npz --target-python {sys.executable}"
    )
    found = ran(verify.command, OLD, NEW, *words.split())
    assert (found.exit_code, last(found)) == (0, "the same on 490 probes and 200 fresh ones (exit 0)")
    ((source, target, options),) = engine.asked
    assert (source, target) == (OLD, NEW)
    assert options.source == SideOptions(bind={"logits": "pred", "labels": "gt"}, init="reduction='sum'")
    assert options.target == SideOptions(python=sys.executable, mode="jit", dtype="bfloat16")
    assert (options.labels, options.classes, options.timeout) == ("sparse", 3, 5.0)
    assert options.batch["labels"].tolist() == [0, 2]
    assert not Path(".lossvet").exists()


def test_what_is_accepted_changes_the_code(engine: Engine) -> None:
    found = ran(verify.command, OLD, NEW, "--accept", "denominator=weights->batch", "--accept", "clip")
    assert (found.exit_code, last(found)) == (
        0,
        "same, except for accepted differences in denominator and clip, and 1 edge case (exit 0)",
    )
    engine.comparison = answers.SAME_AT_EDGES
    assert ran(verify.command, OLD, NEW).exit_code == 0
    assert ran(verify.command, OLD, NEW, "--strict-edges").exit_code == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "OLD is missing"),
        ((OLD,), "NEW is missing"),
        ((OLD, NEW, "--base", "main"), "NEW and --base were both given"),
        ((OLD, NEW, "--fail-above", "0.1"), "--fail-above needs --inputs"),
        ((OLD, NEW, "--accept", "denominater"), "did you mean denominator?"),
        ((OLD, NEW, "--source-bind", "logit=x"), "no such role: 'logit'; did you mean logits?"),
        ((OLD, NEW, "--source-bind", "logits"), "is not ROLE=PARAMETER"),
        ((OLD, NEW, "--source-bind", "logits=x,logits=y"), "binds logits twice"),
        ((OLD, NEW, "--target-bind", "logits=x", "--target-bind", "labels=x"), "to two roles"),
        ((OLD, NEW, "--target-python", "/nowhere/python"), "python /nowhere/python: not an executable program"),
        ((OLD, "--base", "main"), "does not exist"),
        ((OLD, "torhc:a.py::f"), "did you mean torch?"),
        ((OLD, "a.py"), "is not a loss; expected FRAMEWORK:path/file.py::name"),
        (("variant:sparse", "--base", "main"), "'variant:sparse' is neither"),
        ((OLD, NEW, "--selftest"), "--selftest takes no OLD and NEW"),
        (("--selftest", "--only", "no_such_file*"), "no loss of the corpus matches no_such_file*"),
        (("--selftest", "--framework", "theano"), "the corpus has no losses in theano"),
        ((OLD, NEW, "--only", "torch*"), "--only and --framework select losses of --selftest"),
    ],
)
def test_usage_errors_are_sentences_with_code_2(words: tuple[str, ...], said: str, engine: Engine) -> None:
    found = ran(verify.command, *words)
    assert found.exit_code == 2
    assert said in last(found)
    assert last(found).endswith("(exit 2)")
    assert engine.asked == []


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SourceError("file", "there is no file old/losses.py"), 2, "there is no file old/losses.py (exit 2)"),
        (SourceError("import", "it raises"), 3, "cannot judge: it raises (exit 3)"),
        (TimeoutError("no answer within 5 s"), 3, "allow more time with --timeout (exit 3)"),
        (FileNotFoundError(2, "No such file or directory", "x.toml"), 2, "x.toml: No such file or directory (exit 2)"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_goes_wrong_ends_with_a_sentence(error: Any, code: int, said: str, engine: Engine) -> None:
    engine.comparison = error
    if isinstance(error, KeyboardInterrupt):

        def interrupted(*_: object) -> Comparison:
            raise KeyboardInterrupt

        engine.compare = interrupted  # type: ignore[method-assign]
    found = ran(verify.command, OLD, NEW)
    assert found.exit_code == code
    assert said in last(found)


def test_our_own_errors_are_not_dressed_up(engine: Engine) -> None:
    engine.comparison = AssertionError("ours")
    with pytest.raises(AssertionError, match="ours"):
        ran(verify.command, OLD, NEW)


def test_a_bundle_is_written(engine: Engine) -> None:
    found = ran(verify.command, OLD, NEW, "--bundle", "shown")
    assert found.exit_code == 1
    assert "bundle: python shown/show.py" in found.stderr
    assert sorted(p.name for p in Path("shown").iterdir()) == ["README", "inputs.json", "show.py"]
    engine.comparison = answers.SAME
    assert "no bundle: no input is known" in ran(verify.command, OLD, NEW, "--bundle", "none").stderr
    assert not Path("none").exists()


# --base --------------------------------------------------------------------------------------------------------------


def git(*words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


@pytest.fixture
def repository(engine: Engine, tmp_path: Path) -> Path:
    (tmp_path / "lib/pkg").mkdir(parents=True)
    (tmp_path / "lib/pkg/__init__.py").write_text("")
    (tmp_path / "lib/pkg/losses.py").write_text("OLD = 1\n")
    git("init", "-b", "main")
    git("add", ".")
    git("commit", "-m", "first")
    (tmp_path / "lib/pkg/losses.py").write_text("NEW = 1\n")
    return tmp_path


def test_a_file_at_another_revision(repository: Path, engine: Engine) -> None:
    spec = "torch:lib/pkg/losses.py::f"
    found = ran(verify.command, spec, "--base", "main", "--format", "json")
    assert found.exit_code == 1
    ((source, target, options),) = engine.asked
    path = Path(source.removeprefix("torch:").removesuffix("::f"))
    assert target == spec
    assert path.name == "losses.py"
    assert str(path.parent) in options.source.search
    assert not path.exists()  # it is removed afterwards
    document = json.loads(found.stdout)
    assert document["source"]["spec"] == f"{spec} at main"
    record = json.loads((Path(".lossvet/replay") / f"{document['replay'].split()[-1]}.json").read_text())
    assert (record["source"], record["target"], record["options"]["base"]) == (spec, spec, "main")
    assert "lossvet-base" not in json.dumps(record)
    status = subprocess.run(["git", "status", "--short"], capture_output=True, text=True, check=True)
    assert status.stdout.splitlines() == [" M lib/pkg/losses.py", "?? .lossvet/"]


def test_the_files_are_those_of_the_revision(repository: Path) -> None:
    with revision.at("torch:lib/pkg/losses.py::f", "main") as base:
        path = Path(base.spec.removeprefix("torch:").removesuffix("::f"))
        assert path.read_text() == "OLD = 1\n"
    assert Path("lib/pkg/losses.py").read_text() == "NEW = 1\n"


def test_a_module_at_another_revision(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "lib")
    with revision.at("torch:pkg.losses:f", "main") as base:
        assert base.spec == "torch:pkg.losses:f"
        done = subprocess.run(
            [sys.executable, "-c", "import pkg.losses as m; print(m.OLD)"],
            env={"PYTHONPATH": ":".join(base.search)}, cwd="/", capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert done.stdout == "1\n"
    assert not any(Path(folder).exists() for folder in base.search)


@pytest.mark.parametrize(
    ("spec", "at", "words"),
    [
        ("torch:lib/pkg/losses.py::f", "nowhere", "no revision 'nowhere'"),
        ("torch:lib/pkg/losses.py::f", "--output=x", "no revision '--output=x'"),
        ("torch:lib/new.py::f", "main", "lib/new.py does not exist at main"),
        ("torch:no_such_package.losses:f", "main", "there is no module 'no_such_package'"),
        ("it.contract.toml", "main", "is neither"),
    ],
)
def test_bases_that_cannot_be(spec: str, at: str, words: str, repository: Path) -> None:
    (repository / "lib/new.py").write_text("")
    with pytest.raises(revision.RevisionError, match=words), revision.at(spec, at):
        pass
    assert not Path("x").exists()


def test_outside_a_repository_there_is_no_base(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    with pytest.raises(revision.RevisionError, match="needs a git repository"), revision.at("torch:a.py::f", "main"):
        pass


# identify, check, replay ---------------------------------------------------------------------------------------------


def test_identify_writes_a_contract_file_that_is_read_back(engine: Engine) -> None:
    found = ran(identify.command, OLD, "--write", "it.contract.toml")
    assert found.exit_code == 0
    assert last(found) == "confirmed on 512 probes and 200 fresh ones; written to it.contract.toml (exit 0)"
    assert found.stdout.startswith(f"confirmed: {OLD}")
    assert contract_file.read(Path("it.contract.toml")).contract == answers.OLD.contract


def test_identify_writes_nothing_that_is_not_known(engine: Engine) -> None:
    engine.identified = answers.AMBIGUOUS
    found = ran(identify.command, OLD, "--write", "it.contract.toml")
    assert found.exit_code == 3
    assert last(found) == "2 contracts explain every probe; --write had no effect (exit 3)"
    assert not Path("it.contract.toml").exists()
    assert ran(identify.command, OLD, "--write", "it.toml").exit_code == 2


def test_identify_spells(engine: Engine) -> None:
    found = ran(identify.command, OLD, "--spell", "jax", "--bind", "logits=pred")
    assert found.stdout == f"# {OLD} for jax", "stdout is a file to import"
    assert found.stderr.startswith(f"identifying {OLD} ...\nconfirmed: {OLD}")
    assert engine.asked[0][1].source.bind == {"logits": "pred"}


CHECKED = Checked(
    spec=OLD,
    framework="torch",
    version="2.13.0",
    variant="sparse_class_weight",
    reduction="weighted_mean",
    binding=answers.OLD.binding,
    outputs=(CheckedOutput("loss", "float32", checks=900, agrees=890, differs=10),),
    findings=(
        Finding(
            Cell("sparse_class_weight", "own", "torch", "eager", "float32"),
            "sparse_class_weight/at_zero",
            "loss/weighted_mean",
            Differs("is outside the bound", (), 1.0, 2.0, 7.0),
        ),
    ),
    identified=answers.NEW,
)


def test_check_says_what_it_is_instead(engine: Engine) -> None:
    engine.checked = CHECKED
    found = ran(check.command, OLD, "--as", "sparse_class_weight", "--reduction", "weighted_mean")
    assert (found.exit_code, last(found)) == (1, "890 of 900 checks agree, 10 differ (exit 1)")
    assert "loss/weighted_mean is 1, golden 2 (off by 7 times the bound)" in " ".join(found.stdout.split())
    assert "clip added 1e-07, not none" in " ".join(found.stdout.split())
    assert json.loads(ran(check.command, OLD, "--as", "sparse_class_weight", "--format", "json").stdout)["exit"] == 1
    engine.checked = msgspec.structs.replace(
        CHECKED, outputs=(CheckedOutput("loss", "float32", checks=900, agrees=900),), findings=(), identified=None
    )
    assert ran(check.command, OLD, "--as", "sparse_class_weight").exit_code == 0
    engine.checked = msgspec.structs.replace(CHECKED, outputs=(), findings=())
    assert ran(check.command, OLD, "--as", "sparse_class_weight").exit_code == 3


def test_check_says_where_a_loss_that_has_the_meaning_differs(engine: Engine) -> None:
    """An infinity in an ignored row: the report shows it, and why that is hard, and does not deny the meaning."""
    (one,) = CHECKED.findings
    engine.checked = msgspec.structs.replace(
        CHECKED, findings=(replace(one, case="sparse_class_weight/ignored_infinite"),), identified=answers.OLD
    )
    found = ran(check.command, OLD, "--as", "sparse_class_weight", "--reduction", "weighted_mean")
    words = " ".join(found.stdout.split())
    assert "is sparse_class_weight with reduction weighted_mean, except on ignored_infinite." in words
    assert "is not sparse_class_weight" not in words
    assert "logits [3, 3] = -inf 2 1; 0.5 1.25 -2; 3 -0.375 1" in words
    assert "inf times a mask of 0 is NaN" in words
    assert words.index("It has the meaning of") < words.index("10 differ")


def test_check_knows_variants_and_reductions(engine: Engine) -> None:
    assert "(did you mean sparse_class_weight" in last(ran(check.command, OLD, "--as", "sparse_class_wieght"))
    found = ran(check.command, OLD, "--as", "sparse", "--reduction", "wieghted_mean")
    assert (found.exit_code, engine.asked) == (2, [])
    assert "sparse has no such reduction" in last(found)


LOSS = """import numpy as np


def weighted_ce(logits, labels, weight):
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    rows = -np.log((shifted / shifted.sum(1, keepdims=True))[np.arange(len(labels)), labels])
    return (weight[labels] * rows).REDUCED
"""


@pytest.fixture
def losses(engine: Engine, tmp_path: Path) -> tuple[str, str]:
    """Two losses in NumPy, which the engine says differ in their denominator; it is asked with a counterexample."""
    (tmp_path / "old.py").write_text(LOSS.replace("REDUCED", "sum() / weight[labels].sum()"))
    (tmp_path / "new.py").write_text(LOSS.replace("REDUCED", "mean()"))
    roles = {"logits": "logits", "labels": "labels", "class_weight": "weight"}
    binding = Binding("weighted_ce(logits, labels, weight)", roles, dict.fromkeys(roles, "name"), "sparse")
    values = []
    for name in ("old", "new"):
        space: dict[str, Any] = {}
        exec((tmp_path / f"{name}.py").read_text(), space)
        values.append(float(space["weighted_ce"](*(np.asarray(answers.EXAMPLE.inputs[role]) for role in roles))))
    example = msgspec.structs.replace(answers.EXAMPLE, source=values[0], target=values[1])
    sides = [
        msgspec.structs.replace(side, spec=f"numpy:{name}.py::weighted_ce", binding=binding)
        for side, name in ((answers.OLD, "old"), (answers.NEW, "new"))
    ]
    engine.comparison = Comparison("different", *sides, (answers.DENOMINATOR,), example, tried=1)
    return sides[0].spec, sides[1].spec


def test_replay_asks_both_in_their_workers_again(losses: tuple[str, str]) -> None:
    key = ran(verify.command, *losses).stdout.split()[-1]
    found = ran(replay.command, key)
    assert (found.exit_code, last(found)) == (0, "both results are as recorded (exit 0)")
    Path("new.py").write_text(Path("old.py").read_text())
    found = ran(replay.command, key)
    assert (found.exit_code, last(found)) == (1, "the new result differs from the recorded one (exit 1)")
    assert "As recorded" in found.stdout
    assert key in ran(replay.command).stdout
    assert ran(replay.command, "zzzzzz").exit_code == 2
    Path("new.py").unlink()
    found = ran(replay.command, key)
    assert found.exit_code == 2
    assert "there is no file new.py" in last(found)


def test_a_replay_of_a_base_takes_the_base_again(losses: tuple[str, str], engine: Engine) -> None:
    git("init", "-b", "main")
    git("add", "old.py")
    git("commit", "-m", "first")
    Path("old.py").write_text(Path("new.py").read_text())
    assert isinstance(engine.comparison, Comparison)
    side = msgspec.structs.replace(engine.comparison.target, spec=losses[0])
    engine.comparison = msgspec.structs.replace(engine.comparison, target=side)
    key = ran(verify.command, losses[0], "--base", "main").stdout.split()[-1]
    assert last(ran(replay.command, key)) == "both results are as recorded (exit 0)"


def test_the_effect_on_a_batch_is_measured_and_can_be_accepted(losses: tuple[str, str]) -> None:
    weight = np.array([1.0, 1.01])
    np.savez("batch.npz", logits=np.eye(2), labels=np.array([0, 1]), class_weight=weight)
    change = weight.mean() - 1
    for above, code in ((2 * change, 0), (change / 2, 1)):
        found = ran(verify.command, *losses, "--inputs", "batch.npz", "--fail-above", str(above))
        assert found.exit_code == code, found.stderr
        assert "The difference affects 2 of 2 rows (100 %)." in found.stdout
        assert "a change of 0.5 %." in found.stdout
        assert ("effect below" in found.stdout) is (code == 0)
    np.savez("batch.npz", logits=np.eye(2), labels=np.array([0, 7]), class_weight=weight)
    found = ran(verify.command, *losses, "--inputs", "batch.npz", "--fail-above", "9")
    assert found.exit_code == 1
    assert "the old loss has no result on the given batch: IndexError" in " ".join(found.stdout.split())


def test_contracts_and_variants_are_sides_too(engine: Engine) -> None:
    contract = Contract.of(weighting="class_weight", denominator="weights")
    contract_file.write(contract_file.ContractFile(contract), Path("it.contract.toml"))
    question = Question({role: np.asarray(value) for role, value in answers.EXAMPLE.inputs.items()}, ("logits",))
    with opened.opened("it.contract.toml", "variant:sparse_class_weight", Options()) as both:
        old, new = (side.ask([question])[0] for side in both)
    assert old.value is not None
    assert new.value is not None
    assert float(old.value) == pytest.approx(answers.EXAMPLE.source)
    assert float(new.value) == pytest.approx(answers.EXAMPLE.target)
    assert old.gradients["logits"] is not None


def test_where_the_old_loss_is_refused_nobody_waits_for_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\n\n\ndef loss(logits, labels):\n    time.sleep(600)\n")
    (tmp_path / "none.py").write_text("")
    none, slow = (f"numpy:{tmp_path / name}.py::loss" for name in ("none", "slow"))
    start = time.monotonic()
    with pytest.raises(SourceError, match="loss"):
        compare(none, slow, Options(timeout=300.0))
    assert time.monotonic() - start < 120, "a call of the new one is given 300 s"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("variant:sparse?denominater=weights", "no such facet: 'denominater'"),
        ("variant:sparse?denominator=rows", "denominator has no value 'rows'"),
        ("variant:sparse?clip=added&clip_epsilon=tiny", "clip_epsilon=tiny: expected a number"),
        ("recipe:numpy/sparse/native", "no such framework: .numpy."),
    ],
)
def test_sides_that_cannot_be_had(spec: str, words: str) -> None:
    with pytest.raises(SourceError, match=words), opened.opened(spec, spec, Options()):
        pass
