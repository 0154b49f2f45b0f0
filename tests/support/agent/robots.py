"""Robots whose actions are numbers, words or poses, and what they see."""

from __future__ import annotations

import dataclasses

import numpy as np

from embodio.agent import PolicyConfig, PolicyFormat
from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment, Microphone
from embodio.envs.vima.robot import vima_pick_place
from embodio.model.tokens.statistics import DatasetStatistics
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.agent.policies import make_embodiment, make_statistics

STEERING = ("forward", "left", "right", "look up", "look down", "stop")
SENTENCE = (
    "{step}: {verb} from ( {pose0_x} {pose0_y} {pose0_turn} ) and {verb|place|push} to "
    "( {pose1_x} {pose1_y} {pose1_turn} )"
)


def walker(microphone: Microphone | None = None) -> Embodiment:
    """A robot that is steered by words; one camera."""
    action = ActionSpec((Dimension.of_words("move", STEERING),), "delta", "base", "none", "none", "test")
    return Embodiment("walker", action, (), (Camera("eye", 64, 80),), microphone, 2.0)


def without_statistics(robot: Embodiment, **changes: object) -> PolicyFormat:
    """A policy format that needs none."""
    prompt = "{instruction} State: {state}" if robot.state else "{instruction}"
    settings = {
        "cameras": tuple(camera.name for camera in robot.cameras),
        "state_range": "limits",
        "prompt": prompt,
    } | changes
    config = PolicyConfig(**settings)  # type: ignore[arg-type]
    return PolicyFormat(config, robot, DatasetStatistics({}, source="test"), Vocabulary.default())


def continuous(**changes: object) -> PolicyFormat:
    """The toy robot: two numbers and a gripper."""
    robot = make_embodiment()
    config = PolicyConfig(cameras=("front", "hand"), **({"chunk": 3} | changes))  # type: ignore[arg-type]
    return PolicyFormat(config, robot, make_statistics(robot), Vocabulary.default())


def words(**changes: object) -> PolicyFormat:
    """Chunks of words."""
    return without_statistics(walker(), **({"chunk": 3, "separator": ","} | changes))


def poses(**changes: object) -> PolicyFormat:
    """VIMA's robot: plans of whole episodes, as sentences."""
    settings = {"chunk": 4, "action_bins": 1000, "action_text": SENTENCE, "whole_episode": True} | changes
    return without_statistics(vima_pick_place(), **settings)


def hearing(**changes: object) -> PolicyFormat:
    """The toy robot with a microphone or spoken instructions."""
    robot = dataclasses.replace(make_embodiment(), microphone=Microphone(rate=8000, channels=1))
    config = PolicyConfig(cameras=("front", "hand"), **({"chunk": 1} | changes))  # type: ignore[arg-type]
    return PolicyFormat(config, robot, make_statistics(robot), Vocabulary.default())


def observation_of(policy_format: PolicyFormat, seed: int = 0) -> dict[str, object]:
    """Random pictures and numbers in the middle of their ranges."""
    generator = np.random.default_rng(seed)
    seen: dict[str, object] = {
        c.name: generator.integers(0, 256, (c.height, c.width, 3), dtype=np.uint8) for c in policy_format.cameras
    }
    state = policy_format.embodiment.state
    if state:
        seen["state"] = np.array([generator.uniform(d.low, d.high) for d in state], dtype=np.float32)
    return seen


def require_valid(policy_format: PolicyFormat, action: np.ndarray) -> None:
    """Finite, inside the limits, and one of the two or the words where there are no numbers between."""
    dimensions = policy_format.embodiment.action.dimensions
    assert action.dtype == np.float32 and action.shape == (len(dimensions),)
    for value, d in zip(action.tolist(), dimensions, strict=True):
        assert d.low <= value <= d.high
        if d.kind == "binary":
            assert value in (np.float32(d.low), np.float32(d.high))
        if d.kind == "word":
            assert value in range(len(d.words))
