"""Do ignored and masked rows count in the denominator?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="counted",
    asks="Do ignored and masked rows count in the denominator?",
    values=(
        Value(
            name="kept",
            says="counts only the rows that are not ignored",
            training="The loss is a mean over the rows that have one; padding does not change it.",
            change="Divide by the rows that are kept: `(m * loss).sum() / m.sum()`.",
        ),
        Value(
            name="all",
            says="counts ignored rows in the denominator too",
            training=(
                "Loss and gradient shrink with the share of ignored rows: with 75 % padding they are a quarter. Short "
                "sequences train slower than long ones, and losses of batches with different padding cannot be "
                "compared. One of the faults met most often in public code."
            ),
            change="Average over all rows, ignored ones as zeros: `(m * loss).mean()`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=(1, -100),
        weights={},
        settings={"ignored": "label", "ignored_label": -100.0},
        losses={"kept": 2.126928, "all": 1.063464},
    ),
)
