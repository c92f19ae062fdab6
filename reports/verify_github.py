"""The answer of verify as GitHub annotations, beside the code where it is known; and the step summary."""

from __future__ import annotations

import os
from pathlib import Path

from lossvet.reports.terminal import plain
from lossvet.reports.verify_markdown import render as markdown
from lossvet.reports.verify_words import advice, ending, headline, title
from lossvet.verify.answer import Comparison, Difference


def render(found: Comparison) -> str:
    """An error for each difference that counts, a notice for what is accepted or an edge case, one line for the
    verdict: a notice where it is good, a warning where it cannot be judged."""
    file = path(found.target.spec)
    lines = [_difference(d, found, file) for d in found.differences]
    lines += [command("warning", "lossvet verify", w, file) for w in (*found.target.warnings, *found.warnings)]
    level = {0: "notice", 1: "error"}.get(found.exit_code, "warning")
    again = f" Again: {found.replay}" if found.replay else ""
    words = f"{headline(found)}{again} ({ending(found)}, exit {found.exit_code})"
    verdict = found.verdict if found.exit_code or found.verdict == "same" else "accepted"
    return "\n".join([*lines, command(level, f"lossvet verify: {verdict}", words, file)]) + "\n"


def _difference(difference: Difference, found: Comparison, file: str) -> str:
    counts = not (difference.accepted or difference.edge or found.verdict in found.accepted)
    words = " ".join(filter(None, (difference.says, difference.training, advice(difference, found)))) or title(
        difference
    )
    name = f"lossvet verify: {title(difference)}"
    return command("error" if counts else "notice", name, words, file)


def path(spec: str) -> str:
    """The file that a spec names, from the working folder; empty for a module, a variant, a file elsewhere."""
    _, _, rest = spec.partition(":")
    name = spec if spec.endswith(".toml") else rest.partition("::")[0] if "::" in rest else ""
    if not name:
        return ""
    found = Path(name)
    if found.is_absolute():
        try:
            found = found.relative_to(Path.cwd())
        except ValueError:
            return ""
    return found.as_posix()


def command(level: str, title: str, message: str, file: str = "") -> str:
    """One workflow command; data cannot end it, and cannot begin another."""

    def data(words: str) -> str:
        return plain(words).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    def property_(words: str) -> str:
        return data(words).replace(":", "%3A").replace(",", "%2C")

    where = f"file={property_(file)}," if file else ""
    return f"::{level} {where}title={property_(title)}::{data(message)}"


def step_summary(found: Comparison) -> None:
    """Append the Markdown to the file that GitHub shows with the step, where there is one."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(path).open("a", encoding="utf-8", errors="replace") as out:
            out.write(markdown(found))
