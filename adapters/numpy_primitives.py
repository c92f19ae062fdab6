"""NumPy's primitives: values without derivatives. NumPy is not a framework of `lossvet run`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any, Never

import numpy as np
from numpy.typing import NDArray

from lossvet.adapters.presence import Presence
from lossvet.adapters.protocol import (
    Function,
    Losses,
    Mode,
    Passed,
    Primitives,
    Tensors,
    Wanted,
    host,
    mode_of,
    plain,
    separate,
)


def _undisturbed(module: Any, stack: ExitStack) -> None:
    stack.callback(np.random.set_state, np.random.get_state())
    stack.enter_context(np.errstate(all="ignore"))


PRESENCE = Presence("numpy", ("numpy",), aliases=("np",), undisturbed=_undisturbed)
NO_DERIVATIVES = "NumPy has no derivatives"


def primitives(isolated: bool = False) -> Primitives:
    """NumPy's primitives; an isolated process needs nothing else."""
    return NumpyPrimitives()


class NumpyPrimitives:
    """`adapters.protocol.Primitives` over arrays."""

    name = "numpy"
    open_lengths = False
    modes = (Mode("eager", reverse_mode=False, forward_mode=False, second_order=False),)

    def put(self, array: Any, dtype: str | None = None, device: str = "cpu") -> Any:
        return host(array, dtype)

    def read(self, tensor: Any) -> NDArray[Any]:
        return plain(tensor)

    def dtype(self, tensor: Any) -> str:
        return np.asarray(tensor).dtype.name

    def compile(self, function: Function, mode: str, like: Tensors | None = None, quickly: bool = False) -> Function:
        mode_of(self, mode)
        return function

    def vjp(self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any = None) -> Never:
        raise NotImplementedError(NO_DERIVATIVES)

    def jvp(self, function: Function, inputs: Tensors, tangents: Tensors) -> Never:
        raise NotImplementedError(NO_DERIVATIVES)

    def hvp(self, function: Function, inputs: Tensors, leaf: str, cotangent: Any, direction: Any) -> Never:
        raise NotImplementedError(NO_DERIVATIVES)

    def passes(self, losses: Losses, inputs: Tensors, wanted: Wanted) -> Callable[[], Passed]:
        return separate(self, losses, inputs, wanted)

    def twice(self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any) -> Never:
        raise NotImplementedError(NO_DERIVATIVES)

    def traced(self, function: Function, inputs: Tensors) -> bool:
        return False

    def wait(self, tensors: Any) -> None:
        pass

    def precision(self, dtype: str | None) -> AbstractContextManager[Any]:
        return nullcontext()

    def scope(self, dtype: str | None, device: str) -> AbstractContextManager[Any]:
        """Infinite and undefined results are results, and no reason for a warning."""
        return np.errstate(all="ignore")
