"""What is the sum of the losses divided by?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="denominator",
    asks="What is the sum of the losses divided by?",
    values=(
        Value(
            name="batch",
            says="divides by the number of rows that count",
            training=(
                "The size of a step does not depend on the batch size. Weights act at full strength: a batch of heavy "
                "rows takes a larger step."
            ),
            change="Average over all rows at once: `(w[y] * loss).mean()`.",
        ),
        Value(
            name="unreduced",
            says="returns the losses without reducing them",
            training=(
                "No difference until the caller reduces them. TensorFlow's tape differentiates the array as it is, and "
                "so trains on the sum."
            ),
            change='Ask for no reduction: `reduction="none"`.',
        ),
        Value(
            name="sum",
            says="adds the losses up and divides by nothing",
            training=(
                "Loss and gradient are N times as large as those of a mean, so the learning rate has to be N times "
                "smaller; a last, smaller batch takes a smaller step."
            ),
            change="Sum: `loss.sum()`.",
        ),
        Value(
            name="elements",
            says="divides by the number of elements, rows times classes",
            training=(
                "Loss and gradient are C times smaller than those of a mean over rows. With an adaptive optimiser this "
                "changes little but epsilon and weight decay; with SGD the learning rate is C times smaller."
            ),
            change="Average over all elements: `losses.mean()` with losses of shape [N, C].",
        ),
        Value(
            name="weights",
            says="divides by the sum of the weights of the rows that count",
            training=(
                "A weighted average: scaling all weights changes nothing, and neither do the weights in a batch of one "
                "class. Compared with dividing by the rows, each step is multiplied by N / sum(w), which varies from "
                "batch to batch: rare classes with large weights gain less than their weight says. This is the "
                "difference met most often between two versions of a loss in public code."
            ),
            change=(
                "Divide by the weights that were used: `(w[y] * loss).sum() / w[y].sum()`, as PyTorch does with "
                "`weight=` and integer labels."
            ),
        ),
        Value(
            name="nonzero_weights",
            says="divides by the number of weights that are not 0, as TF1's tf.losses does by default",
            training=(
                "The mean over the rows that take part. The same as dividing by all rows while no weight is 0; "
                "otherwise rows of weight 0 do not dilute the loss."
            ),
            change="Count the weights that are not 0: `(v * loss).sum() / (v != 0).sum()`.",
        ),
        Value(
            name="batch_squared",
            says="divides by the number of rows twice",
            training=(
                "Loss and gradient are N times smaller than those of a mean: the step shrinks as the batch grows, and "
                "training looks stuck. It comes from averaging a loss that is already a mean, as in `loss.mean() / "
                "batch_size`."
            ),
            change="Divide the mean by the rows again: `loss.mean() / N`.",
        ),
        Value(
            name="total_class_weight",
            says="divides by the sum of the weights of all classes, whatever classes the batch holds",
            training=(
                "The weights are normalised to sum 1, but the loss is a sum over rows: it grows with the batch size, "
                "and is N times as large as a mean."
            ),
            change="Divide by the sum of the weight vector: `(w[y] * loss).sum() / w.sum()`.",
        ),
        Value(
            name="microbatches",
            says="averages the means of parts of the batch, each divided by its own count",
            training=(
                "The same as one mean while all parts count alike. With weights, masks or padding, parts with few "
                "valid rows count as much as full ones: their rows are overweighted. It happens under gradient "
                "accumulation and data parallelism, and is one of the faults met most often in public code."
            ),
            change="Average the means of the parts: `stack([loss(part).mean() for part in parts]).mean()`.",
        ),
        Value(
            name="argument",
            says="divides by a count that is passed in, as trainers of language models do under gradient accumulation",
            training=(
                "With the count of the whole step, accumulation gives the gradient of one large batch. With another "
                "count (tokens with padding, one device's share) every gradient is off by the ratio of the two."
            ),
            change="Sum, and divide by the argument: `loss.sum() / num_items_in_batch`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        labels=(0, 1),
        weights={"class_weight": (1.0, 4.0, 3.0)},
        settings={"weighting": ("class_weight",)},
        losses={
            "batch": 1.2226618,
            "sum": 2.4453236,
            "elements": 0.40755394,
            "weights": 0.48906472,
            "batch_squared": 0.61133091,
            "total_class_weight": 0.30566545,
        },
    ),
    numbers=(
        "microbatches",
        "microbatch_rows",
    ),
)
