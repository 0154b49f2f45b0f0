"""What the records of `embodio-data corpus` say, as the fields of annotations; a function a family."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.media import HEARD, SEGMENT
from embodio.datasets.annotations.parts.record_sound import heard
from embodio.datasets.corpus.sentences import COLOURS
from embodio.datasets.corpus.voices import is_wanted, require_choice
from embodio.datasets.errors import DatasetError
from embodio.datasets.records.facts import texts_of, things_of
from embodio.datasets.records.record import Record
from embodio.model.processing.audio import segments_of_parts
from embodio.model.processing.video_files import Clip

GIVEN = ("", "image", "sound", "video", "video_with_sound")
_MILLIMETRES = 1000.0

Values = list[dict[str, Any]]


@dataclass(frozen=True)
class CorpusReading:
    """How records are read; the fields are those of `embodio.datasets.annotations.corpus.read_corpus`."""

    text: str = ""
    given: str = ""
    frames: int = 2
    furthest: float = 4.0
    voices: str = ""
    most: int = 0

    def checked(self) -> CorpusReading:
        """Itself; raises DatasetError if a value makes no sense."""
        require_choice(self.voices)
        if self.given not in GIVEN:
            listed = ", ".join(one for one in GIVEN if one)
            raise DatasetError(f"given: got {self.given!r}, expected one of {listed}, or nothing")
        if self.frames < 1 or self.most < 0 or not self.furthest > 0:
            raise DatasetError(
                f"frames, most and furthest: got {self.frames}, {self.most} and {self.furthest}, expected at least 1, "
                "at least 0, and metres above 0"
            )
        return self

    def hears(self, record: Record) -> bool:
        """Whether the voice of a record, if it has one, is among those that are wanted."""
        return is_wanted(record.facts, self.voices)

    def texts(self, record: Record) -> tuple[str, ...]:
        """The captions, or the fact that is the text."""
        if not self.text:
            return record.captions or ((record.text,) if record.text else ())
        if self.text == "transcript":
            return (record.transcript.strip(),) if record.transcript.strip() else ()
        return texts_of(record, self.text)

    def media(self, record: Record) -> dict[str, Any]:
        """The picture, sound or video that is given, decoded later; empty where the record does not have it."""
        given = self.given or next((one for one in ("image", "video", "sound") if _has(record, one)), "")
        if not given or not _has(record, given.partition("_")[0]):
            return {}
        if given == "image":
            return _picture(record)
        if given == "sound":
            return {"audio": partial(heard, record, HEARD)}
        return {"video": partial(_clip, record, self.frames, given == "video_with_sound")}


def _has(record: Record, what: str) -> bool:
    return getattr(record, what) is not None


def _picture(record: Record) -> dict[str, Any]:
    return {} if record.image is None else {"image": record.image.load}


def _clip(record: Record, frames: int, with_sound: bool) -> dict[str, Any]:
    """Frames at the middle of equal parts, the last one the main image, and perhaps the sound of each part."""
    if record.video is None:
        raise ValueError("the record has no video")
    video = record.video.load()
    count = len(video.frames)
    middles = [(2 * part + 1) * count // (2 * frames) for part in range(min(frames, count))]
    sounds: Sequence[Any] = ()
    if with_sound and video.sound is not None:
        sounds = segments_of_parts(video.sound, count / video.rate, len(middles))
    return Clip(tuple(video.frames[one] for one in middles), tuple(sounds)).inputs()


def _texts(record: Record, reading: CorpusReading) -> Values:
    """Each text about what is given, with all of them as references."""
    media, texts = reading.media(record), reading.texts(record)
    return [{**media, "text": one, "references": list(texts)} for one in texts] if media else []


def _questions(record: Record, reading: CorpusReading) -> Values:
    pairs = record.facts.get("questions") or _robot_questions(record)
    return [{**_picture(record), "question": question, "text": answer} for question, answer in pairs]


def _robot_questions(record: Record) -> list[tuple[str, str]]:
    """Questions about the gripper, and about the colour of each thing whose name is there once."""
    pairs = [("is the gripper open or closed?", str(record.facts["gripper"]))] if "gripper" in record.facts else []
    named = [label.rpartition(" ") for (label,) in things_of(record, "labels")]
    nouns = [noun for _, _, noun in named]
    asked = [(colour, noun) for colour, _, noun in named if colour in COLOURS and nouns.count(noun) == 1]
    return pairs + [(f"what colour is the {noun}?", colour) for colour, noun in asked]


def _categories(record: Record, reading: CorpusReading) -> Values:
    """The category of the picture, or of each box in it."""
    if reading.text:
        return [{**_picture(record), "text": one} for one in reading.texts(record)]
    return [{**_picture(record), "box": box, "text": label} for label, box in _things(record)]


def _things(record: Record) -> list[tuple[str, list[float]]]:
    """Name and box (y1, x1, y2, x2) of each thing that has an area."""
    things = things_of(record, "labels", "boxes")
    return [(label, box) for label, box in things if box[2] > box[0] and box[3] > box[1]]


def _detected(record: Record, reading: CorpusReading) -> Values:
    things = _things(record)
    boxes, labels = [box for _, box in things], [label for label, _ in things]
    return [{**_picture(record), "boxes": boxes, "labels": labels}] if things else []


def _localised(record: Record, reading: CorpusReading) -> Values:
    """The boxes of each name, and of each kind of thing, which is the last word of names."""
    things = _things(record)
    kinds = [(label.rpartition(" ")[2], box) for label, box in things]
    return [
        {**_picture(record), "name": name, "boxes": boxes, "labels": [name] * len(boxes), "named": False}
        for several in (things, [one for one in kinds if one not in things])
        for name, boxes in _by_name(several).items()
    ]


def _referred(record: Record, reading: CorpusReading) -> Values:
    """The box of each name that is there once."""
    named = _by_name(_things(record))
    return [
        {**_picture(record), "expression": f"the {name}", "box": boxes[0]}
        for name, boxes in named.items()
        if len(boxes) == 1
    ]


def _pointed(record: Record, reading: CorpusReading) -> Values:
    """The middle of the box of each name that is there once."""
    return [
        {key: value for key, value in one.items() if key != "box"}
        | {"point": [(one["box"][0] + one["box"][2]) / 2, (one["box"][1] + one["box"][3]) / 2]}
        for one in _referred(record, reading)
    ]


def _by_name(things: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    several: dict[str, list[Any]] = {}
    for name, value in things:
        several.setdefault(name, []).append(value)
    return several


def _segmented(record: Record, reading: CorpusReading) -> Values:
    """The mask of all things of each name."""
    if "masks" not in record.facts:
        return []
    return [
        {**_picture(record), "name": name, "mask": partial(_mask, record, values)}
        for name, values in _by_name(things_of(record, "labels", "mask_values")).items()
    ]


def _mask(record: Record, values: Sequence[int]) -> npt.NDArray[np.bool_]:
    return np.isin(record.facts["masks"].load(), values)


def _depth(record: Record, reading: CorpusReading) -> Values:
    if "depth" not in record.facts:
        return []
    return [{**_picture(record), "depth": partial(_metres, record, reading.furthest)}]


def _metres(record: Record, furthest: float) -> npt.NDArray[np.float32]:
    """Depth float32 [H, W] as a share of the furthest, at most 1."""
    millimetres = record.facts["depth"].load().astype(np.float32)
    return np.minimum(millimetres / (_MILLIMETRES * furthest), np.float32(1))


def _normals(record: Record, reading: CorpusReading) -> Values:
    return [{**_picture(record), "normals": partial(_directions, record)}] if "normals" in record.facts else []


def _directions(record: Record) -> npt.NDArray[np.float32]:
    """Directions float32 [H, W, 3] of length 1."""
    vectors = record.facts["normals"].load().astype(np.float32) / 127.5 - 1
    lengths = np.linalg.norm(vectors, axis=2, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-6)).astype(np.float32)


def _related(record: Record, reading: CorpusReading) -> Values:
    boxes, labels = record.facts.get("boxes", ()), record.facts.get("labels", ())
    return [
        {
            **_picture(record),
            **{"subject": boxes[one], "object": boxes[other], "text": relation},
            **{"subject_name": labels[one], "object_name": labels[other]},
        }
        for one, relation, other in record.facts.get("relations", ())
    ]


def _drawn(record: Record, reading: CorpusReading) -> Values:
    texts = reading.texts(record) if record.image is not None else ()
    return [{"text": one, "drawn": _picture(record)["image"]} for one in texts]


def _made_sound(record: Record, reading: CorpusReading) -> Values:
    """What is said, or what is heard in words."""
    if record.sound is None:
        return []
    if not reading.text and record.transcript:
        return [{"text": record.transcript, "kind": "speech", "sound": partial(heard, record, SEGMENT, True)}]
    return [{"text": one, "sound": partial(heard, record, SEGMENT)} for one in reading.texts(record)]


def _transcribed(record: Record, reading: CorpusReading) -> Values:
    said = record.transcript and record.sound is not None
    return [{"text": record.transcript, "audio": partial(heard, record, HEARD, True)}] if said else []


def _instructed(record: Record, reading: CorpusReading) -> Values:
    """A text that begins with a question, as the instruction and the answer to it."""
    question, mark, answer = record.text.partition("? ")
    return [{"instruction": f"{question}?", "text": answer}] if mark and answer.strip() else []


VALUES: Mapping[str, Callable[[Record, CorpusReading], Values]] = {
    "answer_question": _questions,
    "caption": _texts,
    "classify": _categories,
    "depth": _depth,
    "detect": _detected,
    "draw": _drawn,
    "follow_instruction": _instructed,
    "localise": _localised,
    "make_sound": _made_sound,
    "normals": _normals,
    "point": _pointed,
    "refer": _referred,
    "relate": _related,
    "segment": _segmented,
    "tag": _texts,
    "transcribe": _transcribed,
}
"""Family -> the fields of the annotations that a record gives for it."""
