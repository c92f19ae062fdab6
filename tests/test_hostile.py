"""Hostile words through every output of a run and of its site: none executes, none breaks a document, none aborts."""

from __future__ import annotations

import csv
import io
import json
import posixpath
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

sys.path.insert(0, str(Path(__file__).parent))

from hostile import WORDS

from lossvet.adapters.protocol import Cost
from lossvet.benchmarks import samples
from lossvet.benchmarks.samples import Samples
from lossvet.benchmarks.table import table
from lossvet.conformance import journal, plan, records, summary
from lossvet.conformance.journal import Contents, Journal
from lossvet.conformance.plan import Selection
from lossvet.conformance.records import Finished, Header, Judged
from lossvet.conformance.run import Result
from lossvet.conformance.types import Absent, Agrees, Crashed, Differs, Errored, Verdict
from lossvet.reference import vectors
from lossvet.reports import junit, markdown, terminal
from lossvet.reports.site import build, figures
from lossvet.reports.site.sources import RUN, Sources, packed
from lossvet.workers import messages
from lossvet.workers.messages import Hello, NativeSpec, Unavailable

BENIGN = "plain words"


def verdicts(words: str, outputs: Sequence[str]) -> dict[str, Verdict]:
    """Every kind of verdict that carries somebody's words."""
    kinds: tuple[Verdict, ...] = (
        Agrees(0.5, 1.0, 1.0, "relative", 0.1, (words,), (0, 0)),
        Errored(words, words),
        Absent(words),
        Crashed(words),
        Differs(words, (0, 0), 1.0, 2.0, 3.0, (words,)),
    )
    return {output: kinds[number % len(kinds)] for number, output in enumerate(outputs)}


def made(words: str, folder: Path) -> Result:
    """A run of one variant, written and read again, in which every word of a framework is these."""
    native = NativeSpec(words, {"none": words, "mean": ""}, False, False, ("float32",))
    hello = Hello(
        name="torch",
        version=words,
        modes=("eager",),
        devices=("cpu",),
        dtypes=("float32",),
        costs={"eager": Cost()},
        natives={"pos_weight": {"native": native}},
        no_gradient={},
        measured=("cpu",),
        details={words: words},
        python=words,
    )
    greetings = {"torch": hello, "jax": Unavailable("jax", words, missing=False)}
    selection = Selection(only=("pos_weight/at_zero",))
    asked = plan.make(greetings, plan.choose(vectors.load, selection.only), selection)
    judged = [
        Judged(str(i.cell), i.case, 0.0, 0, {o: records.compact(v) for o, v in verdicts(words, i.outputs).items()})
        for i in asked
    ]
    folded = summary.fold(asked, judged)
    return Result(folded, asked, greetings, (words,), folder / "run.jsonl", len(judged), 1.0)


def measured(words: str) -> Samples:
    """A benchmark with these words wherever there are any."""
    subject = "pos_weight/{}/torch/eager/float32/cpu/8x10/train"
    header = samples.Header(samples.SCHEMA, words, {words: words, "cpu": words}, {"torch": words}, {}, {}, words)
    times = [samples.Sample(subject.format("native"), n, 0, 0, 1, (1000,) * 3, 1000, None) for n in range(6)]
    return Samples(header, (*times, samples.NoSample(subject.format("composed"), 0, words), samples.End(words)), True)


def sources(words: str, folder: Path) -> Sources:
    result, found = made(words, folder), measured(words)
    header = Header(journal.SCHEMA, "", "", words, {"torch": words}, {}, words, dict(result.greetings))
    path = folder / "run.jsonl"
    path.unlink(missing_ok=True)
    book = Journal.create(path, header)
    book.append(Finished(words))
    book.close()
    return Sources(result, Contents(header, (), True, 0), found, table(found), {RUN: packed(path)}, (words,))


def site(words: str, folder: Path) -> Mapping[str, bytes]:
    found = sources(words, folder)
    return build.site(found, found.raw[RUN], partial=True)


every = pytest.mark.parametrize("words", [*map(messages.text, WORDS.values())], ids=[*WORDS])
"""As they arrive from a worker."""


def test_there_are_enough() -> None:
    assert len(set(WORDS.values())) >= 60


