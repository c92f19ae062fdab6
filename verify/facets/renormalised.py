"""Are probabilities divided by their sum first?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="renormalised",
    asks="Are probabilities divided by their sum first?",
    values=(
        Value(
            name="no",
            says="takes probabilities as they are",
            training=(
                "Probabilities that do not sum to 1 change the loss: doubling a row lowers its loss by ln 2. Nothing "
                "but the layer before the loss keeps them from growing."
            ),
            change="Take the logarithm of what was passed: `-(t * p.log()).sum(-1)`.",
        ),
        Value(
            name="yes",
            says="divides the probabilities of a row by their sum before it takes the logarithm, as Keras does",
            training=(
                "No difference after a softmax. After independent sigmoids it makes classes compete: every probability "
                "of the row gains the gradient 1 / sum(p), and a common factor of the row is no longer learnt."
            ),
            change="Divide by the row's sum first: `p = p / p.sum(-1, keepdims=True)`.",
        ),
    ),
    example=Example(
        logits=((0.6, 0.2), (0.3, 0.3)),
        labels=(0, 0),
        weights={},
        settings={"input": "probabilities"},
        losses={"no": 0.85739921, "yes": 0.49041463},
    ),
)
