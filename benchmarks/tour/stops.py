"""The stops of a tour: what is asked about the robot's frame, about a made-up scene, a picture and a sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from embodio.benchmarks.tour.drawing import Drawing
from embodio.datasets.annotations import read_annotations
from embodio.datasets.corpus.robots.photographer import ROBOT, Shot
from embodio.datasets.corpus.scenes.camera import surface_normals
from embodio.datasets.corpus.scenes.wording import NUMBERS, places_of, plural
from embodio.datasets.corpus.shards import ShardJob, make_shard
from embodio.datasets.corpus.source import CorpusItem
from embodio.datasets.corpus.sources.robots import captions
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
from embodio.model.tasks.families.normals import NormalsItem
from embodio.model.tasks.families.point import Pointed
from embodio.model.tasks.families.refer import Reference
from embodio.model.tasks.families.segment import Segmented

Mask = npt.NDArray[np.bool_]

_FURTHEST = 4.0  # m that are drawn white, as annotations of the corpus have it
_SCENES = (
    ("caption", 1),
    ("answer_question", 6),
    ("refer", 2),
    ("point", 1),
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
        says: what a right text mentions; "" where texts are compared as they are, or not at all.
    """

    title: str
    family: str
    asked: Annotation
    known: bool = False
    says: str = ""

    @property
    def request(self) -> Annotation:
        """The annotation without its answer."""
        return family_named(self.family).request(self.asked)


def of_frame(frame: Image, things: Sequence[str], known: Shot | None = None) -> list[TourStop]:
    """Everything about one frame of a robot.

    Args:
        frame: uint8 [H, W, 3].
        things: names such as "red cube" of things to ask for, where the simulator does not know them.
        known: what the simulator knows of the frame, which has the right answers; None where people see them.
    """
    stops = [TourStop("What is there?", "caption", TextItem(media=InputMedia(image=frame)))]
    if known is None:
        return [*stops, *_about(frame, dict.fromkeys(things), None)]
    masks = {name: known.masks == value for value, name in [*enumerate(known.names, 1), (ROBOT, "robot arm")]}
    seen: dict[str, Mask | None] = {name: mask for name, mask in masks.items() if mask.any()}
    caption = captions(known, np.random.default_rng(0))[0]
    stops = [TourStop("What is there?", "caption", TextItem(media=InputMedia(image=frame), text=caption), known=True)]
    return [*stops, *_about(frame, seen, known)]


def _about(frame: Image, things: Mapping[str, Mask | None], known: Shot | None) -> Iterator[TourStop]:
    """Questions, places and pixels of things, and the pixels of the whole frame.

    Args:
        frame: as `of_frame`.
        things: name -> its pixels, if they are known.
        known: as `of_frame`.
    """
    seen = InputMedia(image=frame)
    first = next(iter(things))
    for question, answers in _questions(first, known):
        text = answers[0] if answers else None
        asked = Question(media=seen, question=question, text=text, references=answers)
        yield TourStop(question, "answer_question", asked, known=bool(answers))
    for name, mask in things.items():
        box = None if mask is None else box_of_mask(mask)
        middle = None if box is None else (box[:2] + box[2:]) / 2
        expression, sure = f"the {name}", mask is not None
        found = Reference(media=seen, expression=expression, box=box)
        yield TourStop(f"Where is {expression}?", "refer", found, sure)
        yield TourStop(
            f"Point at {expression}", "point", Pointed(media=seen, expression=expression, point=middle), sure
        )
        yield TourStop(f"Which pixels are {expression}?", "segment", Segmented(media=seen, name=name, mask=mask), sure)
    boxes = [box_of_mask(mask) for mask in things.values() if mask is not None]
    there = Detected(media=seen, boxes=np.array(boxes) if boxes else None, labels=tuple(things) if boxes else ())
    yield TourStop(_TITLES["detect"], "detect", there, bool(boxes))
    depth = None if known is None else np.minimum(known.depth / _FURTHEST, 1).astype(np.float32)
    yield TourStop(_TITLES["depth"], "depth", DepthItem(media=seen, depth=depth), known is not None)
    normals = None if known is None else surface_normals(known.depth, known.intrinsics)
    yield TourStop(_TITLES["normals"], "normals", NormalsItem(media=seen, normals=normals), known is not None)


def _questions(thing: str, known: Shot | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Questions about a thing and the gripper, with the right answers; none where they are not known."""
    colour, _, noun = thing.rpartition(" ")
    count = 0 if known is None else sum(name.rpartition(" ")[2] == noun for name in known.names)
    colour = colour.rpartition(" ")[2]
    yield f"what colour is the {noun}?", (colour,) if count == 1 else ()
    yield f"where is the {noun}?", places_of(known.columns[0]) if known is not None and count == 1 else ()
    yield f"how many {plural(noun)} are there?", (NUMBERS[count],) if count else ()
    yield "is the gripper open or closed?", ("closed" if known.closed else "open",) if known is not None else ()


def box_of_mask(mask: Mask) -> npt.NDArray[np.float32]:
    """The box (y1, x1, y2, x2) around a mask bool [H, W] that is not empty, float32 [4]."""
    rows, columns = np.nonzero(mask)
    return np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1], np.float32)


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


def of_sound(heard: Waveform, said: str) -> TourStop:
    """What is said.

    Args:
        heard: float32 [samples] at 16 kHz.
        said: the words.
    """
    return TourStop("What is said?", "transcribe", TextItem(media=InputMedia(audio=heard), text=said), known=True)


def of_words(words: str) -> TourStop:
    """A picture of some words."""
    return TourStop(f"Draw {words}", "draw", Drawn(text=words))


def of_name(name: str) -> TourStop:
    """A name, said aloud."""
    return TourStop(f"Say: {name}", "make_sound", SoundItem(text=name, kind="speech"))


def of_drawing(drawing: Drawing) -> TourStop:
    """The name of a drawing."""
    asked = TextItem(media=InputMedia(image=drawing.image), text=drawing.caption)
    return TourStop("What is it?", "caption", asked, known=True, says=drawing.name)


def of_picture(image: Image) -> list[TourStop]:
    """The name and the things of any picture."""
    seen = InputMedia(image=image)
    return [
        TourStop("What is it?", "caption", TextItem(media=seen)),
        TourStop(_TITLES["detect"], "detect", Detected(media=seen)),
    ]


_TITLES: Mapping[str, str] = {
    "caption": "What is there?",
    "answer_question": "{question}",
    "refer": "Where is {expression}?",
    "point": "Point at {expression}",
    "detect": "Where is everything?",
    "segment": "Which pixels are the {name}?",
    "depth": "How far away is everything?",
    "normals": "Which way do surfaces face?",
}
