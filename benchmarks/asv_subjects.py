"""The subjects that are published through asv: asv wants them without a framework being imported, so they are a file.

`python -m lossvet.benchmarks.asv_subjects` writes it anew, from the frameworks that are installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from lossvet import adapters
from lossvet.benchmarks import subjects
from lossvet.benchmarks.bench_client import BenchClient
from lossvet.benchmarks.subjects import Wanted
from lossvet.benchmarks.workloads import Shape
from lossvet.workers.client import Side
from lossvet.workers.machine import cores
from lossvet.workers.messages import Greeting, Hello

FILE = Path(__file__).with_suffix(".txt")
WANTED = Wanted(shapes=(Shape(512, 1000),))


def greet(names: Iterable[str]) -> dict[str, Greeting]:
    """What each framework says of itself, in a process of its own."""
    greetings = {}
    for name in names:
        with BenchClient(name, Side(sys.executable), cores()[0], None) as client:
            greetings[name] = client.greeting
    return greetings


def offered(greetings: Mapping[str, Greeting]) -> list[str]:
    """The names of what these frameworks offer of what is published, in order: of each, the first mode that is timed.

    Each subject costs asv five processes, and its runs are to take minutes. Raises plan.NothingMatches for none.
    """
    programme = subjects.choose(greetings, WANTED)
    first = {
        hello.name: next((mode for mode in hello.modes if not subjects.untimed(hello, mode)), None)
        for hello in greetings.values()
        if isinstance(hello, Hello)
    }
    return sorted(str(subject) for subject in programme if subject.cell.mode == first[subject.cell.framework])


if __name__ == "__main__":
    found = greet(adapters.names())
    if missing := [name for name, greeting in found.items() if not isinstance(greeting, Hello)]:
        sys.exit(f"missing: {', '.join(missing)}; without them the list would be incomplete")
    FILE.write_text("".join(f"{name}\n" for name in offered(found)))
    print(f"{FILE}: {len(offered(found))} subjects")
