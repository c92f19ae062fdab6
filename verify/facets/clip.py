"""Is a probability, its logarithm or the loss kept away from extreme values?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="clip",
    asks="Is a probability, its logarithm or the loss kept away from extreme values?",
    values=(
        Value(
            name="none",
            says="clips nothing",
            training="A row that is confidently wrong keeps its full loss and its full gradient.",
            change="Work on logits and remove the clip and the epsilon: `-log_softmax(x, -1)[rows, y]`.",
        ),
        Value(
            name="clamped",
            says="clamps probabilities to [e, 1 - e] before the logarithm",
            training=(
                "A row costs at most -ln e (16.1 for e = 1e-7) and at least about e. Outside the interval the gradient "
                "is exactly 0: the rows that are most wrong stop learning, and nothing in the loss curve shows it. In "
                "float32 an e below 3e-8 leaves 1 - e equal to 1."
            ),
            change="Clamp on both sides: `p = p.clamp(e, 1 - e)`.",
        ),
        Value(
            name="floored",
            says="raises probabilities below e to e before the logarithm",
            training=(
                "A row costs at most -ln e, and below e it has no gradient: the rows that are most wrong stop "
                "learning. Correct rows are untouched."
            ),
            change="Clamp from below only: `p = p.clamp(min=e)`.",
        ),
        Value(
            name="added",
            says="adds e to the probability inside the logarithm",
            training=(
                "A row costs at most -ln e, and a perfect one -ln(1 + e), just below 0. The gradient in p is bounded "
                "by 1/e; in the logits it shrinks as p/(p + e), so rows with p far below e hardly learn. Rows with p "
                "well above e are not affected."
            ),
            change="Add inside the logarithm: `-(t * (p + e).log()).sum(-1)`.",
        ),
        Value(
            name="log_floor",
            says="keeps the logarithm from falling below a floor, as PyTorch's BCELoss does at -100",
            training=(
                "Only rows with probabilities that have underflowed are affected: the loss is at most 100 instead of "
                "infinite, so averages stay finite. Through a plain clamp those rows have no gradient."
            ),
            change="Clamp the logarithm: `p.log().clamp(min=-100)`. (In a contract: clip_epsilon = 100.)",
        ),
        Value(
            name="capped",
            says="caps the loss of a row",
            training=(
                "Rows that cost more than the cap contribute a constant and no gradient. Outliers and mislabelled rows "
                "are ignored; so is a whole model that starts above the cap."
            ),
            change="Take the minimum with the cap: `loss.clamp(max=cap)`. (In a contract: clip_epsilon = cap.)",
        ),
    ),
    example=Example(
        logits=((0.01, 0.99), (0.01, 0.99)),
        labels=(0, 1),
        weights={},
        settings={"input": "probabilities", "clip_epsilon": 0.1},
        losses={"none": 2.3076103, "clamped": 1.2039728, "floored": 1.1563177, "added": 1.0605486},
    ),
    numbers=("clip_epsilon",),
)
