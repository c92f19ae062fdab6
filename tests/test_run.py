"""What a run does to the process that it is in: cycles among objects are not looked for, until it has ended."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from lossvet.conformance import run
from lossvet.conformance.options import Options
from lossvet.conformance.plan import Selection
from lossvet.reference.vectors import Golden


class Stop(Exception):
    """Ends a run at its beginning."""


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    enabled = gc.isenabled()
    yield
    (gc.enable if enabled else gc.disable)()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_off_during_a_run_and_as_it_was_afterwards(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    during = []

    def load(name: str) -> Sequence[Golden]:
        during.append(gc.isenabled())
        raise Stop

    nobody: Any = None  # it ends before anybody watches
    with pytest.raises(Stop):
        run.run(Options(selection=Selection(only=("sigmoid",))), nobody, load)
    assert during == [False]
    assert gc.isenabled() is enabled
