"""Templates of pages: every value is escaped, and a missing one is an error."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest

from embodio.datasets.pages.html_page import html_page, html_part
from tests.support.rooms import MAY_IMPORT, REPO

TEMPLATES = [path for room in MAY_IMPORT for path in (REPO / room).rglob("templates/*.html")]


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="episodes"):
        html_page("embodio.datasets.pages", "episodes.html", title="t", about={})


def test_parts_are_taken_as_they_are_and_text_is_not() -> None:
    values = {"label": "<1>", "width": 1, "height": 1, "margin": 0, "zero": None, "path": "M0 0"}
    part = html_part("embodio.datasets.pages", "plot.html", name="<&\x1b", **values)
    assert "<figcaption>&lt;&amp;\ufffd <span" in part and "&lt;1&gt;" in part
    assert html_part("embodio.datasets.pages", "plot.html", name=part, **values).count(str(part)) > 0


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_turns_escaping_off(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe|autoescape", text)
