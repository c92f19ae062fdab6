"""No run of lines stands in two files: what repeats is data, or has a place of its own."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import lossvet

PACKAGE = Path(lossvet.__file__).parent
RUN = 12
"""Lines that say something: blank ones, comments and imports are passed over, and indentation does not count."""
CORPUS = PACKAGE / "verify" / "corpus"


def telling(source: str) -> Iterator[str]:
    """The lines that count, without their indentation."""
    imports = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import | ast.ImportFrom)]
    passed = {line for node in imports for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    for number, line in enumerate(source.splitlines(), 1):
        text = line.strip()
        if text and not text.startswith("#") and number not in passed:
            yield text


def shared(files: Mapping[str, str]) -> set[tuple[str, str]]:
    """The pairs of files that have a run of `RUN` lines in common."""
    places: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for name, text in files.items():
        lines = list(telling(text))
        for start in range(len(lines) - RUN + 1):
            places[tuple(lines[start : start + RUN])].add(name)
    return {(a, b) for names in places.values() for a in names for b in names if a < b}


def test_no_two_files_of_the_product_share_a_run_of_lines() -> None:
    files = {
        str(path): path.read_text()
        for folder in (PACKAGE, *(path for path in PACKAGE.iterdir() if path.is_dir()))
        for path in (folder.glob("*.py") if folder == PACKAGE else folder.rglob("*.py"))
        if CORPUS not in path.parents and "published" not in path.parts
    }
    assert len(files) > 200
    assert not shared(files)


def test_a_copied_run_is_seen() -> None:
    lines = [f"x{i} = {i}" for i in range(RUN)]
    block, indented = "\n".join(lines), "\n\n    ".join(lines)
    files = {"a": f"import a\n{block}", "b": f"# b\nif x:\n    {indented}", "c": "\n".join(lines[1:])}
    assert shared(files) == {("a", "b")}
    assert not shared(dict.fromkeys("ab", "\n".join(f"import m{i}" for i in range(RUN))))
