"""Are the labels smoothed, and over what?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="smoothing",
    asks="Are the labels smoothed, and over what?",
    values=(
        Value(
            name="none",
            says="uses the labels unsmoothed",
            training="The loss of a row falls to 0 as its probability goes to 1; logits keep growing.",
            change="Leave smoothing at 0: `label_smoothing=0.0`.",
        ),
        Value(
            name="over_classes",
            says="moves alpha of each label to all C classes, the right one included (alpha / C each)",
            training=(
                "Logits stop growing at a finite margin, and the loss cannot fall below the entropy of the smoothed "
                "label. The right class keeps 1 - alpha + alpha / C."
            ),
            change=(
                "Mix with the uniform distribution: `t = (1 - a) * t + a / C`, as `label_smoothing=a` does in PyTorch "
                "and Keras."
            ),
        ),
        Value(
            name="over_others",
            says="moves alpha of each label to the C - 1 other classes (alpha / (C - 1) each)",
            training=(
                "The right class keeps 1 - alpha: slightly stronger smoothing, by the factor C / (C - 1). With two "
                "classes it is twice as strong; with a thousand the difference is 0.1 %."
            ),
            change="Spread over the other classes: `t = where(one_hot, 1 - a, a / (C - 1))`.",
        ),
        Value(
            name="toward_half",
            says="moves binary labels towards 1/2",
            training=(
                "Positives become 1 - alpha/2 and negatives alpha/2, so logits stop growing on both sides. With many "
                "outputs and few positives this raises the mean prediction: every negative is given alpha/2."
            ),
            change="Mix with 1/2: `t = (1 - a) * t + a / 2`.",
        ),
        Value(
            name="global",
            says="smooths over all classes of all partitions, where the classes are split among devices",
            training=(
                "As smoothing over the full number of classes. Smoothing inside each device's partition instead "
                "depends on how many devices there are: a run with another tensor-parallel size trains on other "
                "labels."
            ),
            change=(
                "Use the full number of classes, and reduce the sum of log-probabilities over the devices: `a / "
                "C_total * all_reduce(log_p.sum(-1))`."
            ),
        ),
    ),
    example=Example(
        logits=((2.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        labels=(0, 1),
        weights={},
        settings={"smoothing_alpha": 0.3},
        losses={"none": 0.39549474, "over_classes": 0.69549474, "over_others": 0.84549474},
    ),
    numbers=("smoothing_alpha",),
)
