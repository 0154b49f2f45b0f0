"""A page of HTML in one file that needs no network: its shell, cards and safe text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<main>
{body}
</main>
{script}</body>
</html>
"""


def html_page(title: str, style: str, parts: Iterable[str], script: str = "") -> bytes:
    """The page in UTF-8; what UTF-8 cannot hold becomes "?".

    Args:
        title: as text.
        style: CSS.
        parts: HTML; empty ones are left out.
        script: JavaScript, run when all is there.
    """
    body = "\n".join(filter(None, parts))
    script = f"<script>\n{script}\n</script>\n" if script else ""
    page = _PAGE.format(title=html_text(title), style=style, body=body, script=script)
    return page.encode("utf-8", errors="replace")


def html_text(value: str) -> str:
    """Escaped text; control characters, which HTML does not allow, become U+FFFD."""
    clean = "".join(sign if (sign >= " " and sign != "\x7f") or sign in "\t\n" else "\ufffd" for sign in value)
    return escape(clean)


def html_card(title: str, content: str) -> str:
    """A section with a heading, where `title` is not empty; nothing where `content` is."""
    heading = f"<h2>{html_text(title)}</h2>\n" if title else ""
    return f'<section class="card">{heading}{content}\n</section>' if content else ""


def html_facts(facts: Mapping[str, str]) -> str:
    """A list of names and values, given as text."""
    rows = "\n".join(f"<dt>{html_text(name)}</dt><dd>{html_text(value)}</dd>" for name, value in facts.items())
    return f"<dl>\n{rows}\n</dl>"
