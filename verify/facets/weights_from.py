"""Where do the weights come from?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="weights_from",
    asks="Where do the weights come from?",
    values=(
        Value(
            name="argument",
            says="takes its weights from an argument",
            training="The same loss for the same row, in every batch and on every split.",
            change="Pass the weights in: `loss(x, y, class_weight=w)`.",
        ),
        Value(
            name="constant",
            says="has its weights written into the code",
            training=(
                "As with an argument of the same numbers, until classes, their order or their frequencies change; then "
                "the old weights silently stay."
            ),
            change="Write the weights into the function: `w = array([0.1, 1.0, 2.5])`.",
        ),
        Value(
            name="batch_counts",
            says="computes its weights from the label counts of each batch",
            training=(
                "The loss of a row depends on the other rows of its batch. In small batches the weights fluctuate, a "
                "class with a single row gets a huge one, and an absent class may divide by 0. Results depend on the "
                "batch size, and so do validation losses."
            ),
            change="Count labels in the batch: `w = N / (C * bincount(y, minlength=C))`.",
        ),
        Value(
            name="image_counts",
            says="computes its weights from the label counts of each image (each sample) of the batch",
            training=(
                "Every image is balanced for itself: one positive pixel in an otherwise empty image gets the weight of "
                "all its negatives. Images with few positives gain most, and the weights fluctuate more than with "
                "counts of the whole batch."
            ),
            change="Count inside each image: `b = (1 - t).mean(axis=(1, 2), keepdims=True)`, weights b and 1 - b.",
        ),
        Value(
            name="prediction",
            says="computes its weights from the predictions",
            training=(
                "Rows gain or lose weight as the model learns, so a falling loss may mean smaller weights. Unless the "
                "weights are detached, the gradient passes through them as well, and the model can lower the loss by "
                "lowering the weights."
            ),
            change="Make weights of the probabilities, and stop their gradient: `w = stop_gradient(1 - p_y)`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1.0, 0.0)),
        labels=(0, 1, 0, 0),
        weights={"class_weight": (1.0, 5.0)},
        settings={"weighting": ("class_weight",), "weights_formula": "balanced"},
        losses={"argument": 0.67491133, "batch_counts": 0.34552032},
    ),
    numbers=("constants",),
)
