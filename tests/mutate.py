"""Mutates our own code and counts which mutants the tests kill: `tests/mutate.py [TARGET...]`.

Ends with 1 where fewer than 90 % of a target's mutants are killed, where a survivor has no reason in
tests/mutation/survivors.toml, and where a mutant that has one is killed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tomllib
from pathlib import Path

from mutation import accounting, population, trial
from mutation.accounting import Change, Tally
from mutation.trial import Source

TARGETS = tomllib.loads((Path(__file__).parent / "mutation" / "targets.toml").read_text())
SLOWEST = 3.0
"""A mutant has so many times the CPU time of the tests without one."""


def tally(name: str, seed: int, jobs: int) -> Tally:
    target, start = TARGETS[name], cpu()
    mutants = population.sample(target["files"], target.get("sample"), seed)
    tests = trial.baseline(target["tests"])
    print(f"{name}: {len(mutants)} mutants; the tests take {tests.seconds:.1f} s of CPU", file=sys.stderr, flush=True)
    ends = []
    sources = ((Change(m.path, *m.change), Source(m.path, m.source)) for m in mutants)
    for change, end in trial.tried(sources, tests, SLOWEST * tests.seconds + 5, jobs):
        ends.append((change, end))
        if end == "survived":
            print(f"{name} {len(ends)}/{len(mutants)} survived: {change}", file=sys.stderr, flush=True)
        elif len(ends) % 25 == 0:
            print(f"{name} {len(ends)}/{len(mutants)}", file=sys.stderr, flush=True)
    return Tally(name, tuple(ends), cpu() - start)


def cpu() -> float:
    """Seconds of CPU, of this process and of those that it forked and that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--seed", type=int, default=1, help="of the samples (1)")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at work at a time (2)")
    parser.add_argument(
        "--reasons", type=Path, default=accounting.FILE, metavar="FILE", help="why mutants survive (survivors.toml)"
    )
    given = parser.parse_args()
    if unknown := set(given.targets) - TARGETS.keys():
        parser.error(f"no target called {', '.join(sorted(unknown))}; expected some of {', '.join(TARGETS)}")
    names = given.targets or list(TARGETS)
    start = time.monotonic()
    trial.prepare({module for name in names for module in TARGETS[name]["preload"]})
    tallies = [tally(name, given.seed, given.jobs) for name in names]
    known = accounting.reasons(given.reasons)
    found = accounting.problems(tallies, known)
    print(f"seed {given.seed}, {(time.monotonic() - start) / 60:.0f} minutes\n{accounting.table(tallies)}")
    for one in tallies:
        for change in one.survivors:
            print(f"\n{one.name}: {change}\n    {known.get(change, 'no reason')}")
    print("\n".join(["", *found]) if found else "\nevery survivor has its reason")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
