"""Denominator."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="denominator",
    asks="denominator?",
    values=(
        Value("batch", says="has denominator: batch", training="", change=""),
        Value("unreduced", says="has denominator: unreduced", training="", change=""),
        Value("sum", says="has denominator: sum", training="", change=""),
        Value("elements", says="has denominator: elements", training="", change=""),
        Value("weights", says="has denominator: weights", training="", change=""),
        Value("nonzero_weights", says="has denominator: nonzero weights", training="", change=""),
        Value("batch_squared", says="has denominator: batch squared", training="", change=""),
        Value("total_class_weight", says="has denominator: total class weight", training="", change=""),
        Value("microbatches", says="has denominator: microbatches", training="", change=""),
        Value("argument", says="has denominator: argument", training="", change=""),
    ),
)
