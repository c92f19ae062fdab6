"""Is the logarithm of the probability taken, and taken safely?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="log",
    asks="Is the logarithm of the probability taken, and taken safely?",
    values=(
        Value(
            name="taken",
            says="takes the logarithm of the probability, stably",
            training=(
                "A row costs more the smaller the probability of its label, without limit, and stays finite for finite "
                "logits."
            ),
            change=(
                "Use the framework's log-softmax or log-sigmoid, which subtracts each row's own maximum: "
                "`-log_softmax(x, -1)[rows, y]`."
            ),
        ),
        Value(
            name="missing",
            says="takes no logarithm: a row costs minus the probability of its label",
            training=(
                "The loss lies between -1 and 0 instead of above 0, and the gradient of a row is p_y (1 - p_y) instead "
                "of 1 - p_y: rows that are confidently wrong barely move, and training from a bad start stalls. "
                "Negative losses in the log are the sign of it."
            ),
            change="Sum the probabilities themselves: `-(t * softmax(x, -1)).sum(-1)`, or `nll_loss` of probabilities.",
        ),
        Value(
            name="broken_max",
            says=(
                "exponentiates without the row's own maximum, or the logarithm of a softmax that has underflowed: "
                "it is finite on moderate logits only"
            ),
            training=(
                "Nothing shows while logits are small. Once a row lies far from the maximum that is used, its "
                "exponentials all underflow or one overflows (beyond 88 in float32); its loss is infinite or NaN, and "
                "one such batch destroys the parameters."
            ),
            change="Subtract one maximum of the whole batch: `z = x - x.max(); z.exp().sum(-1).log() - z[rows, y]`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 2.0)),
        labels=(0, 0),
        weights={},
        losses={"taken": 1.126928, "missing": -0.5},
    ),
)
