"""Side effects."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="side_effects",
    asks="side effects?",
    values=(
        Value("none", says="has side effects: none", training="", change=""),
        Value("changes_arguments", says="has side effects: changes arguments", training="", change=""),
        Value("global_randomness", says="has side effects: global randomness", training="", change=""),
        Value("global_state", says="has side effects: global state", training="", change=""),
        Value("prints", says="has side effects: prints", training="", change=""),
    ),
)
