"""A tape: operations on arrays that remember how they were made, so that gradients can be taken backwards.

It is written over an arithmetic (`arithmetic.py`), so that gradients have bounds like values. It gives no second
derivatives, since nothing here needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify.arithmetic import Arithmetic

Pull = Callable[[Any], Any]
"""From the gradient in a result to that in one operand."""


class Node:
    """An array on a tape. + - * / broadcast as in NumPy; numbers and arrays beside a node are constants."""

    __slots__ = ("parents", "tape", "value")
    __array_ufunc__ = None

    def __init__(self, tape: Tape, value: Any, parents: tuple[tuple[Node, Pull], ...] = ()) -> None:
        self.tape = tape
        self.value = value
        self.parents = parents
        if parents:
            tape.order.append(self)

    @property
    def plain(self) -> Array:
        return self.tape.a.plain(self.value)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.plain.shape

    def __add__(self, other: Any) -> Node:
        b = self.tape.lift(other)
        return self.tape.made(self.value + b.value, (self, lambda g: g), (b, lambda g: g))

    def __neg__(self) -> Node:
        return self.tape.made(-self.value, (self, lambda g: -g))

    def __sub__(self, other: Any) -> Node:
        b = self.tape.lift(other)
        return self.tape.made(self.value - b.value, (self, lambda g: g), (b, lambda g: -g))

    def __rsub__(self, other: Any) -> Node:
        return self.tape.lift(other) - self

    def __mul__(self, other: Any) -> Node:
        b = self.tape.lift(other)
        return self.tape.made(self.value * b.value, (self, lambda g: g * b.value), (b, lambda g: g * self.value))

    def __truediv__(self, other: Any) -> Node:
        b = self.tape.lift(other)
        value = self.value / b.value
        return self.tape.made(value, (self, lambda g: g / b.value), (b, lambda g: -(g * value / b.value)))

    def __rtruediv__(self, other: Any) -> Node:
        return self.tape.lift(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def __getitem__(self, index: Any) -> Node:
        """Entries by an index of NumPy's, `None` for a new axis excepted: that is `column`."""
        shape = self.shape
        return self.tape.made(self.tape.a.take(self.value, index), (self, lambda g: self.tape.a.place(g, index, shape)))

    def column(self) -> Node:
        """With one more axis, at the end."""
        return self.reshape((*self.shape, 1))

    def reshape(self, shape: tuple[int, ...]) -> Node:
        before = self.shape
        a = self.tape.a
        return self.tape.made(a.reshape(self.value, shape), (self, lambda g: a.reshape(g, before)))

    def sum(self, axis: int | None = None) -> Node:
        a, shape = self.tape.a, self.shape
        axes = tuple(range(len(shape))) if axis is None else (axis % len(shape),)
        kept = tuple(1 if i in axes else n for i, n in enumerate(shape))
        ones = np.ones(shape)
        return self.tape.made(a.sum(self.value, axes), (self, lambda g: a.reshape(g, kept) * ones))

    def exp(self) -> Node:
        value = self.tape.a.exp(self.value)
        return self.tape.made(value, (self, lambda g: g * value))

    def log(self) -> Node:
        return self.tape.made(self.tape.a.log(self.value), (self, lambda g: g / self.value))

    def tanh(self) -> Node:
        value = self.tape.a.tanh(self.value)
        return self.tape.made(value, (self, lambda g: g - g * value * value))

    def unlikely(self) -> Node:
        """1 - e^x, of a logarithm x <= 0."""
        a = self.tape.a
        return self.tape.made(a.unlikely(self.value), (self, lambda g: -(g * a.exp(self.value))))

    def power(self, exponent: float) -> Node:
        a = self.tape.a
        value = a.power(self.value, exponent)
        return self.tape.made(value, (self, lambda g: g * (a.power(self.value, exponent - 1) * exponent)))

    def log_softmax(self, axis: int, row_sums: bool = True) -> Node:
        """`row_sums=False`: the gradient as of a cross-entropy whose labels sum to 1 in every row; the
        cotangents of the rows' losses are those that were `noted`."""
        a = self.tape.a
        value = a.log_softmax(self.value, axis)
        kept = tuple(1 if i == axis % len(self.shape) else n for i, n in enumerate(self.shape))

        def pull(g: Any) -> Any:
            p = a.exp(value)
            total = a.sum(g, (axis,)) if row_sums else -self.tape.row_cotangents
            return g - p * a.reshape(total, kept)

        return self.tape.made(value, (self, pull))

    def log_sigmoid(self) -> Node:
        a = self.tape.a
        return self.tape.made(
            a.log_sigmoid(self.value), (self, lambda g: g * a.cancelled(a.exp(a.log_sigmoid(-self.value))))
        )

    def where(self, condition: Any, other: Any) -> Node:
        """This where the condition holds, `other` elsewhere."""
        a, b = self.tape.a, self.tape.lift(other)
        return self.tape.made(
            a.where(condition, self.value, b.value),
            (self, lambda g: a.where(condition, g, 0.0)),
            (b, lambda g: a.where(condition, 0.0, g)),
        )

    def clamped(self, low: float, high: float) -> Node:
        """Within [low, high], with no gradient outside."""
        plain = self.plain
        return self.where(plain >= low, low).where(plain <= high, high)

    def noted(self) -> Node:
        """This, the losses of rows [N]: their cotangent is noted on the tape as it passes."""

        def note(g: Any) -> Any:
            self.tape.row_cotangents = g
            return g

        return self.tape.made(self.value, (self, note))

    def stopped(self) -> Node:
        return Node(self.tape, self.value)


class Tape:
    """`row_cotangents` are those of the losses of rows [N], once a gradient has come by."""

    def __init__(self, a: Arithmetic) -> None:
        self.a = a
        self.order: list[Node] = []
        self.row_cotangents: Any = None

    def leaf(self, x: Any) -> Node:
        return Node(self, self.a.exact(x))

    def lift(self, x: Any) -> Node:
        return x if isinstance(x, Node) else Node(self, self.a.exact(x))

    def made(self, value: Any, *parents: tuple[Node, Pull]) -> Node:
        return Node(self, value, parents)

    def gradients(self, result: Node, cotangent: Any, leaves: Sequence[Node]) -> list[Any]:
        """Of sum(cotangent * result), in the arithmetic's own arrays; None in a leaf that does not reach the result."""
        found: dict[int, Any] = {id(result): self.a.exact(cotangent)}
        for node in reversed(self.order):
            g = found.get(id(node))
            if g is None:
                continue
            for parent, pull in node.parents:
                part = self._as(pull(g), parent.shape)
                before = found.get(id(parent))
                found[id(parent)] = part if before is None else before + part
        return [found.get(id(leaf)) for leaf in leaves]

    def _as(self, g: Any, shape: tuple[int, ...]) -> Any:
        """Summed over the axes along which the operand was broadcast."""
        have = self.a.plain(g).shape
        if have == shape:
            return g
        extra = len(have) - len(shape)
        axes = (*range(extra), *(i + extra for i, n in enumerate(shape) if n == 1 and have[i + extra] != 1))
        return self.a.reshape(self.a.sum(g, axes), shape) if axes else g * self.a.exact(np.ones(shape))
