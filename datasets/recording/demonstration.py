"""One scripted demonstration: the expert acts, noise disturbs its actions, and every step is recorded.

Disturbed execution with clean labels shows a policy how to recover from states that the expert alone never visits
(DART: Laskey et al. 2017).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.features import METADATA, features_of
from embodio.datasets.errors import CollectionError
from embodio.datasets.recording.recording import microphone_rate, observed
from embodio.datasets.rlds.writer import encode_episode
from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import SimulatorError
from embodio.envs.policy import Policy
from embodio.envs.rollout import EpisodeResult, StepRecord, run_episode

_NOISE_STREAM = 1  # second half of the noise seed, so that noise and scene are drawn from unrelated streams
_HIGHEST_NOISE = 10.0


class NoisyExpert:
    """An expert whose executed actions are disturbed with Gaussian noise.

    Attributes:
        clean: the last action of the expert itself, float32 [A].
        executed: the same with noise, clipped to the limits, float32 [A].
    """

    def __init__(self, expert: Policy, embodiment: Embodiment, level: float, seed: int) -> None:
        """Wraps an expert for one episode.

        Args:
            expert: gives the clean actions.
            embodiment: says which dimensions are continuous (binary ones are never disturbed) and their limits.
            level: standard deviation of the noise, as a fraction of half the range of each dimension.
            seed: of the noise.
        """
        dimensions = embodiment.action.dimensions
        self._expert = expert
        low = np.array([dimension.low for dimension in dimensions], dtype=np.float64)
        high = np.array([dimension.high for dimension in dimensions], dtype=np.float64)
        # the outermost float32 numbers that are still inside
        self._low = np.where(low.astype(np.float32) < low, np.nextafter(np.float32(low), np.inf), np.float32(low))
        self._high = np.where(high.astype(np.float32) > high, np.nextafter(np.float32(high), -np.inf), np.float32(high))
        continuous = np.array([dimension.kind == "continuous" for dimension in dimensions])
        self._scale = level * continuous * (high - low) / 2
        self._random = np.random.default_rng([seed, _NOISE_STREAM])
        self.clean = np.zeros(len(dimensions), dtype=np.float32)
        self.executed = self.clean

    def reset(self, instruction: str | None = None) -> None:
        """Begins an episode."""
        self._expert.reset(instruction=instruction)

    def act(self, observation: Mapping[str, Any]) -> npt.NDArray[np.float32]:
        """Returns the disturbed action, float32 [A]; both actions can be read from the attributes afterwards."""
        self.clean = np.array(self._expert.act(observation), dtype=np.float32)
        noise = self._scale * self._random.standard_normal(len(self.clean))
        self.executed = np.clip((self.clean + noise).astype(np.float32), self._low, self._high)
        return self.executed


class Recorder:
    """Records the steps of one episode, RLDS style: each holds an observation and the consequences of its action.

    An instance is the `on_step` of `run_episode`.

    Attributes:
        steps: one dict per recorded step; flat paths -> values. The final observation comes last: its action
            was not executed, and both action fields hold what the expert would have done there. An expert that raises
            SimulatorError there has nothing left to do: the record then ends with the last executed action.
    """

    def __init__(self, policy: NoisyExpert, embodiment: Embodiment) -> None:
        """Begins an empty record.

        Args:
            policy: whose clean and executed actions are recorded.
            embodiment: says which parts of an observation are recorded.
        """
        self._policy = policy
        self._embodiment = embodiment
        self.steps: list[dict[str, Any]] = []

    def __call__(self, record: StepRecord) -> None:
        """Takes one step; after the end also the final observation, unless the expert has nothing left to do there.

        Raises:
            CollectionError: the observation lacks something that the embodiment has.
        """
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
        step = observed(observation, self._embodiment)
        step |= {"action": executed, "expert_action": self._policy.clean}
        step |= {"reward": np.float32(reward), "discount": np.float32(discount)}
        step |= {"is_first": not self.steps, "is_last": False, "is_terminal": False}
        self.steps.append(step)


def record_demonstration(
    env: gymnasium.Env[Any, Any], expert: Policy, embodiment: Embodiment, *, env_name: str, seed: int, noise: float
) -> tuple[EpisodeResult, bytes | None]:
    """Lets an expert play one episode and serialises it.

    Args:
        env: whose observations hold the cameras, "state" and "instruction".
        expert: of that environment.
        embodiment: of the robot.
        env_name: written to the metadata.
        seed: of the scene and of the noise.
        noise: level, see `NoisyExpert`.

    Returns:
        The outcome, and the record; None after a simulator error.
    """
    policy = NoisyExpert(expert, embodiment, noise, seed)
    recorder = Recorder(policy, embodiment)
    result = run_episode(env, policy, seed, on_step=recorder)
    if result.status == "error":
        return result, None
    metadata = {
        "seed": seed,
        "success": result.status == "success",
        "environment": env_name,
        "expert": type(expert).__name__,
        "noise": np.float32(noise),
    }
    episode = {f"{METADATA}/{name}": value for name, value in metadata.items()} | microphone_rate(embodiment)
    return result, encode_episode(features_of(embodiment), recorder.steps, episode)


def check_noise(noise: tuple[float, ...]) -> None:
    """Checks the levels of noise.

    Raises:
        CollectionError: there are none, or one is negative or absurd.
    """
    if not noise or not all(0.0 <= level <= _HIGHEST_NOISE for level in noise):
        raise CollectionError(
            f"noise={noise}: give one or more levels from 0 to {_HIGHEST_NOISE:g}, e.g. (0, 0.2, 0.4)"
        )
