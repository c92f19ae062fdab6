"""Gradient logits."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="gradient_logits",
    asks="gradient logits?",
    values=(
        Value("exact", says="has gradient logits: exact", training="", change=""),
        Value("stopped", says="has gradient logits: stopped", training="", change=""),
        Value("through_weights", says="has gradient logits: through weights", training="", change=""),
        Value("normalised_labels_only", says="has gradient logits: normalised labels only", training="", change=""),
        Value("wrong_at_zero", says="has gradient logits: wrong at zero", training="", change=""),
        Value("filtered", says="has gradient logits: filtered", training="", change=""),
    ),
)
