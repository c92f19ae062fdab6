"""What several test files need: one fixture."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def imports_put_back() -> Iterator[None]:
    """Loading a loss extends sys.path and sys.modules for the whole process; the next test begins without them."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]
