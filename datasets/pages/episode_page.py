"""The page that shows episodes: one offline HTML file with videos, plots and tokens embedded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embodio.datasets.pages.html_page import html_page

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class TokenTable:
    """The tokens of an episode as the model sees them.

    Attributes:
        note: how they were made.
        columns: names of the columns.
        rows: one row of texts for each step.
    """

    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Medium:
    """A picture or a sound.

    Attributes:
        kind: its type, such as "image/png" or "audio/wav".
        data: the content of such a file.
    """

    kind: str
    data: bytes


@dataclass(frozen=True)
class EpisodePage:
    """The content of the page for one episode.

    Attributes:
        title: heading.
        instruction: words, or words, pictures and sounds in order.
        facts: number of steps and metadata, name -> value.
        videos: camera -> mp4.
        plots: field -> its SVGs; the first two fields are open, the others fold out.
        tokens: as the model sees them; None where the robot is not known.
        sounds: microphone -> what it heard.
    """

    title: str
    instruction: str | Sequence[str | Medium]
    facts: Mapping[str, str]
    videos: Mapping[str, bytes]
    plots: Mapping[str, Sequence[Markup]]
    tokens: TokenTable | None = None
    sounds: Mapping[str, Medium] = field(default_factory=dict)


def page_html(title: str, facts: Mapping[str, str], episodes: Sequence[EpisodePage]) -> bytes:
    """The whole page in UTF-8; no text of a data set is read as markup, and what UTF-8 cannot hold becomes "?".

    Args:
        title: of the page.
        facts: about the data set, name -> value.
        episodes: in order.
    """
    return html_page("embodio.datasets.pages", "episodes.html", title=title, about=facts, episodes=episodes)
