"""What tf_upgrade_v2 does to TF1 losses, as judged: the table that the documentation and the report show."""

from __future__ import annotations

from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("tf_upgrade_v2.json")
"""Written by `tests/tf_upgrade.py`."""


class Row(msgspec.Struct, frozen=True):
    """One loss or program. `verdict` is verify's ("same", "different"...), for a program "same" or "different" too;
    "does not run" where the converted code raises. `changed` are the lines that the converter wrote, `warned` whether
    it reported an issue that requires attention."""

    name: str
    verdict: str
    why: str
    changed: tuple[str, ...]
    warned: bool


class Table(msgspec.Struct, frozen=True):
    """All rows; `version` as in "TensorFlow 2.21.0"."""

    version: str
    rows: tuple[Row, ...]

    def counts(self) -> str:
        """The number of each verdict: "Of 26 losses and programs: same 21, does not run 5." """
        kinds = dict.fromkeys(row.verdict for row in self.rows)
        words = ", ".join(f"{kind} {sum(row.verdict == kind for row in self.rows)}" for kind in kinds)
        return f"Of {len(self.rows)} losses and programs: {words}."

    @property
    def warned(self) -> int:
        """For how many the converter reported issues that require attention."""
        return sum(row.warned for row in self.rows)


def read(file: Path = FILE) -> Table:
    """Raises OSError if the file is missing, msgspec.DecodeError if it is not such a table."""
    return msgspec.json.decode(file.read_bytes(), type=Table)


def write(table: Table, file: Path = FILE) -> None:
    file.write_bytes(msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n")
