"""Ball arithmetic over the definitions: proven enclosures, by python-flint (Arb), and derivatives by power series.

The operations that a variant's `definition` is spelled in. Numbers are truncated power series in one unknown, with
balls as coefficients: seeding one input with that unknown makes the first coefficient of the outcome its derivative.

Needs the extra `certify`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from flint import arb, arb_series, fmpq


def number(value: float, slope: float = 0.0, order: int = 0) -> Any:
    """An input: the double itself, as a series, moving with this slope where a derivative is asked for."""
    return arb_series([arb(value), arb(slope)] if slope else [arb(value)], prec=order + 1)


def log(x: Any) -> Any:
    return x.log()


def sigmoid(x: Any) -> Any:
    return 1 / (1 + (-x).exp())


def softmax(row: Sequence[Any]) -> list[Any]:
    powers = [x.exp() for x in row]
    total = sum(powers)
    return [power / total for power in powers]


def dot(a: Iterable[Any], b: Iterable[Any]) -> Any:
    return sum(x * y for x, y in zip(a, b, strict=True))


def each(f: Callable[..., Any], logits: Any, labels: Any, per_class: Any = None) -> tuple[list[list[Any]], None]:
    """f(x, t), or f(x, t, q) with q one number or one a class, over [N, C]; there is no sample weight."""
    if per_class is None:
        return [[f(x, t) for x, t in zip(xs, ts, strict=True)] for xs, ts in zip(logits, labels, strict=True)], None
    by_class = per_class if isinstance(per_class, list) else None

    def row(xs: Any, ts: Any) -> list[Any]:
        qs = by_class if by_class is not None else [per_class] * len(xs)
        return [f(x, t, q) for x, t, q in zip(xs, ts, qs, strict=True)]

    return [row(xs, ts) for xs, ts in zip(logits, labels, strict=True)], None


def argmax(row: Sequence[Any]) -> int:
    """The lowest index of the largest of exact numbers."""
    values = [Fraction(*_ratio(x)) for x in row]
    return values.index(max(values))


def decimal(text: str) -> Any:
    """A decimal fraction as it is written, which need not be a double."""
    f = Fraction(text)
    return arb(fmpq(f.numerator, f.denominator))


def smoothed(label: int, classes: int, alpha: float) -> list[Any]:
    """A one-hot label moved towards uniform: (1 - a) onehot + a / C."""
    share = arb(alpha)
    return [(1 - share) * (1 if c == label else 0) + share / classes for c in range(classes)]


def _ratio(x: Any) -> tuple[int, int]:
    value = x[0] if isinstance(x, arb_series) else x
    mantissa, exponent = value.man_exp()
    m, e = int(mantissa), int(exponent)
    return (m << e, 1) if e >= 0 else (m, 1 << -e)
