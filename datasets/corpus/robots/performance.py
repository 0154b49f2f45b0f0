"""Performance: the scripted expert of a robosuite task, filmed, with the sounds of motors and touches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.corpus.scenes.impacts import ring
from embodio.datasets.corpus.scenes.things import MATERIALS
from embodio.envs.registry import make_env, make_expert
from embodio.model.example import Waveform
from embodio.model.processing.audio_features import SAMPLE_RATE

_HERTZ = 20  # control steps a second
_EVERY = 2  # steps a frame
_MOST_STEPS = 60
_HUM, _TONES = 0.05, (1.0, 2.0, 3.0)  # loudness and overtones of the motors
_NOISE = 0.15  # of the executed actions


@dataclass(frozen=True, eq=False)
class Performance:
    """One filmed episode.

    Attributes:
        frames: uint8 [T, H, W, 3].
        rate: frames a second.
        sound: of motors and touches, as long as the frames.
        success: whether the task was done.
        touches: (time in s, what) of each touch.
        phases: what the arm does, in its order, each once.
    """

    frames: npt.NDArray[np.uint8]
    rate: float
    sound: Waveform
    success: bool
    touches: tuple[tuple[float, str], ...]
    phases: tuple[str, ...]


def perform(name: str, seed: int, size: int, generator: np.random.Generator) -> Performance:
    """Plays one episode.

    Args:
        name: of an environment with an expert, such as "robosuite/lift".
        seed: of the episode.
        size: pixels of a side.
        generator: draws the noise of actions and sounds.

    Raises:
        SimulatorError: the simulator fails.
    """
    env, expert = _cast(name, size)
    observation, _ = env.reset(seed=seed)
    expert.reset()
    frames, speeds, touches, phases = [], [], list[tuple[float, str]](), list[str]()
    touching: set[str] = set()
    success = False
    for step in range(_MOST_STEPS):
        if step % _EVERY == 0:
            frames.append(observation["agentview"])
        before = observation["state"][:3]
        action = expert.act(observation)
        noise = generator.normal(0, _NOISE, action.shape) * [1, 1, 1, 0, 0, 0, 0]
        observation, _, ended, _, info = env.step(np.clip(action + noise, -1, 1).astype(np.float32))
        moved = (observation["state"][:3] - before) * _HERTZ
        speeds.append(float(np.linalg.norm(moved)))
        now = set(_touched(env))
        touches += [((step + 1) / _HERTZ, what) for what in sorted(now - touching)]
        touching = now
        phase = _phase(action, moved, "cube" in now)
        phases += [phase] if phase and phase not in phases else []
        success = success or bool(info["success"])
        if ended:
            frames.append(observation["agentview"])
            break
    seconds = len(frames) * _EVERY / _HERTZ
    sound = _sounds(speeds, touches, seconds, generator)
    return Performance(np.stack(frames), _HERTZ / _EVERY, sound, success, tuple(touches), tuple(phases))


def _phase(action: npt.NDArray[np.float32], moved: npt.NDArray[np.floating[Any]], holding: bool) -> str:
    """What the arm does in one step, in words; "" where it is not clear."""
    if holding and action[-1] > 0:
        return "lifts the cube" if moved[2] > 0.05 else "closes the gripper around the cube"
    if moved[2] < -0.05:
        return "moves down"
    return "moves above the cube" if np.linalg.norm(moved[:2]) > 0.05 else ""


def _touched(env: Any) -> Iterator[str]:
    """What fingers touch, and what touches the table."""
    simulation = env.unwrapped._running().sim
    for contact in simulation.data.contact[: simulation.data.ncon]:
        names = {simulation.model.geom_id2name(int(geom)) or "" for geom in (contact.geom1, contact.geom2)}
        fingers = any("finger" in name for name in names)
        if fingers and any(name.startswith("cube") for name in names):
            yield "cube"
        elif fingers and any(name.startswith("table") for name in names):
            yield "table"


def _sounds(
    speeds: list[float], touches: list[tuple[float, str]], seconds: float, generator: np.random.Generator
) -> Waveform:
    """Motors hum higher and louder the faster the arm moves; touches click."""
    count = round(seconds * SAMPLE_RATE)
    speed = np.interp(np.arange(count) / SAMPLE_RATE, (np.arange(len(speeds)) + 0.5) / _HERTZ, speeds)
    phase = 2 * np.pi * np.cumsum(90 + 400 * speed) / SAMPLE_RATE
    hum = sum(np.sin(phase * tone) / tone for tone in _TONES)
    wave = _HUM * np.minimum(1, 3 * speed) * hum + generator.normal(0, 5e-4, count)
    for time, what in touches:
        blow = 0.6 * ring(MATERIALS["plastic" if what == "cube" else "wooden"], 0.03, generator)
        start = round(time * SAMPLE_RATE)
        length = max(0, min(blow.size, count - start))
        wave[start : start + length] += blow[:length]
    sound: Waveform = np.clip(wave, -1, 1).astype(np.float32)
    return sound


@cache
def _cast(name: str, size: int) -> tuple[Any, Any]:
    """The environment and the expert of this process."""
    env = make_env(name, image_size=size)
    return env, make_expert(name, env)
