"""Raises as soon as it is imported."""

raise RuntimeError("needs a GPU")
