"""Zero denominator."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="zero_denominator",
    asks="zero denominator?",
    values=(
        Value("nan", says="has zero denominator: nan", training="", change=""),
        Value("zero", says="has zero denominator: zero", training="", change=""),
        Value("zero_with_nan_gradient", says="has zero denominator: zero with nan gradient", training="", change=""),
        Value("raises", says="has zero denominator: raises", training="", change=""),
        Value("other", says="has zero denominator: other", training="", change=""),
    ),
)
