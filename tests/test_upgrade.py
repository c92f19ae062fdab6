"""tf_upgrade_v2 as a subject: what it converts is judged, and the page that is published is that of the table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests import tf_upgrade as upgrade
from tests.tf_upgrade_scripts import LOSSES, PROGRAMS

from lossvet.verify import upgrade_table

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_is_the_table() -> None:
    assert (DOCS / "tf_upgrade_v2.md").read_text() == upgrade.page(upgrade_table.read())


def test_the_table_is_of_scripts_that_there_are_in_their_order() -> None:
    names = [row.name for row in upgrade_table.read().rows]
    assert names == [name for name in (*LOSSES, *PROGRAMS) if name in names]
    assert {"sparse_class_weight", "interactive session"} <= set(names)


def test_every_script_is_python() -> None:
    for name, text in {**LOSSES, **PROGRAMS}.items():
        compile(text, name, "exec")


def test_changes_are_the_lines_that_the_converter_wrote() -> None:
    assert upgrade.changes("a = 1\nb = tf.log(a)\n", "a = 1\nb = tf.math.log(a)\n") == ("b = tf.math.log(a)",)
    assert upgrade.changes("a = 1\n", "a = 1\n") == ()


@pytest.mark.sweep
def test_three_of_them_are_judged_as_the_table_says() -> None:
    """One that stays, and two that do not run; in a process of its own, as TensorFlow is started there."""
    pytest.importorskip("tensorflow")
    names = ["sparse_class_weight", "sparse_class_weight, through an alias", "interactive session"]
    program = (
        "import json, sys, msgspec\nfrom tests import tf_upgrade as upgrade\n"
        "if __name__ == '__main__': print(msgspec.json.encode(list(upgrade.judged(json.loads(sys.argv[1])))).decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(names)], capture_output=True, text=True, timeout=900, cwd=DOCS.parent
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = {row["name"]: row["verdict"] for row in json.loads(done.stdout.splitlines()[-1])}
    assert found == {row.name: row.verdict for row in upgrade_table.read().rows if row.name in names}
