"""PyTorch, eager and with `torch.compile` of the loss; autograd runs around either, as in a training step."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import FunctionType
from typing import Any

from lossvet.adapters import steps, torch_recipes
from lossvet.adapters.devices import UNKNOWN_CACHE, EventClock
from lossvet.adapters.torch_primitives import TorchPrimitives
from lossvet.adapters.types import Adapter, Device, Measured, Missing, Native, Outcome, Prepared, Raised, Recipe
from lossvet.reference.types import Case, Reduction

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
NO_GRADIENT = {
    "pos_weight": ("pos_weight",),
    "sparse_class_weight": ("class_weight",),
    "smooth_terms": ("class_weight",),
}
"""Params that PyTorch's function has no derivative in."""
ARGUMENT = {"class_weight": "weight"}
"""What PyTorch calls a param, where it has another name for it."""
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
    ops = _Ops(torch)
    runner = _Runner(torch, ops)
    return Adapter(
        name="torch",
        version=torch.__version__,
        modes=("eager", "compile"),
        devices=("cpu", "cuda") if torch.cuda.is_available() else ("cpu",),
        dtypes=("float32", "float64"),
        ops=ops,
        native=_natives(torch),
        prepare=runner.prepare,
        read=_read,
        compiled=runner.compiled,
        no_gradient={"compile": ("hvp",)},  # AOTAutograd has no double backward
        measured=measured(torch),
        primitives=own,
        details=_details(torch),
    )


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


def _natives(torch: Any) -> dict[str, dict[str, Native]]:
    """PyTorch's own losses, then the recipes that users spell."""
    own = {
        variant: {"native": _native(torch.nn.functional, *row, NO_GRADIENT.get(variant, ()))}
        for variant, row in NATIVE.items()
    }
    spelled = torch_recipes.recipes(torch)
    return {variant: {**own.get(variant, {}), **spelled.get(variant, {})} for variant in (*own, *spelled)}


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
    return Native(call, spelling, reductions, ignore_index="ignore_index" in taken, no_gradient=no_gradient)


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


