"""Does the gradient reach the weights?"""

from __future__ import annotations

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="gradient_weights",
    asks="Does the gradient reach the weights?",
    values=(
        Value(
            name="exact",
            says="has the gradient in the weights that its value has",
            training=(
                "Weights that are learnt, or computed from parameters, are trained by this loss; left free, they "
                "shrink to 0 or below, since that lowers the loss."
            ),
            change="Let the gradient pass: `(w[y] * loss)` with w as it is.",
        ),
        Value(
            name="stopped",
            says="gives the weights a gradient of 0",
            training=(
                "No difference for weights that are data. Weights that are computed from parameters are taken as "
                "constants."
            ),
            change="Detach the weights: `w.detach()[y] * loss`.",
        ),
        Value(
            name="not_differentiable",
            says="cannot be differentiated in the weights",
            training=(
                "No difference for weights that are data. Learning them through this loss raises an error or gives no "
                "gradient, as with `weight=` of PyTorch's cross_entropy with integer labels."
            ),
            change=(
                "Use a native function whose weight takes no gradient: `torch.nn.functional.cross_entropy(x, y, "
                "weight=w)`."
            ),
        ),
    ),
)
