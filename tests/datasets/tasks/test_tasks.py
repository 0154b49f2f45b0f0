"""Named tasks: what they are given, what they answer, and that nothing but index and generator decides."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.agent import PolicyFormat
from embodio.datasets import tasks
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.episodes.idle_steps import idle_steps
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.episodes.step_filter import StepFilter
from embodio.datasets.episodes.step_rules import IdleConfig, StepRules
from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.stream.order import generator_at
from embodio.datasets.stream.stream import BatchStream, batches
from embodio.datasets.tasks import UnknownTaskError, named_task, task_names, task_summaries
from embodio.datasets.tasks.action_right import ActionRightConfig
from embodio.datasets.tasks.instruction_from_video import InstructionFromVideoConfig
from embodio.datasets.tasks.next_frame import NextFrameConfig, mosaic
from embodio.datasets.tasks.next_state import NextStateConfig
from embodio.datasets.tasks.parts.hindsight import later_step
from embodio.datasets.tasks.parts.input_config import InputConfig
from embodio.datasets.tasks.parts.kept_steps import KeptSteps
from embodio.datasets.tasks.parts.moment_task import SharedConfig
from embodio.datasets.tasks.plan import PlanConfig
from embodio.datasets.tasks.sub_goal_image import SubGoalImageConfig
from embodio.envs.action_space import describe_actions
from embodio.model.config.model import ModelConfig
from embodio.model.example import Example
from embodio.model.processing.processor import Processor
from embodio.model.tokens.statistics import Normaliser
from embodio.train.command_line.cli import compose
from embodio.train.command_line.schema import keys_of
from embodio.train.config import TrainConfig
from tests.support.agent.policies import make_embodiment
from tests.support.datasets.toy import toy_format, write_toy_dataset

EPISODES, STEPS = 3, 6
NEW_TASKS = sorted(set(task_names()) - {"next_action"})


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> RLDSReader:
    return RLDSReader(write_toy_dataset(tmp_path_factory.mktemp("tasks") / "toy", EPISODES, STEPS))


@pytest.fixture(scope="module")
def form(reader: RLDSReader) -> PolicyFormat:
    return toy_format(compute_statistics(reader))


def make(name: str, reader: RLDSReader, form: PolicyFormat, **settings: Any) -> Any:
    shared = {key: settings.pop(key) for key in ("inputs", "augment") if key in settings}
    task = named_task(name)
    return task(reader, form, range(EPISODES), task.settings(**settings), SharedConfig(**shared))


def picture(reader: RLDSReader, episode: int, step: int) -> np.ndarray:
    opened = reader.episode(episode)
    return np.concatenate([opened.frame("front", step), opened.frame("hand", step)], axis=1)


def words(example: Example) -> str:
    return " ".join(part for part in example.text if isinstance(part, str))


def same(one: Example, other: Example) -> bool:
    images = zip(
        [one.image, one.image_target, *one.image_history],
        [other.image, other.image_target, *other.image_history],
        strict=True,
    )
    return (
        one.text == other.text and one.text_target == other.text_target and all(np.array_equal(a, b) for a, b in images)
    )


def test_a_name_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(UnknownTaskError, match=r"goal_imag.*action_right, goal_image, .*plan"):
        named_task("goal_imag")


@pytest.mark.parametrize("name", NEW_TASKS)
def test_examples_are_pure_functions_of_index_and_generator(name: str, reader: RLDSReader, form: PolicyFormat) -> None:
    inputs = InputConfig(history_frames=2, state=True, previous_actions=2, drop_state=0.5)
    task = make(name, reader, form, augment=AugmentConfig(shift=3, brightness=0.2), inputs=inputs)
    copy = pickle.loads(pickle.dumps(task))
    seen = []
    for index in [*range(len(task))][:: max(1, len(task) // 4)]:
        for place in range(3):
            again = copy.example(index, generator_at(1, place))
            seen.append(task.example(index, generator_at(1, place)))
            assert same(seen[-1], again)
        assert same(task.example(index), copy.example(index))
        assert task.place(index).dataset == "toy" and 0 <= task.place(index).step < STEPS
    assert len({words(example) for example in seen}) > 1
    for wrong in (-1, len(task)):
        with pytest.raises(DatasetError, match="there are"):
            task.example(wrong)


@pytest.mark.parametrize("name", NEW_TASKS)
def test_no_episode_that_fits_is_an_error(name: str, reader: RLDSReader, form: PolicyFormat) -> None:
    with pytest.raises(DatasetError, match=f"none of the 0 chosen episodes fits the task {name}"):
        named_task(name)(reader, form, [])


def test_goal_image_is_the_last_frame(reader: RLDSReader, form: PolicyFormat) -> None:
    task = make("goal_image", reader, form)
    assert len(task) == EPISODES * (STEPS - 1)
    example = task.example(STEPS)  # the second step of the second episode
    assert task.locate(STEPS) == (1, 1)
    np.testing.assert_array_equal(example.image, picture(reader, 1, 1))
    np.testing.assert_array_equal(example.image_target, picture(reader, 1, STEPS - 1))
    assert example.text[0] == form.vocabulary.prefix_id("image") and "lift the cube" in words(example)
    assert example.text_target is None


def test_a_sub_goal_is_a_later_frame_that_is_near_enough(reader: RLDSReader, form: PolicyFormat) -> None:
    task = make("sub_goal_image", reader, form, farthest=2)
    found = set()
    for seed in range(12):
        target = task.example(1, generator_at(seed, 0)).image_target
        found |= {step for step in range(STEPS) if np.array_equal(target, picture(reader, 0, step))}
    assert found == {2, 3}


@given(st.integers(1, 50), st.data())
def test_hindsight_goals_come_later(length: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(0, length - 1))
    farthest = data.draw(st.integers(1, 60))
    goal = later_step(length, step, farthest, generator_at(data.draw(st.integers(0, 99)), 0))
    assert min(step + 1, length - 1) <= goal <= min(step + farthest, length - 1)
    assert later_step(length, step, farthest, None) == min(step + farthest, length - 1)


def test_next_frame(reader: RLDSReader, form: PolicyFormat) -> None:
    example = make("next_frame", reader, form).example(2)
    np.testing.assert_array_equal(example.image_target, picture(reader, 0, 3))
    codes = form.codec.encode(reader.episode(0).array("action")[2:3]).ravel().tolist()
    assert [part for part in example.text[1:] if not isinstance(part, str)] == codes


def test_several_next_frames_are_one_sheet(reader: RLDSReader, form: PolicyFormat) -> None:
    task = make("next_frame", reader, form, frames=2, stride=2, with_actions=False)
    assert len(task) == EPISODES * (STEPS - 4)
    example = task.example(1)
    expected = np.concatenate([picture(reader, 0, 3), picture(reader, 0, 5)], axis=1)
    np.testing.assert_array_equal(example.image_target, expected)
    assert all(isinstance(part, str) for part in example.text[1:]) and "2" in words(example)


def test_a_mosaic_is_as_square_as_it_can_be() -> None:
    frames = [np.full((2, 3, 3), value, np.uint8) for value in (1, 2, 3)]
    sheet = mosaic(frames)
    assert sheet.shape == (4, 6, 3)
    assert sheet[::2, ::3, 0].tolist() == [[1, 2], [3, 0]]
    with pytest.raises(DatasetError, match="one size"):
        mosaic([frames[0], frames[0][:1]])


def test_next_state_comes_back_from_its_tokens(reader: RLDSReader, form: PolicyFormat) -> None:
    example = make("next_state", reader, form, ahead=2).example(1)
    unit = form.vocabulary.ids_to_values(example.text_target)
    scale = Normaliser.from_statistics("minmax", form.statistics.field("state"))
    states = reader.episode(0).array("observation/state")
    np.testing.assert_allclose(scale.denormalise(unit), states[3], atol=0.08 / 999)
    limits_format = PolicyFormat(
        dataclasses.replace(form.config, state_range="limits"), form.embodiment, form.statistics, form.vocabulary
    )
    limits = make("next_state", reader, limits_format, ahead=2).example(1)
    assert limits.text_target != example.text_target


def test_instruction_from_video(reader: RLDSReader, form: PolicyFormat) -> None:
    task = make("instruction_from_video", reader, form, frames=2)
    assert len(task) == EPISODES
    example = task.example(2)
    assert example.text_target == "lift the cube" and "lift the cube" not in words(example)
    np.testing.assert_array_equal(example.image, picture(reader, 2, STEPS - 1))
    for shown, step in zip(example.image_history, (0, 2), strict=True):
        np.testing.assert_array_equal(shown, picture(reader, 2, step))
    assert len(make("instruction_from_video", reader, form, frames=8).example(0).image_history) == STEPS - 1


def test_action_right_says_yes_only_to_the_action_of_this_step(reader: RLDSReader, form: PolicyFormat) -> None:
    task = make("action_right", reader, form)
    rows = form.codec.encode(reader.episode(0).array("action"))
    answers = []
    for seed in range(40):
        example = task.example(3, generator_at(seed, 0))
        shown = [part for part in example.text[1:] if not isinstance(part, str)]
        answers.append(example.text_target)
        if example.text_target == "yes":
            assert shown == rows[3].tolist()
        else:
            assert np.abs(np.array(shown) - rows[3]).max() >= 50 and shown in rows.tolist()
    assert 8 <= answers.count("yes") <= 32
    assert [task.example(index).text_target for index in (0, 1)] == ["yes", "no"]


def test_plan_is_every_action_of_the_episode(reader: RLDSReader, form: PolicyFormat) -> None:
    task = make("plan", reader, form, longest=STEPS * 3)
    assert len(task) == EPISODES
    expected = form.codec.encode(reader.episode(1).array("action")).ravel().tolist()
    assert task.example(1).text_target == expected
    with pytest.raises(DatasetError, match="too long"):
        make("plan", reader, form, longest=STEPS * 3 - 1)


def test_inputs_are_given_and_left_out(reader: RLDSReader, form: PolicyFormat) -> None:
    everything = InputConfig(history_frames=2, history_stride=2, state=True, previous_actions=1, action_space=True)
    full = make("goal_image", reader, form, inputs=everything).example(3)
    assert len(full.image_history) == 1  # the frame of step 1; there is none of step -1
    np.testing.assert_array_equal(full.image_history[0], picture(reader, 0, 1))
    assert "State:" in words(full) and "Actions so far:" in words(full) and "turn from -0.3 to 2 rad" in words(full)
    assert len([part for part in full.text[1:] if not isinstance(part, str)]) == 2 + 3
    bare = InputConfig(
        history_frames=2, history_stride=2, state=True, previous_actions=1, drop_state=1.0, drop_history=1.0
    )
    dropped = make("goal_image", reader, form, inputs=bare)
    example = dropped.example(3, generator_at(0, 0))
    assert not example.image_history and all(isinstance(part, str) for part in example.text[1:])
    assert dropped.example(3).image_history  # without a generator nothing is left out


def test_the_action_space_in_words() -> None:
    said = describe_actions(make_embodiment().action)
    for part in ("3 changes in frame base", "x from -1 to 1 m", "gripper either -1 or 1", "closes towards the high"):
        assert part in said


def test_idle_steps_neither_tell_nor_move() -> None:
    robot = make_embodiment()
    actions = np.zeros((6, 3))
    actions[:, 2] = [1, 1, 1, -1, -1, -1]  # the gripper opens at step 3
    actions[1, 0] = 0.5
    states = np.zeros((6, 2))
    states[3:, 1], states[5:, 0] = 0.04, 1.0  # the state changes from step 2 to 3 and from step 4 to 5
    found = idle_steps(actions, states, robot.action, robot.state, IdleConfig(action=0.1, state=0.1))
    assert found.tolist() == [True, False, False, False, False, True]
    actions[5, 0] = np.nan
    assert not idle_steps(actions, states, robot.action, robot.state, IdleConfig(action=0.1, state=0.1))[5]
    with pytest.raises(DatasetError, match="embodiment"):
        idle_steps(actions[:, :2], states, robot.action, robot.state, IdleConfig(action=0.1, state=0.1))


@pytest.mark.parametrize("name", ["next_action", "goal_image"])
def test_any_task_can_be_freed_of_idle_steps(name: str, reader: RLDSReader, form: PolicyFormat) -> None:
    task = make(name, reader, form)
    config = IdleConfig(action=0.4, state=0.8)
    busy = KeptSteps(task, StepFilter(reader, ("action", "state"), StepRules(idle=config)))
    robot = reader.embodiment
    expected = []
    for episode in range(EPISODES):
        opened = reader.episode(episode)
        states = opened.array("observation/state")
        idle = idle_steps(opened.array("action"), states, robot.action, robot.state, config)
        expected += [(episode, step) for step in np.flatnonzero(~idle) if name == "next_action" or step < STEPS - 1]
    assert 0 < busy.dropped == len(task) - len(busy)
    assert [busy.place(index)[1:] for index in range(len(busy))] == expected
    assert same(busy.example(0), task.example(expected[0][1]))
    every = StepRules(idle=IdleConfig(action=9.0, state=9.0))
    with pytest.raises(DatasetError, match=r"leaves none of .* steps are idle.*Loosen it"):
        KeptSteps(task, StepFilter(reader, ("action", "state"), every))


@pytest.mark.parametrize(
    ("config", "settings", "field"),
    [
        (SubGoalImageConfig, {"farthest": 0}, "farthest"),
        (NextFrameConfig, {"frames": 0}, "frames"),
        (NextStateConfig, {"ahead": 0}, "ahead"),
        (InstructionFromVideoConfig, {"frames": 9}, "frames"),
        (ActionRightConfig, {"right": 1.5}, "right"),
        (ActionRightConfig, {"apart": 0}, "apart"),
        (PlanConfig, {"longest": 0}, "longest"),
        (InputConfig, {"history_frames": 9}, "history_frames"),
        (InputConfig, {"drop_state": -0.1}, "drop_state"),
        (IdleConfig, {"action": 0.0, "state": 1.0}, "idle.action"),
    ],
)
def test_settings_out_of_range_name_their_field(config: Any, settings: dict[str, Any], field: str) -> None:
    with pytest.raises(DatasetError, match=field):
        config(**settings)


@pytest.mark.parametrize("name", NEW_TASKS)
def test_the_processor_takes_every_example(name: str, reader: RLDSReader, form: PolicyFormat) -> None:
    processor = Processor(ModelConfig.named("large"), form.vocabulary)
    stream = BatchStream(make(name, reader, form), processor, seed=3, batch_size=2)
    batch = next(iter(batches(stream, 0, 1)))
    draws = named_task(name).draws()
    assert any(key.startswith("targets/image") for key in batch) == draws
    assert len(batch["inputs/text/tokens"]) == 2


def test_targets_are_as_recorded_while_inputs_are_augmented(reader: RLDSReader, form: PolicyFormat) -> None:
    augment = AugmentConfig(state_noise=(0.05,), instruction_dropout=1.0, crop=0.5)
    task = make("next_state", reader, form, augment=augment, inputs=InputConfig(state=True))
    plain = make("next_state", reader, form, inputs=InputConfig(state=True))
    noisy = task.example(1, generator_at(0, 0))
    assert noisy.text_target == plain.example(1).text_target
    assert noisy.text[-5:] != plain.example(1).text[-5:] and "lift the cube" not in words(noisy)
    video = make("instruction_from_video", reader, form, augment=augment)
    assert video.example(0, generator_at(0, 0)).text_target == "lift the cube"
    assert not np.array_equal(task.example(1).image, plain.example(1).image)  # the middle of it


TOY = '''"""LastFrame: say what was done."""

from dataclasses import dataclass
from embodio.datasets.tasks.parts.moment_task import MomentTask
from embodio.datasets.tasks.parts.task_config import TaskConfig
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.base.text_family import TextItem
from embodio.model.tasks.families.describe_task import DescribeTask

@dataclass(frozen=True, kw_only=True)
class LastFrameConfig(TaskConfig):
    """Settings of the toy task.

    Attributes:
        back: how many steps before the end the frame is.
    """

    back: int = 0

class LastFrame(MomentTask[LastFrameConfig]):
    name = "toy_last_frame"
    settings = LastFrameConfig
    family = DescribeTask()

    def _records(self, length):
        return 1

    def _annotation(self, scene, index, step, generator):
        frame = scene.picture(len(scene) - 1 - self.config.back)
        return TextItem(media=InputMedia(image=frame), text=scene.recorded_instruction)

TASK = LastFrame
'''


def test_a_task_is_added_by_one_module(
    reader: RLDSReader, form: PolicyFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_last_frame.py").write_text(TOY)
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    config = compose(TrainConfig, ["data=d", "out=o", "tasks.toy_last_frame=2", "tasks.toy_last_frame.back=1"])
    settings = config.tasks["toy_last_frame"]
    assert dataclasses.asdict(settings) == {"weight": 2.0, "back": 1}
    assert keys_of(TrainConfig)["tasks.toy_last_frame"].doc == "say what was done."
    example = named_task("toy_last_frame")(reader, form, range(EPISODES), settings).example(1)
    np.testing.assert_array_equal(example.image, picture(reader, 1, STEPS - 2))
    assert example.text_target == "lift the cube"


def test_a_task_has_the_name_of_its_module() -> None:
    assert [named_task(name).name for name in task_names()] == task_names()
    assert all(task_summaries().values())
