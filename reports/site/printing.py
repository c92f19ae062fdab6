"""The pages of a site as HTML: templates, filled. Everything from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lossvet.adapters.spelling import title
from lossvet.reports import terminal
from lossvet.reports.site import framework_page, known, pages, publication, timings, variant_page
from lossvet.reports.site.facts import Spelled
from lossvet.reports.site.publication import Publication
from lossvet.reports.site.sources import Sources
from lossvet.verify import upgrade_table
from lossvet.workers.messages import Hello

SECTIONS = {
    "index.html#findings": "Findings",
    "index.html#matrix": "Matrix",
    "index.html#glance": "At a glance",
    "functions.html": "Functions",
    "table.html": "The table",
    "speed.html": "Speed",
    "deviations.html": "Known deviations",
    "method.html": "Method and data",
}


def _once(sources: Sources, spelled: Spelled, raw: Mapping[str, bytes], own: Publication) -> dict[str, Any]:
    """By template, the pages that there are once."""
    return {
        "functions": {"title": "Functions", "listings": pages.functions(sources, spelled)},
        "table": publication.page(sources, own),
        "speed": {
            "title": "Speed",
            "glance": timings.glance(sources),
            "listings": [t for t in (timings.across(sources), timings.growth(sources)) if t],
        },
        "deviations": {"title": "Known deviations", "known": known.deviations(sources)},
        "method": {**pages.method(sources, raw), "upgraded": upgrade_table.read(), "cited": own.cited(sources)},
    }


def printed(
    sources: Sources, spelled: Spelled, index: Mapping[str, Any], raw: Mapping[str, bytes], own: Publication
) -> dict[str, str]:
    """Every page, by its path."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lossvet.reports.site", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    there = [name for name, greeting in sources.result.greetings.items() if isinstance(greeting, Hello)]
    shared = {
        "lacking": sources.lacking,
        "titles": {name: title(name) for name in sources.result.greetings},
        "sections": SECTIONS,
        "losses": list(spelled),
        "there": {name: title(name) for name in there},
    }

    def made(template: str, root: str, given: Mapping[str, Any]) -> str:
        text: str = environment.get_template(f"{template}.html").render(**shared, root=root, **given)
        return text

    once = {f"{name}.html": made(name, "", given) for name, given in _once(sources, spelled, raw, own).items()}
    return {
        "style.css": environment.get_template("style.css").render(),
        "index.html": made("index", "", index),
        **once,
        **{f"variants/{v}.html": made("variant", "../", variant_page.variant(sources, spelled, v)) for v in spelled},
        **{
            f"frameworks/{f}.html": made("framework", "../", framework_page.framework(sources, spelled, f))
            for f in there
        },
    }


def _printable(value: Any) -> Any:
    """What a template prints: of text from outside, nothing that moves a cursor or turns a line around."""
    return terminal.plain(value) if type(value) is str else value
