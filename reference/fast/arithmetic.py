"""The names of `closed.py` over compensated float64: with them a variant's `closed` gives the default reference.

What it gives is a `Carried` number or a `Matrix`, of which `elements.rounded` makes float64 and a bound on its error.
No number in it is infinite, or so large that a product could be: `inputs.py` says for which inputs that is so.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lossvet.reference.fast.binary import Binary
from lossvet.reference.fast.carried import Carried
from lossvet.reference.fast.inputs import OutOfRangeError
from lossvet.reference.fast.matrix import Matrix, given
from lossvet.reference.fast.softmax import Softmax
from lossvet.reference.fast.terms import Columns, Given, Term
from lossvet.reference.types import Array


def exact(x: Any) -> Any:
    """An input, or a constant; an array that is one number in memory, whatever its shape, is that number."""
    if isinstance(x, Carried | Matrix):
        return x
    array = np.asarray(x, np.float64)
    if array.size and not any(array.strides):
        return Carried(array.flat[0])
    return given(array) if array.ndim == 2 else Carried(array)


leaf = exact


def ratio(a: int, b: int) -> Carried:
    """The number a / b, which need not be a double."""
    return Carried(float(a)) / float(b)


def ones(n: int) -> Carried:
    return Carried(np.ones(n))


def one_hot(indices: Any, classes: int) -> Matrix:
    """[N, C] from integers [N]."""
    return Matrix((Term(Carried(1.0), at=Columns(indices, classes)),))


def all_but(indices: Any, classes: int) -> Matrix:
    """1 less that."""
    return Matrix((Term(Carried(1.0), but=Columns(indices, classes)),))


def plain(x: Carried) -> Array:
    """The value as float64. Raises OutOfRangeError where its error leaves open whether it is 0."""
    if ((x.e > 0) & (x.size <= x.e)).any():
        raise OutOfRangeError
    return x.value.hi


def binary(x: Matrix, t: Matrix, q: Carried) -> Binary:
    return Binary(_input(x), _input(t), q)


def softmax(x: Matrix) -> Softmax:
    return Softmax(x)


def _input(x: Matrix) -> Array:
    (term,) = x.terms
    (factor,) = term.factors
    assert isinstance(factor, Given), "the binary variants take their inputs as they stand"
    return factor.hi
