"""What the report says of moving a loss: both ways of every pair, the edges, and code that was run on them."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from lossvet.adapters import spelling, unloaded
from lossvet.adapters.types import Native
from lossvet.reference import variants
from lossvet.reports.site import facts, moves
from lossvet.reports.site.facts import Spelling
from lossvet.verify.spelling.function import Spelled

FRAMEWORKS = spelling.composed()


def way(framework: str, variant: str, recipe: str, native: Native | None) -> Spelling:
    """As `facts` makes it of a run."""
    family = variants.load(variant).family
    if native is None:
        takes = family != "binary", family == "sparse"
        return Spelling(variant, framework, recipe, "composed", {}, *takes, edges=facts.PLAIN, accuracy="relative")
    return facts.of_native(variant, framework, recipe, native, accuracy="relative")


def ways(variant: str) -> dict[str, list[Spelling]]:
    found: dict[str, list[Spelling]] = {}
    for framework in FRAMEWORKS:
        natives = (unloaded.natives(framework) or {}).get(variant, {})
        found[framework] = [way(framework, variant, "composed", None)]
        found[framework] += [way(framework, variant, name, native) for name, native in natives.items()]
    return found


SOURCES = [s for variant in variants.names() for own in ways(variant).values() for s in facts.offered(own)]


@pytest.mark.parametrize("variant", variants.names())
def test_every_pair_has_both_ways(variant: str) -> None:
    own = ways(variant)
    found = moves.moves(own)
    pairs = {(m.old.framework, m.new.framework) for m in found}
    assert pairs == {(a, b) for a in FRAMEWORKS for b in FRAMEWORKS if a != b}
    assert len(found) == sum(len(facts.offered(own[a])) * len(facts.offered(own[b])) for a, b in pairs)


def test_a_move_says_what_happens_at_the_edges() -> None:
    own = ways("sparse_class_weight")
    changes = {(m.old.framework, m.new.framework): m.changes for m in moves.moves(own)}
    nan = "NaN, with gradients of NaN"
    zero = "0, with gradients of 0"
    there = changes["tensorflow_v1", "jax"]
    assert f"where it would divide by 0, a plain mean gives {nan} instead of {zero}" in there
    assert "of an empty batch, a plain mean gives NaN instead of 0" in there
    back = changes["torch", "tensorflow_v1"]
    assert f"where it would divide by 0, it gives {zero} instead of {nan}" in back
    assert "a label of -100 raises, and no longer is ignored" in back


def test_labels_that_are_no_class_are_told_together() -> None:
    wanted = ("native_losses", "native", "jax")
    both = moves.moves(ways("sparse"))
    (changes,) = [m.changes for m in both if (m.old.recipe, m.new.recipe, m.new.framework) == wanted]
    assert "a label too large or of -100 gives NaN, and no longer raises" in changes
    assert "a label of -1 counts from the last class, and no longer raises" in changes


@pytest.mark.parametrize("s", SOURCES, ids=lambda s: f"{s.framework}-{s.variant}-{s.recipe}")
def test_every_source_has_code_in_every_framework(s: Spelling) -> None:
    for framework, found in moves.codes(s, FRAMEWORKS).items():
        assert isinstance(found, Spelled), (framework, found)
        compile(found.text, framework, "exec")
        assert found.text.count("def loss(") == 1


TAKEN = """
import sys
from lossvet.reports.site import moves
from lossvet.verify.spell import spelled_and_verified
sys.path.insert(0, {tests!r})
from test_moves import SOURCES
framework, *which = sys.argv[1:]
for s in SOURCES:
    if which and f"{{s.framework}}-{{s.variant}}" not in which:
        continue
    spelled = spelled_and_verified(*moves.meaning(s), framework)
    print(s.framework, s.variant, s.recipe, spelled.failed or "right", *map(str, spelled.differs), sep="|", flush=True)
"""
ALLOWED = ("invalid_label", "empty_batch: empty")
"""Where code cannot keep what the source does: compiled code cannot raise, and no sum is an empty array."""


@pytest.mark.parametrize(
    ("framework", "which"),
    [
        pytest.param("torch", ("tensorflow_v1-sparse_class_weight", "tensorflow-sparse"), marks=pytest.mark.slow),
        pytest.param("jax", ("tensorflow_v1-sparse_class_weight",), marks=pytest.mark.slow),
        *(pytest.param(framework, (), marks=pytest.mark.sweep) for framework in FRAMEWORKS),
    ],
)
def test_the_code_to_paste_keeps_what_the_source_does(framework: str, which: tuple[str, ...]) -> None:
    """Value and gradients on probes, denominators of 0, empty batches, labels that are no class: run, in a process of
    its own, since one API takes all of it."""
    if find_spec({"tensorflow_v1": "tensorflow"}.get(framework, framework)) is None:
        pytest.skip(f"{framework} is not installed")
    tests = str(__file__).rpartition("/")[0]
    command = [sys.executable, "-c", TAKEN.format(tests=tests), framework, *which]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line.split("|") for line in done.stdout.splitlines()]
    assert len(lines) == (len(SOURCES) if not which else len({*which}) + ("tensorflow-sparse" in which))
    assert [line for line in lines if line[3] != "right"] == []
    assert [line for line in lines for edge in line[4:] if not edge.startswith(ALLOWED)] == []


def test_a_batch_of_zero_weights_destroys_nothing_that_it_did_not_before() -> None:
    """By hand, in PyTorch: the code of TF1's own loss gives 0 with gradients of 0, that of PyTorch's NaN."""
    torch = pytest.importorskip("torch")
    for framework, right in (("tensorflow_v1", 0.0), ("torch", np.nan)):
        source, *_ = facts.offered(ways("sparse_class_weight")[framework])
        found = moves.code(source, "torch")
        assert isinstance(found, Spelled)
        space: dict[str, object] = {}
        exec(found.text, space)
        x = torch.zeros(2, 3, requires_grad=True)
        given = {"logits": x, "labels": torch.tensor([0, 1]), "class_weight": torch.zeros(3)}
        given |= {"sample_weight": torch.ones(2)} if "sample_weight" in found.bind else {}
        value = space["loss"](**given)  # type: ignore[operator]  # a function
        value.backward()
        np.testing.assert_equal(float(value.detach()), right)
        np.testing.assert_equal(x.grad.numpy(), np.full((2, 3), right))
