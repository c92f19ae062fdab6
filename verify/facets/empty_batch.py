"""Empty batch."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="empty_batch",
    asks="empty batch?",
    values=(
        Value("nan", says="has empty batch: nan", training="", change=""),
        Value("zero", says="has empty batch: zero", training="", change=""),
        Value("raises", says="has empty batch: raises", training="", change=""),
        Value("empty", says="has empty batch: empty", training="", change=""),
    ),
    edge=True,
)
