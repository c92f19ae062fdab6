"""Are the labels used as they are given?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="labels",
    asks="Are the labels used as they are given?",
    values=(
        Value(
            name="as_given",
            says="uses the labels as they are given",
            training="The best prediction of a row is its label: a class, or a distribution over classes.",
            change="Pass the labels on unchanged.",
        ),
        Value(
            name="hardened",
            says="turns soft labels into hard ones, by argmax or a cast to integers",
            training=(
                "What soft labels carry (mixup, distillation, annotator disagreement) is lost: targets jump to 0 or 1. "
                "A cast to integers turns 0.9 into 0, so positives become negatives. Nothing changes on labels that "
                "are hard already."
            ),
            change="Take the class of the largest label, or round binary ones: `cross_entropy(x, t.argmax(-1))`.",
        ),
        Value(
            name="shifted_by_one",
            says="takes each label for its neighbour, as where one side counts classes from 1 and the other from 0",
            training=(
                "The model learns class k as k - 1 (or k + 1); accuracy computed with the same shift looks right. One "
                "class at the end is never trained, or is out of range and raises, wraps or is clamped."
            ),
            change="Shift the labels before the loss: `cross_entropy(x, y - 1)`.",
        ),
        Value(
            name="reversed",
            says="takes positive for negative labels, or the classes in reverse order",
            training=(
                "The model learns the opposite: its predictions are right once inverted, and accuracy falls below "
                "chance while the loss falls as usual."
            ),
            change="Use `1 - t` in place of `t`, or `C - 1 - y` in place of `y`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0, 1.0), (0.0, 1.0, 3.0)),
        labels=((0.6, 0.4, 0.0), (0.0, 1.0, 0.0)),
        weights={},
        losses={"as_given": 1.688726, "hardened": 1.288726, "shifted_by_one": 2.088726, "reversed": 1.988726},
    ),
    numbers=("hardened_at",),
)
