"""Labels."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="labels",
    asks="labels?",
    values=(
        Value("as_given", says="has labels: as given", training="", change=""),
        Value("hardened", says="has labels: hardened", training="", change=""),
        Value("shifted_by_one", says="has labels: shifted by one", training="", change=""),
        Value("reversed", says="has labels: reversed", training="", change=""),
    ),
)
