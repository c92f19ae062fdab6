"""Upstream."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="upstream",
    asks="upstream?",
    values=(
        Value("exact", says="has upstream: exact", training="", change=""),
        Value("ignored", says="has upstream: ignored", training="", change=""),
        Value("detached", says="has upstream: detached", training="", change=""),
        Value("once_only", says="has upstream: once only", training="", change=""),
        Value("none", says="has upstream: none", training="", change=""),
    ),
)
