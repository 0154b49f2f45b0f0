"""What a browser makes of a page: its tags with their attributes, and its text, in order."""

from __future__ import annotations

from html.parser import HTMLParser

Event = tuple[str, str, tuple[tuple[str, str | None], ...]]


class _Events(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Event] = []
        self._code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(("begin", tag, tuple(attrs)))
        self._code = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self.found.append(("end", tag, ()))
        self._code = False

    def handle_data(self, data: str) -> None:
        if data.strip("\n") and not self._code:
            self.found.append(("text", data.strip("\n"), ()))


def html_events(page: bytes) -> list[Event]:
    """Tags, attributes and text; style, script and line breaks between elements left out."""
    reader = _Events()
    reader.feed(page.decode("utf-8"))
    reader.close()
    return reader.found
