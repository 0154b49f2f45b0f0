"""Trajectories: which frames, states and actions are given, and that what is asked for is what follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.errors import DatasetError, UnusableRecord
from embodio.datasets.objectives.parts.steps import StepsConfig
from embodio.datasets.objectives.trajectory_action import TrajectoryAction, TrajectoryActionConfig
from embodio.datasets.objectives.trajectory_frame import TrajectoryFrame
from embodio.datasets.objectives.trajectory_state import TrajectoryState
from embodio.datasets.records.record import Record
from embodio.model.example import Example
from embodio.model.processing.processor import Processor
from embodio.model.tasks.locations.codec import LocationCodec
from embodio.model.tasks.locations.spatial import read_position
from tests.support.datasets.made_up_records import CONTEXT, WORDS, trajectory
from tests.support.model.small import CONFIG, VOCABULARY

STEPS = st.integers(2, 40)
SEEDS = st.integers(0, 2**32)


def number(image: object) -> int:
    """The step of a frame, which is its colour."""
    return int(np.asarray(image)[0, 0, 0])


def values(parts: object) -> np.ndarray:
    """The values of the value ids among the parts of a prompt."""
    return VOCABULARY.ids_to_values([part for part in parts if not isinstance(part, str)])  # type: ignore[attr-defined]


def check_history(example: Example, step: int, stride: int) -> None:
    earlier = [number(image) for image in example.image_history]
    count = min(CONFIG.sampling.num_frames, step // stride)
    assert number(example.image) == step and earlier == [step - stride * k for k in range(count, 0, -1)]


@given(STEPS, st.integers(1, 3), st.integers(1, 3), SEEDS)
@settings(max_examples=40, deadline=None)
def test_the_next_frame_follows_the_last_one_by_the_steps_ahead(steps: int, ahead: int, stride: int, seed: int) -> None:
    objective = TrajectoryFrame(StepsConfig(ahead=ahead, stride=stride))
    record = trajectory(steps)
    if not objective.suits(record, CONTEXT):
        assert steps <= ahead
        return
    example = objective.example(record, CONTEXT, np.random.default_rng(seed))
    step = number(example.image)
    check_history(example, step, stride)
    assert number(example.image_target) == step + ahead
    assert example.text[0] == VOCABULARY.prefix_id("image", "S")
    given_values = values(example.text[1:])
    np.testing.assert_allclose(given_values[:3], step / 100, atol=0.001)
    actions = np.repeat(np.arange(step, step + ahead), 2) / 50
    np.testing.assert_allclose(given_values[3:] * 2 - 1, actions, atol=0.002)
    Processor(CONFIG, VOCABULARY)(example)


@given(STEPS, SEEDS)
@settings(max_examples=40, deadline=None)
def test_the_next_state_is_written_from_state_and_action(steps: int, seed: int) -> None:
    example = TrajectoryState().example(trajectory(steps), CONTEXT, np.random.default_rng(seed))
    step = number(example.image)
    check_history(example, step, 1)
    np.testing.assert_allclose(values(example.text_target), (step + 1) / 100, atol=0.001)
    np.testing.assert_allclose(values(example.text[1:])[:3], step / 100, atol=0.001)


def test_positions_without_limits_are_written_in_metres() -> None:
    record = trajectory(5, limits=False, words=True)
    example = TrajectoryState().example(record, CONTEXT, np.random.default_rng(1))
    found = read_position(LocationCodec(VOCABULARY), [int(part) for part in example.text_target or ()])
    np.testing.assert_allclose(found, (number(example.image) + 1) / 100, atol=0.11)
    walk = record.trajectory
    assert walk is not None
    far = replace(record, trajectory=replace(walk, states=np.full((5, 3), 80.0)))
    with pytest.raises(UnusableRecord, match="within 50 m"):
        TrajectoryState().example(far, CONTEXT, np.random.default_rng(1))
    wide = replace(record, trajectory=replace(walk, states=np.zeros((5, 7))))
    assert not TrajectoryState().suits(wide, CONTEXT), "seven numbers without limits"


@given(STEPS, st.booleans(), SEEDS)
@settings(max_examples=40, deadline=None)
def test_the_next_action_is_that_of_the_step_and_the_last_one_is_given(steps: int, words: bool, seed: int) -> None:
    record = trajectory(steps, words=words)
    example = TrajectoryAction().example(record, CONTEXT, np.random.default_rng(seed))
    step = number(example.image)
    check_history(example, step, 1)
    text = "".join(part for part in example.text if isinstance(part, str))
    assert ("Actions so far" in text) == (step > 0) and "Actions now" not in text
    target = [int(part) for part in example.text_target or ()]
    if words:
        assert VOCABULARY.decode(target).strip() == WORDS[step % 4]
        if step:
            prompt = VOCABULARY.decode(VOCABULARY.encode(example.text)).strip()
            assert prompt.endswith(WORDS[(step - 1) % 4])
    else:
        np.testing.assert_allclose(values(target) * 2 - 1, step / 50, atol=0.002)
        np.testing.assert_allclose(
            values(example.text[1:])[3:] * 2 - 1, [(step - 1) / 50] * (2 if step else 0), atol=0.002
        )


def test_every_step_that_can_be_asked_is_asked() -> None:
    for objective, last in ((TrajectoryFrame(), 3), (TrajectoryState(), 3), (TrajectoryAction(), 4)):
        seen = {
            number(objective.example(trajectory(5), CONTEXT, np.random.default_rng(seed)).image) for seed in range(80)
        }
        assert seen == set(range(last + 1))


def test_a_film_without_a_goal_is_continued_in_other_words() -> None:
    example = TrajectoryFrame().example(trajectory(4, instruction=""), CONTEXT, np.random.default_rng(0))
    assert "Task" not in str(example.text) and "robot" not in str(example.text)


def test_numbers_that_are_not_finite_make_a_record_unusable() -> None:
    record = trajectory(3)
    walk = record.trajectory
    assert walk is not None
    broken = replace(record, trajectory=replace(walk, actions=np.full((3, 2), np.nan)))
    with pytest.raises(UnusableRecord, match="not finite"):
        TrajectoryAction().example(broken, CONTEXT, np.random.default_rng(0))


def test_what_is_needed() -> None:
    nothing = Record(key="x")
    for objective in (TrajectoryFrame(), TrajectoryState(), TrajectoryAction()):
        assert not objective.suits(nothing, CONTEXT) and objective.suits(trajectory(2), CONTEXT)
        with pytest.raises(DatasetError, match="no trajectory"):
            objective.example(nothing, CONTEXT, np.random.default_rng(0))
    with pytest.raises(DatasetError, match="ahead"):
        StepsConfig(ahead=0)
    with pytest.raises(DatasetError, match="previous"):
        TrajectoryActionConfig(previous=-1)
