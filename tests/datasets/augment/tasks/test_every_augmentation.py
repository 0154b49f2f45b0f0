"""Every task augmentation: a pure function of annotations and generator, whose annotation can be written and read."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.augment import tasks
from embodio.datasets.augment.tasks import (
    UnknownTaskAugmentationError,
    named_task_augmentation,
    task_augmentation_names,
    task_augmentation_summaries,
    task_augmentations_of,
)
from embodio.model.tasks import Prompts
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.families import family_named
from embodio.model.tokens.vocabulary import EOS_ID
from tests.support.model import annotations
from tests.support.model.annotations import CODEC, MAKE, VOCABULARY

CLASSES = ("cup", "dog", "cat", "red cube", "bird")
CASES = [(name, family) for name in task_augmentation_names() for family in named_task_augmentation(name).takes]


@pytest.fixture(autouse=True)
def _one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random images of one size, so that boxes and masks of several annotations fit one image."""
    monkeypatch.setattr(annotations, "image", lambda rng: rng.integers(0, 256, (24, 40, 3), dtype=np.uint8))


def of_one_image(family: str, seed: int) -> list[Any]:
    """Four random annotations of one image."""
    made = [MAKE[family](np.random.default_rng(10 * seed + place)) for place in range(4)]
    shown = dataclasses.replace(made[0].media, image_history=())
    return [dataclasses.replace(one, media=shown) for one in made]


def flat(value: Any) -> Any:
    """A value that can be compared, with arrays as lists."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: flat(getattr(value, one.name)) for one in dataclasses.fields(value)}
    return [flat(one) for one in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize(("name", "family"), CASES)
def test_augmentations_are_pure_and_their_annotations_are_written_and_read(name: str, family: str) -> None:
    augmentation, made = named_task_augmentation(name), 0
    given_family = family_named(augmentation.gives or family)
    for seed in range(10):
        items = of_one_image(family, seed)
        before = flat(items)
        found = augmentation(items, np.random.default_rng(seed), CLASSES)
        again = augmentation(items, np.random.default_rng(seed), CLASSES)
        assert flat(items) == before and flat(found) == flat(again)
        if found is None:
            continue
        made += 1
        assert isinstance(found, given_family.annotation)
        template = Prompts()[f"{given_family.name}.{given_family.group(found)}"].draw()
        example = given_family.write(found, template, CODEC)
        if given_family.modality == "text":
            assert example.text_target is not None
            answer = given_family.read([*VOCABULARY.encode(example.text_target), EOS_ID], found, CODEC)
            assert not isinstance(answer, AnswerError)
        else:
            assert example.image_target is not None
    assert made


@pytest.mark.parametrize("name", task_augmentation_names())
def test_a_worked_example_opens_each(name: str) -> None:
    file = Path(tasks.__path__[0]) / f"{name}.py"
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    first, _, example = text.partition("\n\n")
    assert first.endswith(".") and len(example) > 60 and task_augmentation_summaries()[name]


def test_augmentations_are_found_by_family_and_name() -> None:
    assert {"segment_union", "segment_complement", "segment_in_box"} <= set(task_augmentations_of("segment"))
    assert task_augmentations_of("plan") == {}
    with pytest.raises(UnknownTaskAugmentationError, match="did you mean 'mirror'"):
        named_task_augmentation("miror")
    assert named_task_augmentation("mirror")([], np.random.default_rng(0)) is None
