"""Tries the whole zoo and prints the table of convictions; --write replaces tests/convictions.txt. Takes minutes."""

from __future__ import annotations

import sys

from zoo import table


def main(arguments: list[str]) -> None:
    rows = []
    for row in table.convictions():
        rows.append(row)
        print(row.line, end="", flush=True)
    print(table.summary(rows, table.honest_ratios()), end="")
    if "--write" in arguments:
        table.FILE.write_text(table.text(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
