"""Agent: chunks, history, refusal of another robot, errors that name the field."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from embodio.agent import (
    Agent,
    AgentError,
    Checkpoint,
    CheckpointError,
    NotReset,
    ObservationError,
    PolicyFormat,
    load_checkpoint,
    save_checkpoint,
    shipped_checkpoints,
)
from embodio.envs.embodiment import Camera
from embodio.envs.errors import EmbodimentMismatch
from embodio.model.processing.image import crop
from embodio.model.tokens.statistics import DatasetStatistics, StatisticsError
from tests.support.agent.policies import make_checkpoint, make_embodiment, make_format, make_observation


def test_a_chunk_is_played_for_as_long_as_replan_says(checkpoint: Checkpoint) -> None:
    agent = Agent(checkpoint, replan=2)
    agent.reset(instruction="lift the cube")
    played = [agent.act(make_observation(i)) for i in range(4)]
    for first in (0, 2):
        fresh = Agent(checkpoint, replan=3)
        fresh.reset(instruction="lift the cube")
        np.testing.assert_array_equal(played[first], fresh.act(make_observation(first)))
        np.testing.assert_array_equal(played[first + 1], fresh.act(make_observation(99)))


def test_reset_forgets_the_plan(checkpoint: Checkpoint) -> None:
    agent = Agent(checkpoint, replan=3)
    agent.reset(instruction="lift the cube")
    first = agent.act(make_observation(0))
    agent.act(make_observation(1))
    agent.reset()
    np.testing.assert_array_equal(first, agent.act(make_observation(0)))


def test_history_reaches_the_network_and_starts_over() -> None:
    policy_format = make_format(history_frames=2, history_stride=2, chunk=1)
    assert policy_format.window == 5
    window = [make_observation(i) for i in range(5)]
    history = policy_format.example(window, "lift").image_history
    assert len(history) == 2
    np.testing.assert_array_equal(history[0], policy_format.image(window[0]))
    np.testing.assert_array_equal(history[1], policy_format.image(window[2]))
    assert len(policy_format.example(window[-2:], "lift").image_history) == 0
    assert len(policy_format.example(window[-3:], "lift").image_history) == 1

    agent = Agent(make_checkpoint(policy_format))
    agent.reset(instruction="lift the cube")
    alone = agent.act(make_observation(9))
    for i in range(4):
        agent.act(make_observation(i))
    agent.act(make_observation(9))
    expected = policy_format.example([make_observation(i) for i in (0, 1, 2, 3, 9)], "lift").image_history
    for kept, frame in zip(agent.example().image_history, expected, strict=True):
        np.testing.assert_array_equal(kept, frame)
    agent.reset()
    np.testing.assert_array_equal(alone, agent.act(make_observation(9)))
    assert len(agent.example().image_history) == 0


def test_actions_do_not_share_memory(checkpoint: Checkpoint) -> None:
    agent = Agent(checkpoint, replan=3)
    agent.reset(instruction="lift the cube")
    first = agent.act(make_observation(0))
    kept = first.copy()
    second = agent.act(make_observation(0))
    first[:] = 7
    agent.reset()
    np.testing.assert_array_equal(kept, agent.act(make_observation(0)))
    np.testing.assert_array_equal(second, agent.act(make_observation(0)))


def test_another_robot_is_refused(checkpoint: Checkpoint) -> None:
    robot = make_embodiment()
    Agent(checkpoint, embodiment=robot)
    other = dataclasses.replace(robot, cameras=(robot.cameras[0], Camera("hand", 96, 128)))
    with pytest.raises(EmbodimentMismatch) as error:
        Agent(checkpoint, embodiment=other)
    message = str(error.value)
    assert "hand" in message and "height" in message and "96" in message and "128" in message
    assert "train a policy on this robot" in message
    slower = dataclasses.replace(robot, control_hz=5.0)
    with pytest.raises(EmbodimentMismatch, match="control_hz"):
        Agent(checkpoint, embodiment=slower)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"front": None}, "front"),
        ({"front": np.zeros((128, 128, 3), np.int16)}, "front: expected uint8"),
        ({"hand": np.zeros((64, 128, 3), np.uint8)}, r"hand: expected uint8 of shape \(128, 128, 3\)"),
        ({"state": np.zeros(3, np.float32)}, "state"),
        ({"state": np.array([np.nan, 0.0], np.float32)}, "state: height is not finite"),
    ],
)
def test_a_malformed_observation_is_named(checkpoint: Checkpoint, change: dict[str, object], message: str) -> None:
    agent = Agent(checkpoint)
    agent.reset(instruction="lift the cube")
    observation = make_observation() | change
    observation = {key: value for key, value in observation.items() if value is not None}
    with pytest.raises(ObservationError, match=message):
        agent.act(observation)


def test_acting_needs_an_instruction(checkpoint: Checkpoint) -> None:
    with pytest.raises(NotReset, match=r"reset\(instruction"):
        Agent(checkpoint).act(make_observation())


def test_replan_is_checked(checkpoint: Checkpoint) -> None:
    with pytest.raises(AgentError, match="3 actions"):
        Agent(checkpoint, replan=4)


def test_a_saved_checkpoint_acts_alike(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "policy", checkpoint.model, checkpoint.format)
    loaded = load_checkpoint(tmp_path / "policy")
    assert loaded.format.config == checkpoint.format.config
    assert loaded.format.embodiment == checkpoint.format.embodiment
    assert loaded.format.statistics == checkpoint.format.statistics
    actions = []
    for source in (checkpoint, loaded):
        agent = Agent(source, replan=3)
        agent.reset(instruction="lift the cube")
        actions.append([agent.act(make_observation(i)) for i in range(3)])
    np.testing.assert_array_equal(actions[0], actions[1])
    assert set(loaded.hashes()) == {"model.safetensors", "statistics.json"}


def test_a_checkpoint_with_a_missing_file_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "policy", checkpoint.model, checkpoint.format)
    (folder / "statistics.json").unlink()
    with pytest.raises(CheckpointError, match=r"statistics\.json missing"):
        Agent.load(folder)
    with pytest.raises(CheckpointError, match="no such folder"):
        Agent.load(tmp_path / "nowhere")


def test_a_replacement_that_was_cut_off_is_finished(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "policy", checkpoint.model, checkpoint.format)
    folder.rename(tmp_path / ".policy.old")
    assert load_checkpoint(folder).folder == folder


def test_shipped_checkpoints_are_small_and_load() -> None:
    most = {"embodio-nano": 25_000_000, "lift-nano": 10_000_000, "robots-nano": 12_000_000}
    shipped = shipped_checkpoints()
    assert set(shipped) == set(most)
    for name, folder in shipped.items():
        assert sum(file.stat().st_size for file in folder.rglob("*")) < most[name]
        load_checkpoint(folder)


def test_a_policy_of_cropped_frames_sees_the_middle_of_each(tmp_path: Path) -> None:
    """Frames and goal, in acting and in looking on; what the checkpoint says is enough."""
    changes = {"history_frames": 1, "goal_image": True, "chunk": 1}
    plain = make_checkpoint(make_format(**changes))
    save_checkpoint(tmp_path / "cropped", plain.model, make_format(**changes, view=0.8))
    whole, cropped = Agent(plain), Agent.load(tmp_path / "cropped")
    for agent in (whole, cropped):
        agent.reset(instruction="lift the cube")
    for step in range(3):
        given = make_observation(step)
        goal = np.concatenate([make_observation(7)[name] for name in ("front", "hand")], axis=1)
        cut = {name: crop(given[name], 0.8) for name in ("front", "hand")}
        halves = [crop(goal[:, :128], 0.8), crop(goal[:, 128:], 0.8)]
        expected = whole.act({**given, **cut, "goal": np.concatenate(halves, axis=1)})
        np.testing.assert_array_equal(cropped.act({**given, "goal": goal}), expected)
    np.testing.assert_array_equal(cropped._scene(given, 0), whole._scene({**given, **cut}, 0))
    np.testing.assert_array_equal(cropped._scene(None, 0), whole._scene(None, 0))
    with pytest.raises(CheckpointError, match="view: got 0"):
        make_format(view=0.0)


def test_statistics_of_another_robot_are_refused() -> None:
    policy_format = make_format()
    state = policy_format.statistics.field("state")
    foreign = dataclasses.replace(state, names=("a", "b"))
    fields = {**policy_format.statistics.fields, "state": foreign}
    with pytest.raises(StatisticsError, match=r"state: the statistics \(test\) are of \('a', 'b'\).*'height'"):
        PolicyFormat(
            policy_format.config,
            policy_format.embodiment,
            DatasetStatistics(fields, "test"),
            policy_format.vocabulary,
        )


def test_the_prompt_tells_of_played_actions_and_of_the_action_space() -> None:
    policy_format = make_format(
        prompt="{instruction} {action_space} So far: {previous_actions}", previous_actions=2, chunk=3, separator=";"
    )
    agent = Agent(make_checkpoint(policy_format), replan=1)
    agent.reset(instruction="lift the cube")
    played: list[np.ndarray] = []
    for step in range(4):
        played.append(agent.act(make_observation(step)))
        told = agent.example().text
        assert told[2] == " " and "3 changes in frame base" in str(told[3])
        joined = policy_format.write(np.array(played[:-1][-2:])) if step else []
        assert told[5:] == joined if step else told[-1] == " So far: "
    chunk = agent.plan(make_observation(9))
    agent.act(make_observation(4))
    assert agent.example().text[5:] == policy_format.write(chunk[-2:])
    agent.reset()
    agent.act(make_observation(0))
    assert agent.example().text[-1] == " So far: "
    for changes in ({"previous_actions": 2}, {"prompt": "{instruction} {previous_actions}"}, {"previous_actions": -1}):
        with pytest.raises(CheckpointError, match="previous_actions"):
            make_format(**changes)
