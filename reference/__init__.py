"""The right results: the float64 reference and the proven golden results. NumPy only; knows no framework."""

from lossvet.reference.evaluate import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
