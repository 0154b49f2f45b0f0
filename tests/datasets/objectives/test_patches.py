"""Pasted patches: only the boxes change, they do not touch, and what is written says where they are and how many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.count_patches import QUESTIONS, CountPatches, CountPatchesConfig
from embodio.datasets.objectives.locate_patches import LocatePatches
from embodio.datasets.objectives.parts.patches import NAME, PatchConfig, paste
from embodio.datasets.records.record import Media, Record
from embodio.model.processing.image import ImageFit
from embodio.model.processing.processor import Processor
from embodio.model.tasks.locations.codec import LocationCodec
from embodio.model.tasks.prompts.wording import shipped_wordings
from tests.support.datasets.made_up_records import CONTEXT, captioned, picture, with_partners
from tests.support.model.small import CONFIG, VOCABULARY

SIZES = st.tuples(st.integers(32, 90), st.integers(32, 90))


@given(SIZES, st.integers(0, 6), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_only_the_boxes_change_and_they_stay_apart(size: tuple[int, int], count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = np.zeros((*size, 3), dtype=np.uint8)
    origins = [np.full((50, 40, 3), number + 1, dtype=np.uint8) for number in range(count)]
    found = paste(image, origins, PatchConfig(), rng)
    assert not image.any(), "the image that was given stays as it was"
    inside = np.zeros(size, dtype=int)
    for y1, x1, y2, x2 in found.boxes.astype(int):
        inside[y1:y2, x1:x2] += 1
        assert len(np.unique(found.image[y1:y2, x1:x2])) == 1, "a patch is of one origin"
    assert inside.max(initial=0) <= 1, "boxes do not overlap"
    np.testing.assert_array_equal(found.image[..., 0] != 0, inside.astype(bool))
    assert len(found.boxes) <= count and (count == 0 or len(found.boxes) >= 1)
    assert [tuple(box) for box in found.boxes] == sorted(tuple(box) for box in found.boxes)


@given(st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_the_boxes_that_are_written_are_those_of_the_patches(seed: int) -> None:
    record = captioned(1, size=(96, 96))
    black = Record(key="black", image=Media.of(np.zeros((50, 50, 3), dtype=np.uint8)))
    example = LocatePatches().example(record, with_partners([black]), np.random.default_rng(seed))
    assert example.image is not None and example.text_target is not None
    before = record.image.load()  # type: ignore[union-attr]
    changed = (np.asarray(example.image) != before).any(axis=2)
    ids = VOCABULARY.encode(example.text_target)
    boxes = LocationCodec(VOCABULARY).ids_to_boxes(np.reshape(ids, (-1, 4)), ImageFit.of((96, 96), CONFIG.image_size))
    drawn = np.zeros((96, 96), dtype=bool)
    for y1, x1, y2, x2 in np.rint(boxes + 0.05).astype(int):
        drawn[y1:y2, x1:x2] = True
    assert (changed & ~drawn).sum() == 0 and (drawn & ~changed).mean() < 0.01
    assert example.text[0] == VOCABULARY.prefix_id("text", "S") and NAME in str(example.text[1])
    words = [wording.replace("{name}", NAME) for wording in shipped_wordings()["localise.unnamed"].training]  # type: ignore[union-attr]
    assert example.text[1] in words, "training asks in the words of the family"
    Processor(CONFIG, VOCABULARY)(example)


def test_the_number_that_is_written_is_that_of_the_patches() -> None:
    origin = Record(key="black", image=Media.of(np.zeros((50, 50, 3), dtype=np.uint8)))
    record = Record(key="white", image=Media.of(np.full((80, 80, 3), 255, dtype=np.uint8)))
    counts = []
    for seed in range(60):
        example = CountPatches(CountPatchesConfig(most=3)).example(
            record, with_partners([origin]), np.random.default_rng(seed)
        )
        counts.append(int(str(example.text_target)))
        assert (np.asarray(example.image) == 0).any() == (counts[-1] > 0)
        assert any(question in str(example.text[1]) for question in QUESTIONS)
    assert set(counts) == {0, 1, 2, 3}


def test_patches_come_from_the_image_itself_where_partners_have_none() -> None:
    record, text = captioned(3), Record(key="text", text="no image")
    for context in (CONTEXT, with_partners([text])):
        example = LocatePatches().example(record, context, np.random.default_rng(0))
        assert (np.asarray(example.image) != record.image.load()).any()  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (70, 20)])
def test_images_of_any_size_have_room_for_a_patch(size: tuple[int, int]) -> None:
    record = Record(key="odd", image=Media.of(picture(np.random.default_rng(0), size)))
    example = LocatePatches().example(record, CONTEXT, np.random.default_rng(0))
    assert example.text_target


def test_the_same_generator_makes_the_same_example() -> None:
    context = with_partners([captioned(seed) for seed in range(4)])
    one, other = (LocatePatches().example(captioned(9), context, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.image, other.image)
    assert one.text == other.text and one.text_target == other.text_target


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fewest": 3, "most": 2}, "fewest"),
        ({"smallest": 0.5, "largest": 0.2}, "smallest"),
        ({"weight": -1.0}, "weight"),
    ],
)
def test_wrong_settings_name_their_field(settings: dict[str, float], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        PatchConfig(**settings)  # type: ignore[arg-type]


def test_records_without_an_image_do_not_suit() -> None:
    assert not LocatePatches().suits(Record(key="x", text="a"), CONTEXT)
    assert LocatePatches().suits(captioned(0), CONTEXT) and CountPatches().suits(captioned(0), CONTEXT)
    with pytest.raises(DatasetError, match="no image"):
        LocatePatches().example(Record(key="x"), CONTEXT, np.random.default_rng(0))
