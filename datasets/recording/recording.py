"""Recordings of an agent's episodes as RLDS: observations, actions and outcome."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.episodes.features import (
    INSTRUCTION,
    METADATA,
    MICROPHONE_RATE,
    EpisodeFeatures,
    Feature,
    TensorFeature,
    TextFeature,
    features_of,
)
from embodio.datasets.episodes.recorded.prompt import prompt_text, prompt_values, with_prompts
from embodio.datasets.episodes.recorded.sound import microphone_samples
from embodio.datasets.errors import CollectionError
from embodio.datasets.recording.collection_store import StoreSettings
from embodio.datasets.rlds.writer import encode_episode
from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import SimulatorError
from embodio.envs.policy import Policy
from embodio.envs.rollout import EpisodeResult, StepRecord


@dataclass(frozen=True, kw_only=True)
class RecordingSettings(StoreSettings):
    """The settings that identify a recording.

    Attributes:
        agent: name of the agent.
        options: other settings that decide how an episode goes: hashes of the weights, horizon, ...
        prompts: whether instructions may hold more than words; omitted from the file if not.
    """

    agent: str
    options: Mapping[str, Any]
    prompts: bool = False

    @property
    def features(self) -> EpisodeFeatures:
        """What an episode holds."""
        return recorded_features(Embodiment.from_dict(self.embodiment), self.prompts)

    @property
    def description(self) -> str:
        """A one-line description for readers."""
        return f"Episodes of {self.agent} in {self.environment}; episode_metadata/success says how they ended."


class EpisodeRecorder:
    """Records the steps of one episode; an instance is the `on_step` of `run_episode`."""

    def __init__(self, policy: Policy, embodiment: Embodiment, *, prompts: bool = False) -> None:
        """Begins an empty record of what a policy does with a robot; `prompts` as in `RecordingSettings`."""
        self._policy, self._embodiment, self._prompts = policy, embodiment, prompts
        self._instruction: Any = None
        self._steps: list[dict[str, Any]] = []

    def __call__(self, record: StepRecord) -> None:
        """Takes one step; after the end also the final observation, with what the policy would do there.

        A policy that raises SimulatorError there, as an expert does that has nothing left to do, ends the record with
        the last action that was executed.

        Raises:
            CollectionError: the observation lacks something that the embodiment has, or cannot be recorded.
        """
        discount = np.float32(not record.terminated)
        action = np.array(record.action, np.float32)
        self._add(record.observation, action, np.float32(record.reward), discount)
        if record.terminated or record.truncated:
            with contextlib.suppress(SimulatorError):
                wanted = np.array(self._policy.act(record.next_observation), np.float32)
                self._add(record.next_observation, wanted, np.float32(0), discount)
            self._steps[-1] |= {"is_last": True, "is_terminal": record.terminated}

    def encode(self, result: EpisodeResult, *, environment: str, agent: str) -> bytes:
        """The record of the episode, not framed yet; raises FeatureError if no step was taken."""
        metadata: dict[str, Any] = {"seed": result.seed, "success": result.status == "success", "status": result.status}
        metadata |= {"environment": environment, "agent": agent}
        episode = {f"{METADATA}/{name}": value for name, value in metadata.items()} | microphone_rate(self._embodiment)
        if self._prompts:
            episode |= prompt_values("" if self._instruction is None else self._instruction)
        return encode_episode(recorded_features(self._embodiment, self._prompts), self._steps, episode)

    def _add(self, observation: Mapping[str, Any], action: Any, reward: np.float32, discount: np.float32) -> None:
        if self._prompts and self._instruction is None:  # the instruction that `run_episode` gave to the policy
            self._instruction = observation.get("instruction")
        step = observed(observation, self._embodiment, prompts=self._prompts) | {
            "action": action,
            "reward": reward,
            "discount": discount,
        }
        self._steps.append(step | {"is_first": not self._steps, "is_last": False, "is_terminal": False})


def recorded_features(embodiment: Embodiment, prompts: bool = False) -> EpisodeFeatures:
    """The features of a recorded episode; with `prompts`, also pictures and sounds of its instruction."""
    shown = features_of(embodiment)
    steps = {path: feature for path, feature in shown.steps.items() if path != "expert_action"}
    episode: dict[str, Feature] = {
        f"{METADATA}/seed": TensorFeature("int64"),
        f"{METADATA}/success": TensorFeature("bool"),
    }
    episode |= {f"{METADATA}/{name}": TextFeature() for name in ("status", "environment", "agent")}
    episode |= {path: shown.episode[path] for path in microphone_rate(embodiment)}
    features = EpisodeFeatures(steps, episode, shown.sequences)
    return with_prompts(features) if prompts else features


def microphone_rate(embodiment: Embodiment) -> dict[str, Any]:
    """The metadata of a robot's microphone; empty if there is none."""
    return {} if embodiment.microphone is None else {MICROPHONE_RATE: embodiment.microphone.rate}


def observed(observation: Mapping[str, Any], embodiment: Embodiment, *, prompts: bool = False) -> dict[str, Any]:
    """An observation as the fields of a step: cameras as JPEG, state, sound, instruction.

    Args:
        observation: of an environment.
        embodiment: of its robot.
        prompts: whether to keep pictures and sounds of the instruction, as marks in its words.

    Raises:
        CollectionError: the observation lacks something that the embodiment has, or cannot be recorded.
    """
    cameras = [camera.name for camera in embodiment.cameras]
    heard = ("microphone",) if embodiment.microphone else ()
    needed = [*cameras, *(("state",) if embodiment.state else ()), *heard, "instruction"]
    missing = [name for name in needed if name not in observation]
    if missing:
        raise CollectionError(f"observations lack {missing}. Collect from an environment that gives all of them")
    instruction = observation["instruction"]
    if not prompts and not isinstance(instruction, str):
        raise CollectionError(
            "the instruction holds more than words, but by the observation space of the environment it is a text. Give "
            "it another space there, such as embodio.envs.interleaved_prompt.PromptSpace"
        )
    step: dict[str, Any] = {f"observation/{name}": encode_image(observation[name], "jpeg") for name in cameras}
    if embodiment.state:
        step["observation/state"] = np.array(observation["state"], dtype=np.float32)
    if embodiment.microphone:
        step["observation/microphone"] = microphone_samples(observation["microphone"], embodiment.microphone)
    return step | {INSTRUCTION: prompt_text(instruction)}
