"""Environments: gymnasium environments of robots, their embodiments, scripted experts, and the rollout loop.

Importing this package does not start a simulator: it is imported when an environment is first reset.
"""

from embodio.envs.embodiment import ActionSpec, Camera, Difference, Dimension, Embodiment, Microphone
from embodio.envs.errors import (
    EmbodimentError,
    EmbodimentMismatch,
    EnvError,
    InvalidAction,
    SimulatorError,
    UnknownEnv,
)
from embodio.envs.instruction_space import Instruction
from embodio.envs.policy import Policy
from embodio.envs.registry import embodiment_of, known_envs, make_env, make_expert, register
from embodio.envs.rollout import EpisodeResult, StepRecord, rollout, run_episode

__all__ = [
    "ActionSpec",
    "Camera",
    "Difference",
    "Dimension",
    "Embodiment",
    "EmbodimentError",
    "EmbodimentMismatch",
    "EnvError",
    "EpisodeResult",
    "Instruction",
    "InvalidAction",
    "Microphone",
    "Policy",
    "SimulatorError",
    "StepRecord",
    "UnknownEnv",
    "embodiment_of",
    "known_envs",
    "make_env",
    "make_expert",
    "register",
    "rollout",
    "run_episode",
]

register()
