"""What an exception of a called loss means: in a sentence, and whether the loss can be called in another way."""

from __future__ import annotations

from lossvet.verify.loading import exit_words

CANNOT_TRACE = ("Tracer", "traced array", "abstract value", "Abstract tracer")
"""What an exception says after which a loss is run without tracing."""
IN_PLACE = ("in-place operation", "in place operation")
NOT_DIFFERENTIABLE = (
    "is not differentiable",
    "not implemented",
    "No gradient defined",
    "no gradient",
    "not differentiable",
)
"""What an exception says where a loss has no derivative in an argument."""
NO_MEMORY = (
    "allocate memory",
    "Unable to allocate",
    "RESOURCE_EXHAUSTED",
    "OOM when allocating",
    "bad_alloc",
    "ut of memory",
)
"""What an exception says where an allocation failed, whatever its type."""
LONGEST = 400
"""Characters of an exception's words that are kept."""


def described(error: BaseException) -> str:
    """ "TypeError: the first line of what it says"; a SystemExit with its code, a failed allocation as MemoryError."""
    if isinstance(error, SystemExit):
        return f"SystemExit: {exit_words(error)}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kind = "MemoryError" if any(w in str(error) for w in NO_MEMORY) else type(error).__name__
    return f"{kind}: {lines[0] if lines else ''}"[:LONGEST].rstrip(": ")


def refusal(error: BaseException) -> str:
    """Why there is no gradient, "not differentiable: ..." where that is what the exception says."""
    words = described(error)
    known = any(w in str(error) for w in NOT_DIFFERENTIABLE) or isinstance(error, NotImplementedError)
    return f"not differentiable: {words}" if known else words
