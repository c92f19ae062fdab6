"""The site: made of a real run and a real benchmark, opened in a real browser, and checked against its data."""

from __future__ import annotations

import csv
import importlib
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
pytest.importorskip("scipy")
pytest.importorskip("torch")
pytest.importorskip("jax")

from lossvet.conformance import deviant, journal, records, run
from lossvet.conformance.journal import JournalError
from lossvet.conformance.summary import kind
from lossvet.reference import variants
from lossvet.reports import speed
from lossvet.reports.site import build, compare, facts, figures, known, moves, publication, sources, tables

MAIN = "from lossvet.cli import main; main()"
LOSSES = ("pos_weight", "sparse_class_weight")


def lossvet(*arguments: str, cwd: Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", MAIN, *arguments], cwd=cwd, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run of two losses and a benchmark of them were made, and the site of both."""
    where = tmp_path_factory.mktemp("report")
    only = [word for name in LOSSES for word in ("--only", name)]
    frameworks = ["--framework", "torch", "--framework", "jax", "--framework", "tensorflow_v1"]
    lossvet("run", *only, *frameworks, "--dtype", "float32", "--journal", "run.jsonl", cwd=where)
    shapes = ["--shapes", "1x10,8x10", "--replicates", "2", "--samples", "bench.jsonl"]
    lossvet("bench", *only, "--framework", "torch", "--framework", "jax", *shapes, cwd=where)
    lossvet("report", "--run", "run.jsonl", "--bench", "bench.jsonl", "--partial", "--out", "site", cwd=where)
    return where


@pytest.fixture
def site(folder: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    shutil.copytree(folder / "site", tmp_path / "site")
    return tmp_path / "site"


class Links(HTMLParser):
    """What a page refers to, and the ids that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        if tag == "a":
            self.links.append(given["href"])
        self.loads += [given[name] for name in ("src", "srcset", "data") if name in given]
        self.loads += [given["href"]] if tag == "link" else []
        assert tag != "script"
        assert not [name for name in given if name.startswith("on")]


def pages(site: Path) -> Mapping[Path, Links]:
    return {path: Links(path.read_text()) for path in site.rglob("*.html")}


# What it is made of --------------------------------------------------------------------------------------------------


PUBLISHED = Path(__file__).parents[1] / "reports" / "published"
EVERY = pytest.mark.parametrize("which", [pytest.param("made here", marks=pytest.mark.sweep), "published"])


@pytest.fixture
def chosen(which: str, request: pytest.FixtureRequest) -> Path:
    """The site that a test looks at: only what is made here takes a run."""
    made: Path = PUBLISHED if which == "published" else request.getfixturevalue("folder") / "site"
    return made


@EVERY
def test_the_site_has_a_page_for_each_loss_and_is_small(chosen: Path) -> None:
    """What is read, and what is kept for those who compute with it: each a download of its own."""
    assert {p.stem for p in (chosen / "variants").iterdir()} == set(variants.names() if chosen == PUBLISHED else LOSSES)
    sizes = {p.relative_to(chosen): p.stat().st_size for p in chosen.rglob("*") if p.is_file()}
    data = sum(size for path, size in sizes.items() if path.parts[0] == "data")
    assert data < 3 * 2**20
    assert sum(sizes.values()) - data < 3 * 2**20
    assert max(size for path, size in sizes.items() if path.suffix == ".html") < 300 * 2**10


@EVERY
def test_every_link_leads_somewhere_and_nothing_is_loaded_from_outside(chosen: Path) -> None:
    found = pages(chosen)
    for page, links in found.items():
        assert len(set(links.ids)) == len(links.ids), page
        for link in links.links:
            path, _, anchor = link.partition("#")
            if link.startswith("https://"):
                continue
            target = (page.parent / path).resolve() if path else page
            assert target.is_file(), (page, link)
            if anchor:
                assert anchor in found[target].ids, (page, link)
        assert not [load for load in links.loads if "//" in load]
    for picture in chosen.glob("*.svg"):
        references = re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)', picture.read_text())
        assert not [r for pair in references for r in pair if r and not r.startswith("#")], picture


@pytest.mark.sweep
def test_the_numbers_are_those_of_the_run(folder: Path) -> None:
    text = " ".join(re.sub(r"<[^>]*>", " ", (folder / "site/index.html").read_text()).split())
    contents = journal.read(folder / "run.jsonl")
    assert contents is not None
    kinds = Counter(kind(records.verdict(v)) for j in contents.judged for v in j.verdicts.values())
    assert f"{kinds.total() - kinds['absent']:,} checks: {kinds['agrees']:,} agree" in text
    assert f"{kinds['uninformative']:,} are uninformative" in text
    assert 'id="tensorflow_pos_weight_at_zero"' in (folder / "site/deviations.html").read_text()


@pytest.mark.sweep
def test_the_tables_have_a_line_for_each_cell_and_benchmark(folder: Path) -> None:
    contents = journal.read(folder / "run.jsonl")
    assert contents is not None
    lines = (folder / "site/data/cells.csv").read_text().splitlines()
    assert len(lines) == 1 + len({j.cell for j in contents.judged})
    assert lines[0].split(",") == list(tables.CELLS)
    described = (folder / "site/data/columns.txt").read_text()
    assert all(f"  {name}" in described for name in (*tables.CELLS, *tables.TIMES, *publication.COLUMNS))
    with (folder / "site/table.csv").open() as file:
        assert next(csv.reader(file)) == list(publication.COLUMNS)


@pytest.mark.sweep
def test_a_site_without_an_author_is_cited_by_its_title(folder: Path) -> None:
    assert f"<p>{publication.TITLE}. lossvet " in (folder / "site/method.html").read_text()


def test_what_is_small_is_not_shown_as_0() -> None:
    assert [speed.share(f) for f in (0.00049, 0.0005, 0.0949, 0.11, float("nan"))] == [
        "<0.1%",
        "0.1%",
        "9.5%",
        "11%",
        "-",
    ]
    assert [speed.size(n) for n in (0, 3 * 2**20, 200 * 2**20, None)] == ["<2", "3.0", "200", "-"]


# The same bytes again ------------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_a_site_that_was_not_touched_passes(folder: Path) -> None:
    done = lossvet("report", "--check", "site", cwd=folder)
    assert done.stderr.splitlines()[-1] == "site: every byte equals that made from its data (exit 0)"


@pytest.mark.sweep
def test_a_number_on_a_page_that_was_changed_is_found(site: Path) -> None:
    page = site / "index.html"
    text = page.read_text()
    number = re.search(r"([\d,]+) checks: ", text)
    assert number
    page.write_text(text.replace(number[0], f"1{number[0]}", 1))
    line = text[: number.start()].count("\n") + 1
    assert build.check(site) == [f"index.html:{line} differs from what the data give"]


@pytest.mark.sweep
def test_a_number_in_a_picture_or_table_that_was_changed_is_found(site: Path) -> None:
    for name in ("matrix.svg", "data/times.csv"):
        (site / name).write_text((site / name).read_text().replace("1", "2", 1))
    (site / "accuracy.svg").unlink()
    (site / "extra.html").write_text("")
    found = [line.split(" ")[0].split(":")[0] for line in build.check(site)]
    assert found == ["accuracy.svg", "data/times.csv", "extra.html", "matrix.svg"]


@pytest.mark.sweep
def test_a_record_that_was_changed_is_found(site: Path) -> None:
    """With the checksum as it was, and by somebody who mends the checksum as well."""
    path = site / "data" / sources.RUN
    lines = lzma.decompress(path.read_bytes()).splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if b'"Agrees"' in line)
    changed = lines[number].replace(b'["Agrees",', b'["Agrees",1', 1)
    path.write_bytes(lzma.compress(b"".join([*lines[:number], changed, *lines[number + 1 :]])))
    with pytest.raises(JournalError, match=rf":{number + 1}: the line is damaged"):
        build.check(site)
    path.write_bytes(lzma.compress(b"".join([*lines[:number], mended(changed), *lines[number + 1 :]])))
    assert {"data/cells.csv", "table.csv", "table.html"} <= {line.split(":")[0] for line in build.check(site)}


def mended(line: bytes) -> bytes:
    """A line that was changed, with the checksum that it has now."""
    body = line[len(b'{"crc":"xxxxxxxx","record":') : -2]
    return b'{"crc":"%08x","record":%s}\n' % (zlib.crc32(body), body)


@pytest.mark.sweep
def test_a_benchmark_of_recipes_that_are_unknown_is_refused(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "bench.jsonl").read_bytes().splitlines(keepends=True)
    assert b"/native/torch/" in b"".join(lines)
    old = [mended(line.replace(b"/native/torch/", b"/seed/torch/")) for line in lines]
    (tmp_path / "bench.jsonl").write_bytes(b"".join(old))
    with pytest.raises(
        sources.CannotReport, match="does not have: pos_weight/seed/torch, sparse_class_weight/seed/torch"
    ):
        sources.load(folder / "run.jsonl", tmp_path / "bench.jsonl")


@pytest.mark.sweep
def test_other_versions_of_what_draws_are_said(site: Path) -> None:
    (site / "data/made-with.txt").write_text("jinja2 1.0\nmatplotlib 1.0\n")
    with pytest.raises(sources.CannotReport, match=r"made with jinja2 1.0, matplotlib 1.0, but here are lossvet "):
        build.check(site)


# Incomplete, disturbed -----------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_what_is_not_complete_is_refused_and_stamped_if_wanted(folder: Path) -> None:
    done = lossvet("report", "--run", "run.jsonl", "--out", "refused", cwd=folder, expect=3)  # and no bench-*.jsonl
    assert "not complete: the run does not cover everything" in done.stderr
    assert "there is no benchmark" in done.stderr
    assert not (folder / "refused").exists()
    assert "the benchmark has other frameworks or versions than the run" in (folder / "site/index.html").read_text()
    assert "the benchmark has 2 processes per framework" in (folder / "site/index.html").read_text()
    for page in (folder / "site").rglob("*.html"):
        assert "<strong>Partial report:</strong> " in page.read_text(), page
        assert "the run does not cover everything: lossvet run --full has other values of" in page.read_text(), page


@pytest.mark.sweep
def test_a_run_that_was_cut_short_is_told(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "run.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "run.jsonl").write_bytes(b"".join(lines[: len(lines) // 2]))
    done = lossvet("report", "--run", "run.jsonl", "--out", "site", cwd=tmp_path, expect=3)
    assert re.search(r"the run is unfinished: [\d,]+ of [\d,]+ checks are missing", done.stderr)


LIMITED = """
import resource, sys
from pathlib import Path
from lossvet.reference import variants
from lossvet.reports import speed
from lossvet.reports.site import build
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
build.write({"index.html": b"new", "big": b"x" * 50_000}, Path(sys.argv[1]))
"""


@pytest.mark.sweep
def test_a_full_disk_leaves_the_old_site_whole(site: Path) -> None:
    before = {p: p.read_bytes() for p in site.rglob("*") if p.is_file()}
    done = subprocess.run([sys.executable, "-c", LIMITED, str(site)], capture_output=True, text=True)
    assert done.returncode != 0
    assert "File too large" in done.stderr
    assert {p: p.read_bytes() for p in site.rglob("*") if p.is_file()} == before
    assert [p.name for p in site.parent.iterdir()] == ["site"], "what was begun is cleared away"


FOREVER = """
import itertools, sys
from pathlib import Path
from lossvet.reference import variants
from lossvet.reports import speed
from lossvet.reports.site import build
for n in itertools.count():
    files = ["index.html", "data/conformance.jsonl.xz", *(f"variants/{k}.html" for k in range(20))]
    build.write({name: b"%d" % n for name in files}, Path(sys.argv[1]))
    print(flush=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_whole_site(tmp_path: Path) -> None:
    out = tmp_path / "site"
    for turn in range(8):
        process = subprocess.Popen([sys.executable, "-c", FOREVER, str(out)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.003 * turn)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        texts = [p.read_bytes() for p in out.rglob("*") if p.is_file()]
        assert len(texts) == 22
        assert len(set(texts)) == 1


def test_a_folder_that_is_no_site_is_not_replaced(tmp_path: Path) -> None:
    for name in ("thesis.tex", "index.html"):
        (tmp_path / name).write_text("years of work")
        with pytest.raises(sources.CannotReport, match="does not hold exactly one site"):
            build.write({"index.html": b""}, tmp_path)
        assert (tmp_path / name).read_text() == "years of work"


@pytest.mark.sweep
def test_a_site_beside_other_things_is_not_replaced(site: Path) -> None:
    (site / ".git").mkdir()
    with pytest.raises(sources.CannotReport, match="does not hold exactly one site"):
        build.write({"index.html": b""}, site)
    assert (site / ".git").exists()


# Two runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_a_framework_has_one_mark_and_one_colour_in_all_pictures(folder: Path) -> None:
    legends = []
    for name in ("accuracy.svg", "speed.svg"):
        legend = (folder / "site" / name).read_text().partition('id="legend_1"')[2]
        colours = re.findall(r"fill: (var\(--c\w+\))[^<]*</defs>|<use [^>]*fill: (var\(--c\w+\))", legend)
        words = re.findall(r"<text[^>]*>([^<]+)</text>", legend)
        legends.append(dict(zip(words, [a or b for a, b in colours if (a or b)], strict=False)))
    first, *others = legends
    assert first
    for other in others:
        assert other
        assert all(first[name] == colour for name, colour in other.items() if name in first)


@pytest.mark.parametrize("up", [-np.inf, np.inf])
def test_a_picture_is_the_same_where_the_last_bits_of_floats_are_others(
    up: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {f"loss {i}": {"a": 1.1 + i / 7, "b": 30.3 / (i + 1)} for i in range(9)}

    def drawn(values: Any) -> str:
        with figures.settings():
            return figures.dots(values, ["a", "b"], "ulp")

    first, axes = drawn(values), figures._axes
    monkeypatch.setattr(figures, "_axes", lambda height: axes(float(np.nextafter(height, up))))
    moved = {name: {k: float(np.nextafter(v, up)) for k, v in own.items()} for name, own in values.items()}
    assert moved != values
    assert drawn(moved) == first
    assert "shape-1" in first
    assert not re.search(r"[mp][0-9a-f]{10}", first)


def judged(ulp: float, accuracy: str = "relative", case: str = "v/a") -> Any:
    from lossvet.conformance import records
    from lossvet.conformance.types import Agrees

    verdict = Agrees(0.1, ulp, ulp, accuracy, 0.0)  # type: ignore[arg-type]  # of the literals
    return records.Judged("v/native/f/eager/float32/cpu", case, 0.0, 0, {"loss/none": records.compact(verdict)})


def test_what_became_better_worse_new_and_gone() -> None:
    before = [judged(1.0), judged(9.0, case="v/b"), judged(1.0, case="v/c"), judged(1.0, "relative", "v/d")]
    after = [judged(3.0), judged(1.0, case="v/b"), judged(1.0, "absolute", "v/d"), judged(1.0, case="v/e")]
    found = [(c.change, c.what, c.first) for c in compare.compare(before, after)]
    assert found == [
        ("worse", "larger error", "v/a loss/none"),
        ("worse", "relative -> absolute", "v/d loss/none"),
        ("better", "smaller error", "v/b loss/none"),
        ("new", "agrees", "v/e loss/none"),
        ("gone", "agrees", "v/c loss/none"),
    ]
    assert compare.compare(before, before) == []


@pytest.mark.sweep
def test_two_runs_on_the_page(folder: Path) -> None:
    words = ("report", "--run", "run.jsonl", "--against", "run.jsonl", "--partial", "--out", "both")
    lossvet(*words, cwd=folder)
    assert "0 checks worse, 0 checks better, 0 checks new, 0 checks gone." in (folder / "both/index.html").read_text()
    lossvet("report", "--check", "both", cwd=folder)


# What the facts say --------------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_what_tells_spellings_apart_is_what_was_judged(folder: Path) -> None:
    result, _ = run.loaded(folder / "run.jsonl")
    own = facts.spellings(result)
    (torch,) = [s for s in own["sparse_class_weight"]["torch"] if s.recipe == "native"]
    (tf1,) = [s for s in own["sparse_class_weight"]["tensorflow_v1"] if s.recipe == "native_losses"]
    assert (torch.without, torch.divides) == (("class_weight",), {"the sum of the weights": ""})
    assert tf1.without == ()
    assert tf1.divides == {
        "the number of weights that are not 0": "",
        "the number of losses that count": "reduction=Reduction.SUM_OVER_BATCH_SIZE",
        "the sum of the weights": "reduction=Reduction.MEAN",
    }
    changed = {(m.old.framework, m.new.framework): m.changes for m in moves.moves(own["sparse_class_weight"])}
    there = changed["tensorflow_v1", "torch"]
    assert "no gradient into class_weight any more" in there
    assert "it takes no sample weights" in there
    assert "rows can be ignored" in there
    before = "the number of weights that are not 0"
    assert f"its mean divides by the sum of the weights, and no longer by {before}{YOURSELF}" in there
    assert "no mean divides by the number of losses that count any more" in there
    (bce,) = [s for s in own["pos_weight"]["torch"] if s.recipe == "native"]
    assert bce.without == ("pos_weight",)
    assert bce.deviations.keys() == {"infinite_binary_logit_is_nan"}


YOURSELF = "; to preserve that, divide the sum yourself"
KERAS = {"the rows": "", "the weights": "reduction='mean_with_sample_weight'"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            {"the weights": ""},
            KERAS,
            [f"its mean divides by the rows, and no longer by the weights ({KERAS['the weights']} does)"],
        ),
        (
            KERAS,
            {"the weights": ""},
            [f"its mean divides by the weights, and no longer by the rows{YOURSELF}"],
        ),
        (KERAS, {"the rows": ""}, ["no mean divides by the weights any more"]),
        (KERAS, {}, ["you write the reduction yourself; the mean divided by the rows"]),
        ({}, KERAS, ["its mean divides by the rows"]),
        ({}, {}, []),
        (KERAS, KERAS, []),
    ],
)
def test_a_move_says_by_what_the_mean_divides_unasked(
    old: dict[str, str], new: dict[str, str], words: list[str]
) -> None:
    def offer(framework: str, divides: dict[str, str]) -> list[facts.Spelling]:
        return [facts.Spelling("sparse", framework, "native", "f()", divides, True, True, accuracy="relative")]

    move, _ = moves.moves({"a": offer("a", old), "b": offer("b", new)})
    assert list(move.changes) == words


def test_every_symptom_of_the_ledger_does_one_harm() -> None:
    """So that no known deviation is missing on the main page."""
    harms = [shows for own in known.HARMS.values() for shows in own]
    assert sorted(harms) == sorted([*deviant.MODELS, *deviant.KINDS, deviant.WHOLE])


# In a browser --------------------------------------------------------------------------------------------------------

AXE = "axe_playwright_python"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium without a network."""
    for there, what in ((CHROMIUM, "Chromium"), (find_spec("playwright"), "Playwright"), (find_spec(AXE), AXE)):
        if not there:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not installed")
    playwright = importlib.import_module("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize(
    ("which", "name"),
    [
        pytest.param("made here", "index.html", marks=pytest.mark.sweep),
        pytest.param("made here", "variants/pos_weight.html", marks=pytest.mark.sweep),
        pytest.param("made here", "frameworks/torch.html", marks=pytest.mark.sweep),
        pytest.param("made here", "functions.html", marks=pytest.mark.sweep),
        pytest.param("made here", "table.html", marks=pytest.mark.sweep),
        pytest.param("made here", "speed.html", marks=pytest.mark.sweep),
        pytest.param("made here", "method.html", marks=pytest.mark.sweep),
        pytest.param("published", "index.html", marks=pytest.mark.slow),
    ],
)
def test_the_page_in_a_browser(chosen: Path, browser: Any, name: str, width: int, scheme: str) -> None:
    """No error, nothing from outside, nothing wider than the window, no violation that axe-core finds."""
    axe = importlib.import_module(f"{AXE}.sync_playwright").Axe()
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((chosen / name).as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert not said
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.run(page).response["violations"]
    assert not found, json.dumps([(v["id"], v["nodes"][0]["html"], v["nodes"][0].get("failureSummary")) for v in found])
    context.close()


@pytest.mark.sweep
def test_the_browser_finds_what_is_wrong(folder: Path, browser: Any, tmp_path: Path) -> None:
    """The same looks at a page with an error, a load from outside and an image without words."""
    axe = importlib.import_module(f"{AXE}.sync_playwright").Axe()
    page = browser.new_context(offline=True).new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    bad = tmp_path / "bad.html"
    bad.write_text("<img src=https://example.org/x.png><script>throw new Error('wrong')</script>")
    page.goto(bad.as_uri())
    assert said
    assert [url for url in asked if url.startswith("https:")]
    assert {"image-alt", "html-has-lang"} <= {v["id"] for v in axe.run(page).response["violations"]}
