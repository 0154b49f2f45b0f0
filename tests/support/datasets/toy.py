"""A tiny RLDS data set of a made-up robot, for tests that need trajectories but no simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from embodio.agent import PolicyConfig, PolicyFormat
from embodio.datasets.episodes.features import features_of
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.envs.embodiment import Dimension, Embodiment
from embodio.model.tokens.statistics import DatasetStatistics
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.agent.policies import make_embodiment


def toy_format(statistics: DatasetStatistics) -> PolicyFormat:
    """A policy format for the made-up robot."""
    return PolicyFormat(
        PolicyConfig(cameras=("front", "hand"), chunk=2), make_embodiment(), statistics, Vocabulary.default()
    )


def write_toy_dataset(
    folder: Path, episodes: int, steps: int, name: str = "toy", seed: int = 7, instruction: str = "lift the cube"
) -> Path:
    """Writes episodes of random images, states and actions."""
    embodiment = make_embodiment()
    generator = np.random.default_rng(seed)
    with RLDSWriter(folder, name, features_of(embodiment)) as writer:
        for episode in range(episodes):
            writer.add(toy_rows(generator, steps, instruction), metadata_of(episode))
    embodiment.save(folder / "embodiment.json")
    return folder


def toy_rows(generator: np.random.Generator, steps: int, instruction: str = "lift the cube") -> list[dict[str, object]]:
    """The steps of an episode."""
    rows: list[dict[str, object]] = []
    for step in range(steps):
        action = generator.uniform(-0.3, 1.0, 3).astype(np.float32)
        action[2] = np.sign(action[2])
        rows.append(
            {
                "observation/front": generator.integers(0, 256, (128, 128, 3), dtype=np.uint8),
                "observation/hand": generator.integers(0, 256, (128, 128, 3), dtype=np.uint8),
                "observation/state": generator.uniform(0, 0.08, 2).astype(np.float32),
                "action": action,
                "expert_action": action,
                "reward": np.float32(step == steps - 1),
                "discount": np.float32(1.0),
                "is_first": step == 0,
                "is_last": step == steps - 1,
                "is_terminal": step == steps - 1,
                "language_instruction": instruction,
            }
        )
    return rows


def metadata_of(episode: int) -> dict[str, object]:
    """What an episode says about itself."""
    values = {"seed": episode, "success": True, "environment": "toy", "expert": "none", "noise": np.float32(0)}
    return {f"episode_metadata/{name}": value for name, value in values.items()}


def write_random_dataset(folder: Path, embodiment: Embodiment, lengths: tuple[int, ...]) -> Path:
    """Writes episodes of these lengths with random images, states and actions of any robot."""
    generator = np.random.default_rng(5)

    def numbers(dimensions: tuple[Dimension, ...]) -> np.ndarray:
        drawn = [
            generator.integers(int(d.high) + 1) if d.words else generator.uniform(d.low, d.high) for d in dimensions
        ]
        return np.array(drawn, np.float32)

    with RLDSWriter(folder, "random", features_of(embodiment)) as writer:
        for episode, length in enumerate(lengths):
            rows = []
            for step in range(length):
                last, action = step == length - 1, numbers(embodiment.action.dimensions)
                row = {
                    f"observation/{c.name}": generator.integers(0, 256, (c.height, c.width, 3), dtype=np.uint8)
                    for c in embodiment.cameras
                }
                row |= {"observation/state": numbers(embodiment.state)} if embodiment.state else {}
                row |= {"action": action, "expert_action": action, "reward": np.float32(last)}
                row |= {"discount": np.float32(1), "is_first": step == 0, "is_last": last, "is_terminal": last}
                rows.append(row | {"language_instruction": "go to the red block"})
            writer.add(rows, metadata_of(episode))
    embodiment.save(folder / "embodiment.json")
    return folder
