"""The subjects that are published through asv: asv wants them without a framework being imported, so they are a file.

`python -m lossvet.benchmarks.asv_subjects` writes it anew, from the frameworks that are installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lossvet import adapters
from lossvet.benchmarks import subjects
from lossvet.benchmarks.client import Client, Side, cores
from lossvet.benchmarks.subjects import Wanted
from lossvet.benchmarks.workloads import Shape
from lossvet.conformance.messages import Greeting, Hello

FILE = Path(__file__).with_suffix(".txt")
WANTED = Wanted(shapes=(Shape(1, 1000), Shape(512, 1000)), tasks=("train",))
"""One row, what a call costs apart from its work, and a batch; with the gradient."""


def offered(greetings: dict[str, Greeting]) -> str:
    """What these frameworks offer, a line each, in the order of names."""
    return "".join(sorted(f"{subject}\n" for subject in subjects.choose(greetings, WANTED)))


def greet() -> dict[str, Greeting]:
    """What each framework says of itself, in a process of its own."""
    greetings = {}
    for name in adapters.names():
        with Client(name, Side(sys.executable), cores()[0], None, lambda: False) as client:
            greetings[name] = client.greeting
    return greetings


if __name__ == "__main__":
    found = greet()
    if missing := [name for name, greeting in found.items() if not isinstance(greeting, Hello)]:
        sys.exit(f"not there: {', '.join(missing)}; without them the list would be short")
    FILE.write_text(offered(found))
    print(f"{FILE}: {len(FILE.read_text().splitlines())} subjects")
