"""Every program in reports/FOUND.md prints what stands below it, and every finding stands in the ledger."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lossvet.conformance import deviations

FOUND = (Path(__file__).parent.parent / "reports" / "FOUND.md").read_text()
SECTION = re.compile(r"^## (\w+)\n(.*?)(?=^#+ )", re.M | re.S)
FINDINGS = dict(SECTION.findall(FOUND[: FOUND.index("\n# Recipes in circulation")] + "\n# "))
PACKAGES = dict(
    SECTION.findall(FOUND[FOUND.index("\n# Losses of packages") : FOUND.index("\n# Documented behaviour")] + "\n# ")
)
SECTIONS = {name: section for name, section in SECTION.findall(FOUND) if name not in PACKAGES}
RUN_ALL = """
import contextlib, io, json, sys
def printed(program):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(program, {})
    return out.getvalue()
print(json.dumps([printed(program) for program in json.load(sys.stdin)]))
"""


def blocks(section: str) -> tuple[str, str]:
    program, printed = re.findall(r"```\w*\n(.*?)```", section, re.S)
    return program, printed


def test_every_deviation_is_found_and_every_finding_a_deviation() -> None:
    assert set(FINDINGS) == {d.id for d in deviations.read()}


def printed_by(programs: list[str]) -> list[str]:
    command = [sys.executable, "-c", RUN_ALL]
    done = subprocess.run(command, input=json.dumps(programs), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    printed: list[str] = json.loads(done.stdout.splitlines()[-1])
    return printed


@pytest.mark.slow
@pytest.mark.parametrize("own_backend", [False, True])
def test_the_programs_print_what_the_page_says(own_backend: bool) -> None:
    """Keras has one backend in a process: the programs that set it share one."""
    sections = {name: blocks(text) for name, text in SECTIONS.items() if ("KERAS_BACKEND" in text) == own_backend}
    printed = printed_by([program for program, _ in sections.values()])
    for (name, (_, says)), seen in zip(sections.items(), printed, strict=True):
        assert seen == says, f"{name} prints {seen!r}"


IN_ALL = ("keras", "optax")
"""Packages that the extra `all` installs, and CI with it; programs about others run in the sweep."""


def package_of(section: str) -> str:
    """The package that a section begins with, before its version."""
    named = re.match(r"\s*`(\w+)` [\d.]+\.", section)
    assert named, f"expected a package and its version: {section[:60]}"
    return named[1]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if package_of(section) in IN_ALL else pytest.mark.sweep)
        for n, section in PACKAGES.items()
    ],
)
def test_a_program_about_a_package_prints_what_the_page_says(name: str) -> None:
    """Skipped where the package is not installed: `pip install -e .[test-libraries]`."""
    package = package_of(PACKAGES[name])
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    program, says = blocks(PACKAGES[name])
    assert printed_by([program]) == [says]
