"""The primitives that every framework provides, and how a function is run with them.

A function takes one mapping, from names to tensors of the framework, and returns a tensor; `compile` takes one as well
that returns a mapping or a tuple. The primitives change nothing of the process that they run in: no thread count,
flag, environment variable or default dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lossvet.reference.dtypes import DTYPES

Tensors = Mapping[str, Any]
Function = Callable[[Tensors], Any]
Losses = Callable[[Tensors, tuple[Any, ...]], Callable[[], Mapping[Any, Any]]]
"""From tensors and the names of losses to a call that computes these losses, by name."""
Passed = dict[str, tuple[Any, dict[str, Any]]]
"""By name of a loss, its value and its gradients by leaf; under `SECOND`, the product and no gradient. The exception
that took the place of a tensor may stand there."""
SECOND = "second"
Computation = Callable[[Function, Tensors], Mapping[str, Any]]
"""From a function, as a mode runs it, and tensors to outputs by name. `Primitives.vjp` and the others may be called."""


@dataclass(frozen=True)
class Cost:
    """What a mode takes on one core beside the arithmetic, in seconds, as orders of magnitude.

    How far a run goes in a mode, and whether benchmarks time it, follows from this (`conformance/extent.py`).
    """

    function: float = 0.0
    """Before the first call of a function: tracing, building a graph, compiling. 0: operations run one by one."""
    shapes: float = 0.0
    """With every new set of shapes: compiling the function again, or each of its operations. 0: shapes cost nothing."""
    operation: float = 1e-5
    """To dispatch one operation, where they run one by one."""

    @property
    def compiles(self) -> bool:
        """Whether whole functions become machine code, for one set of shapes each."""
        return self.function > 0 and self.shapes > 0


@dataclass(frozen=True)
class Mode:
    """A way in which a framework runs a function."""

    name: str
    cost: Cost = Cost()  # frozen
    around: bool = False
    """Whether derivatives are taken around the compiled function; else they are compiled together with it."""
    reverse_mode: bool = True
    """Whether there are gradients (`Primitives.vjp`)."""
    forward_mode: bool = True
    """Whether there is a forward-mode derivative (`Primitives.jvp`)."""
    second_order: bool = True
    """Whether there is a derivative of a derivative (`Primitives.hvp`)."""
    for_strangers: bool = False
    """Whether a loss that nobody here wrote is run in this mode, where it can be traced: the framework's first mode
    compiles every operation alone, for every shape."""

    @property
    def eager(self) -> bool:
        """Whether operations run one by one, and nothing is built before the first call."""
        return self.cost.function == 0

    @property
    def compiles(self) -> bool:
        """Whether a first call costs compilation to machine code, once for each set of shapes."""
        return self.cost.compiles


@dataclass(frozen=True)
class Wanted:
    """What is to be computed of some losses."""

    leaves: Mapping[str, tuple[str, ...]]
    """By name of a loss, in which leaves its gradient is taken: none where the value alone is wanted."""
    cotangents: Tensors
    """By name of a loss, what its gradient is taken along; ones for those that are not here."""
    second: tuple[str, str, Any] | None = None
    """The loss and the leaf of a Hessian product (`Primitives.hvp`), and its direction."""


class Primitives(Protocol):
    """What a framework does with tensors. A method raises whatever the framework raises.

    Tensors are what `put` returns, or what a compiled function is given; the two need not be of one type.
    """

    @property
    def name(self) -> str: ...

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The first is how the framework runs a function that nobody compiled."""

    @property
    def open_lengths(self) -> bool:
        """Whether what `compile` makes for tensors `like` some serves every length: it leaves them open."""

    def put(self, array: Any, dtype: str | None = None, device: str = "cpu") -> Any:
        """A tensor with the values of an array or number, in memory of its own, of any rank; 0-d becomes a scalar.

        Floats are cast to `dtype` (None: they keep theirs); integers and booleans keep their own, as far as the
        framework has it: JAX has 64 bits for integers only where floats have them.
        """

    def read(self, tensor: Any) -> NDArray[Any]:
        """The values in NumPy: dense, detached, on the host, in memory of their own. Numbers are taken too.

        bfloat16, which NumPy lacks, becomes float32: it holds every such value.
        """

    def dtype(self, tensor: Any) -> str:
        """The name of the dtype of a tensor: "float32", "bfloat16", "int64", "bool"..."""

    def compile(self, function: Function, mode: str, like: Tensors | None = None, quickly: bool = False) -> Function:
        """The function as the mode runs it; itself in an eager mode. Raises ValueError where there is no such mode.

        What is compiled is made for the shapes that it meets, as users have it. Where `like` is given, it is called
        only with tensors of these names, dtypes, ranks and this device, and has lengths left open as far as it can.

        `quickly`: it is called a few times, so that compiling it should cost little, and it may then be slow. The
        operations stay what they are.
        """

    def vjp(
        self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        """The value of the function, and by leaf the gradient of sum(cotangent * value); None where there is none.

        `cotangent` is a tensor of the shape of the value, None for ones, or a function from the value to such a tensor.
        Raises NotImplementedError where the framework has no derivatives.
        """

    def jvp(self, function: Function, inputs: Tensors, tangents: Tensors) -> tuple[Any, Any]:
        """The value, and its forward-mode derivative along `tangents` (by leaf); None or zeros where there is none.

        Raises NotImplementedError where the framework has no forward mode.
        """

    def hvp(self, function: Function, inputs: Tensors, leaf: str, cotangent: Any, direction: Any) -> Any:
        """The Hessian of sum(cotangent * value) in one leaf, times `direction`; None where there is none.

        `cotangent` is as in `vjp`. Raises NotImplementedError where the framework has no derivatives.
        """

    def passes(self, losses: Losses, inputs: Tensors, wanted: Wanted) -> Callable[[], Passed]:
        """`vjp` and `hvp` of several losses of the same inputs, as a call that is timed: what can be made before, is.

        It is for the framework to choose whether a pass is shared.
        """

    def twice(
        self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any
    ) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """The value, and the gradients of two passes back through that one value: they may differ, and the second fail.

        `cotangent` is as in `vjp`. Raises NotImplementedError where the framework has no such thing as a second pass.
        """

    def traced(self, function: Function, inputs: Tensors) -> bool:
        """Whether the function was traced, without computing; raises what tracing it raises.

        False where the framework does not trace, or where that costs no less than computing.
        """

    def wait(self, tensors: Any) -> None:
        """Return when these tensors, in containers of any kind, have been computed."""

    def precision(self, dtype: str | None) -> AbstractContextManager[Any]:
        """The context in which tensors of this dtype exist: JAX has float64 only in one. It ends as it began."""

    def scope(self, dtype: str | None, device: str) -> AbstractContextManager[Any]:
        """`precision`, and whatever else has to hold while tensors on this device are computed."""


def mode_of(primitives: Primitives, name: str | None = None) -> Mode:
    """The mode of this name, the first for None. Raises ValueError where the framework has no such mode."""
    found = next((mode for mode in primitives.modes if name in (None, mode.name)), None)
    if found is None:
        have = ", ".join(mode.name for mode in primitives.modes)
        raise ValueError(f"{primitives.name} has no mode {name!r}; choose one of: {have}")
    return found


def built(
    primitives: Primitives,
    function: Function,
    computation: Computation,
    mode: str | None = None,
    quickly: bool = False,
) -> Function:
    """The computation with this function, as the mode runs it: what is compiled is compiled once, for many calls.

    Where derivatives are taken around compiled functions, `function` alone is compiled; else all of the computation is.
    `quickly` as in `Primitives.compile`.
    """
    how = mode_of(primitives, mode)
    if how.around:
        compiled = primitives.compile(function, how.name, quickly=quickly)
        return lambda tensors: computation(compiled, tensors)
    return primitives.compile(lambda tensors: computation(function, tensors), how.name, quickly=quickly)


def run(
    primitives: Primitives,
    function: Function,
    computation: Computation,
    arrays: Mapping[str, Any],
    mode: str | None = None,
    dtype: str | None = None,
    device: str = "cpu",
) -> dict[str, NDArray[Any] | None]:
    """Put the arrays in place, compute, and read the outputs; None stands for an output that is not there.

    The gradient of a loss in two leaves, in every framework and mode:

        def both(f, tensors):
            value, gradients = p.vjp(f, tensors, ("logits", "weight"))
            return {"loss": value, **gradients}

        run(p, loss, both, {"logits": x, "weight": w}, mode="jit", dtype="float64")
    """
    floats = {given.dtype.name for given in map(np.asarray, arrays.values()) if is_float(given)}
    with primitives.scope(dtype or ("float64" if "float64" in floats else None), device):
        tensors = {name: primitives.put(array, dtype, device) for name, array in arrays.items()}
        outputs = built(primitives, function, computation, mode)(tensors)
        primitives.wait(outputs)
        return {name: None if output is None else primitives.read(output) for name, output in outputs.items()}


def separate(primitives: Primitives, losses: Losses, inputs: Tensors, wanted: Wanted) -> Callable[[], Passed]:
    """`Primitives.passes`, one pass for each loss and one for the Hessian product."""

    def function(name: str) -> Function:
        return lambda tensors: losses(tensors, (name,))()[name]

    def one(name: str, leaves: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
        along = wanted.cotangents.get(name)
        return primitives.vjp(function(name), inputs, leaves, along) if leaves else (function(name)(inputs), {})

    def call() -> Passed:
        found = {name: one(name, leaves) for name, leaves in wanted.leaves.items()}
        if wanted.second is not None:
            name, leaf, direction = wanted.second
            product = primitives.hvp(function(name), inputs, leaf, wanted.cotangents.get(name), direction)
            found[SECOND] = product, {}
        return found

    return call


def host(array: Any, dtype: str | None) -> NDArray[Any]:
    """A copy of an array or number in NumPy, floats in the dtype. Raises KeyError where there is no such dtype."""
    given = np.asarray(array)
    return np.array(given, dtype=DTYPES[dtype].numpy if dtype is not None and is_float(given) else None)


def plain(tensor: Any) -> NDArray[Any]:
    """A copy in NumPy of what NumPy can read; bfloat16 and other narrow floats that it lacks as float32."""
    given = np.array(tensor)
    return given.astype(np.float32) if is_float(given) and given.dtype.kind != "f" else given


def is_float(array: NDArray[Any]) -> bool:
    """Whether these are floats: those of NumPy, or those that ml_dtypes adds (bfloat16, float8), of another kind."""
    return array.dtype.kind == "f" or array.dtype.name.startswith(("bfloat", "float"))
