"""Are the logits transformed before softmax or sigmoid?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="logits_map",
    asks="Are the logits transformed before softmax or sigmoid?",
    values=(
        Value(
            name="none",
            says="uses the logits as they are",
            training="A confidently wrong row has a gradient close to 1 in its logits.",
            change="Pass the logits unchanged.",
        ),
        Value(
            name="scaled",
            says="divides the logits by a temperature",
            training=(
                "With a temperature above 1 probabilities are softer, and the gradient in the logits is smaller by the "
                "temperature as well; below 1 it is the reverse. The model compensates by larger logits, so "
                "predictions made without the temperature are too confident, or not confident enough."
            ),
            change="Divide first: `cross_entropy(x / temperature, y)`.",
        ),
        Value(
            name="softcapped",
            says="bounds the logits by cap * tanh(x / cap)",
            training=(
                "No logit exceeds the cap, so no probability comes closer to 1 than the cap allows, and the gradient "
                "fades as a logit approaches it. Nothing changes for logits far below the cap. The cap has to be "
                "applied when predicting too."
            ),
            change="Cap before the loss: `cap * tanh(x / cap)`.",
        ),
        Value(
            name="margin",
            says="lowers the logit of the label by a margin",
            training=(
                "The label's logit has to lead by the margin more for the same loss: losses are larger, and the "
                "gradients of rows that are already right fade later. Predictions, made without the margin, come out "
                "more confident."
            ),
            change=(
                "Subtract at the label: `x - margin * one_hot`; where the loss has a scale as well, divide by the "
                "temperature afterwards."
            ),
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=(0, 1),
        weights={},
        settings={"temperature": 2.0, "cap": 1.0},
        losses={"none": 0.22009485, "scaled": 0.39366934, "softcapped": 0.35311503},
    ),
    numbers=("temperature", "cap", "margin"),
)
