"""What does the loss expect as predictions?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="input",
    asks="What does the loss expect as predictions?",
    values=(
        Value(
            name="logits",
            says="takes logits",
            training=(
                "Loss and gradient stay accurate however confident the model is, because softmax (or sigmoid) and "
                "logarithm are computed in one step."
            ),
            change=(
                "Pass the output of the last linear layer and use the loss's logits form: `cross_entropy(x, y)`, or "
                "`from_logits=True`."
            ),
        ),
        Value(
            name="probabilities",
            says="takes probabilities and takes their logarithm itself",
            training=(
                "For the same model the loss is the same until probabilities round to 0 or 1; there the logarithm is "
                "infinite or clipped, and the most confident mistakes give NaN or no gradient at all. Given logits, it "
                "returns NaN or noise."
            ),
            change=(
                "Apply the softmax or sigmoid before the loss, and take the logarithm inside it: `-(t * "
                "p.log()).sum(-1)`."
            ),
        ),
        Value(
            name="log_probabilities",
            says="takes log-probabilities, and only picks and sums them",
            training=(
                "As accurate as logits when a log-softmax produced them. Given raw logits, the loss is just -x_y: its "
                "gradient is constant, it has no lower bound, and training drives the logits to infinity."
            ),
            change="Apply the log-softmax before the loss: `nll_loss(log_softmax(x, -1), y)`.",
        ),
    ),
    example=Example(
        logits=((0.5, 0.5), (0.2, 0.8)),
        labels=(0, 1),
        weights={},
        losses={"logits": 0.56531757, "probabilities": 0.45814537, "log_probabilities": -0.65},
    ),
)
