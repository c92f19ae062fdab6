"""PyTorch, eager and with `torch.compile` of the loss; autograd runs around either, as in a training step."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lossvet.adapters import computing, torch_recipes
from lossvet.adapters.devices import UNKNOWN_CACHE, EventClock
from lossvet.adapters.torch_primitives import TorchPrimitives
from lossvet.adapters.types import Adapter, Device, Native, Prepared
from lossvet.reference.dtypes import NAMES
from lossvet.reference.types import Reduction

PLAIN: Mapping[Reduction, str] = {"none": "reduction='none'", "sum": "reduction='sum'", "mean": ""}
WEIGHTED: Mapping[Reduction, str] = {"none": "reduction='none'", "sum": "reduction='sum'", "weighted_mean": ""}
NATIVE: Mapping[str, tuple[str, tuple[str, ...], Mapping[Reduction, str]]] = {
    "sigmoid": ("binary_cross_entropy_with_logits", (), PLAIN),
    "pos_weight": ("binary_cross_entropy_with_logits", ("pos_weight",), PLAIN),
    "softmax": ("cross_entropy", (), PLAIN),
    "class_weight_terms": ("cross_entropy", ("class_weight",), PLAIN),
    "sparse": ("cross_entropy", ("ignore_index",), PLAIN),
    "sparse_class_weight": ("cross_entropy", ("class_weight", "ignore_index"), WEIGHTED),
    "smooth_terms": ("cross_entropy", ("class_weight", "ignore_index", "label_smoothing"), WEIGHTED),
}
"""PyTorch's own losses by variant: the function, the params it takes as arguments, the reductions it has itself.

Its "mean" is our `weighted_mean` where it has class weights and integer labels, and our `mean` elsewhere.
"""
POSITIONS = ("sparse", "sparse_class_weight")
"""Variants whose function takes sequences too, [B, C, L], and goes over the classes of every position by itself."""
NO_GRADIENT = {
    "pos_weight": ("pos_weight",),
    "sparse_class_weight": ("class_weight",),
    "smooth_terms": ("class_weight",),
}
"""Params that PyTorch's function has no derivative in."""
ARGUMENT = {"class_weight": "weight"}
"""What PyTorch calls a param, where it has another name for it."""
ALSO = {
    "binary_cross_entropy_with_logits": ("torch.nn.BCEWithLogitsLoss",),
    "cross_entropy": ("torch.nn.CrossEntropyLoss",),
}
"""The modules that call these functions."""
NOTHING = {"zero_denominator": "nan", "empty_batch": "nan"}
INTEGERS = {"invalid_label": "too large: raises, -1: raises, -100: dropped", "all_ignored": "nan"}
"""What PyTorch's losses give for nothing, and for labels that are no class (`Native.edges`)."""
NO_DERIVATIVE = (
    "is not differentiable with respect to",  # an input of a native function
    "does not currently support double backward",  # torch.compile
    "create_graph=False",  # torch.compile too, where its backward pass reuses the memory of its inputs
)
"""What an exception says that means "there is no such derivative". Every other exception is a `Raised`."""


def primitives(isolated: bool = False) -> TorchPrimitives:
    """Import PyTorch; in an isolated process on one thread, with compiled kernels in $LOSSVET_CACHE, if it is set."""
    if isolated and (cache := os.environ.get("LOSSVET_CACHE")):
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(cache, "torch"))
    import torch

    if isolated:
        torch.set_num_threads(1)
    return TorchPrimitives(torch)


def adapter() -> Adapter:
    """PyTorch with its losses, in a process that is set up for it."""
    own = replace(primitives(isolated=True), fullgraph=True)
    torch = own.torch
    return computing.adapter(
        own,
        torch.__version__,
        _Ops(torch),
        natives(torch),
        computing.Habits(refusal=own.refusal, no_derivative=NO_DERIVATIVE),
        compiled=lambda: _compiled(torch),
        dtypes=NAMES,
        devices=devices(torch),
        measured=measured(torch),
        details=details(torch),
    )


def _compiled(torch: Any) -> int:
    """The graphs that torch.compile has compiled: one function has several where it met shapes of several kinds."""
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"]) if "torch._dynamo" in sys.modules else 0


