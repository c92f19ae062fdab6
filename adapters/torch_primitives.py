"""PyTorch's primitives: reverse mode by autograd, around what torch.compile makes; forward mode by dual numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossvet.adapters.presence import Presence
from lossvet.adapters.protocol import (
    SECOND,
    Cost,
    Function,
    Losses,
    Mode,
    Passed,
    Tensors,
    Wanted,
    is_float,
    mode_of,
    plain,
)

MODES = (
    Mode("eager"),
    # AOTAutograd has no forward mode and no second order
    Mode("compile", Cost(function=10, shapes=10), around=True, forward_mode=False, second_order=False),
)


def _undisturbed(torch: Any, stack: ExitStack) -> None:
    """One thread: on tensors as small as these, several wait for each other, which takes a thousand times as long where
    other processes (those of pytest -n, say) have the processors."""
    stack.callback(torch.set_rng_state, torch.get_rng_state())
    if (threads := torch.get_num_threads()) != 1:
        stack.callback(torch.set_num_threads, threads)
        torch.set_num_threads(1)
    if torch.is_anomaly_enabled():
        stack.enter_context(torch.autograd.set_detect_anomaly(False))
    if torch.is_inference_mode_enabled():
        stack.enter_context(torch.inference_mode(False))


PRESENCE = Presence("torch", ("torch", "torchvision"), extra="torch", undisturbed=_undisturbed)


@dataclass(frozen=True)
class TorchPrimitives:
    """`adapters.protocol.Primitives` over torch.Tensor."""

    torch: Any
    fullgraph: bool = False
    """Whether torch.compile raises where it would leave a part to Python."""
    name: str = "torch"
    modes: tuple[Mode, ...] = MODES
    open_lengths: bool = False

    def put(self, array: Any, dtype: str | None = None, device: str = "cpu") -> Any:
        given = np.asarray(array)
        if dtype is None or not is_float(given):
            return self.torch.tensor(given, device=device)
        if dtype == "bfloat16":  # NumPy has none
            return self.torch.tensor(given, device=device).to(self.torch.bfloat16)
        return self.torch.tensor(given.astype(dtype), device=device)

    def read(self, tensor: Any) -> NDArray[Any]:
        if not isinstance(tensor, self.torch.Tensor):
            return plain(tensor)
        dense = tensor.detach().to_dense() if tensor.layout != self.torch.strided else tensor.detach()
        if dense.dtype == self.torch.bfloat16:
            dense = dense.float()
        return np.array(dense.cpu().numpy())  # a copy: else what is changed in place later would change with it

    def dtype(self, tensor: Any) -> str:
        return str(tensor.dtype).removeprefix("torch.")

    def compile(self, function: Function, mode: str, like: Tensors | None = None, quickly: bool = False) -> Function:
        """PyTorch counts recompilations by code object, and after eight runs eagerly: each function has its own."""
        if not mode_of(self, mode).compiles:
            return function

        def call(tensors: Tensors) -> Any:
            return function(tensors)

        code = call.__code__.replace()
        alone = FunctionType(code, call.__globals__, call.__name__, call.__defaults__, call.__closure__)
        compiled: Function = self.torch.compile(alone, dynamic=True, fullgraph=self.fullgraph)
        if like is not None:
            return compiled
        dual = self.torch.autograd.forward_ad

        def checked(tensors: Tensors) -> Any:
            if dual._current_level >= 0:
                raise NotImplementedError("torch.compile has no forward mode: it would silently drop the tangents")
            return compiled(tensors)

        return checked

    def vjp(
        self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        names = tuple(leaves)
        with self.torch.enable_grad():
            given = {**inputs, **{name: self._leaf(inputs[name]) for name in names}}
            value = function(given)
        return value, self._gradients(value, {name: given[name] for name in names}, cotangent)

    def jvp(self, function: Function, inputs: Tensors, tangents: Tensors) -> tuple[Any, Any]:
        dual = self.torch.autograd.forward_ad
        with dual.dual_level():
            moved = {name: dual.make_dual(inputs[name], tangent) for name, tangent in tangents.items()}
            value = function({**inputs, **moved})
            if not isinstance(value, self.torch.Tensor):
                return value, None
            primal, tangent = dual.unpack_dual(value)
            return primal, tangent

    def hvp(self, function: Function, inputs: Tensors, leaf: str, cotangent: Any, direction: Any) -> Any:
        with self.torch.enable_grad():
            x = self._leaf(inputs[leaf])
            value = function({**inputs, leaf: x})
            gradient = self._gradients(value, {leaf: x}, cotangent, create_graph=True)[leaf]
        return None if gradient is None else self._gradients(gradient, {leaf: x}, direction)[leaf]

    def passes(self, losses: Losses, inputs: Tensors, wanted: Wanted) -> Callable[[], Passed]:
        """A pass for each loss: a compiled forward pass can be gone back through only once."""
        calls = {name: self._pass(losses, inputs, name, wanted) for name in wanted.leaves}
        if wanted.second is not None:
            calls[SECOND] = partial(self._second, losses, inputs, wanted, wanted.second)
        return lambda: {name: call() for name, call in calls.items()}

    def twice(
        self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any
    ) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        with self.torch.enable_grad():
            chosen = {name: self._leaf(inputs[name]) for name in leaves}
            value = function({**inputs, **chosen})
        first = self._gradients(value, chosen, cotangent, retain_graph=True)
        return value, first, self._gradients(value, chosen, cotangent)

    def traced(self, function: Function, inputs: Tensors) -> bool:
        return False

    def wait(self, tensors: Any) -> None:
        if self._gpu:
            self.torch.cuda.synchronize()

    def precision(self, dtype: str | None) -> AbstractContextManager[Any]:
        return nullcontext()

    def scope(self, dtype: str | None, device: str) -> AbstractContextManager[Any]:
        return nullcontext()

    def refusal(self, function: Function, inputs: Tensors, leaf: str) -> Exception | None:
        """What the function raises where a gradient in this leaf is prepared for: it would lose all others with it."""
        try:
            function({**inputs, leaf: self._leaf(inputs[leaf])})
        except Exception as error:
            return error
        return None

    @cached_property
    def _gpu(self) -> bool:
        return bool(self.torch.cuda.is_available())

    def _second(
        self, losses: Losses, inputs: Tensors, wanted: Wanted, second: tuple[str, str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        name, leaf, direction = second
        try:
            cotangent = wanted.cotangents.get(name)
            return self.hvp(lambda given: losses(given, (name,))()[name], inputs, leaf, cotangent, direction), {}
        except Exception as error:
            return error, {}

    def _pass(
        self, losses: Losses, inputs: Tensors, name: str, wanted: Wanted
    ) -> Callable[[], tuple[Any, dict[str, Any]]]:
        leaves, cotangent = wanted.leaves[name], wanted.cotangents.get(name)
        given = {key: self._leaf(x) if key in leaves else x for key, x in inputs.items()}
        compute, into = losses(given, (name,)), [given[leaf] for leaf in leaves]
        grad = partial(self.torch.autograd.grad, inputs=into, grad_outputs=cotangent, allow_unused=True)

        def call() -> tuple[Any, dict[str, Any]]:
            try:
                value = compute()[name]
            except Exception as error:
                return error, dict.fromkeys(leaves, error)
            if not into:
                return value, {}
            try:
                return value, dict(zip(leaves, grad(value), strict=True))
            except Exception as error:
                return value, dict.fromkeys(leaves, error)

        return call

    def _leaf(self, tensor: Any) -> Any:
        """The tensor as one that gradients are taken in; integers have none."""
        if tensor.requires_grad or not tensor.is_floating_point():
            return tensor
        return tensor.detach().requires_grad_()

    def _gradients(
        self, value: Any, leaves: dict[str, Any], cotangent: Any, create_graph: bool = False, retain_graph: bool = False
    ) -> dict[str, Any]:
        found: dict[str, Any] = dict.fromkeys(leaves)
        into = {name: x for name, x in leaves.items() if x.requires_grad}
        if not into or not isinstance(value, self.torch.Tensor) or not value.requires_grad:
            return found
        along = cotangent(value) if callable(cotangent) else cotangent
        # Of a scalar: PyTorch imports SymPy, which takes a second, where it is handed the gradient of an output.
        scalar = value.sum() if along is None else (value * along.detach()).sum()
        grads = self.torch.autograd.grad(
            scalar,
            list(into.values()),
            allow_unused=True,
            create_graph=create_graph,
            retain_graph=retain_graph or create_graph,
        )
        return {**found, **dict(zip(into, grads, strict=True))}
