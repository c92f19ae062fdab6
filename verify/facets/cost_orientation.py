"""Do the rows of the cost matrix stand for true or for predicted classes?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="cost_orientation",
    asks="Do the rows of the cost matrix stand for true or for predicted classes?",
    values=(
        Value(
            name="true_rows",
            says="reads a cost as M[true, predicted]",
            training="A mistake is charged what the matrix says: M[i, j] for predicting j where i is true.",
            change="Index by the label first: `M[y]`.",
        ),
        Value(
            name="predicted_rows",
            says="reads a cost as M[predicted, true]: the matrix is transposed",
            training=(
                "With a symmetric matrix nothing changes. Otherwise the costs of the two mistakes trade places: the "
                "expensive one (a missed positive, say) is charged as the cheap one, and the model learns to avoid the "
                "wrong error."
            ),
            change="Index by the label last: `M[:, y].T`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 2.0)),
        labels=(1, 1),
        weights={"cost_matrix": ((0.0, 1.0), (5.0, 0.0))},
        settings={"weighting": ("cost_expected",)},
        losses={"true_rows": 2.5, "predicted_rows": 0.5},
    ),
)
