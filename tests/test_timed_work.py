"""What is timed of a framework's own loss is that loss, as it is spelled, and nothing that the adapter adds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lossvet import adapters
from lossvet.adapters import torch_
from lossvet.adapters.types import Adapter, recipes
from lossvet.benchmarks import workloads
from lossvet.reference import variants


class Operations(TorchDispatchMode):
    """The names of the operations that PyTorch runs, and the shapes of what they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[tuple[int, ...], ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append((str(func), tuple(tuple(a.shape) for a in args if isinstance(a, torch.Tensor))))
        return func(*args, **(kwargs or {}))


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    return adapters.load("torch")


def operations(call: Any) -> list[tuple[str, tuple[tuple[int, ...], ...]]]:
    with Operations() as found:
        call()
    assert found.seen
    return found.seen


@pytest.mark.parametrize("variant", torch_.NATIVE)
@pytest.mark.parametrize("task", ["forward", "train"])
def test_a_native_call_is_the_call_that_is_spelled(adapter: Adapter, variant: str, task: str) -> None:
    case = workloads.workload(variant, workloads.shape("32x10"))
    native = adapter.native[variant]["native"]
    reduction, asked = next((r, asked) for r, asked in native.reductions.items() if r in ("mean", "weighted_mean"))
    outputs = (f"loss/{reduction}", *((f"gradient/{reduction}/logits",) if task == "train" else ()))
    recipe = recipes(adapter, variants.load(variant))["native"]
    prepared = adapter.prepare(recipe, case, "eager", "float32", "cpu", outputs)

    given = {name: getattr(case.params, name) for name in vars(case.params)} | {
        "logits": case.logits,
        "labels": case.labels,
    }
    tensors = {
        name: torch.tensor(np.asarray(value, "float32" if value.dtype.kind == "f" else value.dtype))
        for name, value in given.items()
        if isinstance(value, np.ndarray)
    }
    spelled = native.spelling.removesuffix(")") + (f", {asked})" if asked else ")")
    names = {**given, **tensors, "F": torch.nn.functional}

    def plain() -> None:
        loss = eval(spelled, names)  # the words of our own table
        if task == "train":
            torch.autograd.grad(loss, [tensors["logits"]])

    if task == "train":
        tensors["logits"].requires_grad_()
    assert operations(prepared) == operations(plain)


def test_work_that_is_added_is_seen(adapter: Adapter) -> None:
    """Composed losses take rows out first, which PyTorch's own does inside."""
    case = workloads.workload("sparse", workloads.shape("32x10"))
    native, composed = (
        operations(adapter.prepare(recipe, case, "eager", "float32", "cpu", ("loss/mean",)))
        for recipe in (recipes(adapter, variants.load("sparse"))[name] for name in ("native", "composed"))
    )
    copies = [[name for name, shapes in seen if "where" in name and (32, 10) in shapes] for seen in (native, composed)]
    assert copies[0] == []
    assert copies[1] != []