# The site ------------------------------------------------------------------------------------------------------------


class Structure(HTMLParser):
    """The tags of a page and their attributes' names, without texts and values."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[Any] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attrs]))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.found.append("a comment")


@pytest.fixture(scope="module")
def benign(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    return site(BENIGN, tmp_path_factory.mktemp("benign"))


@pytest.mark.sweep
@every
def test_pictures_are_well_formed(words: str) -> None:
    with figures.settings():
        plain, said = (
            [figures.squares({w: {w: (w, "good")}}, [w]), figures.dots({w: {w: 1.0}}, [w], "ulp", {w: 0.5})]
            for w in (BENIGN, words)
        )
    for one, other in zip(plain, said, strict=True):
        tags = [[e.tag for e in ET.fromstring(text).iter()] for text in (one, other)]
        assert not words.strip() or tags[0] == tags[1]


@pytest.mark.sweep
@every
def test_the_site_keeps_its_structure(
    words: str, benign: Mapping[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pictures have none of these words: see above."""
    monkeypatch.setattr(build, "_pictures", lambda found, index: {})
    files = site(words, tmp_path)
    assert files.keys() == {name for name in benign if not name.endswith(".svg")}
    for name, data in files.items():
        if name.endswith(".html"):
            text = data.decode()
            assert Structure(text).found == Structure(benign[name].decode()).found, name
            assert all(c.isprintable() or c == "\n" for c in text), name
        if name.endswith(".csv"):
            rows = list(csv.reader(io.StringIO(data.decode())))
            assert {len(row) for row in rows} == {len(rows[0])}
            assert len(rows) == len(list(csv.reader(io.StringIO(benign[name].decode()))))
            assert not [f for row in rows for f in row if f[:1] in ("=", "+", "-", "@", "\t", "\r")]


def test_links_lead_somewhere_though_a_framework_is_missing(benign: Mapping[str, bytes]) -> None:
    for name, data in benign.items():
        if name.endswith(".html"):
            for link in re.findall(r'href="([^"#:]*)(#[^"]*)?"', data.decode()):
                target = posixpath.normpath(posixpath.join(posixpath.dirname(name), link[0])) if link[0] else name
                assert target in benign, (name, link)
                assert not link[1] or f'id="{link[1][1:]}"' in benign[target].decode(), (name, link)


def test_a_page_that_trusts_its_words_is_found_out(benign: Mapping[str, bytes]) -> None:
    """The check of structure sees what autoescaping hides."""
    text = benign["index.html"].decode()
    assert Structure(text).found != Structure(text.replace(BENIGN, WORDS["script"], 1)).found
    assert Structure(text).found != Structure(text.replace(BENIGN, WORDS["close table"], 1)).found


# What a run prints ---------------------------------------------------------------------------------------------------


@every
def test_the_terminal_is_not_moved(words: str, tmp_path: Path) -> None:
    out = io.StringIO()
    screen = Console(file=out, markup=False, highlight=False, emoji=False, width=100)
    result = made(words, tmp_path)
    terminal.header(screen, result.greetings, "cpu")
    terminal.report(screen, result)
    said = out.getvalue()
    said.encode()
    assert all(c.isprintable() or c == "\n" for c in said)


@every
def test_markdown_keeps_its_tables_and_lists(words: str, tmp_path: Path) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    parse = markdown_it.MarkdownIt("commonmark").enable("table").parse

    def shape(text: str) -> list[str]:
        inline = [child.type for token in parse(text) for child in token.children or ()]
        blocks = [t.type for t in parse(text) if t.type != "inline" and "paragraph" not in t.type]  # no words, none
        return blocks + [kind for kind in inline if kind not in ("text", "softbreak", "hardbreak", "text_special")]

    assert shape(markdown.render(made(words, tmp_path))) == shape(markdown.render(made(BENIGN, tmp_path)))


@every
def test_junit_and_json_parse(words: str, tmp_path: Path) -> None:
    result = made(words, tmp_path)
    root = ET.fromstring(junit.render(result).encode())
    assert len(list(root.iter("testcase"))) == len(
        list(ET.fromstring(junit.render(made(BENIGN, tmp_path))).iter("testcase"))
    )
    json.dumps(summary.document(result.summary, result.versions))
