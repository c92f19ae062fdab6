"""Is the loss minus a log-likelihood?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="sign",
    asks="Is the loss minus a log-likelihood?",
    values=(
        Value(
            name="minus",
            says="is minus the log-likelihood: smaller is better",
            training="Minimising it raises the probability of the labels.",
            change="Negate the sum of log-probabilities: `-(t * log_p).sum(-1)`.",
        ),
        Value(
            name="plus",
            says="is the log-likelihood with its sign: larger is better",
            training=(
                "An optimiser that minimises it makes every prediction as wrong as it can. The loss is negative and "
                "falls without limit. Right only where something else negates it."
            ),
            change="Leave the minus out: `(t * log_p).sum(-1)`.",
        ),
        Value(
            name="plus_on_one_term",
            says="has the wrong sign on one of the two terms of the binary loss",
            training=(
                "One of the two labels trains and the other does the opposite: logits drift towards one side without "
                "limit, and the model predicts one label for everything."
            ),
            change=(
                "Subtract one term from the other: `-(t * log_p - (1 - t) * log_q)`, with p the probability of label 1 "
                "and q = 1 - p."
            ),
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=(0, 1),
        weights={},
        losses={"minus": 0.22009485, "plus": -0.22009485},
    ),
)
