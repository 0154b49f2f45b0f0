"""The stops of a tour: what is asked about the robot's frame, about a made-up scene, a picture and a sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from embodio.datasets.annotations import read_annotations
from embodio.datasets.corpus.shards import ShardJob, make_shard
from embodio.datasets.corpus.source import CorpusItem
from embodio.datasets.corpus.sources.scenes import SOURCE
from embodio.model.example import Image, Waveform
from embodio.model.tasks.base.family import Annotation, InputMedia
from embodio.model.tasks.base.text_family import TextItem
from embodio.model.tasks.families import family_named
from embodio.model.tasks.families.answer_question import Question
from embodio.model.tasks.families.depth import DepthItem
from embodio.model.tasks.families.detect import Detected
from embodio.model.tasks.families.draw import Drawn
from embodio.model.tasks.families.make_sound import SoundItem
from embodio.model.tasks.families.refer import Reference
from embodio.model.tasks.families.segment import Segmented

_SCENES = (
    ("caption", 1),
    ("answer_question", 6),
    ("refer", 2),
    ("detect", 1),
    ("segment", 2),
    ("depth", 1),
    ("normals", 1),
)
"""Family -> how many of its items are asked about a made-up scene."""


@dataclass(frozen=True)
class TourStop:
    """One thing that is asked.

    Attributes:
        title: what it shows.
        family: name of the task family.
        asked: the annotation, with its answer where the right one is known.
        known: whether it is.
    """

    title: str
    family: str
    asked: Annotation
    known: bool = False

    @property
    def request(self) -> Annotation:
        """The annotation without its answer."""
        return family_named(self.family).request(self.asked)


def of_frame(frame: Image, things: Sequence[str], questions: Sequence[str]) -> list[TourStop]:
    """Everything about one frame of a robot, whose right answers people see.

    Args:
        frame: uint8 [H, W, 3].
        things: names to find.
        questions: about it.
    """
    seen = InputMedia(image=frame)
    stops = [TourStop("What is there?", "caption", TextItem(media=seen))]
    stops += [TourStop(question, "answer_question", Question(media=seen, question=question)) for question in questions]
    for name in things:
        stops.append(TourStop(f"Where is the {name}?", "refer", Reference(media=seen, expression=name)))
        stops.append(TourStop(f"Which pixels are the {name}?", "segment", Segmented(media=seen, name=name)))
    return [*stops, TourStop("How far away is everything?", "depth", DepthItem(media=seen))]


def of_scene(seed: int, folder: Path) -> list[TourStop]:
    """Questions about a scene that is made up now, with the right answers.

    Args:
        seed: of the scene.
        folder: where its record goes, as of a corpus.

    Raises:
        CorpusError, DatasetError: it cannot be rendered.
    """
    folder.mkdir(parents=True, exist_ok=True)
    job = ShardJob("scenes", "validation", 0, (CorpusItem(f"tour-{seed}", {}),), seed)
    make_shard(folder, SOURCE, job)
    place = job.path(folder, SOURCE.layout).parent
    stops = []
    for family, most in _SCENES:
        items = read_annotations("corpus", place, place, family_named(family))
        for item in list(items)[:most]:
            asked = item.make()
            stops.append(TourStop(_TITLES[family].format(**vars(asked)), family, asked, known=True))
    return stops


def of_sound(heard: Waveform) -> TourStop:
    """What is said."""
    return TourStop("What is said?", "transcribe", TextItem(media=InputMedia(audio=heard)))


def of_words(words: str, spoken: str) -> Iterator[TourStop]:
    """A picture of some words, and others read aloud."""
    yield TourStop(f"Draw {words}", "draw", Drawn(text=words))
    yield TourStop(f"Say: {spoken}", "make_sound", SoundItem(text=spoken, kind="speech"))


def of_picture(image: Image) -> list[TourStop]:
    """The name and the things of any picture."""
    seen = InputMedia(image=image)
    return [
        TourStop("What is it?", "caption", TextItem(media=seen)),
        TourStop("What is there?", "detect", Detected(media=seen)),
    ]


_TITLES: Mapping[str, str] = {
    "caption": "What is there?",
    "answer_question": "{question}",
    "refer": "Where is {expression}?",
    "detect": "Where is everything?",
    "segment": "Which pixels are the {name}?",
    "depth": "How far away is everything?",
    "normals": "Which way do surfaces face?",
}
