"""The formats of verify and identify: a module each, by the name that --format takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lossvet.reports import verify_github, verify_json, verify_junit, verify_markdown, verify_text
from lossvet.verify.answer import Comparison, Identified

RENDERERS: Mapping[str, Callable[[Comparison], str]] = {
    "text": verify_text.text,
    "json": verify_json.render,
    "junit": verify_junit.render,
    "github": verify_github.render,
    "markdown": verify_markdown.render,
}

IDENTIFY_RENDERERS: Mapping[str, Callable[[Identified], str]] = {
    "text": verify_text.identified_text,
    "json": verify_json.render_identified,
    "markdown": verify_markdown.render_identified,
}
