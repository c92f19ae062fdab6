"""Sums of terms over classes, over rows, and by label: of exact products, each addition's rounding carried along."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lossvet.reference.double_double import Number
from lossvet.reference.fast.carried import Carried
from lossvet.reference.fast.pairs import SECOND, UNIT, Pair, merged, normalised, product, scaled, total, two_sum
from lossvet.reference.fast.terms import Term, blocks
from lossvet.reference.types import Array


def over_classes(term: Term, c: int) -> Carried:
    """Over so many classes: [N], or [] of a term that is the same in every row."""
    if term.at is not None:
        return term.single()
    if not term.factors:
        shared: Carried = term.rows * (float(c) if term.classes is None else term.classes.sum(0))
        return shared
    known, key = term.factors[0].sums, (1, term.factors[1:], term.classes, term.but)
    if key not in known:
        known[key] = _products_over_classes(term)
    found: Carried = term.rows * known[key]
    return found


def _products_over_classes(term: Term) -> Carried:
    """Without the numbers of the rows."""
    n, c = term.shape
    weight = None if term.classes is None else term.classes.pair
    loss = np.full(c, term.error() + SECOND)
    if term.classes is not None:
        loss = loss * term.classes.size + term.classes.e
    hi, lo, errors = np.empty(n), np.empty(n), np.empty(n)
    for rows in blocks(n, c):
        pair = term.block(rows)
        size = np.abs(pair[0])
        errors[rows] = size @ loss
        if weight is None:
            hi[rows], lo[rows] = total(pair, 1, size.max(1, keepdims=True))
        else:
            hi[rows], lo[rows] = total(product(pair, weight), 1)
    return Carried(Number(hi, lo), errors)


def over_rows(term: Term, n: int) -> Carried:
    """Over so many rows: [C], or [] of a term that is the same for every class."""
    shared = term.rows.value.hi.ndim == 0
    if term.at is not None:
        return term.single().sum_by(term.at.indices, term.at.size)
    found: Carried
    if not term.factors:
        found = term.rows * float(n) if shared else term.rows.sum(0)
    elif shared:
        known, key = term.factors[0].sums, (0, term.factors[1:], term.but)
        if key not in known:
            known[key] = _products_over_rows(replace(term, rows=Carried(1.0)))
        found = term.rows * known[key]
    else:
        found = _products_over_rows(term)
    return found if term.classes is None else found * term.classes


def _products_over_rows(term: Term) -> Carried:
    """Without the numbers of the classes; those of the rows are multiplied in, with a rounding, where they differ."""
    n, c = term.shape
    loss = np.full(n, term.error() + SECOND)
    differ = term.rows.value.hi.ndim > 0
    if differ:
        loss = (loss + UNIT) * term.rows.size + term.rows.e
    parts, errors = [], np.zeros(c)
    for rows in blocks(n, c):
        pair = term.block(rows)
        size = np.abs(pair[0])
        errors += loss[rows] @ size
        if differ:
            parts.append(total(scaled(pair, _rows(term, rows)), 0))
        else:
            parts.append(total(pair, 0, size.max(0, keepdims=True)))
    hi, lo = (np.stack([part[i] for part in parts]) for i in range(2))
    return Carried(Number(*total((hi, lo), 0)), errors)


def by_label(term: Term, labels: Array, size: int) -> Carried:
    """[size, C]: rows added up where their labels are the same."""
    if term.at is not None:
        flat = term.single().sum_by(labels * size + term.at.indices, size * size)
        hi, lo, e = (part.reshape(size, size) for part in (flat.value.hi, flat.value.lo, flat.e))
        return Carried(Number(hi, lo), e)
    assert term.classes is None, "no closed form adds up by label what has a number a class"
    n, c = term.shape
    loss = (term.error() + SECOND + UNIT) * term.rows.size + term.rows.e
    order = np.argsort(labels, kind="stable")
    hi, lo, e = np.zeros((size, c)), np.zeros((size, c)), np.zeros((size, c))
    carry: tuple[Any, Array, Array] | None = None
    for block in blocks(n, c):
        rows = order[block]
        bare = term.block(rows)
        at, whole, left = merged(labels[rows], *_with_low(scaled(bare, _rows(term, rows))))
        starts = np.searchsorted(labels[rows], at)
        e[at] += np.add.reduceat(np.abs(bare[0]) * (loss[rows, None] if loss.ndim else loss), starts, axis=0)
        if carry is not None and carry[0][0] == at[0]:
            s, more = two_sum(whole[:1], carry[1])
            whole[:1], left[:1] = normalised(s, more + (left[:1] + carry[2]))
        hi[at], lo[at] = whole, left
        carry = at[-1:], whole[-1:], left[-1:]
    return Carried(Number(hi, lo), e)


def _with_low(pair: Pair) -> tuple[Array, Array]:
    return pair[0], np.zeros_like(pair[0]) if pair[1] is None else pair[1]


def _rows(term: Term, rows: Any) -> Pair:
    """The numbers of these rows as a column."""
    hi, lo = term.rows.pair
    if not hi.ndim:
        return hi, lo
    return hi[rows, None], None if lo is None else lo[rows, None]
