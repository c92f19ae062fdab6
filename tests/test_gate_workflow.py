"""The documented workflow, followed to the letter by somebody with a loss whose argument is called `weight`.

Its command is read from the file and run as it stands, in a folder with both checkouts. Where times are taken, the
benchmark is made small, and head is the faster of the two: whether a loss is slower is asked elsewhere, and a busy
machine may leave that open.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("scipy")
pytest.importorskip("torch")

import lossvet

WORKFLOW = Path(lossvet.__file__).parent / "benchmarks" / "workflow.yml"
MARK = "# change: "

BY_WEIGHTS = """
import torch.nn.functional as F


def weighted_cross_entropy(logits, labels, weight):
    w = weight[labels]
    logp = F.log_softmax(logits, -1)
    return -(w * logp.gather(1, labels[:, None])[:, 0]).sum() / w.sum()
"""
BY_BATCH = BY_WEIGHTS.replace(".sum() / w.sum()", ".mean()")
SPELLED = """
import torch


def weighted_cross_entropy(x, y, class_weights):
    rows = torch.logsumexp(x, 1) - torch.take_along_dim(x, y.unsqueeze(1), 1).squeeze(1)
    taken = class_weights.index_select(0, y)
    return torch.dot(taken, rows) / taken.sum()
"""
OUTSIDE = """
import torch


def weighted_cross_entropy(logits, labels, weight):
    p = torch.softmax(logits, -1).gather(1, labels[:, None])[:, 0]
    return (weight[labels] * torch.tanh(1.3 - p) ** 3).mean() + 0.01 * logits.square().mean()
"""
SMALL = ("--shapes", "1x10", "--task", "forward")


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


def steps() -> tuple[str, str]:
    """The command of the last step, and the loss that its environment names."""
    text = WORKFLOW.read_text()
    (loss,) = re.findall(r"^ +LOSS: (\S+)", text, re.M)
    (command,) = re.findall(r"- run: (lossvet .*)", text)
    return command, loss


def followed(folder: Path, base: str, head: str, *more: str, loss: str = "") -> Done:
    """Run the command of the workflow in a folder with both checkouts."""
    for name, text in (("base", base), ("head", head)):
        package = folder / name / "mylib"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "losses.py").write_text(text)
    command, named = steps()
    lossvet_here = f"{sys.executable} -P -c 'from lossvet.cli import main; main()'"
    quoted = " ".join(f"'{word}'" for word in more)
    done = subprocess.run(
        ["bash", "-ec", f"{command.replace('lossvet ', f'{lossvet_here} ', 1)} {quoted}"],
        cwd=folder,
        env={**os.environ, "LOSS": loss or named},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def green(done: Done) -> bool:
    """Whether nothing but the clock of a busy machine kept it from being green."""
    last = done.err.splitlines()[-1]
    return done.code == 0 or (done.code == 3 and ("inconclusive" in last or "void" in last))


def test_two_lines_are_marked_and_no_argument_of_ours_is_named() -> None:
    lines = WORKFLOW.read_text().splitlines()
    assert "the two lines" in " ".join(lines[:3])
    assert len([line for line in lines if MARK in line]) == 2
    assert not [line for line in lines if re.search("class_weight|sparse", line)]


@pytest.mark.sweep
@pytest.mark.parametrize("claimed", ["", "torch/sparse_class_weight/weighted_mean=mylib.losses:weighted_cross_entropy"])
def test_a_changed_denominator_is_red_and_named(tmp_path: Path, claimed: str) -> None:
    done = followed(tmp_path, BY_WEIGHTS, BY_BATCH, loss=claimed)
    assert done.code == 1, done
    words = "the meaning has changed: denominator: weights -> batch"
    assert done.out.startswith(f"::error title=lossvet%3A meaning::{words}\n"), done
    assert done.err.endswith(f"red: {words} (exit 1)\n"), done


@pytest.mark.sweep
def test_an_accepted_change_is_not_red(tmp_path: Path) -> None:
    done = followed(tmp_path, SPELLED, BY_BATCH, "--accept", "denominator=weights->batch", *SMALL)
    assert green(done), done
    assert "the meaning has changed, as accepted: denominator: weights -> batch" in done.out


@pytest.mark.sweep
def test_equal_losses_that_are_not_what_was_claimed_cannot_pass(tmp_path: Path) -> None:
    claimed = "torch/sparse_class_weight/weighted_mean=mylib.losses:weighted_cross_entropy"
    done = followed(tmp_path, BY_BATCH, BY_BATCH, loss=claimed)
    assert done.code == 3, done
    assert "it is sparse_class_weight/mean (denominator: weights claimed, batch found)" in done.err


@pytest.mark.sweep
@pytest.mark.parametrize(("then", "code"), [(BY_WEIGHTS, 0), (BY_BATCH, 1)])
def test_the_step_that_compares_the_meaning_alone(tmp_path: Path, then: str, code: int) -> None:
    """Its command, in a repository that has the commit of base already, with the module in src/."""
    (command,) = re.findall(r"# - run: cd head && git fetch [^&]+ && (lossvet verify .*)", WORKFLOW.read_text())
    file = tmp_path / "src" / "mylib" / "losses.py"
    file.parent.mkdir(parents=True)
    (file.parent / "__init__.py").touch()
    file.write_text(BY_WEIGHTS)
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "-q"), ("add", "."), (*author, "commit", "-qm", "one")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    file.write_text(then)
    here = f"{sys.executable} -P -c 'from lossvet.cli import main; main()'"
    done = subprocess.run(
        ["bash", "-ec", command.replace("lossvet ", f"{here} ", 1)],
        cwd=tmp_path,
        env={**os.environ, "LOSS": steps()[1], "BASE": "HEAD"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "denominator" in done.stdout or code == 0


@pytest.mark.sweep
def test_an_equal_loss_that_is_spelled_otherwise_is_green(tmp_path: Path) -> None:
    done = followed(tmp_path, SPELLED, BY_WEIGHTS, *SMALL)
    assert green(done), done
    assert re.search(r"the meaning is the same on \d+ probes: sparse_class_weight/weighted_mean", done.out), done


@pytest.mark.sweep
def test_an_unchanged_loss_outside_the_space_is_green(tmp_path: Path) -> None:
    done = followed(tmp_path, OUTSIDE, OUTSIDE, *SMALL)
    assert green(done), done
    assert done.out.startswith("::notice title=lossvet%3A meaning::equal_on_probes: "), done
