"""How do the weights follow from the counts n_c of the classes?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="weights_formula",
    asks="How do the weights follow from the counts n_c of the classes?",
    values=(
        Value(
            name="given",
            says="takes its weights as they are",
            training="Weights stay what they are from batch to batch.",
            change="Compute the weights once, from the whole training set, and pass them in: `w = N / (C * counts)`.",
        ),
        Value(
            name="inverse",
            says="weights class c by 1 / n_c, from the counts of the batch",
            training=(
                "Every class that occurs contributes its mean loss, so all classes count alike in every batch. Weights "
                "are of the size C / N: under a mean the loss shrinks as the batch grows, and the learning rate with "
                "it."
            ),
            change="Take reciprocals of the batch's counts: `w = 1 / bincount(y, minlength=C)`.",
        ),
        Value(
            name="total",
            says="weights class c by N / n_c, from the counts of the batch",
            training=(
                "Every class that occurs contributes N times its mean loss: under a mean the loss is about C times "
                "that without weights. A class with a single row gets the weight N."
            ),
            change="Divide the batch size by the counts: `w = N / bincount(y, minlength=C)`.",
        ),
        Value(
            name="balanced",
            says="weights class c by N / (C n_c), from the counts of the batch",
            training=(
                "The rows of a batch in which every class occurs have an average weight of 1, so the loss has the size "
                "of an unweighted one. Classes that are absent leave the average below 1."
            ),
            change="Divide the batch size by C times the counts: `w = N / (C * bincount(y, minlength=C))`.",
        ),
        Value(
            name="others_share",
            says="weights class c by 1 - n_c / N, the share of the other classes in the batch",
            training=(
                "Weights lie between 0 and 1 and hardly favour rare classes: 0.9 against 0.99 for shares of 10 % and 1 "
                "%. A batch with a single class has weight 0 throughout."
            ),
            change="Take the share of the other classes: `w = 1 - bincount(y, minlength=C) / N`.",
        ),
        Value(
            name="effective_number",
            says="weights class c by the effective number of its examples in the batch, (1 - b) / (1 - b^n_c)",
            training=(
                "Between equal weights (b = 0) and inverse counts (b near 1). Values of b that were chosen for a whole "
                "training set, such as 0.9999, are plain inverse counts in a batch."
            ),
            change="Use powers of b: `w = (1 - b) / (1 - b ** bincount(y, minlength=C))`.",
        ),
        Value(
            name="positive_share",
            says="weights the positives of class c by N / (n_c + 1e-6), n_c the sum of its labels in the batch",
            training=(
                "A class that is rare in a batch gets a large weight there. One without positives gets 1e6 N, which is "
                "infinite in float16."
            ),
            change="Make pos_weight of the batch's labels: `pos_weight = N / (t.sum(0) + 1e-6)`.",
        ),
        Value(
            name="negatives_per_positive",
            says="weights the positives of class c by the negatives of the batch for each positive, (N - n_c) / n_c",
            training=(
                "Positives and negatives of a class contribute alike in every batch. One positive in a batch of 256 "
                "has the weight 255, so small batches give large, noisy steps."
            ),
            change="Make pos_weight of the batch's labels: `pos_weight = (N - t.sum(0)) / t.sum(0)`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1.0, 0.0)),
        labels=(0, 1, 0, 0),
        weights={},
        settings={"weighting": ("class_weight",), "weights_from": "batch_counts", "beta": 0.9},
        losses={
            "inverse": 0.17276016,
            "total": 0.69104065,
            "balanced": 0.34552032,
            "others_share": 0.12957012,
            "effective_number": 0.18286679,
        },
    ),
    numbers=("beta",),
)
