"""What an adapter is: one framework, with its losses, the way to run them and the way to return the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

from lossvet.adapters.protocol import Cost, Primitives
from lossvet.reference.dtypes import DTYPES, NAMES
from lossvet.reference.types import Case, Reduction, Variant


class Ops(Protocol):
    """The operations from which recipes are composed, each differentiable where it is so mathematically.

    Tensors also have the operators + - * / and unary minus, `x[:, None]`, `x[:, None, :]` and `x[:, :, None]`. Scalars
    passed to `where` and `equal` take the dtype of the tensor argument. [.., C] is reduced over its last axis.
    """

    def sum(self, x: Any, axis: int | None = None) -> Any: ...
    def exp(self, x: Any) -> Any: ...
    def log(self, x: Any) -> Any: ...
    def log1p(self, x: Any) -> Any: ...
    def sigmoid(self, x: Any) -> Any: ...
    def softplus(self, x: Any) -> Any:
        """log(1 + exp(x)), accurate on the whole line in every dtype."""

    def softmax(self, x: Any) -> Any: ...
    def log_softmax(self, x: Any) -> Any: ...
    def logsumexp(self, x: Any) -> Any: ...
    def where(self, condition: Any, x: Any, y: Any) -> Any: ...
    def equal(self, x: Any, y: Any) -> Any: ...
    def argmax(self, x: Any) -> Any:
        """Integers [N] from [N, C], the lowest index on ties."""

    def stop_gradient(self, x: Any) -> Any: ...
    def take(self, x: Any, indices: Any) -> Any:
        """Entries [N] of [C], or rows [N, C] of [C, C]."""

    def pick(self, x: Any, indices: Any) -> Any:
        """[N] from [N, C]: in every row the entry at its index."""

    def one_hot(self, indices: Any, like: Any) -> Any:
        """[N, C] from integers [N], with the C and the dtype of `like`."""

    def ones(self, like: Any) -> Any:
        """[N] ones, with the N and the dtype of `like` [N, C]."""

    def size(self, x: Any, axis: int) -> Any:
        """The length of an axis, as a scalar of the dtype of x."""


@dataclass(frozen=True)
class Native:
    """How a variant is written with a framework's own loss function.

    `call(logits, labels, params, reduction)` returns the loss, for the `reductions` that the function itself has.
    If it has only "none", the others are composed with that, as users do. `spelling` is the call as users write it.
    A native is used only for what it declares: `sample_weight` (it takes params.sample_weight, which are ones where the
    case has none), `ignore_index` (it can ignore rows).
    """

    call: Callable[[Any, Any, Any, Reduction], Any]
    spelling: str
    reductions: Mapping[Reduction, str] = field(default_factory=lambda: {"none": ""}, hash=False)
    """The function's own reductions, and how users select each; empty for the default one."""
    sample_weight: bool = False
    ignore_index: bool = False
    dtypes: tuple[str, ...] = NAMES
    no_gradient: tuple[str, ...] = ()
    """Leaves in which the function documents no gradient. If the gradient in any other is missing, it differs."""
    modes: tuple[str, ...] = ()
    """The modes it runs in; empty for all."""
    compiles: bool = False
    """Whether it is compiled wherever it is called from, in a mode that compiles nothing as well."""
    also: tuple[str, ...] = ()
    """Other names that users know the function by."""
    edges: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Its result on a CPU where mathematics leaves it undefined, by facet of `lossvet verify` ("zero_denominator"),
    with the default reduction, or with a plain mean if it does not reduce. A sweep test observes it."""


@dataclass(frozen=True)
class Recipe:
    """A variant as written in one framework: `composed` from operations if native is None."""

    variant: Variant
    name: str
    native: Native | None = None


@dataclass(frozen=True)
class Measured:
    """A result: one array, in the dtype and shape in which the framework returned it."""

    value: NDArray[Any]


@dataclass(frozen=True)
class Raised:
    """The framework raised an exception: its type and its message."""

    error: str
    message: str


@dataclass(frozen=True)
class Missing:
    """There is no such result, for a reason that is not a fault: no gradient in this input, no such reduction."""

    reason: str


Outcome = Measured | Raised | Missing


@dataclass(frozen=True)
class Prepared:
    """A computation that is ready to run. A call computes its outputs and waits for them.

    `dispatch()` starts it and returns, on a GPU perhaps before the results exist; `wait(answers)` returns the results
    when they are ready. Benchmarks on a GPU dispatch many and wait once.
    """

    dispatch: Callable[[], Any]
    wait: Callable[[Any], Any] = lambda answers: answers

    def __call__(self) -> Any:
        return self.wait(self.dispatch())


Clock = Callable[[Sequence[Prepared], int], int]
"""The nanoseconds of so many calls, taken in turn from the given ones."""


@dataclass(frozen=True)
class Device:
    """How calls are measured on a device other than the CPU.

    `peak(call)` is the peak memory of the call above the memory in use, in bytes; `copy(nbytes)` moves so many bytes of
    the device's memory, half of them read and half written. `cache` is the size of its last-level cache, in bytes:
    inputs are taken from more places than it holds.
    """

    clock: Clock
    peak: Callable[[Callable[[], Any]], int | None]
    copy: Callable[[int], Prepared]
    cache: int


@dataclass(frozen=True)
class Adapter:
    """One framework.

    `prepare(recipe, case, mode, dtype, device, outputs)` puts the inputs in place and returns a call that computes the
    named outputs (see `reference.types.output_names`) and nothing else: it is timed. Its first call may compile.
    It may raise whatever the framework raises. `read` converts what that call returned to NumPy, an Outcome
    for each output. `compiled()` is the number of functions compiled to machine code since the adapter was
    made, one for each set of shapes; graphs that are only traced cost a tenth of that and are not counted.
    `costs` are by mode; a mode that is not listed costs nothing besides the arithmetic.
    """

    name: str
    version: str
    modes: tuple[str, ...]
    devices: tuple[str, ...]
    dtypes: tuple[str, ...]
    ops: Ops
    native: Mapping[str, Mapping[str, Native]]
    prepare: Callable[[Recipe, Case, str, str, str, tuple[str, ...]], Prepared]
    read: Callable[[Any], dict[str, Outcome]]
    compiled: Callable[[], int] = lambda: 0
    costs: Mapping[str, Cost] = field(default_factory=dict)
    no_gradient: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By mode, the leaves in which no recipe has a gradient, "hvp" among them; "*" stands for all."""
    measured: Mapping[str, Device] = field(default_factory=dict)
    """How devices other than "cpu" are measured, by name; devices that are not listed are not timed."""
    primitives: Primitives | None = None
    """What the framework does with tensors, for functions that are not recipes; None if it has not been written."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What else determines the results: threads, flush-to-zero, flags. Recorded with the run."""


def recipes(adapter: Adapter, variant: Variant) -> dict[str, Recipe]:
    """The recipes of a variant in this framework, by name: composed first, then the natives it has."""
    natives = adapter.native.get(variant.name, {})
    return {
        "composed": Recipe(variant, "composed"),
        **{name: Recipe(variant, name, native) for name, native in natives.items()},
    }


def exact_in(case: Case, dtype: str) -> bool:
    """Whether the case's inputs are numbers of this dtype."""
    return case.bits <= DTYPES[dtype].precision
