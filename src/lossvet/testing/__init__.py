"""Assertions about losses for your own tests: plain functions of any imported framework, run in the test's process.

    from lossvet.testing import assert_conforms, assert_contract, assert_same_loss

Each fails with an AssertionError that holds the report of `lossvet check` or `lossvet verify`, and restores the state
of the process: threads, flags, default dtypes, x64, random states and the environment. Apart from lossvet itself
nothing is imported, unless `framework=` names a framework. A function runs with the rights of the test, and one that
hangs also hangs the test: check untrusted losses with `lossvet verify`, which runs each in a process of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from lossvet.reports import checked_text, verify_text
from lossvet.testing import conforming
from lossvet.testing.asking import Options, known, spec
from lossvet.testing.undisturbed import undisturbed
from lossvet.verify import accepting, comparing, contract_file
from lossvet.verify.answer import Comparison, Identified
from lossvet.verify.contract import Contract
from lossvet.verify.known import Known, of_contract
from lossvet.verify.sources import SourceError

__all__ = ["assert_conforms", "assert_contract", "assert_same_loss"]

T = TypeVar("T")
Function = Callable[..., Any]


def assert_conforms(
    loss: Function,
    variant: str,
    reduction: str = "mean",
    *,
    bind: Mapping[str, str] | None = None,
    init: str = "",
    mode: str = "",
    framework: str = "",
    labels: str = "",
    classes: int = 0,
) -> None:
    """Fail unless the function is a variant of the reference, as determined by `lossvet check LOSS --as VARIANT`.

    Its loss, its gradients and its Hessian product (if it is unreduced) are compared with the proven golden results,
    within the bounds derived for float32 and float64; hazards are among the cases. `reduction` is one of none, sum,
    mean, weighted_mean and nonzero_mean, or "" to identify it. In a mode that compiles every new shape, as JAX does,
    only the cases of the most common shapes are judged, nine in ten; the command judges them all. A framework's own
    functions are judged like any other. The other options are those of `assert_same_loss`.

    Raises AssertionError if the function does not conform or cannot be judged; ValueError for invalid options, and for
    a loss that needs a process of its own.

    >>> import numpy as np
    >>> def loss(logits, labels, weight):
    ...     z = logits - logits.max(1, keepdims=True)
    ...     rows = np.log(np.exp(z).sum(1)) - np.take_along_axis(z, labels[:, None], 1)[:, 0]
    ...     return (weight[labels] * rows).sum() / weight[labels].sum()
    >>> try:
    ...     assert_conforms(loss, "sparse_class_weight", "mean")
    ... except AssertionError as error:
    ...     print("weights, not batch" in str(error))
    True
    """
    __tracebackhide__ = True
    options = Options(bind or {}, init, mode, framework, labels, classes)
    with undisturbed():
        try:
            found = conforming.checked(loss, variant, reduction, options)
        except SourceError as error:
            raise AssertionError(error.sentence) from None
    if found.exit_code:
        raise AssertionError(checked_text.text(found))


def assert_same_loss(
    old: Function,
    new: Function,
    accept: str | Iterable[str] = (),
    *,
    bind: Mapping[str, str] | tuple[Mapping[str, str], Mapping[str, str]] | None = None,
    init: str | tuple[str, str] = "",
    mode: str | tuple[str, str] = "",
    framework: str | tuple[str, str] = "",
    labels: str = "",
    classes: int = 0,
    strict_edges: bool = False,
) -> None:
    """Fail unless both functions mean the same loss, as `lossvet verify OLD NEW` says it.

    They take logits [N, C] (or [N], [N, 1] of binary losses) and labels, [N] of integers or [N, C], and whatever
    weights; which is which is found by names and by trying. The two may be of different frameworks.

    `accept`: a difference that is wanted, or several, as `--accept` has them. `bind` says which parameter has which
    role, `init` holds the arguments of a class's constructor, `mode` how the framework runs it, `framework` of which it
    is; each one value for both sides or a tuple, old and new. `labels` ("dense", "sparse") and `classes` hold for both.

    Raises AssertionError where they differ, where nothing can be said and where one of them cannot be called;
    ValueError for options that cannot be, and for what needs a process of its own (TF1 graphs).

    >>> import numpy as np
    >>> def row_losses(logits, labels):
    ...     z = logits - logits.max(1, keepdims=True)
    ...     return np.log(np.exp(z).sum(1)) - np.take_along_axis(z, labels[:, None], 1)[:, 0]
    >>> def mean(logits, labels):
    ...     return row_losses(logits, labels).mean()
    >>> def total(logits, labels):
    ...     return row_losses(logits, labels).sum()
    >>> assert_same_loss(mean, total, accept="denominator=batch->sum")
    >>> try:
    ...     assert_same_loss(mean, total)
    ... except AssertionError as error:
    ...     print("denominator: batch in old, sum in new" in str(error))
    True
    """
    __tracebackhide__ = True
    accepts = _accepts(accept)
    sides = [
        Options(bind=b or {}, init=i, mode=m, framework=f, labels=labels, classes=classes)
        for b, i, m, f in zip(_each(bind), _each(init), _each(mode), _each(framework), strict=True)
    ]
    if old == new and sides[0] == sides[1]:
        one = Identified(spec(old, sides[0].framework or "both"), "", "", "cannot_judge", (), None)
        why = "both sides are the same function, in the same mode and dtype"
        found = Comparison("cannot_judge", one, one, reason=why)
    else:
        with undisturbed():
            found = comparing.compare(_known(old, sides[0]), _known(new, sides[1]))
    _settle(found, accepts, strict_edges)


def assert_contract(
    loss: Function,
    contract: str | Path | Mapping[str, Any] | Contract,
    accept: str | Iterable[str] = (),
    *,
    bind: Mapping[str, str] | None = None,
    init: str = "",
    mode: str = "",
    framework: str = "",
    labels: str = "",
    classes: int = 0,
    strict_edges: bool = False,
) -> None:
    """Fail unless the function means what a contract says, as `lossvet verify LOSS NAME.contract.toml` says it.

    `contract` is the path of a file that `lossvet identify LOSS --write FILE` made (from the current directory, so
    better beside the test: `Path(__file__).with_name(...)`), or its facets: those that are not listed are those of the
    mean over the batch of the softmax cross-entropy of logits. The other options are those of `assert_same_loss`.

    Raises AssertionError as `assert_same_loss` does; ValueError for options and contracts that cannot be, OSError.

    >>> import numpy as np
    >>> def loss(logits, labels, weight):
    ...     z = logits - logits.max(1, keepdims=True)
    ...     rows = np.log(np.exp(z).sum(1)) - np.take_along_axis(z, labels[:, None], 1)[:, 0]
    ...     return (weight[labels] * rows).sum() / weight[labels].sum()
    >>> assert_contract(loss, {"weighting": "class_weight", "denominator": "weights"})
    """
    __tracebackhide__ = True
    accepts = _accepts(accept)
    meant, name = _contract(contract)
    options = Options(bind or {}, init, mode, framework, labels, classes)
    with undisturbed():
        found = comparing.compare(_known(loss, options), of_contract(meant, name))
    _settle(found, accepts, strict_edges)


def _known(function: Function, options: Options) -> Known:
    __tracebackhide__ = True
    try:
        return known(function, options)
    except SourceError as error:
        raise AssertionError(error.sentence) from None


def _settle(found: Comparison, accepts: list[accepting.Accept], strict_edges: bool) -> None:
    """Raises AssertionError with the page of the command, unless all is accepted; warns of what accepts nothing."""
    __tracebackhide__ = True
    found = accepting.settled(found, accepts, strict_edges)
    if found.exit_code:
        raise AssertionError(verify_text.text(found))
    for words in found.warnings:
        if words.startswith("--accept "):
            warnings.warn(words, stacklevel=3)


def _accepts(accept: str | Iterable[str]) -> list[accepting.Accept]:
    return [accepting.parsed(text) for text in ([accept] if isinstance(accept, str) else accept)]


def _each(value: T | tuple[T, T]) -> tuple[T, T]:
    """What was said of both sides, for each."""
    if isinstance(value, tuple):
        old, new = value
        return old, new
    return value, value


def _contract(given: str | Path | Mapping[str, Any] | Contract) -> tuple[Contract, str]:
    """The contract, and what it is called. Raises ValueError, OSError."""
    if isinstance(given, Contract):
        return given, "the contract"
    if isinstance(given, str | Path):
        return contract_file.read(Path(given)).contract, str(given)
    settings = {name: tuple(s) if isinstance(s, list) else s for name, s in given.items()}
    try:
        return Contract.of(settings), "the contract"
    except KeyError as error:
        raise ValueError(error.args[0]) from None
