"""Judges every mutant and prints which case kills it; --write replaces tests/killed.txt. Takes minutes."""

from __future__ import annotations

import sys

from mutants import table


def main(arguments: list[str]) -> None:
    rows = []
    for row in table.killed():
        rows.append(row)
        print(row.line, end="", flush=True)
    print(table.summary(rows, table.control_ratios()), end="")
    if "--write" in arguments:
        table.FILE.write_text(table.text(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
