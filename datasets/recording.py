"""Episodes of an agent as RLDS: what it saw and did, and whether it succeeded."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embodio.datasets.errors import CollectionError
from embodio.datasets.rlds.features import METADATA, EpisodeFeatures, TensorFeature, TextFeature, features_of
from embodio.datasets.rlds.image_codec import encode_image
from embodio.datasets.rlds.writer import encode_episode
from embodio.envs.embodiment import Embodiment
from embodio.envs.registry import Policy
from embodio.envs.rollout import EpisodeResult, StepRecord


@dataclass(frozen=True)
class RecordingSettings:
    """What makes two runs the same recording.

    Attributes:
        environment: name of the environment.
        agent: name of the agent.
        seed: of episode 0; episode i has seed + i.
        options: what else decides how an episode goes: hashes of the weights, horizon, ...
        embodiment: of the robot, as `Embodiment.to_dict` gives it.
    """

    environment: str
    agent: str
    seed: int
    options: Mapping[str, Any]
    embodiment: Mapping[str, Any]

    @property
    def features(self) -> EpisodeFeatures:
        """What an episode holds."""
        return recorded_features(Embodiment.from_dict(self.embodiment))

    @property
    def description(self) -> str:
        """One line for people."""
        return f"Episodes of {self.agent} in {self.environment}; episode_metadata/success says how they ended."

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        data: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return data


class EpisodeRecorder:
    """Writes down the steps of one episode; an instance is the `on_step` of `run_episode`."""

    def __init__(self, policy: Policy, embodiment: Embodiment) -> None:
        """Begins an empty record of what a policy does with a robot."""
        self._policy, self._embodiment = policy, embodiment
        self._steps: list[dict[str, Any]] = []

    def __call__(self, record: StepRecord) -> None:
        """Takes one step; after the end also the final observation, with what the policy would do there.

        Raises:
            CollectionError: the observation lacks something that the embodiment has.
        """
        discount = np.float32(not record.terminated)
        action = np.array(record.action, np.float32)
        self._add(record.observation, action, np.float32(record.reward), discount)
        if record.terminated or record.truncated:
            wanted = np.array(self._policy.act(record.next_observation), np.float32)
            self._add(record.next_observation, wanted, np.float32(0), discount)
            self._steps[-1] |= {"is_last": True, "is_terminal": record.terminated}

    def encode(self, result: EpisodeResult, *, environment: str, agent: str) -> bytes:
        """The record of the episode, not framed yet; raises FeatureError if no step was taken."""
        metadata: dict[str, Any] = {"seed": result.seed, "success": result.status == "success", "status": result.status}
        metadata |= {"environment": environment, "agent": agent}
        episode = {f"{METADATA}/{name}": value for name, value in metadata.items()}
        return encode_episode(recorded_features(self._embodiment), self._steps, episode)

    def _add(self, observation: Mapping[str, Any], action: Any, reward: np.float32, discount: np.float32) -> None:
        step = observed(observation, self._embodiment) | {"action": action, "reward": reward, "discount": discount}
        self._steps.append(step | {"is_first": not self._steps, "is_last": False, "is_terminal": False})


def recorded_features(embodiment: Embodiment) -> EpisodeFeatures:
    """What a recorded episode of a robot holds."""
    demonstrated = features_of(embodiment)
    steps = {path: feature for path, feature in demonstrated.steps.items() if path != "expert_action"}
    episode = {f"{METADATA}/seed": TensorFeature("int64"), f"{METADATA}/success": TensorFeature("bool")}
    texts = {f"{METADATA}/{name}": TextFeature() for name in ("status", "environment", "agent")}
    return EpisodeFeatures(steps, {**episode, **texts})


def observed(observation: Mapping[str, Any], embodiment: Embodiment) -> dict[str, Any]:
    """An observation as the fields of a step: cameras as JPEG, state, instruction.

    Raises:
        CollectionError: the observation lacks something that the embodiment has, or its instruction holds images.
    """
    cameras = [camera.name for camera in embodiment.cameras]
    needed = [*cameras, *(("state",) if embodiment.state else ()), "instruction"]
    missing = [name for name in needed if name not in observation]
    if missing:
        raise CollectionError(f"observations lack {missing}. Collect from an environment that gives all of them")
    if not isinstance(observation["instruction"], str):
        raise CollectionError(
            "the instruction holds more than words, which recordings do not keep. VIMA's own script makes data with "
            "prompt images, and `open_source` reads them"
        )
    step: dict[str, Any] = {f"observation/{name}": encode_image(observation[name], "jpeg") for name in cameras}
    if embodiment.state:
        step["observation/state"] = np.array(observation["state"], dtype=np.float32)
    return step | {"language_instruction": str(observation["instruction"])}
