"""What is weighted, and by what?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="weighting",
    asks="What is weighted, and by what?",
    values=(
        Value(
            name="none",
            says="weights nothing: all rows and classes count alike",
            training="Frequent classes contribute most of the gradient, in proportion to their rows.",
            change="Leave the weights out: `cross_entropy(x, y)`.",
        ),
        Value(
            name="sample_weight",
            says="multiplies the loss of each row by a weight given for that row",
            training=(
                "A row's gradient scales with its weight; a row of weight 0 teaches nothing. A common factor of all "
                "weights acts on the learning rate unless the loss divides by the sum of the weights."
            ),
            change="Multiply the row losses by weights of the same shape, [N]: `v * loss`.",
        ),
        Value(
            name="mask",
            says="drops the rows where a mask is 0",
            training=(
                "Masked rows have neither loss nor gradient. Whether they still count in the denominator is facet "
                "`counted`: if they do, the loss shrinks with the share of padding."
            ),
            change="Multiply by a mask of zeros and ones, and divide by its sum: `(m * loss).sum() / m.sum()`.",
        ),
        Value(
            name="pos_weight",
            says="multiplies the term of the positive label by pos_weight",
            training=(
                "Positives count q times: their gradient is q times as large, the negatives' is unchanged. The best "
                "prediction moves from probability t to q t / (q t + 1 - t), so predicted odds are q times too high "
                "unless the threshold is moved."
            ),
            change="Weight the positive term alone: `q * t * softplus(-x) + (1 - t) * softplus(x)`.",
        ),
        Value(
            name="neg_weight",
            says="multiplies the term of the negative label by a weight",
            training=(
                "Negatives count w times and positives once. Predicted odds are lower by the factor w. Up to the scale "
                "of the loss it is pos_weight of 1/w."
            ),
            change="Weight the negative term alone: `t * softplus(-x) + w * (1 - t) * softplus(x)`.",
        ),
        Value(
            name="both_sides",
            says="weights positive and negative terms each by their own weight, w1 and w0",
            training=(
                "It is w0 times the loss with pos_weight w1/w0: the ratio decides which label gains, w0 scales the "
                "learning rate."
            ),
            change="Weight both terms: `w1 * t * softplus(-x) + w0 * (1 - t) * softplus(x)`.",
        ),
        Value(
            name="class_weight",
            says="multiplies the loss of a row by the weight of its class (with soft labels, by their average weight)",
            training=(
                "Rows of class c have w_c times their gradient, and predicted probabilities shift towards heavy "
                "classes in proportion to w_c. Weights above 1 raise loss and gradient as a whole, unless the loss "
                "divides by the sum of the weights."
            ),
            change=(
                "Multiply the row loss by the weight of its label: `w[y] * loss`; with dense labels `(w * t).sum(-1) * "
                "loss`."
            ),
        ),
        Value(
            name="class_weight_terms",
            says="multiplies each class's term by the weight of that class, as PyTorch does with probability targets",
            training=(
                "The same as weighting rows for one-hot labels. With soft or smoothed labels the classes inside a row "
                "are reweighted too: the prediction is pulled from t towards w t / sum(w t), even in a row whose label "
                "is certain but smoothed."
            ),
            change="Weight inside the sum over classes: `-(w * t * log_p).sum(-1)`.",
        ),
        Value(
            name="predicted_weight",
            says="multiplies the loss of a row by the weight of the class that is predicted, not of the label",
            training=(
                "A rare row that is mistaken for a frequent class gets the small weight of the frequent one, so the "
                "rows that the weights were meant for gain nothing. The weight jumps whenever the prediction changes, "
                "and the loss with it."
            ),
            change="Look the weight up by the prediction: `w[x.argmax(-1)] * loss`.",
        ),
        Value(
            name="weighted_logits",
            says="multiplies the logits by the class weights, and weights no loss",
            training=(
                "No row counts more. Each class's logit is rescaled, which a free last layer can undo: what remains is "
                "another learning rate for each class, and other probabilities where predictions are made without the "
                "weights. Met often in public code, as advice for class imbalance."
            ),
            change="Multiply before the softmax: `cross_entropy(w * x, y)`.",
        ),
        Value(
            name="cost_realized",
            says="multiplies the loss of a row by the cost of its label and the class that is predicted",
            training=(
                "With zeros on the diagonal, a row that is predicted correctly has no gradient at all, whatever its "
                "probability; margins do not grow. The weight jumps when the prediction changes."
            ),
            change="Look the cost up by label and prediction: `M[y, x.argmax(-1)] * loss`.",
        ),
        Value(
            name="cost_expected",
            says="is the expected cost of the predicted distribution, with no logarithm",
            training=(
                "The loss is bounded by the largest cost. Its gradient, p_j (M[y, j] - E), vanishes for confident "
                "rows, wrong ones included, so training from a bad start is slow."
            ),
            change="Average the costs of the row's label: `(softmax(x, -1) * M[y]).sum(-1)`.",
        ),
        Value(
            name="cost_complement",
            says="charges every wrong class its cost times -log(1 - p)",
            training=(
                "Wrong classes are pushed down in proportion to their cost; the right class is only raised by that. "
                "Where all costs of a row are small its gradient is too, and with it how far p_y is raised."
            ),
            change="Weight the logarithms of 1 - p: `-(M[y] * log1p(-p)).sum(-1)`, with M[y, y] = 0.",
        ),
        Value(
            name="weighted_labels",
            says="multiplies the labels by the weights and takes the cross-entropy of the result",
            training=(
                "The value is that of weights on each class's term. The gradient is too where the loss is "
                "differentiated step by step, p sum(w t) - w t; kernels that assume labels sum to 1 give p - w t, "
                "which lets the weights change the direction of a row's gradient and not only its size."
            ),
            change="Pass the product as labels: `softmax_cross_entropy(labels=w * t, logits=x)`.",
        ),
        Value(
            name="after_mean",
            says="multiplies the mean loss by the weights, so that only their average matters",
            training=(
                "The weights cancel as weights: every row counts alike, and the loss is scaled by the mean weight of "
                "the batch. It acts as a learning rate that changes from batch to batch."
            ),
            change="Reduce first, weight afterwards: `(w[y] * cross_entropy(x, y)).mean()`.",
        ),
        Value(
            name="pos_weight_on_hard_labels",
            says="applies pos_weight only where a label is exactly 1",
            training=(
                "As pos_weight on labels of 0 and 1. Once labels are smoothed or soft (0.95, say) no element is "
                "weighted any more, and positives silently lose the factor q."
            ),
            change="Choose by comparison: `where(t == 1, q, 1) * bce`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=((0.5, 0.5), (0.0, 1.0)),
        weights={"class_weight": (1.0, 4.0)},
        losses={
            "none": 0.72009485,
            "class_weight": 2.0351834,
            "class_weight_terms": 2.7851834,
            "predicted_weight": 1.1899874,
            "weighted_logits": 0.57253897,
        },
    ),
)
