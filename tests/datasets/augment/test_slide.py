"""Slide: actions point at the same things in the moved picture, and stay inside their limits."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.augment.slide import Slide, draw_slide
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.stream.order import generator_at
from embodio.datasets.tasks.next_action import NextAction
from embodio.datasets.tasks.parts.moment_task import SharedConfig
from embodio.envs.embodiment import ActionSpec, Camera, Dimension
from tests.support.datasets.toy import toy_format, write_toy_dataset

CONFIG = AugmentConfig(slide=0.4, slide_down=("x", "to_x"), slide_right=("y",))
CAMERA = Camera("top", 50, 100)
ACTION = ActionSpec(
    tuple(Dimension(name, "m", low, 1.0) for name, low in (("x", 0.5), ("y", -1.0), ("turn", 0.0), ("to_x", 0.0))),
    *("absolute", "workspace", "yaw", "none", "pick and place"),
)


def pixel(action: np.ndarray) -> tuple[int, int]:
    """Row and column of (x, y)."""
    return int((action[0] - 0.5) / 0.5 * 50), int((action[1] + 1.0) / 2.0 * 100)


def drawn(actions: np.ndarray, draws: tuple[float, float]) -> Slide:
    return draw_slide(CONFIG, draws, [CAMERA], ACTION, actions)


@settings(max_examples=80, deadline=None)
@given(
    units=st.lists(st.tuples(*[st.floats(0.0, 0.999)] * 4), min_size=1, max_size=3),
    draws=st.tuples(*[st.floats(0.0, 1.0, exclude_max=True)] * 2),
)
def test_actions_move_with_the_picture_and_stay_inside(
    units: list[tuple[float, ...]], draws: tuple[float, ...]
) -> None:
    low, high = (np.array([getattr(one, end) for one in ACTION.dimensions]) for end in ("low", "high"))
    actions = low + (high - low) * np.array(units)
    slide = drawn(actions, draws)  # type: ignore[arg-type]
    after = slide.actions(actions)
    assert (after >= low - 1e-9).all() and (after <= high + 1e-9).all()
    np.testing.assert_array_equal(after[:, 2], actions[:, 2])
    assert abs(slide.down) <= 20 and abs(slide.right) <= 40
    assert after[0, 0] - actions[0, 0] == pytest.approx(slide.down / 50 * 0.5)
    assert after[0, 1] - actions[0, 1] == pytest.approx(slide.right / 100 * 2.0)
    assert after[0, 3] - actions[0, 3] == pytest.approx(slide.down / 50)


def test_a_mark_is_where_the_moved_action_points() -> None:
    action = np.array([[0.7501, 0.2001, 0.3, 0.6]])
    places = set()
    for draws in ((0.0, 0.0), (0.5, 0.2), (0.99, 0.99)):
        slide, frame = drawn(action, draws), np.zeros((50, 100, 3), np.uint8)
        frame[pixel(action[0])] = 255
        place = pixel(slide.actions(action)[0])
        assert slide.frame(frame)[place].all() and slide.frame(frame).any(axis=2).sum() == 1
        places.add(place)
    assert len(places) == 3


def test_wrong_settings_are_named() -> None:
    actions = np.array([[0.6, 0.0, 0.0, 0.5]])
    with pytest.raises(DatasetError, match="one camera, which looks straight down; the policy reads top, top"):
        draw_slide(CONFIG, (0.0, 0.0), [CAMERA, CAMERA], ACTION, actions)
    unknown = dataclasses.replace(CONFIG, slide_right=("z",))
    with pytest.raises(DatasetError, match="no action has 'z'; it has x, y, turn, to_x"):
        draw_slide(unknown, (0.0, 0.0), [CAMERA], ACTION, actions)
    with pytest.raises(DatasetError, match="give slide, slide_down and slide_right, or none"):
        AugmentConfig(slide=0.1, slide_down=("x",))


def test_the_task_moves_frames_and_actions_in_training_only(tmp_path: Path) -> None:
    reader = RLDSReader(write_toy_dataset(tmp_path / "toy", episodes=2, steps=4))
    full = toy_format(compute_statistics(reader))
    [down, right] = [dimension.name for dimension in full.embodiment.action.dimensions][:2]
    config = dataclasses.replace(full.config, cameras=full.config.cameras[:1])
    form = type(full)(config, full.embodiment, full.statistics, full.vocabulary)
    augment = AugmentConfig(slide=0.3, slide_down=(down,), slide_right=(right,))

    def example(generator: Any, augment: AugmentConfig) -> Any:
        return NextAction(reader, form, range(2), shared=SharedConfig(augment=augment)).example(1, generator)

    plain, slid = example(None, AugmentConfig()), example(generator_at(0, 0), augment)
    assert not np.array_equal(slid.image, plain.image) and slid.text_target != plain.text_target
    unmoved = example(None, augment)
    np.testing.assert_array_equal(unmoved.image, plain.image)
    assert unmoved.text_target == plain.text_target
