"""No run of lines stands in two files: what repeats is data, or has a place of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import lossvet

PACKAGE = Path(lossvet.__file__).parent
RUN = 12
"""Lines that say something: blank ones and comments are passed over, and indentation does not count."""
CORPUS = PACKAGE / "verify" / "corpus"


def shared(files: Mapping[str, Iterable[str]]) -> set[tuple[str, str]]:
    """The pairs of files that have a run of `RUN` lines in common."""
    places: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for name, text in files.items():
        lines = [line.strip() for line in text if line.strip() and not line.strip().startswith("#")]
        for start in range(len(lines) - RUN + 1):
            places[tuple(lines[start : start + RUN])].add(name)
    return {(a, b) for names in places.values() for a in names for b in names if a < b}


def test_no_two_files_of_the_product_share_a_run_of_lines() -> None:
    files = {
        str(path): path.read_text().splitlines()
        for folder in (PACKAGE, *(path for path in PACKAGE.iterdir() if path.is_dir()))
        for path in (folder.glob("*.py") if folder == PACKAGE else folder.rglob("*.py"))
        if CORPUS not in path.parents and "published" not in path.parts
    }
    assert len(files) > 200
    assert not shared(files)


def test_a_copied_run_is_seen() -> None:
    block = [f"x{i} = {i}" for i in range(RUN)]
    assert shared({"a": ["import a", *block], "b": ["", *(f"    {line}" for line in block)], "c": block[1:]}) == {
        ("a", "b")
    }
