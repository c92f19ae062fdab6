"""Do weights and losses line up?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="broadcast",
    asks="Do weights and losses line up?",
    values=(
        Value(
            name="aligned",
            says="multiplies each row's loss by that row's own weight",
            training="Each row gets its own weight, whatever the shapes of the batch.",
            change="Look weights up by label, and give both factors the shape [N]: `w[y].reshape(-1) * loss`.",
        ),
        Value(
            name="outer",
            says="multiplies every loss by every weight, through an [N, 1] against [N] broadcast",
            training=(
                "The mean of the N by N table is the mean weight times the mean loss: all rows count alike, and the "
                "weights act as a learning rate that varies from batch to batch. A sum is N times as large as well. "
                "Nothing is raised, because the shapes broadcast."
            ),
            change="Leave a trailing axis on one of them: `(weights[:, None] * loss).mean()`.",
        ),
        Value(
            name="class_for_batch",
            says=(
                "applies the weights of the classes to the rows by position, because there happen to be as many rows "
                "as classes"
            ),
            training=(
                "Row n gets the weight of class n, whatever its label is: after shuffling, weights are noise of the "
                "right average. With another batch size the same code raises."
            ),
            change="Multiply by the weight vector without looking labels up: `w * loss`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=(1, 0),
        weights={"class_weight": (1.0, 3.0)},
        settings={"weighting": ("class_weight",)},
        losses={"aligned": 3.8470229, "outer": 3.4401897, "class_for_batch": 3.0333565},
    ),
)
