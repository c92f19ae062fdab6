"""Over which axis are probabilities normalised?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="axis",
    asks="Over which axis are probabilities normalised?",
    values=(
        Value(
            name="class",
            says="normalises over the classes of a row",
            training="Each row has a distribution over classes, whatever the batch is.",
            change="Name the class axis: `log_softmax(x, -1)`, `axis=1` for [N, C, ...].",
        ),
        Value(
            name="batch",
            says="normalises over the rows of the batch instead of the classes",
            training=(
                "Rows of a batch compete for each class. The loss depends on the batch size and on which rows meet, "
                "starts near ln N instead of ln C, and can be lowered by ranking rows within a batch, which is of no "
                "use when predicting single rows. `nn.Softmax()` without `dim` does this to three-dimensional input."
            ),
            change="Normalise over axis 0: `log_softmax(x, 0)`.",
        ),
    ),
    example=Example(
        logits=((2.0, 1.0), (0.0, 0.0)),
        labels=(0, 1),
        weights={},
        losses={"class": 0.50320443, "batch": 0.72009485},
    ),
)
