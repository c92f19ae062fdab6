"""TensorFlow in a user's process: TF1's graphs are rejected there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from lossvet.adapters.presence import Presence, package

IN_GRAPHS_ONLY = ("compatible with eager execution", "not available when eager execution is enabled")
"""What TensorFlow says of TF1's graphs and sessions where it runs eagerly."""


def _refusal(things: Sequence[Any], raised: str) -> str:
    if any(words in raised for words in IN_GRAPHS_ONLY):
        return "builds a TF1 graph or session, which this process does not run"
    tensorflow = sys.modules["tensorflow"]
    if not tensorflow.executing_eagerly() or any(map(_of_graph, things)):
        return "is a loss of a TF1 graph, which this process does not run"
    return ""


def _of_graph(thing: Any) -> bool:
    """Whether this is a tensor of a TF1 graph, or a session; an eager tensor has no graph."""
    if package(type(thing)) != "tensorflow":
        return False
    session = type(thing).__name__ in ("Session", "InteractiveSession")
    try:
        return session or (hasattr(thing, "op") and hasattr(thing, "graph"))
    except Exception:  # of an eager tensor, in some versions no AttributeError
        return False


def _undisturbed(tensorflow: Any, stack: ExitStack) -> None:
    """What gives random operations their seeds is made at first use: where there is none yet, none is made."""
    module = sys.modules.get("tensorflow.python.eager.context")
    generator = None if module is None else getattr(module.context(), "_rng", None)
    if generator is not None:
        stack.callback(generator.setstate, generator.getstate())
        generator.seed(0)  # a kernel is kept by its seed, and goes on counting: none is made here that is the caller's


PRESENCE = Presence(
    module="tensorflow",
    packages=("tensorflow", "tf_keras"),
    aliases=("tf",),
    extra="tensorflow",
    refusal=_refusal,
    undisturbed=_undisturbed,
)
