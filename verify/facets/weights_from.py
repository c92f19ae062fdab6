"""Weights from."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="weights_from",
    asks="weights from?",
    values=(
        Value("argument", says="has weights from: argument", training="", change=""),
        Value("constant", says="has weights from: constant", training="", change=""),
        Value("batch_counts", says="has weights from: batch counts", training="", change=""),
        Value("image_counts", says="has weights from: image counts", training="", change=""),
        Value("prediction", says="has weights from: prediction", training="", change=""),
    ),
)
