"""How do smoothing and class weights meet?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="smoothing_order",
    asks="How do smoothing and class weights meet?",
    values=(
        Value(
            name="terms",
            says="smooths the labels, then weights each class's term, as PyTorch does",
            training=(
                "The weights of all classes enter every row: the smoothed share of a heavy class is weighted with that "
                "class's weight, so heavy classes are pulled up even in rows of light ones."
            ),
            change="Weight inside the sum over smoothed labels: `-(w * t_smooth * log_p).sum(-1)`.",
        ),
        Value(
            name="sample",
            says="smooths the labels, then weights the row by the average weight of its smoothed label, as Paddle does",
            training=(
                "Row weights move towards the mean weight: with alpha = 0.1, a tenth of each row's weight is the "
                "average over classes. Rare classes gain slightly less; the target inside the row is not distorted."
            ),
            change="Average the weights by the smoothed label: `(w * t_smooth).sum(-1) * ce(x, t_smooth)`.",
        ),
        Value(
            name="after",
            says=(
                "weights the smoothed loss of a row by the weight of its original label, as code for TF1 and Keras does"
            ),
            training="Rows keep the full ratio of their class weights, and the smoothed target is not distorted.",
            change="Look the weight up by the label before smoothing: `w[y] * ce(x, t_smooth)`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=(0, 1),
        weights={"class_weight": (1.0, 4.0)},
        settings={"weighting": ("class_weight",), "smoothing": "over_classes", "smoothing_alpha": 0.2},
        losses={"terms": 1.1120373, "sample": 0.97703733, "after": 0.98998738},
    ),
)
