"""What a framework would import for nothing is hidden from it, and from nobody afterwards."""

from __future__ import annotations

import importlib
import sys

import pytest

from lossvet.adapters.hidden import hidden

NOT_IMPORTED = "this"


@pytest.fixture(autouse=True)
def _not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, NOT_IMPORTED, raising=False)


def test_a_module_is_hidden_and_there_again_afterwards() -> None:
    with hidden((NOT_IMPORTED,)), pytest.raises(ModuleNotFoundError):
        importlib.import_module(NOT_IMPORTED)
    assert importlib.import_module(NOT_IMPORTED)


def test_it_is_there_again_after_an_import_that_fails() -> None:
    with pytest.raises(ZeroDivisionError), hidden((NOT_IMPORTED,)):
        raise ZeroDivisionError
    assert importlib.import_module(NOT_IMPORTED)


def test_what_is_imported_already_stays() -> None:
    with hidden(("importlib",)):
        assert importlib.import_module("importlib") is importlib
    assert sys.modules["importlib"] is importlib
