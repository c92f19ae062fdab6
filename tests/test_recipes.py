"""The recipes that users spell: every framework has them, and what makes them fast takes nothing from them.

Whether they are right is for the conformance suite, as of any other; here are a backward pass that was asked for twice,
chunks that end in the middle, and modes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from lossvet import adapters
from lossvet.adapters import torch_recipes
from lossvet.adapters.types import Adapter, recipes
from lossvet.benchmarks import subjects, workloads
from lossvet.conformance import plan
from lossvet.conformance.judge import judge
from lossvet.conformance.types import Agrees
from lossvet.reference import variants, vectors
from lossvet.reference.bounds import bounds
from lossvet.workers import messages

FRAMEWORKS = {"torch": "eager", "tensorflow": "eager", "jax": "jit"}
EACH = [pytest.param(f, marks=pytest.mark.slow if f == "tensorflow" else ()) for f in FRAMEWORKS]
"""What takes seconds to start is not for everyday."""
SPELLED = ("class_weight", "sparse_class_weight", "pos_weight", "dynamic_pos_weight")
CASES = {
    "class_weight": ("hard", "soft"),
    "sparse_class_weight": ("hard", "ignored_infinite"),
    "pos_weight": ("hard", "at_zero"),
    "dynamic_pos_weight": ("hard", "infinite_right"),
}


@cache
def adapter(framework: str) -> Adapter:
    pytest.importorskip(framework)
    return adapters.load(framework)


@pytest.mark.parametrize("framework", EACH)
def test_every_framework_has_the_code_in_circulation_and_fast_code(framework: str) -> None:
    for variant in SPELLED:
        own = adapter(framework).native[variant]
        assert "fast" in own, variant
        # The common one of these is the framework's own function.
        assert "common" in own or (variant == "pos_weight" and "native" in own), variant


@pytest.mark.parametrize("framework", EACH)
@pytest.mark.parametrize("variant", SPELLED)
def test_the_gradient_by_rows_and_the_second_derivative_are_right(framework: str, variant: str) -> None:
    outputs = ("loss/none", "gradient/none/logits", "hvp")
    recipe = recipes(adapter(framework), variants.load(variant))["fast"]
    for golden in vectors.load(variant):
        if golden.case.id.partition("/")[2] not in CASES[variant]:
            continue
        assert len(set(golden.case.cotangent.flat)) > 1, "the same for every row"
        mode = FRAMEWORKS[framework]
        prepared = adapter(framework).prepare(recipe, golden.case, mode, "float32", "cpu", outputs)
        found = adapter(framework).read(prepared())
        bound = bounds(variants.load(variant), golden.case, ("float32",))["float32"]
        for output in outputs:
            verdict = judge(found[output], golden.outputs[output], bound[output], "float32", "any")
            assert isinstance(verdict, Agrees), f"{golden.case.id} {output}: {verdict}"


def torch_losses() -> Iterator[tuple[str, Any, Any, list[Any]]]:
    """Every fast recipe of PyTorch: its loss, the composed one, and inputs of several chunks, the last a short one."""
    torch = pytest.importorskip("torch")
    from lossvet.adapters import steps

    own = adapter("torch")
    for name in torch_recipes.recipes(torch):
        variant = variants.load(name)
        case = workloads.workload(name, workloads.Shape(1000, 300, variant.family == "sparse"))
        values = {k: torch.tensor(v) for k, v in steps.tensors(recipes(own, variant)["composed"], case).items()}

        def loss(x: Any, recipe: str, variant: Any = variant, case: Any = case, values: Any = values) -> Any:
            chosen = recipes(own, variant)[recipe]
            params = steps.with_tensors(chosen, {**steps.settings(case), **values})
            return steps.losses(chosen, own.ops, x, values["labels"], params, ("none",))["none"]

        yield name, lambda x, f=loss: f(x, "fast"), lambda x, f=loss: f(x, "composed"), [values["logits"]]


def test_torch_goes_back_twice_through_one_graph() -> None:
    torch = pytest.importorskip("torch")
    for name, fast, composed, (logits,) in torch_losses():
        x = logits.clone().requires_grad_()
        value, along = fast(x), torch.linspace(-1, 2, logits.shape[0], dtype=torch.float64)
        along = along if value.dim() == 1 else along[:, None].expand_as(value)
        (true,) = torch.autograd.grad(composed(x), x, along)
        (first,) = torch.autograd.grad(value, x, along, retain_graph=True)
        kept = first.clone()
        (second,) = torch.autograd.grad(value, x, 2 * along, retain_graph=True)
        torch.testing.assert_close(first, true, msg=name)
        torch.testing.assert_close(second, 2 * true, msg=name)
        assert torch.equal(first, kept), f"{name}: the second backward pass changed the answer of the first"
        torch.testing.assert_close(value, composed(x), msg=name)
        with torch.no_grad():  # the kernel without a gradient
            torch.testing.assert_close(fast(logits), composed(logits), msg=name)


def test_torch_leaves_no_trace_of_ignored_rows() -> None:
    torch = pytest.importorskip("torch")
    for recipe in ("sparse_class_weight", "smooth_after"):
        native = torch_recipes.recipes(torch)[recipe]["fast"]
        x = torch.randn(3, 4, dtype=torch.float64)
        x[1] = torch.tensor([float("nan"), float("inf"), 0.0, 1.0])
        x.requires_grad_()
        share = {"label_smoothing": 0.1} if recipe == "smooth_after" else {}
        params = variants.load(recipe).params(
            class_weight=torch.ones(4).double(), sample_weight=torch.ones(3).double(), **share
        )
        loss = native.call(x, torch.tensor([0, -100, 3]), params, "none")
        (gradient,) = torch.autograd.grad(loss.sum(), x, create_graph=True)
        (again,) = torch.autograd.grad(gradient.sum(), x)
        for value in (loss, gradient, again):
            assert not value[1].any()
            assert value.isfinite().all()


def test_a_recipe_of_one_mode_is_absent_in_others() -> None:
    pytest.importorskip("torch")
    hello = messages.hello(adapter("torch"), "")
    goldens = plan.choose(vectors.load, ["class_weight/hard"])
    made = plan.make({"torch": hello}, goldens, plan.Selection(level="full"))
    by_cell = {(item.cell.recipe, item.cell.mode): item.absent for item in made}
    assert by_cell["fast", "compile"].endswith("runs in eager only")
    assert not by_cell["fast", "eager"]
    assert not by_cell["common", "compile"]
    wanted = subjects.Wanted(only=("class_weight",), modes=("eager", "compile"), tasks=("train",))
    timed = {(s.cell.recipe, s.cell.mode) for s in subjects.choose({"torch": hello}, wanted)}
    assert ("fast", "eager") in timed
    assert ("fast", "compile") not in timed


def test_what_is_left_to_full_runs_is_counted() -> None:
    hello = messages.hello(adapter("jax"), "")
    made = plan.make({"jax": hello}, plan.choose(vectors.load, ["class_weight"]), plan.Selection())
    assert not any(item.cell.recipe == "fast" and item.cell.mode == "jit" for item in made)
    assert made.left_out["jax", "jit fast"] > 0
