"""tf_upgrade_v2, which TensorFlow installs, as a subject: does converted code still mean what the TF1 code meant?

    .venv/bin/python tests/tf_upgrade.py docs           write docs/tf_upgrade_v2.md and the table; it takes some minutes
    .venv/bin/python tests/tf_upgrade.py docs sparse    judge some losses again, or those still missing

Every loss and program of `tf_upgrade_scripts` is converted in one go. A loss is then verified, TF1's against the
converted one in TF2; a program is run as it was, under the TF1 API, and as it was converted, and what it prints is
compared.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.tf_upgrade_scripts import LOSSES, PROGRAMS

from lossvet.verify import upgrade_table, verify
from lossvet.verify.options import Options
from lossvet.verify.sources import SourceError
from lossvet.verify.upgrade_table import Row, Table

TF2, TF1 = "import tensorflow as tf\n", "import tensorflow.compat.v1 as tf\n"
"""What a script of 2018 imports, and what gives it TF1's API today."""
CONVERTER = "tf_upgrade_v2"
LIMIT = 600.0
"""Seconds for the converter, and for a program."""


def converted(folder: Path, names: Iterable[str]) -> dict[str, bool]:
    """Write scripts to folder/before and folder/tf1, convert them to folder/after; by name, whether issues were
    reported. Raises RuntimeError where the converter fails."""
    scripts = {**LOSSES, **PROGRAMS}
    for part, imports in (("before", TF2), ("tf1", TF1)):
        (folder / part).mkdir()
        for name in names:
            text = f"{imports}\n{scripts[name]}"
            (folder / part / f"{file(name)}.py").write_text(text)
    command = [str(Path(sys.executable).with_name(CONVERTER)), "--intree", "before", "--outtree", "after",
               "--reportfile", "report.txt"]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode:
        raise RuntimeError(f"{CONVERTER} ended with {done.returncode}: {done.stderr[-500:]}")
    report = (folder / "report.txt").read_text()
    parts = re.split(r"^Processing file ", report, flags=re.M)[1:]
    loud = {
        m[1] for part in parts if re.search(r": (ERROR|WARNING)", part) and (m := re.match(r"'\W*before/(\w+)", part))
    }
    return {name: file(name) in loud for name in names}


def file(name: str) -> str:
    """The name of a script's file, without .py."""
    return re.sub(r"\W+", "_", name)


def changes(before: str, after: str) -> tuple[str, ...]:
    """The lines that are new."""
    found = difflib.ndiff(before.splitlines(), after.splitlines())
    return tuple(line[2:].strip() for line in found if line.startswith("+ "))


def judged(names: Iterable[str]) -> Iterator[Row]:
    """These losses and programs, one after the other."""
    names = tuple(names)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        warned = converted(folder, names)
        for name in names:
            before, after = (folder / part / f"{file(name)}.py" for part in ("before", "after"))
            verdict, why = _loss(folder, name) if name in LOSSES else _program(folder, name)
            yield Row(name, verdict, why, changes(before.read_text(), after.read_text()), warned[name])


def _loss(folder: Path, name: str) -> tuple[str, str]:
    old, new = (folder / part / f"{file(name)}.py" for part in ("tf1", "after"))
    try:
        found = verify.compare(f"tensorflow_v1:{old}::loss", f"tensorflow:{new}::loss", Options())
    except SourceError as error:
        raised = re.search(r"the first raised (.*?)\. Its parameters", str(error))
        return "does not run", raised[1] if raised else str(error).replace(f"{folder}/", "")
    if found.verdict == "equal_on_probes":
        return found.verdict, f"no contract describes it; equal on {found.tried + found.fresh} probes"
    facets = "; ".join(f"{d.facet}: {d.source} -> {d.target}" for d in found.differences)
    return found.verdict, facets or found.reason.replace(f"{folder}/", "")


def _program(folder: Path, name: str) -> tuple[str, str]:
    before = _printed(f"import tensorflow.compat.v1 as tf\ntf.disable_v2_behavior()\n{PROGRAMS[name]}")
    after = _printed((folder / "after" / f"{file(name)}.py").read_text())
    if after.returncode:
        last = [line for line in after.stderr.splitlines() if re.match(r"\w*Error", line)]
        return "does not run", last[-1] if last else f"exit code {after.returncode}"
    one, two = before.stdout.strip(), after.stdout.strip()
    return ("same", f"prints {one}") if one == two else ("different", f"printed {one}, prints {two}")


def _printed(program: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=environment)


PAGE = """# What tf_upgrade_v2 does to TF1 losses

TensorFlow installs `tf_upgrade_v2`, which converts TF1 code. For this page it converted the TF1 code of each loss, as
it appears in scripts, and each result was judged: `lossvet verify` compared the TF1 loss in a session with the
converted loss in TF2, and whole programs were run before and after. The page was made with {version}; `python
tests/tf_upgrade.py docs` makes it anew.

{counts} The converter reported issues that require attention for {warned} of them.

| TF1 code | converted | what changes | the converter wrote |
|---|---|---|---|
{rows}
"""


def page(table: Table) -> str:
    """The table as a page of Markdown."""
    lines = []
    for row in table.rows:
        changed = "<br>".join(f"`{line}`".replace("|", "\\|") for line in row.changed) or "nothing"
        lines.append(f"| {row.name} | {row.verdict} | {row.why.replace('|', '/')} | {changed} |")
    return PAGE.format(version=table.version, counts=table.counts(), warned=table.warned, rows="\n".join(lines))


def known() -> Table:
    """The table that there is; an empty one where it is of another version of TensorFlow."""
    of = f"TensorFlow {version(packages_distributions()['tensorflow'][0])}"
    found = upgrade_table.read()
    return found if found.version == of else Table(of, ())


def main(arguments: list[str]) -> None:
    folder, *wanted = arguments
    order = [*LOSSES, *PROGRAMS]
    for row in judged(wanted or order):  # written as they come: an interrupted table can be gone on with by name
        print(f"{row.name}: {row.verdict} {row.why}", file=sys.stderr, flush=True)
        before = known()
        rows = [row, *(r for r in before.rows if r.name != row.name)]
        table = Table(before.version, tuple(sorted(rows, key=lambda r: order.index(r.name))))
        upgrade_table.write(table)
        (Path(folder) / f"{CONVERTER}.md").write_text(page(table))


if __name__ == "__main__":
    main(sys.argv[1:])
