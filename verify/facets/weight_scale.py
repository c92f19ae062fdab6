"""Weight scale."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="weight_scale",
    asks="weight scale?",
    values=(
        Value("raw", says="has weight scale: raw", training="", change=""),
        Value("sum_to_one", says="has weight scale: sum to one", training="", change=""),
        Value("sum_to_classes", says="has weight scale: sum to classes", training="", change=""),
        Value("softmaxed", says="has weight scale: softmaxed", training="", change=""),
        Value("inverted", says="has weight scale: inverted", training="", change=""),
        Value("squared", says="has weight scale: squared", training="", change=""),
        Value("rooted", says="has weight scale: rooted", training="", change=""),
    ),
)
