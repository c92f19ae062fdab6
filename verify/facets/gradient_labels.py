"""Does the gradient reach the labels, and is it right?"""

from __future__ import annotations

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="gradient_labels",
    asks="Does the gradient reach the labels, and is it right?",
    values=(
        Value(
            name="exact",
            says="has the gradient in the labels that its value has, -log p",
            training=(
                "Whatever computes the labels (a teacher, learnt smoothing, mixup weights) is trained by this loss too."
            ),
            change="Let the gradient pass: `-(t * log_p).sum(-1)`.",
        ),
        Value(
            name="stopped",
            says="gives the labels a gradient of 0",
            training=(
                "No difference for labels that are data. A network that produces the labels is not trained through "
                "this loss, which is what distillation wants; in TF1, softmax_cross_entropy_with_logits stops it and "
                "its _v2 does not."
            ),
            change="Detach the labels: `loss(x, t.detach())`.",
        ),
        Value(
            name="through_weights",
            says="gives the labels a gradient through the weights of the rows alone, and none through the loss itself",
            training=(
                "No difference for labels that are data. A network that produces the labels is trained towards classes "
                "of small weight, whatever the logits are. TF1 code that weighs softmax_cross_entropy_with_logits by "
                "reduce_sum(w * labels) does this."
            ),
            change="Detach the labels inside the loss alone: `(w * t).sum(1) * loss(x, t.detach())`.",
        ),
        Value(
            name="not_differentiable",
            says="cannot be differentiated in the labels",
            training="No difference for labels that are data. Asking for the gradient raises, or returns nothing.",
            change="Take integer labels, or refuse labels that require a gradient.",
        ),
        Value(
            name="normalised_labels_only",
            says="has a gradient in the labels that is right only for labels that sum to 1",
            training=(
                "For labels on the simplex the difference lies along the direction in which their sum changes, so a "
                "softmax before them cancels it. Free labels are pushed to grow or shrink together."
            ),
            change="Use a form that is right for labels of sum 1 only: `logsumexp(x, -1) - (t * x).sum(-1)`.",
        ),
    ),
)
