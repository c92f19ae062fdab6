"""How often is softmax (or sigmoid) applied?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="activation",
    asks="How often is softmax (or sigmoid) applied?",
    values=(
        Value(
            name="once",
            says="applies softmax or sigmoid once",
            training="The loss can fall to 0, and a confidently wrong row has a gradient close to 1 in its logits.",
            change=(
                "Pass raw logits to a loss that takes logits, and drop the softmax or sigmoid before it: "
                "`cross_entropy(x, y)`."
            ),
        ),
        Value(
            name="twice",
            says="applies softmax or sigmoid to what already is a probability",
            training=(
                "The loss cannot fall below ln(1 + (C - 1)/e), 1.46 for ten classes (of a sigmoid, 0.31), even when "
                "every row is right. The gradient passes through the first softmax, so it nearly vanishes for "
                "confident rows, right or wrong; training is slow and stops early, and a larger learning rate does not "
                "help. One of the faults met most often in public code."
            ),
            change="Pass probabilities to a loss that takes logits: `cross_entropy(softmax(x, -1), y)`.",
        ),
    ),
    example=Example(
        logits=((4.0, 0.0), (0.0, 4.0)),
        labels=(0, 0),
        weights={},
        losses={"once": 2.0181499, "twice": 0.80507786},
    ),
)
