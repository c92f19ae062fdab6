"""Is there a label whose rows are left out?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="ignored",
    asks="Is there a label whose rows are left out?",
    values=(
        Value(
            name="none",
            says="leaves no row out",
            training="Every row trains. A label that stands for padding is an error, or trains a class.",
            change="Pass no ignore index, and filter rows beforehand where some have no label.",
        ),
        Value(
            name="label",
            says="leaves out rows with one particular label",
            training=(
                "Those rows have neither loss nor gradient. Where the label is a real class (0, say), that class is "
                "never learnt as a target."
            ),
            change=(
                "Name the label, or multiply the losses (not the logits) by a mask: `cross_entropy(x, y, "
                "ignore_index=-100)`."
            ),
        ),
        Value(
            name="leaking",
            says="means to leave rows out, but lets them add to the loss or the gradient",
            training=(
                "Padding trains: zeroed logits add ln C (ln 2 in a binary loss) a row as a constant that hides the "
                "trend, or the gradient of padded rows pulls the model towards a class that is not there."
            ),
            change="Zero the logits instead of the loss: `cross_entropy(m[:, None] * x, y)`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=(1, 0),
        weights={},
        settings={"ignored_label": 1.0},
        losses={"none": 1.7200948, "label": 1.3132617},
    ),
    numbers=("ignored_label",),
)
