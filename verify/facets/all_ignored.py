"""All ignored."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="all_ignored",
    asks="all ignored?",
    values=(
        Value("nan", says="has all ignored: nan", training="", change=""),
        Value("zero", says="has all ignored: zero", training="", change=""),
        Value("nan_gradient", says="has all ignored: nan gradient", training="", change=""),
        Value("zero_detached", says="has all ignored: zero detached", training="", change=""),
        Value("raises", says="has all ignored: raises", training="", change=""),
    ),
    edge=True,
)
