"""What is done to the weights before they are used?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="weight_scale",
    asks="What is done to the weights before they are used?",
    values=(
        Value(
            name="raw",
            says="uses the weights as they are given",
            training=(
                "The scale of the weights is part of the loss: doubling them doubles loss and gradient, unless the "
                "loss divides by their sum."
            ),
            change="Use the weights unchanged: `w[y] * loss`.",
        ),
        Value(
            name="sum_to_one",
            says="divides the weights by their sum",
            training=(
                "Ratios between classes stay. Under a mean the loss and the gradient are smaller by sum(w), about C "
                "times for weights around 1, so the learning rate is as well; dividing by the sum of the weights hides "
                "this."
            ),
            change="Normalise to sum 1: `w = w / w.sum()`.",
        ),
        Value(
            name="sum_to_classes",
            says="scales the weights to sum to the number of classes",
            training=(
                "Ratios stay and the average weight is 1, so a balanced batch has the loss of an unweighted one. "
                "Compared with raw weights the learning rate changes by C / sum(w)."
            ),
            change="Normalise to sum C: `w = w * C / w.sum()`.",
        ),
        Value(
            name="softmaxed",
            says="passes the weights through a softmax",
            training=(
                "Ratios become exponentials of differences: 1 and 3 turn into 0.12 and 0.88; weights far apart leave "
                "one class with everything, small ones become nearly equal. The sum is 1, so the loss is smaller too."
            ),
            change="Apply a softmax to the weights: `w = softmax(w, -1)`.",
        ),
        Value(
            name="inverted",
            says="divides by the weights instead of multiplying",
            training=(
                "What should gain loses: a class of weight 10 counts a hundredth of what was meant. It comes from "
                "passing counts where inverse counts are expected."
            ),
            change="Use the reciprocals: `w = 1 / w`.",
        ),
        Value(
            name="squared",
            says="applies the weights twice",
            training=(
                "Ratios are squared: a class meant to count 10 times counts 100 times. Rare classes dominate the "
                "gradient, and its variance grows."
            ),
            change=(
                "Multiply twice, as by `weight=w` and again in the training loop: `w[y] * cross_entropy(x, y, "
                'weight=w, reduction="none")`.'
            ),
        ),
        Value(
            name="rooted",
            says="uses the square roots of the weights",
            training="Ratios are damped: 100 becomes 10. Rare classes gain less than the weights say.",
            change="Take the root: `w = w ** 0.5`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=(0, 1),
        weights={"class_weight": (1.0, 3.0)},
        settings={"weighting": ("class_weight",)},
        losses={
            "raw": 0.53335654,
            "sum_to_one": 0.13333913,
            "sum_to_classes": 0.26667827,
            "softmaxed": 0.14552508,
            "inverted": 0.11567429,
            "squared": 1.4731416,
            "rooted": 0.33475658,
        },
    ),
)
