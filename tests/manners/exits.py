"""Exits as soon as it is imported."""

import sys

sys.exit("run me with torchrun")
