"""How outputs are computed in any framework: one that is refused takes no other with it, and no work is added."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the adapter of NumPy

import numpy_adapter

from lossvet.adapters import call, computing
from lossvet.adapters.numpy_primitives import NumpyPrimitives
from lossvet.adapters.protocol import separate
from lossvet.adapters.types import Measured, Missing, Native, Outcome, Raised, Recipe
from lossvet.reference import variants, vectors
from lossvet.reference.output import parse
from lossvet.reference.types import Case

ALL = ("loss/none", "loss/sum", "loss/mean")
BOTH = {"none": "", "sum": "", "mean": ""}


def case(name: str = "sigmoid") -> Case:
    return next(golden.case for golden in vectors.load(name) if golden.case.bits <= 24)


def outcomes(loss: Callable[..., Any], outputs: tuple[str, ...], **native: Any) -> dict[str, Outcome]:
    """Of a loss that somebody wrote in NumPy."""
    adapter = numpy_adapter.adapter()
    recipe = Recipe(variants.load("sigmoid"), "own", Native(loss, "own", BOTH, **native))
    return adapter.read(adapter.prepare(recipe, case(), "eager", "float32", "cpu", outputs)())


def test_a_loss_that_raises_takes_no_other_with_it() -> None:
    def loss(x: Any, t: Any, params: Any, reduction: str) -> Any:
        if reduction == "sum":
            raise ArithmeticError("no sum today")
        return x.mean() if reduction == "mean" else x

    found = outcomes(loss, ALL)
    assert isinstance(found["loss/none"], Measured)
    assert isinstance(found["loss/mean"], Measured)
    assert found["loss/sum"] == Raised("ArithmeticError", "no sum today")


def test_what_is_not_asked_is_not_computed() -> None:
    computed: list[str] = []

    def loss(x: Any, t: Any, params: Any, reduction: str) -> Any:
        computed.append(reduction)
        return x.sum()

    outcomes(loss, ("loss/sum",))
    assert computed == ["sum"]
    computed.clear()
    outcomes(loss, ("loss/sum", "gradient/sum/logits", "hvp"))
    assert computed == ["sum"], "NumPy has no derivatives, so that nothing is tried"


def test_derivatives_that_a_mode_lacks_are_missing() -> None:
    found = outcomes(lambda x, t, params, reduction: x, ("gradient/none/logits", "hvp"))
    assert found == dict.fromkeys(found, Missing("numpy has no derivatives in the mode eager"))


def test_what_cannot_be_read_is_an_error_of_its_own() -> None:
    found = outcomes(lambda x, t, params, reduction: Unreadable() if reduction == "sum" else x, ALL)
    assert isinstance(found["loss/none"], Measured)
    assert found["loss/sum"] == Raised("BufferError", "closed")


class Unreadable:
    def __array__(self, *_: Any, **__: Any) -> Any:
        raise BufferError("closed")


class Lazy(NumpyPrimitives):
    """An answer that can be had until it is waited for, as of a device that works later."""

    def __init__(self) -> None:
        self.waits = 0

    def wait(self, tensors: Any) -> None:
        self.waits += 1
        if "loss/sum" in tensors:
            raise ArithmeticError("later")


def test_what_fails_while_it_is_waited_for_takes_no_other_with_it() -> None:
    lazy = Lazy()
    adapter = computing.adapter(lazy, "1", numpy_adapter.Operations(), {})
    recipe = Recipe(variants.load("sigmoid"), "composed")
    prepared = adapter.prepare(recipe, case(), "eager", "float32", "cpu", ALL)
    assert lazy.waits == 0
    found = adapter.read(prepared())
    assert found["loss/sum"] == Raised("ArithmeticError", "later")
    assert isinstance(found["loss/none"], Measured)
    assert lazy.waits == 1 + len(ALL), "all at once, then each alone"


def test_outputs_are_grouped_by_reduction() -> None:
    names = ("loss/sum", "gradient/none/logits", "gradient/none/labels", "hvp")
    assert call.grouped(map(parse, names)) == {"sum": (), "none": ("logits", "labels")}


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_shared_and_separate_passes_agree(framework: str) -> None:
    """`passes` of a framework against one `vjp` and `hvp` each, bit by bit."""
    pytest.importorskip(framework)
    from lossvet import adapters
    from lossvet.adapters.protocol import Wanted

    p = adapters.primitives(framework)
    x, u = (p.put(np.array([[1.0, -2.0], [0.5, 3.0]]) * k, "float32") for k in (1.0, 0.25))

    def losses(tensors: Any, names: tuple[str, ...]) -> Callable[[], dict[str, Any]]:
        cubes = {"none": lambda y: y * y * y, "sum": lambda y: (y * y * y).sum()}
        return lambda: {name: cubes[name](tensors["x"]) for name in names}

    wanted = Wanted({"none": ("x",), "sum": ("x",)}, {"none": u}, ("none", "x", u))
    one, other = p.passes(losses, {"x": x}, wanted)(), separate(p, losses, {"x": x}, wanted)()
    assert set(one) == set(other) == {"none", "sum", "second"}
    for name, (value, gradients) in one.items():
        np.testing.assert_array_equal(p.read(value), p.read(other[name][0]))
        for leaf, gradient in gradients.items():
            np.testing.assert_array_equal(p.read(gradient), p.read(other[name][1][leaf]))
    np.testing.assert_allclose(p.read(one["second"][0]), 6 * p.read(x) * p.read(u) ** 2, rtol=1e-6)


@pytest.mark.parametrize("raises", ["forward", "backward"])
def test_a_gradient_that_pytorch_refuses_leaves_the_loss(raises: str) -> None:
    torch = pytest.importorskip("torch")
    from lossvet import adapters

    class Broken(torch.autograd.Function):  # type: ignore[misc, name-defined]  # a framework is Any
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            if raises == "forward":
                raise ArithmeticError("forward")
            return x * 2

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            raise ArithmeticError("backward")

    adapter = adapters.load("torch")
    native = Native(lambda x, t, params, reduction: Broken.apply(x), "own", {"none": ""})
    recipe = Recipe(variants.load("sigmoid"), "own", native)
    outputs = ("loss/none", "gradient/none/logits", "hvp")
    found = adapter.read(adapter.prepare(recipe, case(), "eager", "float32", "cpu", outputs)())
    assert found["gradient/none/logits"] == found["hvp"] == Raised("ArithmeticError", raises)
    if raises == "forward":
        assert found["loss/none"] == Raised("ArithmeticError", "forward")
    else:
        assert isinstance(found["loss/none"], Measured)
