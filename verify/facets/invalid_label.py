"""Invalid label."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="invalid_label",
    asks="invalid label?",
    values=(
        Value("raises", says="has invalid label: raises", training="", change=""),
        Value("nan", says="has invalid label: nan", training="", change=""),
        Value("clamped", says="has invalid label: clamped", training="", change=""),
        Value("wraps", says="has invalid label: wraps", training="", change=""),
        Value("zero", says="has invalid label: zero", training="", change=""),
        Value("dropped", says="has invalid label: dropped", training="", change=""),
        Value("as_class_zero", says="has invalid label: as class zero", training="", change=""),
        Value("as_argmax", says="has invalid label: as argmax", training="", change=""),
        Value("finite_wrong", says="has invalid label: finite wrong", training="", change=""),
    ),
    edge=True,
)
