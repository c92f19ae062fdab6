"""Input."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="input",
    asks="input?",
    values=(
        Value("logits", says="has input: logits", training="", change=""),
        Value("probabilities", says="has input: probabilities", training="", change=""),
        Value("log_probabilities", says="has input: log probabilities", training="", change=""),
    ),
)
