"""One scripted demonstration: the expert acts, noise disturbs its actions, and every step is recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.features import METADATA, features_of
from embodio.datasets.episodes.recorded.prompt import prompt_values, with_prompts
from embodio.datasets.errors import CollectionError
from embodio.datasets.recording.learner import CorrectingExpert, Learner
from embodio.datasets.recording.noisy_expert import NoisyExpert
from embodio.datasets.recording.recording import microphone_rate, observed
from embodio.datasets.rlds.writer import encode_episode
from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import SimulatorError
from embodio.envs.policy import Policy
from embodio.envs.rollout import EpisodeResult, StepRecord, run_episode

_HIGHEST_NOISE = 10.0

NO_SEED = -1
"""The seed of an episode that does not begin in the scene of its seed, so that nothing replays it from there."""


class Recorder:
    """Records the steps of one episode, RLDS style: each holds an observation and the consequences of its action.

    An instance is the `on_step` of `run_episode`.

    Attributes:
        steps: one dict per recorded step; flat paths -> values. The final observation comes last: its action
            was not executed, and both action fields hold what the expert would have done there. An expert that raises
            SimulatorError there has nothing left to do: the record then ends with the last executed action.
        instruction: that of the first recorded step.
    """

    def __init__(
        self, policy: NoisyExpert, embodiment: Embodiment, *, records_learner: bool = True, prompts: bool = False
    ) -> None:
        """Begins an empty record.

        Args:
            policy: whose clean and executed actions are recorded.
            embodiment: says which parts of an observation are recorded.
            records_learner: whether steps are recorded in which a learner leads.
            prompts: whether instructions may hold more than words.
        """
        self._policy = policy
        self._embodiment = embodiment
        self._records_learner, self._prompts = records_learner, prompts
        self.instruction: Any = None
        self.steps: list[dict[str, Any]] = []

    def __call__(self, record: StepRecord) -> None:
        """Takes one step; after the end also the final observation, unless the expert has nothing left to do there.

        Raises:
            CollectionError: the observation lacks something that the embodiment has.
        """
        if self._policy.leads and not self._records_learner:
            return
        discount = 0.0 if record.terminated else 1.0
        self._write(record.observation, self._policy.executed, record.reward, discount)
        if record.terminated or record.truncated:
            with contextlib.suppress(SimulatorError):
                self._policy.act(record.next_observation)
                self._write(record.next_observation, self._policy.clean, 0.0, discount)
            self.steps[-1] |= {"is_last": True, "is_terminal": record.terminated}

    def _write(
        self, observation: Mapping[str, Any], executed: npt.NDArray[np.float32], reward: float, discount: float
    ) -> None:
        self.instruction = observation.get("instruction") if not self.steps else self.instruction
        step = observed(observation, self._embodiment, prompts=self._prompts)
        step |= {"action": executed, "expert_action": self._policy.clean}
        step |= {"reward": np.float32(reward), "discount": np.float32(discount)}
        step |= {"is_first": not self.steps, "is_last": False, "is_terminal": False}
        self.steps.append(step)


def record_demonstration(
    env: gymnasium.Env[Any, Any],
    expert: Policy,
    embodiment: Embodiment,
    *,
    env_name: str,
    seed: int,
    noise: float,
    learner: tuple[Policy, Learner] | None = None,
    prompts: bool = False,
) -> tuple[EpisodeResult, bytes | None]:
    """Lets an expert play one episode, perhaps after a learner, and serialises it.

    Args:
        env: whose observations hold the cameras, "state" and "instruction".
        expert: of that environment.
        embodiment: of the robot.
        env_name: written to the metadata.
        seed: of the scene and of the noise.
        noise: level, see `NoisyExpert`.
        learner: who plays before the expert takes over, and how, see `CorrectingExpert`.
        prompts: whether instructions may hold more than words, whose pictures and sounds are kept.

    Returns:
        The outcome, and the record; None after a simulator error, where the learner ended the episode itself and its
        steps are not recorded, and where it got to a place from which the expert does not know how to go on.
    """
    if learner is None:
        policy = NoisyExpert(expert, embodiment, noise, seed)
    else:
        policy = CorrectingExpert(expert, embodiment, noise, seed, *learner)
    recorded = learner is None or learner[1].recorded
    recorder = Recorder(policy, embodiment, records_learner=recorded, prompts=prompts)
    result = run_episode(env, policy, seed, on_step=recorder)
    if result.status == "error" and policy.lost:
        return replace(result, status="failure"), None
    if result.status == "error" or not recorder.steps:
        return result, None
    metadata = {
        "seed": seed if recorded or policy.takeover == 0 else NO_SEED,
        "success": result.status == "success",
        "environment": env_name,
        "expert": type(expert).__name__,
        "noise": np.float32(noise),
    }
    episode = {f"{METADATA}/{name}": value for name, value in metadata.items()} | microphone_rate(embodiment)
    features = features_of(embodiment)
    if prompts:
        features, episode = with_prompts(features), episode | prompt_values(recorder.instruction)
    return result, encode_episode(features, recorder.steps, episode)


def check_noise(noise: tuple[float, ...]) -> None:
    """Checks the levels of noise.

    Raises:
        CollectionError: there are none, or one is negative or absurd.
    """
    if not noise or not all(0.0 <= level <= _HIGHEST_NOISE for level in noise):
        raise CollectionError(
            f"noise={noise}: give one or more levels from 0 to {_HIGHEST_NOISE:g}, e.g. (0, 0.2, 0.4)"
        )
