"""Between `asv run` and `asv publish`: the versions of the frameworks go into asv's results, for the site to select by.

asv does not know the versions in an environment that it did not make. Each result gets those in the header of its own
run, the one whose raw samples it holds, to the last bit.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lossvet.benchmarks import asv_suite, samples
from lossvet.benchmarks.samples import Samples

TRACK = "asv_suite.Engine.track_time"


def published(result: Mapping[str, Any]) -> dict[str, list[float]]:
    """By subject, the samples of the times that this result of asv holds."""
    row = dict(zip(result["result_columns"], result["results"].get(TRACK, ()), strict=False))  # asv drops what is empty
    names = [ast.literal_eval(name) for name in row.get("params", [[]])[0]]
    return {name: found for name, found in zip(names, row.get("samples") or (), strict=False) if found}


def selectors(run: Samples) -> dict[str, str]:
    """What the site selects by, beside what asv knows of the machine."""
    return {"lossvet": run.header.lossvet, "device": str(run.header.options["device"]), **run.header.versions}


def stamped(result: dict[str, Any], runs: Iterable[Samples]) -> bool:
    """Put the selectors of the result's run into the result; whether its run is among these."""
    times = published(result)
    for run in runs if times else ():
        theirs = asv_suite.seconds(run)
        if all(theirs.get(subject) == found for subject, found in times.items()):
            result["params"] |= selectors(run)
            result["requirements"] |= run.header.versions
            return True
    return False


def main(results: Path, folder: Path) -> None:
    """Stamp every result in asv's folder with what a run in the folder of samples says."""
    runs = [samples.read(path) for path in sorted(folder.glob("bench-*.jsonl"), reverse=True)]
    for path in sorted(results.glob("*/*.json")):
        result = json.loads(path.read_text())
        if "results" not in result:
            continue  # a machine
        if stamped(result, runs):
            path.write_text(json.dumps(result))
            print(f"{path}: {', '.join(f'{name} {version}' for name, version in result['requirements'].items())}")
        else:
            print(f"{path}: unchanged; no run in {folder} has its samples")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else asv_suite.SAMPLES.parent / "results"), asv_suite.SAMPLES)
