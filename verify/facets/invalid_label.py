"""What happens to a label that is no class?"""

from __future__ import annotations

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="invalid_label",
    asks="What happens to a label that is no class?",
    values=(
        Value(
            name="raises",
            says="raises an exception on such a label",
            training=(
                "Training stops at the first bad label. On a GPU the exception is a device-side assertion, reported at "
                "a later call."
            ),
            change="Check the range first: `if ((y < 0) | (y >= C)).any(): raise ValueError`.",
        ),
        Value(
            name="nan",
            says="gives NaN on such a label, as TensorFlow does on a GPU",
            training="One bad label makes the loss of its batch NaN, and the parameters a step later.",
            change='Fill with NaN out of range: `jnp.take_along_axis(log_p, y[:, None], 1, mode="fill")`.',
        ),
        Value(
            name="clamped",
            says="takes such a label for the nearest class",
            training=(
                "Labels that are too large train the last class, negative ones class 0. Padding silently becomes a "
                "class."
            ),
            change='Clamp the index: `jnp.take_along_axis(log_p, y[:, None], 1, mode="clip")`.',
        ),
        Value(
            name="wraps",
            says="counts a negative label from the end",
            training="A label of -1 trains the last class. Padding with -1 pulls every prediction towards it.",
            change="Index with Python's rule: `log_p[rows, y]`.",
        ),
        Value(
            name="zero",
            says="gives a loss of 0 on such a label, and counts the row",
            training=(
                "The row has no gradient but stays in the denominator: the loss shrinks with the share of such rows."
            ),
            change="Use one-hot labels, which are all 0 out of range: `-(one_hot(y, C) * log_p).sum(-1)`.",
        ),
        Value(
            name="dropped",
            says="leaves such a row out, and does not count it",
            training="The row has no effect. Right for padding; a mistake in the data goes unnoticed.",
            change="Leave it out of sum and count: `loss[y != -100].mean()`.",
        ),
        Value(
            name="as_class_zero",
            says="takes such a label for class 0",
            training="Padding trains class 0: its frequency is overestimated by the share of padding.",
            change="Replace bad labels: `where((y >= 0) & (y < C), y, 0)`.",
        ),
        Value(
            name="as_argmax",
            says="takes such a label for the predicted class",
            training=(
                "The row confirms whatever the model predicts: probabilities grow more confident without evidence."
            ),
            change="Fill in the prediction: `where(valid, y, x.argmax(-1))`.",
        ),
        Value(
            name="finite_wrong",
            says="gives a finite loss on such a label that belongs to no class",
            training="The row silently has a loss, and often a gradient, that means nothing.",
            change="Read beyond the row: a flat index `n * C + y` takes a neighbouring row's logit.",
        ),
    ),
    edge=True,
)
