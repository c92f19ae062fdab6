"""Conformance and benchmarks for weighted cross-entropy losses.

`from lossvet import reference` gives the float64 reference; the command `lossvet` judges the frameworks.
Importing this package imports nothing else.
"""

__version__ = "0.1.0"
