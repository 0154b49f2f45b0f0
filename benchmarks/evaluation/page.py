"""The page of an evaluation: figures, and worst and random examples as pictures and sounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from embodio.benchmarks.evaluation.suite import SuiteTask
from embodio.datasets.pages.episode_page import Medium
from embodio.datasets.pages.html_page import html_page
from embodio.datasets.pages.pictures import picture, sound, spectrogram
from embodio.model.example import Image, Sound
from embodio.model.processing.audio_features import SAMPLE_RATE, Spectrogram, filled_log_mel, mel_power
from embodio.model.tasks.base.family import Annotation, InputMedia
from embodio.model.tasks.base.image_family import to_pixels
from embodio.model.tasks.errors import AnswerError

_COLOUR, _RING, _THICKNESS = (255, 60, 60), (255, 255, 255), 2
_LONGEST = 600  # characters of a text that are shown

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ShownField:
    """One field of an annotation: its name, a text or media."""

    name: str
    text: str = ""
    media: Sequence[Medium] = ()


@dataclass(frozen=True)
class EvaluationExample:
    """One item on the page.

    Attributes:
        key: of the item.
        score: its main figure.
        given: what was asked.
        truth: the right answer.
        answer: the answer, or why it could not be read.
    """

    key: str
    score: float
    given: Sequence[ShownField]
    truth: Sequence[ShownField]
    answer: Sequence[ShownField]


@dataclass(frozen=True)
class TaskPart:
    """One task on the page; `missing` says which items could not be asked."""

    name: str
    family: str
    items: int
    unreadable: int
    figures: Mapping[str, str]
    worst: Sequence[EvaluationExample]
    drawn: Sequence[EvaluationExample]
    missing: str = ""


def evaluation_page(suite: str, model: str, parts: Sequence[TaskPart]) -> bytes:
    """The whole page in UTF-8; texts are escaped."""
    title = f"{model} on {suite}"
    return html_page("embodio.benchmarks.evaluation", "evaluation.html", title=title, parts=parts)


def example_of(task: SuiteTask, key: str, score: float, truth: Annotation, answer: Any) -> EvaluationExample:
    """One item: what was asked, the right answer and the one that was found."""
    names = [one.name for one in dataclasses.fields(truth) if one.name != "media" and one.repr]
    asked = [name for name in names if name not in task.kind.answer]
    image = truth.media.image
    given = [*shown_media(truth.media), *shown_fields(truth, asked, image)]
    wrong = isinstance(answer, AnswerError)
    found = [ShownField("not readable", str(answer))] if wrong else shown_fields(answer, task.kind.answer, image)
    return EvaluationExample(key, score, given, shown_fields(truth, task.kind.answer, image), found)


def shown_fields(item: Any, names: Sequence[str], image: Image | None) -> list[ShownField]:
    """The fields of an annotation that are set."""
    found = []
    for name in names:
        value = getattr(item, name)
        if value is None or (isinstance(value, str | tuple | list) and not len(value)):
            continue
        found.append(_field(name, value, image))
    return found


def _field(name: str, value: Any, image: Image | None) -> ShownField:
    if name in ("drawn", "mask", "depth", "normals"):
        return ShownField(name, media=[picture(_as_picture(name, value))])
    if name == "sound":
        return ShownField(name, media=_heard(value))
    if name == "masks":
        return ShownField(name, text=f"{len(value)}", media=[picture(_as_picture("mask", one)) for one in value])
    if name == "people" and image is not None:
        points = [one.points[one.visible] for one in value]
        return ShownField(name, media=[picture(_with_points(image, np.concatenate(points)))])
    if name in ("box", "boxes", "subject", "object") and image is not None:
        return ShownField(name, text=_rounded(value), media=[picture(_with_boxes(image, value))])
    if name == "point" and image is not None:
        return ShownField(name, media=[picture(_with_points(image, np.asarray(value)[None]))])
    if name == "keypoints" and image is not None:
        return ShownField(name, media=[picture(_with_points(image, value.points[value.visible]))])
    text = ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    return ShownField(name, text[:_LONGEST])


def shown_media(media: InputMedia) -> list[ShownField]:
    """The pictures and sounds that are given."""
    found = [ShownField("image", media=[picture(media.image)])] if media.image is not None else []
    history = [picture(one) for one in media.image_history]
    sounds = [one for one in (*media.audio_history, media.audio) if one is not None]
    found += [ShownField("earlier images", media=history)] if history else []
    return found + [ShownField("sound", media=_heard(one)) for one in sounds]


def _as_picture(name: str, value: Any) -> Image:
    """The picture of an image, a mask, a depth or normals."""
    array = np.asarray(value)
    if name == "mask":
        return np.repeat(array[..., None], 3, axis=2).astype(np.uint8) * np.uint8(255)
    if name == "depth":
        return np.repeat((array / max(float(array.max()), 1e-6))[..., None], 3, axis=2).astype(np.float32)
    return ((array + 1) / 2).astype(np.float32) if name == "normals" else array


def _heard(heard: Sound) -> list[Medium]:
    if isinstance(heard, Spectrogram):
        return [picture(spectrogram(filled_log_mel(heard.power)))]
    return [sound(heard, SAMPLE_RATE), picture(spectrogram(filled_log_mel(mel_power(heard))))]


def _with_boxes(image: Image, boxes: Any) -> Pixels:
    drawn = np.ascontiguousarray(to_pixels(image))
    for top, left, bottom, right in np.rint(np.asarray(boxes).reshape(-1, 4)).astype(int).tolist():
        cv2.rectangle(drawn, (left, top), (right, bottom), _COLOUR, _THICKNESS)
    return drawn


def _with_points(image: Image, points: Any) -> Pixels:
    drawn = np.ascontiguousarray(to_pixels(image))
    for top, left in np.rint(points).astype(int).tolist():
        cv2.circle(drawn, (left, top), _THICKNESS + 2, _RING, -1)
        cv2.circle(drawn, (left, top), _THICKNESS, _COLOUR, -1)
    return drawn


def _rounded(boxes: Any) -> str:
    return "; ".join(" ".join(f"{one:.0f}" for one in box) for box in np.asarray(boxes).reshape(-1, 4))
