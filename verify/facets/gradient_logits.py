"""Is the gradient in the logits that of the value?"""

from __future__ import annotations

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="gradient_logits",
    asks="Is the gradient in the logits that of the value?",
    values=(
        Value(
            name="exact",
            says="has the gradient in the logits that its value has",
            training="Training minimises what the loss reports.",
            change=(
                "Let the framework differentiate every step: no `.detach()`, `.item()` or `stop_gradient` on the "
                "logits, and softplus rather than max and abs. Check a hand-written backward pass with "
                "`torch.autograd.gradcheck`."
            ),
        ),
        Value(
            name="stopped",
            says="gives the logits no gradient",
            training=(
                "The model does not learn from this loss at all, while the loss is still reported. Weight decay and "
                "other terms move it nevertheless."
            ),
            change="Detach the logits: `loss(x.detach(), y)`.",
        ),
        Value(
            name="factor_stopped",
            says="stops the gradient in the modulating factor, which counts as a constant there",
            training=(
                "Rows that are predicted well fade as in the focal loss, and none is pushed further for lowering its "
                "factor: the gradient of a row is the factor times p - t. The focal loss pushes rows of middling "
                "confidence harder; beyond that the model learns the same."
            ),
            change="Detach the factor alone: `((1 - p_y) ** gamma).detach() * loss`.",
        ),
        Value(
            name="through_weights",
            says="lets the gradient pass through weights that depend on the predictions",
            training=(
                "The model can lower the loss by lowering the weights: rows are given up instead of learnt, and the "
                "direction differs from the weighted cross-entropy's wherever weights change fast."
            ),
            change="Compute the weights from the predictions without stopping the gradient: `(1 - p_y) * loss`.",
        ),
        Value(
            name="normalised_labels_only",
            says="has the gradient p - t, which is right only for labels that sum to 1",
            training=(
                "No difference for one-hot, soft or smoothed labels. With labels that were weighted, masked or have "
                "several ones, the gradient differs by (1 - sum t) p: the value says one thing, training does another. "
                "TensorFlow's fused kernel does this."
            ),
            change="Use a fused kernel that assumes normalised labels: `tf.nn.softmax_cross_entropy_with_logits`.",
        ),
        Value(
            name="wrong_at_zero",
            says="has a wrong gradient where a logit is exactly 0",
            training=(
                "Only logits of exactly 0 are affected: a last layer initialised with zeros starts with a wrong step, "
                "and masked or padded zeros pull. It comes from max(x, 0) and abs(x) in the stable formula, each "
                "differentiated by convention at 0."
            ),
            change=(
                "Better not: an exact gradient is worth keeping. The stable form with max and abs has this fault where "
                "a framework differentiates it term by term: `max(x, 0) - x * t + log1p(exp(-abs(x)))`."
            ),
        ),
        Value(
            name="filtered",
            says="drops small entries of the gradient",
            training=(
                "Classes with probabilities below the threshold are not pushed down. The value is exact; each dropped "
                "entry is tiny, but over a large vocabulary they add up, and the gradient of a row no longer sums to "
                "0. Fused kernels for language models do this to save time."
            ),
            change='Set a threshold for the gradient: `filter_eps="auto"` in a fused linear cross-entropy.',
        ),
    ),
)
