"""What does a label between 0 and 1 do to the factors and weights that depend on it?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="label_mixing",
    asks="What does a label between 0 and 1 do to the factors and weights that depend on it?",
    values=(
        Value(
            name="each_term",
            says="gives each term of an element its own factor and weight, which a soft label then mixes",
            training="A soft label has the loss that its two hard ones have, in its own shares; so has the gradient.",
            change="Weigh the terms, and add them then: `-(a * t * q**g * log_p + b * (1 - t) * p**g * log_q)`.",
        ),
        Value(
            name="interpolated",
            says="multiplies whole elements by factor and weight of the mixed label, as torchvision's focal loss does",
            training=(
                "Nothing changes on labels of 0 and 1. Of a soft label the factor is that of p t + (1 - p)(1 - t), so "
                "a smoothed label weighs and modulates the other class's term as well; and the gradient in the labels, "
                "where it is used, is another one."
            ),
            change=(
                "Multiply the cross-entropy of the element: `(a * t + b * (1 - t)) * (t * q + (1 - t) * p)**g * bce(x, "
                "t)`."
            ),
        ),
        Value(
            name="other",
            says="does something else with labels between 0 and 1, or with their gradient: only hard labels are told",
            training=(
                "Nothing is known for mixup, distillation or smoothed labels, and nothing of a gradient in the labels. "
                "A test `t == 1` in the loss, as for weights by label, leaves every soft label with one side's weight."
            ),
            change="Let labels enter as numbers and not by comparison: `w1 * t + w0 * (1 - t)`.",
        ),
    ),
    example=Example(
        logits=((1.0,), (-0.5,)),
        labels=((0.75,), (0.0,)),
        weights={},
        settings={"family": "sigmoid", "modulation": "focal", "gamma": 2.0},
        losses={"each_term": 0.13001705, "interpolated": 0.075416777},
    ),
)
