"""The page that shows episodes: one HTML file with videos, plots and tokens inside, which needs no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

from embodio.datasets.pages.html_page import html_card, html_facts, html_page, html_text


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
    """What the page shows of one episode.

    Attributes:
        title: heading.
        instruction: what the robot was told: words, or words, pictures and sounds in order.
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
    plots: Mapping[str, Sequence[str]]
    tokens: TokenTable | None = None
    sounds: Mapping[str, Medium] = field(default_factory=dict)


def page_html(title: str, facts: Mapping[str, str], episodes: Sequence[EpisodePage]) -> bytes:
    """The whole page in UTF-8; no text of a data set is read as markup, and what UTF-8 cannot hold becomes "?".

    Args:
        title: of the page.
        facts: about the data set, name -> value.
        episodes: in order.
    """
    style, script = _part("visualise.css"), _part("visualise.js")
    links = "".join(
        f'<a href="#episode-{number}">{html_text(episode.title)}</a>' for number, episode in enumerate(episodes)
    )
    parts = [f"<h1>{html_text(title)}</h1>", f"<nav>{links}</nav>", html_card("Data set", html_facts(facts))]
    parts += [_episode(number, episode) for number, episode in enumerate(episodes)]
    return html_page(title, style, parts, script)


def _part(name: str) -> str:
    """A file that goes into every page."""
    return resources.files("embodio.datasets.pages").joinpath(name).read_text(encoding="utf-8")


def _episode(number: int, episode: EpisodePage) -> str:
    parts = [_told(episode.instruction), _videos(episode.videos), _slider(episode)]
    for name, sound in episode.sounds.items():
        parts.append(f'<figure class="sound">{_medium(sound)}<figcaption>{html_text(name)}</figcaption></figure>')
    for position, (name, plots) in enumerate(episode.plots.items()):
        shown = " open" if position < 2 else ""
        drawn = "".join(plots)
        parts.append(f'<details{shown}><summary>{html_text(name)}</summary><div class="plots">{drawn}</div></details>')
    if episode.tokens is not None:
        parts.append(_tokens(episode.tokens))
    parts.append(f"<details><summary>Metadata</summary>{html_facts(episode.facts)}</details>")
    steps = episode.facts.get("steps")
    title = f"{episode.title}, {steps} steps" if steps else episode.title
    content = "\n".join(filter(None, parts))
    counted = f' data-steps="{html_text(steps)}"' if steps else ""
    return f'<div id="episode-{number}"{counted}>{html_card(title, content)}</div>'


def _told(instruction: str | Sequence[str | Medium]) -> str:
    parts = [instruction] if isinstance(instruction, str) else instruction
    shown = " ".join(html_text(part) if isinstance(part, str) else _medium(part) for part in parts)
    return f'<p class="instruction">{shown}</p>'


def _medium(medium: Medium) -> str:
    data = f'src="data:{medium.kind};base64,{base64.b64encode(medium.data).decode("ascii")}"'
    return f'<img alt="a picture" {data}>' if medium.kind.startswith("image/") else f"<audio controls {data}></audio>"


def _slider(episode: EpisodePage) -> str:
    """Chooses the step that videos, plots and tokens show."""
    if "steps" not in episode.facts:
        return ""
    last = int(episode.facts["steps"]) - 1
    return (
        '<div class="steps"><button type="button">Pause</button><label>step <output>0</output></label>'
        f'<input type="range" min="0" max="{last}" value="0" aria-label="step"></div>'
    )


def _videos(videos: Mapping[str, bytes]) -> str:
    figures = "".join(
        '<figure><video loop muted autoplay playsinline src="data:video/mp4;base64,'
        f'{base64.b64encode(data).decode("ascii")}"></video><figcaption>{html_text(camera)}</figcaption></figure>'
        for camera, data in videos.items()
    )
    return f'<div class="videos">{figures}</div>' if figures else ""


def _tokens(tokens: TokenTable) -> str:
    head = "".join(f"<th>{html_text(column)}</th>" for column in tokens.columns)
    rows = "\n".join(f"<tr>{''.join(f'<td>{html_text(cell)}</td>' for cell in row)}</tr>" for row in tokens.rows)
    table = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>'
    note = f'<p class="note">{html_text(tokens.note)}</p>'
    return f"<details><summary>Tokens as the model sees them</summary>{note}{table if tokens.rows else ''}</details>"
