"""Which label is a position scored against?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="label_shift",
    asks="Which label is a position scored against?",
    values=(
        Value(
            name="none",
            says="scores position n against label n",
            training=(
                "Right for classification, and for language models whose labels were shifted when the data were "
                "prepared."
            ),
            change="Do not shift inside the loss: `cross_entropy(logits, labels)`.",
        ),
        Value(
            name="next_token",
            says="scores position n against label n + 1, and the last position against none",
            training=(
                "Right for a causal language model with unshifted labels. If both data and loss shift, the model "
                "learns to predict two tokens ahead; if neither does, it learns to copy its input and the loss falls "
                "to 0. There is one row less to divide by."
            ),
            change="Drop the last prediction and the first label: `cross_entropy(logits[:-1], labels[1:])`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=(0, 1),
        weights={},
        losses={"none": 0.22009485, "next_token": 2.126928},
    ),
)
