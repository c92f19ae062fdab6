"""Extra terms."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="extra_terms",
    asks="extra terms?",
    values=(
        Value("none", says="has extra terms: none", training="", change=""),
        Value("z_loss", says="has extra terms: z loss", training="", change=""),
        Value("entropy", says="has extra terms: entropy", training="", change=""),
    ),
    numbers=("z_scale", "entropy_scale"),
)