def devices(torch: Any) -> tuple[str, ...]:
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def measured(torch: Any) -> dict[str, Device]:
    """How calls on a GPU are measured: by events on its stream, and by the counters of the caching allocator."""
    cuda = torch.cuda
    if not cuda.is_available():
        return {}

    def wait(answers: Any) -> Any:
        cuda.synchronize()
        return answers

    def peak(call: Callable[[], Any]) -> int:
        cuda.synchronize()
        cuda.reset_peak_memory_stats()
        before = cuda.memory_allocated()
        call()
        return int(cuda.max_memory_allocated() - before)

    def copy(nbytes: int) -> Prepared:
        source = torch.ones(nbytes // 8, dtype=torch.float32, device="cuda")
        target = torch.empty_like(source)
        return Prepared(lambda: target.copy_(source), wait)

    cache = getattr(cuda.get_device_properties(0), "L2_cache_size", UNKNOWN_CACHE)  # PyTorch 2.4 does not tell
    return {"cuda": Device(EventClock(cuda), peak, copy, cache)}


def natives(torch: Any) -> dict[str, dict[str, Native]]:
    """PyTorch's own losses, then the recipes that users spell."""
    own = {
        variant: {"native": _native(torch.nn.functional, *row, NO_GRADIENT.get(variant, ()))}
        for variant, row in NATIVE.items()
    }
    sequences = {variant: {"native_positions": _by_position(own[variant]["native"])} for variant in POSITIONS}
    tables = (own, sequences, torch_recipes.recipes(torch))
    variants = dict.fromkeys(variant for table in tables for variant in table)
    return {
        variant: {name: native for table in tables for name, native in table.get(variant, {}).items()}
        for variant in variants
    }


def _by_position(native: Native) -> Native:
    """A loss of integer labels, of rows as the positions of one sequence: logits [1, C, L], labels [1, L]."""

    def call(logits: Any, labels: Any, params: Any, reduction: Reduction) -> Any:
        loss = native.call(logits.T[None], labels[None], params, reduction)
        return loss[0] if reduction == "none" else loss

    return replace(
        native, call=call, spelling=native.spelling.replace("logits, labels", "logits.T[None], labels[None]")
    )


def _native(
    functional: Any,
    name: str,
    taken: tuple[str, ...],
    reductions: Mapping[Reduction, str],
    no_gradient: tuple[str, ...],
) -> Native:
    function = getattr(functional, name)
    arguments = {ARGUMENT.get(param, param): param for param in taken}

    def call(logits: Any, labels: Any, params: Any, reduction: Reduction) -> Any:
        given = {argument: getattr(params, param) for argument, param in arguments.items()}
        own = "mean" if reduction == "weighted_mean" else reduction
        return function(logits, labels, **given, reduction=own)

    spelling = f"F.{name}({', '.join(('logits', 'labels', *(f'{a}={p}' for a, p in arguments.items())))})"
    integers = "ignore_index" in taken
    edges = NOTHING | (INTEGERS if integers else {})
    return Native(
        call, spelling, reductions, ignore_index=integers, no_gradient=no_gradient, also=ALSO[name], edges=edges
    )


@dataclass(frozen=True)
class _Ops:
    """The operations as PyTorch spells them (`adapters.types.Ops` says what each one is)."""

    torch: Any

    def sum(self, x: Any, axis: int | None = None) -> Any:
        return x.sum(dim=axis)

    def exp(self, x: Any) -> Any:
        return x.exp()

    def log(self, x: Any) -> Any:
        return x.log()

    def log1p(self, x: Any) -> Any:
        return x.log1p()

    def sigmoid(self, x: Any) -> Any:
        return x.sigmoid()

    def softplus(self, x: Any) -> Any:
        return -self.torch.nn.functional.logsigmoid(-x)  # F.softplus answers x itself above 20: 6e5 ulp in float64

    def softmax(self, x: Any) -> Any:
        return x.softmax(-1)

    def log_softmax(self, x: Any) -> Any:
        return x.log_softmax(-1)

    def logsumexp(self, x: Any) -> Any:
        return x.logsumexp(-1)

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        return self.torch.where(condition, x, y)

    def equal(self, x: Any, y: Any) -> Any:
        return x == y

    def argmax(self, x: Any) -> Any:
        return x.argmax(-1)

    def stop_gradient(self, x: Any) -> Any:
        return x.detach()

    def take(self, x: Any, indices: Any) -> Any:
        return x.index_select(0, indices)  # x[indices] would count a negative label from the end

    def pick(self, x: Any, indices: Any) -> Any:
        return x.gather(-1, indices[:, None])[:, 0]

    def one_hot(self, indices: Any, like: Any) -> Any:
        return self.torch.nn.functional.one_hot(indices, like.shape[-1]).to(like.dtype)

    def ones(self, like: Any) -> Any:
        return like.new_ones(like.shape[0])

    def size(self, x: Any, axis: int) -> Any:
        return x.new_full((), x.shape[axis])


def details(torch: Any) -> dict[str, str]:
    """What else determines the answers."""
    smallest = torch.tensor(torch.finfo(torch.float32).tiny)
    return {
        "threads": str(torch.get_num_threads()),
        "flush_to_zero": str(bool(smallest / 2 == 0)),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "mkldnn": str(torch.backends.mkldnn.is_available()),
        "deterministic": str(torch.are_deterministic_algorithms_enabled()),
        "cuda": str(torch.version.cuda),
    }
