"""Every example in docs/ runs, and prints what stands there.

A block ```python file=NAME is written to a file; a block ```console holds a command after "$ " and, below it, lines of
what it prints, in their order, "..." for those that are left out. The blocks of a page share a folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Example:
    """A command of a page, and what the page shows of its output."""

    page: str
    command: tuple[str, ...]
    shown: tuple[str, ...]


def files(page: str) -> dict[str, str]:
    return {name: text for kind, name, text in BLOCK.findall(page) if kind == "python" and name}


def examples(path: Path) -> list[Example]:
    found = []
    for kind, _, text in BLOCK.findall(path.read_text()):
        if kind == "console":
            first, *shown = text.replace("\\\n", " ").splitlines()
            assert first.startswith("$ lossvet "), first
            found.append(Example(path.name, tuple(first[2:].split()), tuple(shown)))
    return found


def missing(shown: tuple[str, ...], printed: str) -> str:
    """The first line shown that was not printed, after those before it; empty where all were."""
    lines = iter(" ".join(line.split()) for line in printed.splitlines())
    for line in shown:
        words = " ".join(line.split())
        if words not in ("...", "") and words not in lines:
            return line
    return ""


PAGES = sorted(DOCS.glob("*.md"))
EXAMPLES = [example for page in PAGES for example in examples(page)]


def tier(example: Example) -> pytest.MarkDecorator:
    """TensorFlow in two behaviours takes a quarter of a minute to start."""
    return pytest.mark.sweep if "tensorflow" in " ".join(example.command) else pytest.mark.slow


@pytest.mark.parametrize("example", [pytest.param(e, marks=tier(e), id=" ".join(e.command)[:70]) for e in EXAMPLES])
def test_an_example_prints_what_the_page_shows(example: Example, tmp_path: Path) -> None:
    for name, text in files((DOCS / example.page).read_text()).items():
        (tmp_path / name).write_text(text)
    command = [str(Path(sys.executable).with_name("lossvet")), *example.command[1:]]
    wide = {**os.environ, "COLUMNS": "100"}  # as where output is no terminal, whatever runs the tests
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, env=wide)
    printed = done.stdout + done.stderr
    absent = missing(example.shown, printed)
    assert not absent, f"not printed: {absent!r}\n{printed}"


def test_every_page_has_its_files_and_commands() -> None:
    assert "migrating.md" in {page.name for page in PAGES}
    for page in PAGES:
        for name, text in files(page.read_text()).items():
            compile(text, name, "exec")
        for example in examples(page):
            named = {match for word in example.command for match in re.findall(r":(\w+\.py)::", word)}
            assert named <= set(files(page.read_text())), example.command
    assert len(EXAMPLES) >= 5


def test_a_line_that_is_not_printed_is_found() -> None:
    assert missing(("one", "...", "two"), "one\nmore\n  two\n") == ""
    assert missing(("two", "one"), "one\ntwo\n") == "one"
    assert missing(("three",), "one\n") == "three"


def test_the_pages_are_linked_from_the_readme() -> None:
    readme = (DOCS.parent / "README.md").read_text()
    for page in PAGES:
        assert f"(docs/{page.name})" in readme, page.name
