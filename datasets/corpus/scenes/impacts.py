"""Impacts: the sound of things that hit each other, as decaying modes of their materials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.datasets.corpus.scenes.things import MATERIALS, Substance
from embodio.datasets.corpus.scenes.world import TableWorld
from embodio.model.example import Waveform
from embodio.model.processing.audio_features import SAMPLE_RATE

_REFERENCE_RADIUS = 0.05  # m, of the pitches of the materials
_TABLE_RADIUS = 0.16  # m: a table sounds as deep as a thing of this size would
_SILENT_IMPULSE = 2e-3  # N s
_FULL_IMPULSE = 3.0  # N s, as loud as can be
_BLOW = 0.003  # s, length of the noise of a blow
_TAIL = 6.0  # decay times after which a mode is silent
_FLOOR_MATERIAL = "wooden"


@dataclass(frozen=True)
class Impact:
    """One blow.

    Attributes:
        time: of its beginning, s.
        one: number of the thing that hits.
        other: number of the thing that is hit; -1 for the table, -2 for the floor.
        impulse: N s.
    """

    time: float
    one: int
    other: int
    impulse: float


class ImpactRecorder:
    """Notices impacts in a world while it is stepped.

    An impact begins when two things touch that did not touch for a moment, and collects the force of a few steps.

    Args:
        world: the world.
        moment: seconds without contact before the next impact of the same two.
        length: seconds over which the force is summed up.
    """

    def __init__(self, world: TableWorld, moment: float = 0.03, length: float = 0.012) -> None:
        self._world, self._moment, self._length = world, moment, length
        self._thing = {geom: index for index, geom in enumerate(world.geoms)} | dict.fromkeys(world.table_geoms, -1)
        self._last: dict[tuple[int, int], float] = {}
        self._open: dict[tuple[int, int], tuple[float, float]] = {}
        self._done: list[Impact] = []

    def notice(self) -> None:
        """Reads the contacts after a step."""
        import mujoco

        model, data = self._world.model, self._world.data
        force = np.zeros(6)
        now = float(data.time)
        for index in range(data.ncon):
            numbers = [self._thing.get(int(geom), -2) for geom in data.contact[index].geom]
            pair = (max(numbers), min(numbers))
            if pair[0] < 0:
                continue
            mujoco.mj_contactForce(model, data, index, force)
            if now - self._last.get(pair, -1.0) > self._moment and now > self._moment:  # at first all stand somewhere
                self._open[pair] = (now, 0.0)
            self._last[pair] = now
            if pair in self._open:
                begin, impulse = self._open[pair]
                self._open[pair] = (begin, impulse + max(0.0, float(force[0])) * float(model.opt.timestep))
        for pair, (begin, impulse) in list(self._open.items()):
            if now - begin >= self._length:
                self._close(pair, begin, impulse)

    def impacts(self) -> list[Impact]:
        """All impacts so far that can be heard, in their order."""
        for pair, (begin, impulse) in list(self._open.items()):
            self._close(pair, begin, impulse)
        return sorted(self._done, key=lambda impact: (impact.time, impact.one, impact.other))

    def _close(self, pair: tuple[int, int], begin: float, impulse: float) -> None:
        del self._open[pair]
        if impulse > _SILENT_IMPULSE:
            self._done.append(Impact(begin, pair[0], pair[1], impulse))


def loudness(impact: Impact) -> float:
    """In (0, 1], by the logarithm of the impulse, as ears hear it."""
    span = np.log(_FULL_IMPULSE / _SILENT_IMPULSE)
    return float(np.clip(np.log(impact.impulse / _SILENT_IMPULSE) / span, 0.02, 1.0))


def sound_of(world: TableWorld, impacts: Sequence[Impact], seconds: float, generator: np.random.Generator) -> Waveform:
    """The sound of impacts, float32 [samples] at 16 kHz in [-1, 1]; both that touch are heard."""
    wave = np.zeros(round(seconds * SAMPLE_RATE))
    for impact in impacts:
        start = round(impact.time * SAMPLE_RATE)
        for number in (impact.one, impact.other):
            material, radius = _sounding(world, number)
            blow = ring(material, radius, generator) * loudness(impact) ** 2
            length = min(blow.size, wave.size - start)
            if length > 0:
                wave[start : start + length] += blow[:length]
    wave += generator.normal(0, 3e-4, wave.size)  # no room is silent
    peak = float(np.abs(wave).max())
    limited: Waveform = (wave * (0.95 / max(peak, 0.95))).astype(np.float32)
    return limited


def _sounding(world: TableWorld, number: int) -> tuple[Substance, float]:
    """Substance and size of a thing, of the table or of the floor."""
    if number == -1:
        return MATERIALS[world.surroundings.table], _TABLE_RADIUS
    if number == -2:
        return MATERIALS[_FLOOR_MATERIAL], 2 * _TABLE_RADIUS
    thing = world.things[number]
    return MATERIALS[thing.material], thing.radius


def ring(material: Substance, radius: float, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """The ringing after one blow of full strength, float64 [samples] at 16 kHz, to a thing of that radius in m."""
    scale = (_REFERENCE_RADIUS / radius) ** 0.8
    pitch = material.pitch * scale * generator.uniform(0.97, 1.03)
    time = np.arange(int(_TAIL * material.ringing * SAMPLE_RATE)) / SAMPLE_RATE
    ringing = np.zeros(time.size)
    for number, ratio in enumerate(material.modes):
        frequency = pitch * ratio
        if frequency < 0.45 * SAMPLE_RATE:
            strength = generator.uniform(0.5, 1.0) / (1 + number)
            decay = np.exp(-time * (1 + 0.6 * number) / material.ringing)
            ringing += strength * decay * np.sin(2 * np.pi * frequency * time)
    noise = generator.normal(0, 1, min(time.size, int(_BLOW * SAMPLE_RATE)))
    ringing[: noise.size] += material.hardness * noise * np.linspace(1, 0, noise.size)
    blow: npt.NDArray[np.float64] = 0.5 * ringing
    return blow
