"""The files of a site, made from its sources, put into place whole, and checked against them byte for byte."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lossvet.adapters.spelling import title
from lossvet.conformance import journal
from lossvet.conformance.journal import Contents
from lossvet.reports.site import accuracy_tables, facts, figures, pages, printing, publication, sources, tables, timings
from lossvet.reports.site.compare import compare
from lossvet.reports.site.facts import Spelled
from lossvet.reports.site.publication import Publication, as_csv, as_markdown
from lossvet.reports.site.sources import CannotReport, Sources

DATA = Path("data")
AGAINST, AUTHOR = "against.jsonl.xz", "author.txt"
MADE_WITH = ("lossvet", "jinja2", "matplotlib", "scipy")


def site(found: Sources, against: bytes | None, partial: bool, author: str = "") -> dict[str, bytes]:
    """Every file of the site, by its path.

    `against` is the packed journal of an earlier run, `author` who publishes it, empty where that is not given. Raises
    CannotReport for incomplete sources, unless `partial` has that said on every page.
    """
    if found.lacking and not partial:
        raise CannotReport(f"not complete: {'; '.join(found.lacking)}; --partial makes a report that says so")
    earlier = None if against is None else _earlier(against)
    changes = None
    if earlier is not None:
        changes = pages.changed(compare(earlier.judged, found.contents.judged), earlier.header)
    raw = {**found.raw, **({} if against is None else {AGAINST: against})}
    spelled, own = facts.spellings(found.result), Publication(author)
    index = pages.index(found, spelled, changes)
    with figures.settings():
        text = printing.printed(found, spelled, index, raw, own) | _pictures(found, spelled, index)
    text |= {"data/cells.csv": tables.cells(found.result), "data/columns.txt": tables.columns(publication.COLUMNS)}
    text |= {"table.csv": as_csv(found), "table.md": as_markdown(found, own)}
    text |= {"data/made-with.txt": _made_with(), f"data/{AUTHOR}": f"{author}\n"}  # other versions draw other bytes
    text |= {"data/times.csv": tables.times(found.rows)} if found.rows else {}
    return {name: body.encode() for name, body in text.items()} | {f"data/{name}": data for name, data in raw.items()}


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Put the site in the place of the folder, at once: until all of it is on the disk, what was there stays.

    Raises CannotReport where the folder holds something that is no site, and OSError where it cannot be written.
    """
    folder = folder.resolve()
    if folder.exists() and any(folder.iterdir()) and not _is_site(folder):
        raise CannotReport(f"{folder} is not empty, and does not hold exactly one site; give another --out")
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, data in files.items():
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        made.chmod(0o755)
        if folder.exists():
            _exchange(made, folder)
        else:
            made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _is_site(folder: Path) -> bool:
    """Whether all that is in the folder may be replaced: it has the data of a site, and nothing that no site has."""
    own = {"data", "variants", "frameworks"}
    names = {path.name for path in folder.iterdir() if path.suffix not in (".svg", ".html", ".css", ".md", ".csv")}
    return (folder / DATA / sources.RUN).is_file() and names <= own


def check(folder: Path) -> list[str]:
    """What is not as the data of the site say, file by file; empty where every byte is.

    Raises CannotReport where the folder is no site, or was made by other versions of what draws and counts, and
    JournalError where a record of the data is damaged.
    """
    data = folder / DATA
    if not (data / sources.RUN).exists():
        raise CannotReport(f"{folder} is not a site: it has no {DATA / sources.RUN}")
    there = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    made_with = there.get("data/made-with.txt", b"").decode(errors="replace")
    if made_with and made_with != _made_with():
        raise CannotReport(
            f"the site was made with {_listed(made_with)}, but here are {_listed(_made_with())}: install those"
        )
    benchmark = data / sources.BENCHMARK
    found = sources.load(data / sources.RUN, benchmark if benchmark.exists() else None)
    against = there.get(f"data/{AGAINST}")
    author = there.get(f"data/{AUTHOR}", b"").decode(errors="replace").strip()
    files = site(found, against, partial=True, author=author)
    wrong = [f"{name} is missing" for name in files.keys() - there.keys()]
    wrong += [f"{name} is not a file of the site" for name in there.keys() - files.keys()]
    wrong += [
        _differs(name, there[name], files[name]) for name in files.keys() & there.keys() if there[name] != files[name]
    ]
    return sorted(wrong)


def _made_with() -> str:
    python = ".".join(map(str, sys.version_info[:2]))
    return "".join(f"{name} {importlib.metadata.version(name)}\n" for name in MADE_WITH) + f"python {python}\n"


def _listed(text: str) -> str:
    return ", ".join(text.split("\n")[:-1])


def _differs(name: str, there: bytes, made: bytes) -> str:
    lines = zip(there.split(b"\n"), made.split(b"\n"), strict=False)
    number = next((n for n, (a, b) in enumerate(lines, 1) if a != b), 1 + min(there.count(b"\n"), made.count(b"\n")))
    return f"{name}:{number} differs from what the data give"


def _earlier(against: bytes) -> Contents:
    with tempfile.NamedTemporaryFile(suffix=".xz") as file:
        file.write(against)
        file.flush()
        before = journal.read(Path(file.name))
    if before is None:
        raise CannotReport("the run to compare with has no header: it never started")
    return before


def _pictures(found: Sources, spelled: Spelled, index: Mapping[str, Any]) -> dict[str, str]:
    names = _series(found)
    painted = {v: {title(f): (s.text, s.tone) for f, s in row.items()} for v, row in index["matrix"].items()}
    made = {"matrix.svg": figures.squares(painted, [*map(title, found.result.greetings)])}
    ulps = accuracy_tables.offered(spelled)
    made["accuracy.svg"] = figures.dots(ulps, names, "largest error of the loss over all cases, ulp of float32")
    if index["speed"]:
        best, limits, label = timings.picture(found)
        made["speed.svg"] = figures.dots(best, names, label, limits)
    return made


def _series(found: Sources) -> list[str]:
    """The frameworks in the order that gives each its mark and colour, the same in every picture."""
    timed = sorted({title(row.subject.cell.framework) for row in found.rows})
    return list(dict.fromkeys([*map(title, found.result.greetings), *timed]))


def _exchange(made: Path, folder: Path) -> None:
    """Swap two folders in one step, where the system can; else by two renames, with what was there kept between."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    at_here, swap = -100, 2
    if renameat2 is not None and renameat2(at_here, os.fsencode(made), at_here, os.fsencode(folder), swap) == 0:
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(aside / folder.name)
    made.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)
