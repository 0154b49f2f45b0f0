"""Miniatures of annotated data sets: drawn pictures, synthesised sounds, and what a format reads of a file."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np

from embodio.datasets.annotations import read_annotations
from embodio.datasets.annotations.parts.item import AnnotatedItems
from embodio.datasets.codecs.image_codec import encode_image
from embodio.model.tasks.base.family import Annotation
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.families import family_named
from tests.support.model import small
from tests.support.videos import write_video

HEIGHT, WIDTH = 40, 60
CODEC = TaskCodec.of(small.CONFIG, small.VOCABULARY)


def draw(folder: Path, *names: str, height: int = HEIGHT, width: int = WIDTH) -> None:
    """Writes a picture for each name, JPEG or PNG by its ending."""
    for name in names:
        pixels = np.random.default_rng(len(name)).integers(0, 256, (height, width, 3)).astype(np.uint8)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode_image(pixels, "png" if name.endswith("png") else "jpeg"))


def sing(folder: Path, *names: str, seconds: float = 1.0, rate: int = 16_000) -> None:
    """Writes a wav of one tone for each name."""
    for name in names:
        samples = 0.3 * np.sin(np.arange(int(seconds * rate)) * 2 * np.pi * 440 / rate)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(folder / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes((samples * 32767).astype("<i2").tobytes())


def film(folder: Path, *names: str) -> None:
    """Writes a video of ten pictures for each name."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / name, range(10), [number / 10 for number in range(10)], codec="mpeg4")


def write_json(folder: Path, name: str, content: object) -> Path:
    """Writes JSON, and returns where."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content))
    return folder / name


def items(name: str, file: Path, family: str, folder: Path | None = None, **reading: Any) -> AnnotatedItems:
    """The items of a file; the media are next to it."""
    found = read_annotations(name, file, folder or file.parent, family_named(family), reading)
    assert isinstance(found, AnnotatedItems)
    return found


def made(name: str, file: Path, family: str, folder: Path | None = None, **reading: Any) -> list[Any]:
    """The annotations of a file; each one is also written as an example of its family, as in training."""
    annotations = [item.make() for item in items(name, file, family, folder, **reading)]
    for one in annotations:
        write(family, one)
    return annotations


def write(family: str, annotation: Annotation) -> None:
    """Writes an annotation as an example with a target."""
    kind = family_named(family)
    slots = kind.slots(annotation, CODEC)
    example = kind.write(annotation, " ".join(f"{{{slot}}}" for slot in slots) or "what?", CODEC)
    targets = (example.text_target, example.image_target, example.audio_target)
    assert any(target is not None for target in targets), "nothing to learn"


def left_out(found: AnnotatedItems) -> dict[str, int]:
    """Reason -> how many items were left out."""
    return {one.reason: one.count for one in found.left_out}
