"""Is something added that does not depend on the predictions?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="offset",
    asks="Is something added that does not depend on the predictions?",
    values=(
        Value(
            name="none",
            says="adds nothing: the loss of a perfect prediction of a hard label is 0",
            training="Losses can be compared with ln C, the loss of a uniform guess.",
            change="Add nothing to the cross-entropy.",
        ),
        Value(
            name="constant",
            says="adds a constant",
            training=(
                "Gradients are the same, so training is. Reported losses, perplexities and thresholds for early "
                "stopping that are relative to the loss differ."
            ),
            change="Add the number to the result: `loss + c`.",
        ),
        Value(
            name="label_entropy",
            says="subtracts the entropy of the labels: the Kullback-Leibler divergence in place of the cross-entropy",
            training=(
                "Gradients in the logits are the same. The value differs by the entropy of the labels: nothing for "
                "hard labels; with smoothed or soft ones the best loss is 0 instead of their entropy. Gradients in the "
                "labels (distillation with a teacher that learns) differ."
            ),
            change="Use the divergence: `(t * (t.log() - log_p)).sum(-1)`, as `kl_div(log_p, t)`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=((0.5, 0.5), (0.0, 1.0)),
        weights={},
        settings={"offset_constant": 1.0},
        losses={"none": 0.72009485, "constant": 1.7200948, "label_entropy": 0.37352126},
    ),
    numbers=("offset_constant",),
)
