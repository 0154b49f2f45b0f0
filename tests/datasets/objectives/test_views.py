"""Views: the movement between two cameras around a point, drawn and written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.camera_motion import CameraMotion
from embodio.datasets.objectives.parts.cameras import movement, movements
from embodio.datasets.objectives.synthesise_view import SynthesiseViewOfScene
from embodio.datasets.records.record import Record
from embodio.model.processing.processor import Processor
from embodio.model.tasks.locations.codec import LocationCodec
from embodio.model.tasks.locations.spatial import read_pose
from tests.support.datasets.made_up_records import CONTEXT, camera
from tests.support.model.small import CONFIG, VOCABULARY

PLACES = st.tuples(st.floats(0.3, 2.8), st.floats(-3.1, 3.1), st.floats(0.5, 1.1))
VIEWS = (camera(1.0, 0.2, 0.9), camera(1.3, 1.0, 0.8), camera(0.7, -2.9, 1.0))
RECORD = Record(key="scene", views=VIEWS)


def angle(difference: float) -> float:
    return abs((difference + np.pi) % (2 * np.pi) - np.pi)


@given(PLACES, PLACES)
@settings(max_examples=80, deadline=None)
def test_the_movement_is_the_difference_in_polar_coordinates(
    one: tuple[float, float, float], other: tuple[float, float, float]
) -> None:
    first, second = camera(*one), camera(*other)
    found = movement(first, second)
    if found is None:
        axes = [np.asarray(view.pose)[:3, 2] for view in (first, second)]
        assert abs(axes[0] @ axes[1]) > 0.999, "only parallel axes leave the point open"
        return
    assert found.theta == pytest.approx(other[0] - one[0], abs=1e-5)
    assert angle(found.phi - (other[1] - one[1])) < 1e-4
    assert found.radius == pytest.approx(other[2] - one[2], abs=1e-5)


def test_views_that_have_no_movement_are_left_out() -> None:
    unknown = replace(VIEWS[0], pose=None)
    far = camera(1.0, 1.0, 2.5)
    back = replace(VIEWS[1], pose=np.asarray(VIEWS[1].pose) @ np.diag([1.0, -1.0, -1.0, 1.0]))
    assert movement(VIEWS[0], unknown) is None
    assert movement(VIEWS[0], far) is None, "the change of distance cannot be written"
    assert movement(VIEWS[0], back) is None, "one looks away"
    assert movement(VIEWS[0], VIEWS[0]) is None
    assert [(i, j) for i, j, _ in movements(replace(RECORD, views=(*VIEWS[:2], unknown, far)))] == [(0, 1), (1, 0)]


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_the_pose_that_is_asked_and_the_one_that_is_written_are_those_of_the_images(seed: int) -> None:
    codec = LocationCodec(VOCABULARY)
    drawn = SynthesiseViewOfScene().example(RECORD, CONTEXT, np.random.default_rng(seed))
    told = CameraMotion().example(RECORD, CONTEXT, np.random.default_rng(seed))
    images = {view.image.load().tobytes(): number for number, view in enumerate(VIEWS)}
    given_ids = [int(part) for part in drawn.text[1:] if not isinstance(part, str)]
    cases = [
        (drawn.image, drawn.image_target, given_ids),
        (told.image_history[0], told.image, [int(part) for part in told.text_target or ()]),
    ]
    for first, second, ids in cases:
        pair = images[np.asarray(first).tobytes()], images[np.asarray(second).tobytes()]
        [true] = [pose for i, j, pose in movements(RECORD) if (i, j) == pair]
        found = read_pose(codec, ids)
        assert found.theta == pytest.approx(true.theta, abs=0.01) and angle(found.phi - true.phi) < 0.01
        assert found.radius == pytest.approx(true.radius, abs=0.002)
    assert drawn.text[0] == VOCABULARY.prefix_id("image", "S") and told.text[0] == VOCABULARY.prefix_id("text", "S")
    for example in (drawn, told):
        Processor(CONFIG, VOCABULARY)(example)


def test_what_is_needed_is_two_views_of_one_point() -> None:
    for objective in (SynthesiseViewOfScene(), CameraMotion()):
        assert objective.suits(RECORD, CONTEXT)
        assert not objective.suits(replace(RECORD, views=VIEWS[:1]), CONTEXT)
        with pytest.raises(DatasetError, match="no two views"):
            objective.example(replace(RECORD, views=VIEWS[:1]), CONTEXT, np.random.default_rng(0))
    bare = replace(CONTEXT, config=replace(CONFIG, input_modalities=("text", "image")))
    assert not CameraMotion().suits(RECORD, bare) and SynthesiseViewOfScene().suits(RECORD, bare)
