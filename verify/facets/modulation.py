"""Is a row's loss scaled by how well it is predicted?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="modulation",
    asks="Is a row's loss scaled by how well it is predicted?",
    values=(
        Value(
            name="none",
            says="counts rows alike, however well they are predicted",
            training="The gradient of a row is p - t: it fades only as fast as the error does.",
            change="Use the plain cross-entropy, without a factor in p: `-log_p[rows, y]`.",
        ),
        Value(
            name="focal",
            says="multiplies the cross-entropy of a row by (1 - p)^gamma, p the probability of its label (focal loss)",
            training=(
                "Rows that are predicted well fade: at gamma = 2, p = 0.9 keeps 1 % of its loss and p = 0.5 a quarter. "
                "The mean loss falls well below that of the cross-entropy, so a learning rate tuned for the "
                "cross-entropy is too small; hard rows dominate, mislabelled ones among them, and probabilities come "
                "out less confident."
            ),
            change=(
                "Multiply by the modulating factor, and let it take part in the gradient: `(1 - log_p_y.exp()) ** "
                "gamma * -log_p_y`."
            ),
        ),
    ),
    example=Example(
        logits=((3.0, 0.0), (0.0, 0.0)),
        labels=(0, 0),
        weights={},
        settings={"gamma": 2.0},
        losses={"none": 0.37086727, "focal": 0.086698039},
    ),
    numbers=("gamma",),
)
