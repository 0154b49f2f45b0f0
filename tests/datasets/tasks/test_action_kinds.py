"""Words, poses and plans in training: the same tokens as the agent decodes, from the same text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from embodio.agent import Agent, PolicyFormat
from embodio.datasets.episodes.features import features_of
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.datasets.tasks import named_task
from embodio.datasets.tasks.next_action import NextAction
from embodio.model.network.batch import collate
from embodio.model.processing.processor import Processor
from embodio.model.tokens.vocabulary import EOS_ID
from tests.support.agent.policies import make_checkpoint
from tests.support.agent.robots import observation_of, poses, words
from tests.support.datasets.toy import metadata_of

LENGTHS = (2, 6)


def recorded(folder: Path, policy_format: PolicyFormat) -> RLDSReader:
    """Episodes of a robot, with random actions."""
    robot, generator = policy_format.embodiment, np.random.default_rng(0)
    with RLDSWriter(folder, "kinds", features_of(robot)) as writer:
        for episode, length in enumerate(LENGTHS):
            writer.add([step_of(policy_format, generator, i, length) for i in range(length)], metadata_of(episode))
    robot.save(folder / "embodiment.json")
    return RLDSReader(folder)


def step_of(policy_format: PolicyFormat, generator: np.random.Generator, step: int, length: int) -> dict[str, Any]:
    dimensions = policy_format.embodiment.action.dimensions
    drawn = [generator.integers(len(d.words)) if d.words else generator.uniform(d.low, d.high) for d in dimensions]
    action, last = np.array(drawn, dtype=np.float32), step == length - 1
    seen = {f"observation/{key}": value for key, value in observation_of(policy_format, step).items()}
    flags = {"is_first": step == 0, "is_last": last, "is_terminal": last}
    numbers = {"reward": np.float32(last), "discount": np.float32(1.0)}
    return seen | flags | numbers | {"action": action, "expert_action": action, "language_instruction": "go there"}


@pytest.mark.parametrize("make", [words, poses])
def test_training_writes_what_the_agent_decodes(make: Any, tmp_path: Path) -> None:
    policy_format: PolicyFormat = make()
    reader = recorded(tmp_path / "kinds", policy_format)
    task, chunk = NextAction(reader, policy_format, range(2)), policy_format.chunk
    if policy_format.whole_episode:
        assert len(task) == sum(min(length, chunk) for length in LENGTHS)
        assert [task.locate(i) for i in range(len(task))] == [(0, 0), (0, 1), *((1, i) for i in range(6 - chunk, 6))]
    else:
        assert len(task) == sum(LENGTHS)
    for index in range(len(task)):
        episode, step = task.locate(index)
        left = reader.episode(episode).array("action")[step:]
        example = task.example(index)
        assert policy_format.grammar().accepts(example.text_target)
        written = policy_format.actions(example.text_target)
        expected = left[:chunk] if policy_format.whole_episode else left[np.minimum(np.arange(chunk), len(left) - 1)]
        assert written.shape == expected.shape
        resolution = policy_format.codec.resolution
        assert (np.abs(written - expected) <= resolution / 2 + 1e-4 * np.abs(expected) + 1e-6).all()


@pytest.mark.parametrize("make", [words, poses])
def test_all_tasks_write_actions_as_the_policy_does(make: Any, tmp_path: Path) -> None:
    policy_format: PolicyFormat = make()
    reader = recorded(tmp_path / "kinds", policy_format)
    actions = reader.episode(0).array("action")
    made = {name: named_task(name)(reader, policy_format, range(2)) for name in ("plan", "action_right")}
    plan = made["plan"].example(0)
    assert list(plan.text_target) == policy_format.write(actions)
    shown = made["action_right"].example(0).text
    text = ",".join(map(str, shown))
    assert ",".join(map(str, policy_format.write(actions[:1]))) in text


def test_accuracy_counts_the_tokens_of_answers_of_any_length() -> None:
    policy_format = poses()
    checkpoint = make_checkpoint(policy_format, seed=1)
    processor = Processor(checkpoint.model.config, policy_format.vocabulary)
    generator = np.random.default_rng(1)
    features = []
    for count in (1, 3):
        rows = [step_of(policy_format, generator, 0, 1)["action"] for _ in range(count)]
        features.append(processor(policy_format.example([observation_of(policy_format)], "go", np.stack(rows))))
    with torch.no_grad():
        outputs = checkpoint.model(collate(features))
    output = outputs["text"]
    targets = [f["targets/text/targets"] for f in features]
    found = checkpoint.model.loss(outputs).modalities["text"]
    assert found.counted == sum(int((target != EOS_ID).sum()) for target in targets)
    output.logits.zero_()
    output.logits.scatter_(2, output.targets[..., None], 1.0)
    found = checkpoint.model.loss(outputs).modalities["text"]
    assert found.right == found.counted and found.accuracy == 1.0


def test_an_agent_of_a_recorded_robot_acts(tmp_path: Path) -> None:
    policy_format = words()
    agent = Agent(make_checkpoint(policy_format), embodiment=recorded(tmp_path / "kinds", policy_format).embodiment)
    agent.reset(instruction="go there")
    assert agent.act(observation_of(policy_format))[0] in range(6)
