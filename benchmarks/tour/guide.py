"""The guide: leads through all stops of a tour and writes the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console

from embodio.agent import Agent
from embodio.agent.errors import CannotDo
from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.evaluation.page import ShownField, shown_fields, shown_media
from embodio.benchmarks.tour.episode import TourEpisode, play_episode
from embodio.benchmarks.tour.stops import TourStop, of_frame, of_picture, of_scene, of_sound, of_words
from embodio.datasets.codecs.image_codec import decode_image
from embodio.datasets.errors import DatasetError
from embodio.datasets.pages.episode_page import Medium
from embodio.datasets.pages.html_page import html_page
from embodio.datasets.pages.pictures import picture, sound
from embodio.model import TaskRunner
from embodio.model.errors import ModelError
from embodio.model.example import Image
from embodio.model.processing.audio_features import SAMPLE_RATE
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.families import family_named
from embodio.model.writing import write_bytes
from embodio.train.command_line.threads import threads

if TYPE_CHECKING:
    from embodio.benchmarks.tour.tour import TourConfig

PAGE = "tour.html"
_THINGS = ("red cube", "robot arm")
_QUESTIONS = ("what colour is the cube?", "is the gripper open or closed?")
_DRAWN = "a red cube and a blue ball on a table"


@dataclass(frozen=True)
class Answered:
    """A stop on the page: its title, the answer, and the right one where it is known."""

    title: str
    answer: Sequence[ShownField]
    truth: Sequence[ShownField] = ()


@dataclass(frozen=True)
class Part:
    """One part of the page: the picture or sound that it is about, and what is asked."""

    seen: Sequence[ShownField]
    stops: Sequence[Answered]


def show(config: TourConfig, console: Console | None = None) -> Path:
    """Plays the episode, asks everything, and writes the page; returns its file.

    Raises:
        EnvError, AgentError, DatasetError: as `play_episode` and `of_scene`.
        BenchmarkError: the simulator failed, or the picture cannot be read.
        WriteError: the disk is full, or the folder cannot be written.
    """
    console = console or Console(stderr=True)
    torch.set_num_threads(threads(config.threads, usual=torch.get_num_threads()))
    given = None if not config.picture else _read(Path(config.picture))
    config.out.mkdir(parents=True, exist_ok=True)
    with console.status("it acts"):
        agent, episode = play_episode(config.agent, config.env, config.seed, config.spoken, config.out)
    frame = episode.first[agent.format.cameras[0].name]
    parts: dict[str, Part] = {}

    def visit(name: str, stops: Sequence[TourStop]) -> list[Answered]:
        with console.status(name):
            answered = [_answered(agent.tasks, stop, config.seed) for stop in stops]
        parts[name] = Part(shown_media(stops[0].asked.media), answered)
        return answered

    if episode.heard is not None:
        visit("It hears", [of_sound(episode.heard)])
    visit("On the frame that it saw first", of_frame(frame, _THINGS, _QUESTIONS))
    scene = visit("On a scene that it has never seen", of_scene(config.seed, config.out / "scene"))
    said = _first_text(scene)
    if given is not None:
        said = _first_text(visit("On a picture of yours", of_picture(given)))
    visit("It draws, and says what it saw", list(of_words(_DRAWN, said)))
    page = config.out / PAGE
    write_bytes(page, _page(config, agent, episode, parts))
    answers = sum(len(part.stops) for part in parts.values())
    done = f"{episode.result.status} after {episode.result.steps} steps"
    console.print(f"{page.resolve().as_uri()}: {done}, {answers} answers", soft_wrap=True)
    return page


def _read(file: Path) -> Image:
    try:
        return decode_image(file.read_bytes())
    except (OSError, DatasetError) as error:
        raise BenchmarkError(f"picture: {file}: {error}") from error


def _answered(runner: TaskRunner, stop: TourStop, seed: int) -> Answered:
    """The answer to one stop; why there is none, where the network cannot give it."""
    kind, asked = family_named(stop.family), stop.request
    try:
        answer: Any = runner.run(stop.family, [asked], seeds=seed)[0]
    except ModelError as error:  # it cannot give such answers, or not about such a picture
        return Answered(stop.title, [ShownField("none", str(error))])
    image, names = asked.media.image, kind.answer[:1]
    found = [ShownField("none", str(answer))] if isinstance(answer, AnswerError) else shown_fields(answer, names, image)
    return Answered(stop.title, found, shown_fields(stop.asked, names, image) if stop.known else ())


def _first_text(answered: Sequence[Answered]) -> str:
    """The first answer, of a caption; what is said of nothing where it is empty."""
    return answered[0].answer[0].text if answered[0].answer else "nothing"


def _page(config: TourConfig, agent: Agent, episode: TourEpisode, parts: Mapping[str, Part]) -> bytes:
    told = [sound(episode.heard, SAMPLE_RATE)] if episode.heard is not None else []
    return html_page(
        "embodio.benchmarks.tour",
        "tour.html",
        title=f"What {Path(config.agent).name} can do",
        environment=config.env,
        seed=config.seed,
        parameters=sum(one.numel() for one in agent.model.parameters()),
        instruction=episode.instruction,
        told=told,
        status=episode.result.status,
        steps=episode.result.steps,
        video=episode.video.read_bytes(),
        goal=_goal(agent, episode, config.seed),
        judged={
            name: f"{'accepted' if one.accepted else 'refused'}, typicality {one.typicality:.3f}"
            for name, one in episode.judged.items()
        },
        parts=parts,
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
