"""The files of a comparison: comparison.json and comparison.html."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodio.benchmarks.comparing.intervals_svg import Bar, intervals_svg
from embodio.datasets.pages.html_page import html_page
from embodio.model.writing import write_bytes, write_json

COMPARISON, PAGE = "comparison.json", "comparison.html"


@dataclass(frozen=True)
class ComparisonPage:
    """What the page shows.

    Attributes:
        a: A's name.
        b: B's name.
        verdict: the main verdict in words.
        caption: how it was compared.
        subject: what the picture is of, such as "Difference of success rates, A - B".
        bars: lines of the picture.
        margin: half the width of the band of the picture that counts as equal.
        note: what the band is.
        unit: unit of the picture's axis, of which the bars give hundredths.
        headings: of the table.
        rows: of the table.
        definition: what the columns mean.
        command: the command line that makes it again.
    """

    a: str
    b: str
    verdict: str
    caption: str
    subject: str
    bars: Sequence[Bar]
    margin: float
    note: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    definition: str
    command: str
    unit: str = "percentage points"

    def html(self) -> bytes:
        """The page in UTF-8."""
        title = f"{self.a} and {self.b} compared"
        picture = intervals_svg(self.bars, self.margin, self.unit)
        return html_page("embodio.benchmarks.comparing", "comparison.html", title=title, page=self, picture=picture)


def write_comparison(folder: Path, content: Mapping[str, Any], page: ComparisonPage) -> Path:
    """Writes both files into a folder, which is made if missing; returns the page."""
    write_json(folder / COMPARISON, content)
    path = (folder / PAGE).resolve()
    write_bytes(path, page.html())
    return path
