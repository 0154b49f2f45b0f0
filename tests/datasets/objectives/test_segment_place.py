"""Masks at a place: the point lies on the object, the box encloses it, the target is its mask."""

from __future__ import annotations

import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.errors import DatasetError, UnusableRecord
from embodio.datasets.objectives.segment_place import SegmentPlace, SegmentPlaceConfig
from embodio.datasets.records.record import Media, Record
from embodio.model.processing.image import ImageFit
from embodio.model.processing.processor import Processor
from embodio.model.tasks.locations.codec import LocationCodec
from tests.support.datasets.made_up_records import CONTEXT, picture
from tests.support.model.small import CONFIG, VOCABULARY

LABELS = np.zeros((64, 48), dtype=np.uint16)
LABELS[5:20, 3:30], LABELS[30:60, 20:44], LABELS[40:45, 2:9] = 7, 300, 9
FIT = ImageFit.of((64, 48), CONFIG.image_size)


def record(masks: npt.NDArray[np.generic]) -> Record:
    return Record(
        key="scene", image=Media.of(picture(np.random.default_rng(0), (64, 48))), facts={"masks": Media.of(masks)}
    )


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_mask_is_that_of_the_object_at_the_place(seed: int, stacked: bool) -> None:
    masks = LABELS[None] == np.array([7, 300, 9])[:, None, None] if stacked else LABELS
    example = SegmentPlace().example(record(masks), CONTEXT, np.random.default_rng(seed))
    drawn = np.asarray(example.image_target)
    assert set(np.unique(drawn)) == {0, 255}
    mask = drawn[..., 0] == 255
    label = int(LABELS[mask][0])
    np.testing.assert_array_equal(mask, label == LABELS)
    ids = np.array([part for part in example.text[1:] if not isinstance(part, str)])
    rows, columns = np.nonzero(mask)
    codec = LocationCodec(VOCABULARY)
    if len(ids) == 2:
        y, x = codec.ids_to_points(ids[None], FIT)[0]
        assert mask[int(y), int(x)], "the point lies on the object"
    else:
        tight = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        np.testing.assert_allclose(codec.ids_to_boxes(ids[None], FIT)[0], tight, atol=0.2)
    Processor(CONFIG, VOCABULARY)(example)


def test_points_and_boxes_are_drawn_at_their_rate() -> None:
    objective = SegmentPlace(SegmentPlaceConfig(points=0.25))
    made = [objective.example(record(LABELS), CONTEXT, np.random.default_rng(seed)) for seed in range(200)]
    points = [sum(not isinstance(part, str) for part in one.text[1:]) == 2 for one in made]
    assert np.mean(points) == pytest.approx(0.25, abs=0.1)


def test_masks_that_do_not_fit_or_hold_nothing_make_a_record_unusable() -> None:
    small = SegmentPlace(SegmentPlaceConfig(smallest=0.9, largest=0.95))
    for objective, masks in (
        (SegmentPlace(), np.zeros((64, 48), dtype=np.uint8)),
        (SegmentPlace(), np.ones((10, 10), dtype=np.uint8)),
        (SegmentPlace(), np.ones((1, 64, 48), dtype=np.float32)),
        (small, LABELS),
    ):
        with pytest.raises(UnusableRecord):
            objective.example(record(masks), CONTEXT, np.random.default_rng(0))


def test_what_is_needed_is_an_image_with_masks() -> None:
    assert SegmentPlace().suits(record(LABELS), CONTEXT)
    assert not SegmentPlace().suits(Record(key="x", facts={"masks": LABELS}), CONTEXT)
    with pytest.raises(DatasetError, match="points"):
        SegmentPlaceConfig(points=2.0)
    with pytest.raises(DatasetError, match="smallest"):
        SegmentPlaceConfig(smallest=0.5, largest=0.1)


def test_of_many_numbered_objects_one_mask_is_made() -> None:
    masks = np.arange(128 * 128, dtype=np.int32).reshape(128, 128)  # all at once: 268 MB, and more in larger images
    image = Media.of(np.zeros((128, 128, 3), dtype=np.uint8))
    scene = Record(key="scene", image=image, facts={"masks": Media.of(masks)})
    tracemalloc.start()
    with pytest.raises(UnusableRecord, match="none of its 16383 objects"):
        SegmentPlace().example(scene, CONTEXT, np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_no_masks_at_all_make_a_record_unusable() -> None:
    with pytest.raises(UnusableRecord, match="none of its 0 objects"):
        SegmentPlace().example(record(np.zeros((0, 64, 48), dtype=np.bool_)), CONTEXT, np.random.default_rng(0))
