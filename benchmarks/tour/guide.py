"""The guide: leads through all stops of a tour, prints the answers and writes the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console

from embodio.agent import Agent
from embodio.agent.errors import CannotDo
from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.evaluation.page import ShownField, shown_media
from embodio.benchmarks.tour.answering import Answered, answered, judged
from embodio.benchmarks.tour.drawing import draw_one
from embodio.benchmarks.tour.episode import TourEpisode, TourPlay, play_episode
from embodio.benchmarks.tour.marks import Mark
from embodio.benchmarks.tour.stops import (
    TourStop,
    of_drawing,
    of_frame,
    of_name,
    of_picture,
    of_scene,
    of_sound,
    of_words,
)
from embodio.datasets.codecs.image_codec import decode_image
from embodio.datasets.errors import DatasetError
from embodio.datasets.pages.episode_page import Medium
from embodio.datasets.pages.html_page import html_page
from embodio.datasets.pages.pictures import picture, sound
from embodio.model.example import Image
from embodio.model.processing.audio_features import SAMPLE_RATE
from embodio.model.writing import write_bytes
from embodio.train.command_line.threads import threads

if TYPE_CHECKING:
    from embodio.benchmarks.tour.tour import TourConfig

PAGE = "tour.html"
ROUGH = (
    "Rough: small networks draw smears, and what they say aloud has the rhythm of speech without its words; "
    "docs/generalist.md says how rough."
)
"""What a person should know before looking at drawings or listening."""
_THINGS = ("red cube", "robot arm")
_DRAWN = "a red cube and a blue ball on a table"


@dataclass(frozen=True)
class Part:
    """One part of the page: the picture or sound that it is about, what is asked, and what to know about it."""

    seen: Sequence[ShownField]
    stops: list[Answered] = field(default_factory=list)
    note: str = ""


class Guide:
    """Asks an agent, prints each answer and collects all of them.

    Args:
        agent: whose network answers.
        seed: of what is drawn at random.
        console: where the answers are printed.
    """

    def __init__(self, agent: Agent, seed: int, console: Console) -> None:
        self._agent, self._seed, self._console = agent, seed, console
        self.parts: dict[str, Part] = {}

    def visit(self, name: str, stops: Sequence[TourStop], note: str = "") -> Part:
        """Asks everything about one thing."""
        part = self.parts[name] = Part(shown_media(stops[0].asked.media), note=note)
        self._console.print(name, style="bold", highlight=False)
        for stop in stops:
            with self._console.status(stop.title):
                found = answered(self._agent.tasks, stop, self._seed)
            self.add(part, found)
        return part

    def add(self, part: Part, found: Answered) -> None:
        """Puts one more answer on a part of the page."""
        part.stops.append(found)
        self._console.print(found.line, markup=False, highlight=False, soft_wrap=True)

    def say(self, part: Part) -> None:
        """Has the name that was given first said aloud."""
        self.add(part, answered(self._agent.tasks, of_name(part.stops[0].text or "nothing"), self._seed))


def show(config: TourConfig, console: Console | None = None) -> Path:
    """Plays the episodes, asks everything, and writes the page; returns its file.

    Raises:
        EnvError, AgentError, DatasetError: as `play_episode`, `draw_one` and `of_scene`.
        BenchmarkError: the simulator failed, or the picture cannot be read.
        WriteError: the disk is full, or the folder cannot be written.
    """
    console = console or Console(stderr=True)
    torch.set_num_threads(threads(config.threads, usual=torch.get_num_threads()))
    given = None if not config.picture else _read(Path(config.picture))
    config.out.mkdir(parents=True, exist_ok=True)
    with console.status("it acts"):
        agent, episode = play_episode(config.agent, config.env, config.seed, config.spoken, config.absent, config.out)
    done = f"{episode.result.status} after {episode.result.steps} steps"
    console.print(f"It acts: {done}", highlight=False)
    guide = Guide(agent, config.seed, console)
    if episode.heard is not None:
        guide.visit("It hears", [of_sound(episode.heard, episode.said)])
    frame = guide.visit(
        "On the frame that it saw first",
        of_frame(episode.first[agent.format.cameras[0].name], _THINGS, episode.known),
    )
    for name, judgement in episode.judged.items():
        guide.add(frame, judged(name, judgement, expected=name == "its own action"))
    guide.visit("On a scene that it has never seen", of_scene(config.seed, config.out / "scene"))
    guide.say(guide.visit("On a picture that was drawn for it", [of_drawing(draw_one(config.seed))], ROUGH))
    if given is not None:
        guide.say(guide.visit("On a picture of yours", of_picture(given), ROUGH))
    guide.visit("It draws", [of_words(_DRAWN)], ROUGH)
    absent = None if episode.absent is None else went(config.absent, episode.absent, agent.may_abstain)
    if absent is not None:
        console.print("Asked for something that is not there", style="bold", highlight=False)
        console.print(absent.line, markup=False, highlight=False, soft_wrap=True)
    page = config.out / PAGE
    write_bytes(page, _page(config, agent, episode, guide.parts, absent))
    marks = [one.mark.right for part in guide.parts.values() for one in part.stops if one.mark is not None]
    answers = sum(len(part.stops) for part in guide.parts.values())
    counted = f"{answers} answers, {sum(marks)} right of {len(marks)} with a known truth"
    console.print(f"{page.resolve().as_uri()}: {done}, {counted}", soft_wrap=True)
    return page


def went(words: str, played: TourPlay, may_abstain: bool) -> Answered:
    """What it did when it was asked for what is not there."""
    result = played.result
    if result.status == "abstained":
        when = "before its first action" if not result.steps else f"after {result.steps} steps"
        said = f"it refused {when}: {result.message}"
    elif result.status == "error":
        said = f"the simulator failed: {result.message}"
    else:
        task = ", and so did its own task instead" if result.status == "success" else ""
        why = "" if may_abstain else "; this policy has not learned to refuse"
        said = f"it acted all the same for {result.steps} steps{task} ({result.status}){why}"
    mark = None if result.status == "error" else Mark(result.status == "abstained")
    return Answered(f"“{words}”", [ShownField("did", said)], [ShownField("right", "to refuse")], mark)


def _read(file: Path) -> Image:
    try:
        return decode_image(file.read_bytes())
    except (OSError, DatasetError) as error:
        raise BenchmarkError(f"picture: {file}: {error}") from error


def _page(
    config: TourConfig, agent: Agent, episode: TourEpisode, parts: Mapping[str, Part], absent: Answered | None
) -> bytes:
    told = [sound(episode.heard, SAMPLE_RATE)] if episode.heard is not None else []
    film = None if episode.absent is None else episode.absent.video
    return html_page(
        "embodio.benchmarks.tour",
        "tour.html",
        title=f"What {Path(config.agent).name} can do",
        environment=config.env,
        seed=config.seed,
        parameters=sum(one.numel() for one in agent.model.parameters()),
        instruction=episode.instruction,
        said=episode.said,
        told=told,
        status=episode.result.status,
        steps=episode.result.steps,
        video=episode.video.read_bytes(),
        goal=_goal(agent, episode, config.seed),
        rough=ROUGH,
        parts=parts,
        absent=absent,
        absent_video=None if film is None else film.read_bytes(),
    )


def _goal(agent: Agent, episode: TourEpisode, seed: int) -> Mapping[str, Medium]:
    """The end as the network imagines it, between the first frame and the last one; empty where it does not draw."""
    try:
        drawn = agent.imagine(episode.instruction, episode.first, seed=seed)
    except CannotDo:
        return {}
    shown = {
        "at the beginning": _seen(agent, episode.first),
        "imagined": drawn,
        "at the end": _seen(agent, episode.last),
    }
    return {name: picture(image) for name, image in shown.items()}


def _seen(agent: Agent, observation: Mapping[str, Any]) -> Image:
    """The cameras side by side."""
    return np.concatenate([observation[camera.name] for camera in agent.format.cameras], axis=1)
