"""Tasks at the ends of episodes, in episodes shorter than a chunk and of one step; hindsight goals and dropout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embodio.agent import PolicyConfig, PolicyFormat
from embodio.datasets.episodes.features import features_of
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.datasets.stream.order import generator_at
from embodio.datasets.tasks import named_task, task_names
from embodio.datasets.tasks.next_action import NextAction, NextActionConfig
from embodio.datasets.tasks.parts.input_config import InputConfig
from embodio.datasets.tasks.parts.moment_task import SharedConfig
from embodio.model.config.model import ModelConfig
from embodio.model.processing.processor import Processor
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.agent.policies import make_embodiment
from tests.support.datasets.toy import metadata_of, toy_rows

LENGTHS = (1, 3, 7)
CHUNK = 5


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> RLDSReader:
    folder = tmp_path_factory.mktemp("lengths") / "toy"
    generator = np.random.default_rng(3)
    with RLDSWriter(folder, "toy", features_of(make_embodiment())) as writer:
        for episode, length in enumerate(LENGTHS):
            writer.add(toy_rows(generator, length), metadata_of(episode))
    make_embodiment().save(folder / "embodiment.json")
    return RLDSReader(folder)


def form(reader: RLDSReader, **changes: Any) -> PolicyFormat:
    config = PolicyConfig(cameras=("front", "hand"), chunk=CHUNK, **changes)
    return PolicyFormat(config, make_embodiment(), compute_statistics(reader), Vocabulary.default())


def picture(reader: RLDSReader, episode: int, step: int) -> np.ndarray:
    opened = reader.episode(episode)
    return np.concatenate([opened.frame("front", step), opened.frame("hand", step)], axis=1)


def tokens(text: Any) -> list[int]:
    return [part for part in text[1:] if not isinstance(part, str)]


def test_a_chunk_repeats_the_last_action_wherever_the_episode_ends_first(reader: RLDSReader) -> None:
    policy_format = form(reader)
    task = NextAction(reader, policy_format, range(3))
    assert len(task) == sum(LENGTHS)
    for index in range(len(task)):
        episode, step = task.locate(index)
        actions = reader.episode(episode).array("action")
        expected = [actions[min(step + ahead, len(actions) - 1)] for ahead in range(CHUNK)]
        target = task.example(index).text_target
        assert target == policy_format.codec.encode(np.stack(expected)).ravel().tolist()


@pytest.mark.parametrize("name", task_names())
def test_first_last_and_lone_steps_make_whole_examples_or_none(name: str, reader: RLDSReader) -> None:
    """Every record of every episode length goes through the processor; episodes that are too short make no record."""
    policy_format = form(reader)
    inputs = InputConfig(history_frames=2, state=True, previous_actions=3, action_space=True)
    task = named_task(name)(reader, policy_format, range(3), shared=SharedConfig(inputs=inputs))
    processor = Processor(ModelConfig.named("large"), policy_format.vocabulary)
    longest = {"goal_image": 1, "sub_goal_image": 1, "next_frame": 1, "next_state": 1}
    lengths = [length - longest.get(name, 0) for length in LENGTHS]
    lengths = [1 if name in ("instruction_from_video", "plan") else length for length in lengths]
    assert len(task) == sum(lengths)
    for index in range(len(task)):
        for generator in (None, generator_at(1, index)):
            features = processor(task.example(index, generator), generator_at(2, index))
            assert all(np.isfinite(array).all() for array in features.values())


def test_a_goal_is_the_end_or_a_later_step(reader: RLDSReader) -> None:
    policy_format = form(reader, goal_image=True)
    last = NextAction(reader, policy_format, [2])
    for step in (0, 6):
        np.testing.assert_array_equal(last.example(step, generator_at(0, 0)).image_history[0], picture(reader, 2, 6))
    near = NextAction(reader, policy_format, [2], config=NextActionConfig(goal_ahead=2))
    seen = set()
    for seed in range(12):
        goal = near.example(1, generator_at(seed, 0)).image_history[0]
        seen |= {step for step in range(7) if np.array_equal(goal, picture(reader, 2, step))}
    assert seen == {2, 3}
    np.testing.assert_array_equal(near.example(6, generator_at(0, 0)).image_history[0], picture(reader, 2, 6))
    with pytest.raises(DatasetError, match="goal_ahead"):
        NextActionConfig(goal_ahead=-1)


def test_earlier_actions_state_and_history_are_told_and_left_out(reader: RLDSReader) -> None:
    prompt = "{instruction} State: {state} So far: {previous_actions}"
    policy_format = form(reader, prompt=prompt, previous_actions=2, history_frames=1)
    task = NextAction(reader, policy_format, [2], shared=SharedConfig(action_key="expert_action"))
    actions = policy_format.codec.encode(reader.episode(2).array("action"))
    for step in range(7):
        told = tokens(task.example(step, generator_at(0, step)).text)
        assert told[2:] == actions[max(0, step - 2) : step].ravel().tolist()
    bare = NextAction(
        reader, policy_format, [2], shared=SharedConfig(inputs=InputConfig(drop_state=1.0, drop_history=1.0))
    )
    example = bare.example(4, generator_at(0, 0))
    assert tokens(example.text) == [] and not example.image_history
    assert len(tokens(bare.example(4).text)) == 2 + 6, "without a generator nothing is left out"
    half = NextAction(reader, policy_format, [2], shared=SharedConfig(inputs=InputConfig(drop_state=0.5)))
    counts = [len(tokens(half.example(0, generator_at(seed, 0)).text)) for seed in range(40)]
    assert 8 < counts.count(0) < 32 and set(counts) == {0, 2}