class _Runner:
    """Prepares calls, and keeps what it learnt: compiled functions, and which inputs natives have no gradient into."""

    def __init__(self, torch: Any, ops: _Ops) -> None:
        self.torch, self.ops = torch, ops
        self.functions: dict[Any, Callable[..., Any]] = {}
        self.refusals: dict[tuple[str, str, str], Missing | None] = {}

    def prepare(
        self, recipe: Recipe, case: Case, mode: str, dtype: str, device: str, outputs: tuple[str, ...]
    ) -> Prepared:
        """The call runs a forward and a backward pass for each reduction asked for, and another of both for "hvp".

        They are not shared between reductions: a compiled forward pass can be gone back through only once.
        """
        grad = self.torch.autograd.grad
        tensors = {name: self._tensor(array, dtype, device) for name, array in steps.tensors(recipe, case).items()}
        cotangent, direction = (self._tensor(array, dtype, device) for array in (case.cotangent, case.direction))
        absent = {output: reason for output in outputs if (reason := self._absent(recipe, case, tensors, output))}
        asked = [output for output in outputs if output not in absent]
        wanted = _leaves(asked)
        grounds = {r: set(names) for r, names in wanted.items()}
        if "hvp" in asked:  # with what the gradients need, or a compiled function would be compiled once more
            grounds.setdefault("none", set()).add("logits")
        inputs = {
            r: {name: x.clone().requires_grad_() if name in needed else x for name, x in tensors.items()}
            for r, needed in grounds.items()
        }
        kind = (dtype, device, recipe.variant.name, recipe.name, *steps.settings(case).items())

        def compiled(reduction: Reduction) -> Callable[[], Any]:
            plain = self._forward(recipe, case, reduction, tuple(tensors))
            return partial(
                self._compile((*kind, reduction, *sorted(grounds[reduction])), plain), *inputs[reduction].values()
            )

        def eager(reduction: Reduction) -> Callable[[], Any]:
            return self._eager(recipe, case, reduction, inputs[reduction])

        forward = {r: (compiled if mode == "compile" else eager)(r) for r in inputs}

        def first(reduction: Reduction, names: Sequence[str]) -> Callable[[], dict[str, Any]]:
            """The loss of this reduction and its gradients. What can be made before the call is: the call is timed."""
            loss, gradients = f"loss/{reduction}", [f"gradient/{reduction}/{name}" for name in names]
            compute, into = forward[reduction], [inputs[reduction][name] for name in names]
            along = cotangent if reduction == "none" else None

            def call() -> dict[str, Any]:
                try:
                    value = compute()
                except Exception as error:
                    return dict.fromkeys((loss, *gradients), error)
                if not into:
                    return {loss: value}
                try:
                    computed = grad(value, into, along, allow_unused=True)
                except Exception as error:
                    return {loss: value, **dict.fromkeys(gradients, error)}
                return {loss: value, **dict(zip(gradients, computed, strict=True))}

            return call

        def second() -> dict[str, Any]:
            x = inputs["none"]["logits"]
            try:
                (gradient,) = grad(forward["none"](), x, cotangent, create_graph=True)
                return {"hvp": grad(gradient, x, direction, allow_unused=True)[0]}
            except Exception as error:
                return {"hvp": error}

        parts = [first(reduction, names) for reduction, names in wanted.items()]
        parts += [second] if "hvp" in asked else []

        def dispatch() -> dict[str, Any]:
            answers: dict[str, Any] = dict(absent)
            for part in parts:
                answers |= part()
            return {output: answers[output] for output in outputs}

        def wait(answers: dict[str, Any]) -> dict[str, Any]:
            if device.startswith("cuda"):
                self.torch.cuda.synchronize()
            return answers

        prepared = Prepared(dispatch, wait)
        if mode == "compile":
            prepared()
        return prepared

    def compiled(self) -> int:
        """The graphs that torch.compile has compiled: one function has several where it met shapes of several kinds."""
        return int(self.torch._dynamo.utils.counters["stats"]["unique_graphs"]) if self.functions else 0

    def _tensor(self, array: Any, dtype: str, device: str) -> Any:
        """Floats in the dtype asked for, integers (sparse labels) in their own."""
        return self.torch.tensor(array.astype(dtype) if array.dtype.kind == "f" else array, device=device)

    def _eager(self, recipe: Recipe, case: Case, reduction: Reduction, given: Mapping[str, Any]) -> Callable[[], Any]:
        """The reduced loss of these tensors."""
        params = steps.with_tensors(recipe, {**steps.settings(case), **given})
        logits, labels, ops, own = given["logits"], given["labels"], self.ops, (reduction,)
        return lambda: steps.losses(recipe, ops, logits, labels, params, own)[reduction]

    def _forward(self, recipe: Recipe, case: Case, reduction: Reduction, names: tuple[str, ...]) -> Callable[..., Any]:
        """The reduced loss as a function of tensors in the order of `names`; settings are its constants."""
        settings, ops = steps.settings(case), self.ops

        def forward(*tensors: Any) -> Any:
            values = dict(zip(names, tensors, strict=True))
            params = steps.with_tensors(recipe, {**settings, **values})
            return steps.losses(recipe, ops, values["logits"], values["labels"], params, (reduction,))[reduction]

        return forward

    def _compile(self, key: Any, function: Any) -> Callable[..., Any]:
        """The function compiled, once for each key, from code of its own.

        PyTorch counts recompilations by code object, and after eight of them runs eagerly; `fullgraph` would raise.
        """
        if key not in self.functions:
            code, closure = function.__code__.replace(), function.__closure__
            alone = FunctionType(code, function.__globals__, function.__name__, None, closure)
            self.functions[key] = self.torch.compile(alone, dynamic=True, fullgraph=True)
        return self.functions[key]

    def _absent(self, recipe: Recipe, case: Case, tensors: Mapping[str, Any], output: str) -> Missing | None:
        """Why there is no such output: no such reduction, or an input that a native function refuses to differentiate.

        A refusal comes with the forward pass, and would take the loss and the other gradients with it.
        """
        _, *path = output.split("/")
        reduction: Any = path[0] if path else "none"  # "hvp" is of the unreduced losses
        leaf = path[1] if len(path) > 1 else None
        absent = steps.missing(recipe, case, reduction)
        if absent or leaf is None or recipe.native is None:
            return absent
        key = (recipe.variant.name, recipe.name, leaf)
        if key not in self.refusals:
            probed = {**tensors, leaf: tensors[leaf].clone().requires_grad_()}
            forward = self._forward(recipe, case, "none", tuple(probed))
            try:
                forward(*probed.values())
                self.refusals[key] = None
            except Exception as error:
                match _outcome(error, leaf):
                    case Missing() as refusal:
                        self.refusals[key] = refusal
                    case _:
                        return None  # a fault of this case: the call will meet it again
        return self.refusals[key]


def _leaves(outputs: Sequence[str]) -> dict[Any, list[str]]:
    """The leaves to differentiate in, by reduction; a reduction of which only the loss is asked has none."""
    wanted: dict[Any, list[str]] = {}
    for output in outputs:
        if output != "hvp":
            _, reduction, *leaf = output.split("/")
            wanted.setdefault(reduction, []).extend(leaf)
    return wanted


def _read(answers: Mapping[str, Any]) -> dict[str, Outcome]:
    return {output: _outcome(answer, output.rpartition("/")[2]) for output, answer in answers.items()}


def _outcome(answer: Any, leaf: str) -> Outcome:
    match answer:
        case Missing():
            return answer
        case None:
            return Missing(f"no gradient into {leaf}")
        case Exception() if any(words in str(answer) for words in NO_DERIVATIVE):
            return Missing(f"no such derivative: {answer}")
        case Exception():
            return Raised(type(answer).__name__, str(answer))
    return Measured(answer.detach().cpu().numpy())


def _details(torch: Any) -> dict[str, str]:
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
