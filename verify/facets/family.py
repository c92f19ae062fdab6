"""Is a row one choice among C classes, or C yes-or-no decisions?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="family",
    asks="Is a row one choice among C classes, or C yes-or-no decisions?",
    values=(
        Value(
            name="softmax",
            says="treats the classes of a row as exclusive: one softmax over the classes, one cross-entropy a row",
            training=(
                "Classes compete. Raising one logit lowers the probability of all the others, and the gradient in a "
                "row's logits, p - t, sums to 0 for labels that sum to 1."
            ),
            change="Take the log-softmax over the class axis: `loss = -(t * log_softmax(x, -1)).sum(-1)`.",
        ),
        Value(
            name="sigmoid",
            says="treats every logit as a decision of its own: one sigmoid and one binary cross-entropy an element",
            training=(
                "Classes no longer compete: each logit has the gradient sigmoid(x) - t, whatever the others are. A row "
                "starts at C ln 2 instead of ln C, most of the gradient comes from the negatives when C is large, and "
                "the predicted probabilities need not sum to 1. On a problem with one right class a row it trains, but "
                "more slowly, and its probabilities are not calibrated."
            ),
            change="Use the binary cross-entropy of each logit: `loss = t * softplus(-x) + (1 - t) * softplus(x)`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (1.0, -1.0)),
        labels=((1.0, 0.0), (0.0, 1.0)),
        weights={},
        losses={"softmax": 1.126928, "sigmoid": 1.7232993},
    ),
)
