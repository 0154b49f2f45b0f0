"""The cost of annotated examples: reading, wording and features, against their texts or their pictures alone."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from embodio.benchmarks.speed.suites import Row
from embodio.benchmarks.speed.suites.model import fastest
from embodio.datasets.annotations import read_annotations
from embodio.datasets.annotations.parts.media import read_image
from embodio.datasets.tasks.parts.annotated_task import AnnotatedTask
from embodio.model import ModelConfig, Processor, Vocabulary
from embodio.model.processing.image import pixels_on_canvas
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.families import family_named
from embodio.model.writing import write_bytes

_SIZE = (480, 640)
_INSTRUCTION = "Write one sentence about what a person can do with a wooden spoon in a kitchen, other than stir soup."
_ANSWER = "Somebody who has no drumsticks can beat time on pots and pans with it, as long as no neighbour minds."
_QUESTION = "Which of the things on the table is nearest to the edge?"


def annotated_cost(config: ModelConfig, repeats: int, examples: int) -> list[Row]:
    """Processor time for one annotated example in words, and for one with a picture.

    Args:
        config: of the network; the default vocabulary must fit into it.
        repeats: how often each is measured, in turn; the fastest counts.
        examples: how many examples are made each time.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        return [_words(folder, config, repeats, examples), _picture(folder, config, repeats, examples)]


def _task(
    folder: Path, config: ModelConfig, vocabulary: Vocabulary, family: str, rows: Sequence[dict[str, str]]
) -> AnnotatedTask:
    file = folder / f"{family}.jsonl"
    write_bytes(file, "\n".join(json.dumps(row) for row in rows).encode())
    kind = family_named(family)
    items = read_annotations("jsonl", file, folder, kind)
    return AnnotatedTask(family, file, items, kind, TaskCodec.of(config, vocabulary))


def _words(folder: Path, config: ModelConfig, repeats: int, examples: int) -> Row:
    """Instruction and answer, against the tokenising of the same texts."""
    rows = [{"instruction": f"{number} {_INSTRUCTION}", "text": f"{_ANSWER} {number}"} for number in range(examples)]

    def new() -> tuple[AnnotatedTask, Processor]:
        """With a vocabulary that has not met any of the texts."""
        vocabulary = Vocabulary(Vocabulary.default().to_bytes())
        return _task(folder, config, vocabulary, "follow_instruction", rows), Processor(config, vocabulary)

    task, generator = new()[0], np.random.default_rng(0)
    prompts = [task.example(number, generator).text for number in range(examples)]
    made, alone = (iter([new() for _ in range(repeats)]) for _ in range(2))

    def make() -> None:
        own, processor = next(made)
        generator = np.random.default_rng(0)
        for number in range(examples):
            processor(own.example(number, generator), generator)

    def tokenise() -> None:
        vocabulary = next(alone)[1].vocabulary
        for prompt, row in zip(prompts, rows, strict=True):
            vocabulary.encode(prompt)
            vocabulary.encode(row["text"])

    return _row("in words", "tokenising the same texts", "<= 2", make, tokenise, repeats, examples)


def _picture(folder: Path, config: ModelConfig, repeats: int, examples: int) -> Row:
    """A question about a photograph, against decoding it and fitting it onto the canvas."""
    coarse = np.random.default_rng(0).integers(0, 256, (_SIZE[0] // 40, _SIZE[1] // 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(cv2.resize(coarse, _SIZE[::-1], interpolation=cv2.INTER_CUBIC)).save(buffer, "JPEG", quality=90)
    names = [f"photo-{number}.jpg" for number in range(examples)]
    for name in names:
        write_bytes(folder / name, buffer.getvalue())
    rows = [{"image": name, "question": _QUESTION, "text": "the red cup"} for name in names]
    vocabulary, canvas = Vocabulary.default(), config.image_size
    task, processor = _task(folder, config, vocabulary, "answer_question", rows), Processor(config, vocabulary)

    def make() -> None:
        generator = np.random.default_rng(0)
        for number in range(examples):
            processor(task.example(number, generator), generator)

    def decode() -> None:
        for name in names:
            pixels_on_canvas(np.asarray(read_image(name, folder)), canvas)

    return _row("with a picture", "decoding and resizing it", "<= 1.3", make, decode, repeats, examples)


def _row(
    what: str, against: str, goal: str, make: Callable[[], None], alone: Callable[[], None], repeats: int, examples: int
) -> Row:
    times = fastest({"make": make, "alone": alone}, repeats, threads=1)
    whole, floor = times["make"] / examples, times["alone"] / examples
    note = f"annotation, wording and features, against {against} alone"
    return Row(f"an annotated example {what}", whole, "ms", floor, whole / floor, goal, note)
