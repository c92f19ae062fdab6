"""Is a regulariser added to the cross-entropy?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="extra_terms",
    asks="Is a regulariser added to the cross-entropy?",
    values=(
        Value(
            name="none",
            says="is the cross-entropy alone",
            training="Only the labels move the logits; a common shift of a row's logits costs nothing.",
            change="Add no further term.",
        ),
        Value(
            name="z_loss",
            says="adds scale times the squared log-sum-exp of each row (z-loss)",
            training=(
                "The common level of a row's logits is pulled to where its log-sum-exp is 0, which keeps them small in "
                "low precision. Each logit has the further gradient 2 scale lse p_j; at the usual scale of 1e-4 it "
                "acts on drift, hardly on predictions. Reported losses are higher."
            ),
            change="Add the square: `loss + z_scale * logsumexp(x, -1) ** 2`.",
        ),
        Value(
            name="entropy",
            says="subtracts a multiple of the entropy of the predictions",
            training=(
                "A penalty on confidence: predictions stay spread out, much as under label smoothing, and the loss may "
                "fall below 0. With a negative scale it sharpens predictions instead."
            ),
            change="Subtract the entropy: `loss + entropy_scale * (p * log_p).sum(-1)`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=(0, 1),
        weights={},
        settings={"z_scale": 0.1},
        losses={"none": 0.22009485, "z_loss": 0.5325188},
    ),
    numbers=("z_scale", "entropy_scale"),
)
