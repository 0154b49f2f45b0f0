"""Annotated tasks: examples are what the family writes, and damage is told from what cannot be used."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.annotations.parts.item import AnnotatedItem
from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.datasets.errors import AnnotationError, CorruptRecordError, DatasetError, UnusableRecord
from embodio.datasets.tasks.parts.annotated_task import AnnotatedTask
from embodio.model import ModelConfig, Vocabulary
from embodio.model.tasks import Prompts
from embodio.model.tasks.base.family import Annotation, InputMedia
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.families import family_named
from embodio.model.tasks.families.answer_question import Question
from embodio.model.tasks.families.refer import Reference

VOCABULARY = Vocabulary.default()
CODEC = TaskCodec.of(ModelConfig.named("nano"), VOCABULARY)
ASK = family_named("answer_question")
PICTURE = np.zeros((8, 8, 3), dtype=np.uint8)


def question(text: str) -> Question:
    return Question(media=InputMedia(image=PICTURE), question=text, text="two")


def broken() -> Annotation:
    raise AnnotationError("a.png: it does not exist")


def items(*texts: str, group: str = "a.png") -> list[AnnotatedItem]:
    return [AnnotatedItem(text, group, partial(question, text)) for text in texts]


def task(some: list[AnnotatedItem], **settings: object) -> AnnotatedTask:
    return AnnotatedTask("mine", Path("mine.jsonl"), some, ASK, CODEC, **settings)  # type: ignore[arg-type]


def words(example: object) -> str:
    return VOCABULARY.decode(VOCABULARY.encode(example.text))  # type: ignore[attr-defined]


def test_an_example_is_what_the_family_writes_in_a_drawn_wording() -> None:
    made = task(items("how many?"))
    wordings = Prompts()["answer_question.plain"].training
    possible = {words(ASK.write(question("how many?"), one, CODEC)) for one in wordings}
    drawn = {words(made.example(0, np.random.default_rng(seed))) for seed in range(300)}
    assert drawn == possible and made.example(0).text_target == "two"
    assert words(made.example(0)) == words(made.example(0))
    assert made.place(0) == ("mine", 0, -1) and made.damaged == ()


def test_a_style_holds_for_groups_that_have_it() -> None:
    made = task(items("how many?"), style="sentence")
    styled = Prompts()["answer_question.plain/sentence"].training
    assert words(made.example(0)) in {words(ASK.write(question("how many?"), one, CODEC)) for one in styled}
    assert words(task(items("how many?"), style="song").example(0))


def test_damage_and_misfits() -> None:
    made = task([AnnotatedItem("0", "a", broken)])
    with pytest.raises(CorruptRecordError, match=r"mine.jsonl, record 0: a.png: it does not exist"):
        made.example(0)
    wrong = Reference(media=InputMedia(), expression="a cup", box=np.array([1, 1, 4, 4], np.float32))
    item = AnnotatedItem("0", "a", lambda: wrong)
    refer = AnnotatedTask("mine", Path("m"), [item], family_named("refer"), CODEC)
    with pytest.raises(UnusableRecord, match="expected an RGB array"):
        refer.example(0)
    with pytest.raises(DatasetError, match=r"mine: there is not one item in mine.jsonl"):
        task([])


def test_an_augmentation_is_given_the_annotations_of_one_image() -> None:
    seen: list[list[str]] = []

    def keep(annotations: list[Question], generator: np.random.Generator, classes: object) -> Question | None:
        seen.append([one.question for one in annotations])
        return None if annotations[0].question == "never" else annotations[-1]

    some = [*items("a", "b", "c"), *items("d", "never", group="b.png")]
    made = task(some, augmentation=TaskAugmentation(takes=("answer_question",), make=keep))  # type: ignore[arg-type]
    assert "c" in words(made.example(1, np.random.default_rng(0))) and seen == [["b", "a", "c"]]
    with pytest.raises(UnusableRecord, match="'never': the augmentation makes nothing of it"):
        made.example(4)


def test_a_part_of_the_items() -> None:
    made = task(items("a", "b", "c"), numbers=range(1, 3))
    assert len(made) == 2 and "b" in words(made.example(0)) and made.digest != task(items("a", "b")).digest
