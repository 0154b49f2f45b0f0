"""A small robot, a small network, and a policy made of both; nothing here needs a simulator."""

from __future__ import annotations

import numpy as np
import torch

from embodio.agent import Checkpoint, PolicyConfig, PolicyFormat
from embodio.agent.policy_network import policy_network_config
from embodio.datasets.episodes.statistics import FieldAccumulator
from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.statistics import DatasetStatistics, FieldStatistics
from embodio.model.tokens.vocabulary import Vocabulary


def make_embodiment() -> Embodiment:
    """Three action dimensions (one of them binary), two state dimensions, two cameras."""
    return Embodiment(
        name="toy",
        action=ActionSpec(
            dimensions=(
                Dimension("x", "m", -1.0, 1.0),
                Dimension("turn", "rad", -0.3, 2.0),
                Dimension("gripper", "", -1.0, 1.0, kind="binary"),
            ),
            mode="delta",
            frame="base",
            rotation="axis_angle",
            gripper="closed_is_high",
            controller="test",
        ),
        state=(Dimension("height", "m", 0.0, 2.0), Dimension("opening", "m", 0.0, 0.08)),
        cameras=(Camera("front", 128, 128), Camera("hand", 128, 128)),
        microphone=None,
        control_hz=10.0,
    )


def make_statistics(embodiment: Embodiment) -> DatasetStatistics:
    """Statistics of random numbers inside the limits."""
    generator = np.random.default_rng(0)

    def field(dimensions: tuple[Dimension, ...]) -> FieldStatistics:
        accumulator = FieldAccumulator()
        values = np.stack([generator.uniform(d.low, d.high, 500) for d in dimensions], axis=1)
        accumulator.update(values.astype(np.float32))
        return accumulator.finish(tuple(d.name for d in dimensions))

    return DatasetStatistics(
        {"action": field(embodiment.action.dimensions), "state": field(embodiment.state)}, source="test"
    )


def make_format(**changes: object) -> PolicyFormat:
    """A policy format for the toy robot."""
    embodiment = make_embodiment()
    config = PolicyConfig(cameras=("front", "hand"), **changes)  # type: ignore[arg-type]
    return PolicyFormat(config, embodiment, make_statistics(embodiment), Vocabulary.default())


def make_checkpoint(policy_format: PolicyFormat, seed: int = 0) -> Checkpoint:
    """A nano network with random weights."""
    torch.manual_seed(seed)
    config = policy_network_config("nano", policy_format)
    return Checkpoint(UnifiedIO2(config).eval(), policy_format)


def make_observation(seed: int = 0) -> dict[str, object]:
    """Random images and a state inside the limits."""
    generator = np.random.default_rng(seed)
    return {
        "front": generator.integers(0, 256, (128, 128, 3), dtype=np.uint8),
        "hand": generator.integers(0, 256, (128, 128, 3), dtype=np.uint8),
        "state": np.array([generator.uniform(0, 2), generator.uniform(0, 0.08)], dtype=np.float32),
        "instruction": "lift the cube",
    }
