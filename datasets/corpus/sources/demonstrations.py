"""Videos of the scripted expert: an arm lifts a cube, with the sounds of motors and touches; some are narrated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from embodio.datasets.corpus.encoding import facts, flac, mp4
from embodio.datasets.corpus.robots import require_robosuite
from embodio.datasets.corpus.robots.performance import Performance, perform
from embodio.datasets.corpus.scenes.wording import joined
from embodio.datasets.corpus.source import (
    CorpusItem,
    CorpusPlan,
    CorpusRequest,
    LeftOut,
    generator_of,
)
from embodio.datasets.corpus.voices import NOT_NARRATED, is_installed, narration
from embodio.datasets.records.record import Video
from embodio.envs.errors import SimulatorError
from embodio.model.processing.audio import fit_length

_SIZE = 128  # pixels
_NARRATED = 0.5  # share of videos
_SPOKEN = ("lift the cube", "pick up the cube", "please lift the cube", "take the cube and raise it", "grasp the cube")


@dataclass(frozen=True)
class Demonstrations:
    """Episodes of robosuite/lift played by its expert.

    Attributes:
        count: videos, unless `limit` says otherwise.
    """

    count: int = 200
    title: str = "videos of a robot arm that lifts a cube, with sounds and captions, half of them narrated"
    licence: str = "made by robosuite (MIT); narration synthesised"
    ships: bool = True
    packages: tuple[str, ...] = ("libegl1", "libgl1-mesa-dri", "espeak-ng")
    layout: Literal["webdataset", "jsonl"] = "webdataset"
    shard_records: int = 25
    version: int = 2

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """Numbers the episodes; raises SourceAbsent if robosuite is not installed."""
        require_robosuite()
        can_speak = is_installed()
        notes = () if can_speak else (NOT_NARRATED,)
        numbers = range(request.limit or self.count)
        items = [CorpusItem(f"lift-{number:06d}", {"number": number, "may_speak": can_speak}) for number in numbers]
        return CorpusPlan(items, notes=notes, may_crash=True)

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        """One episode of about two seconds."""
        generator = generator_of(seed, item.key)
        try:
            played = perform("robosuite/lift", int(generator.integers(2**31)), _SIZE, generator)
        except SimulatorError as error:
            raise LeftOut("episodes in which the simulator failed") from error
        transcript, sound = "", played.sound
        if item.data["may_speak"] and generator.random() < _NARRATED:
            transcript = _SPOKEN[int(generator.integers(len(_SPOKEN)))]
            speech = narration(transcript, item, generator)
            sound = np.clip(sound + fit_length(speech, sound.size), -1, 1).astype(np.float32)
        row = {
            "transcript": transcript,
            "success": played.success,
            "touches": [[round(time, 3), what] for time, what in played.touches],
            "phases": played.phases,
            "rate": played.rate,
        }
        return {
            "mp4": mp4(Video(frames=played.frames, rate=played.rate, sound=sound)),
            "flac": flac(sound),
            "txt": "\n".join(captions(played)),
            "json": facts(row),
        }


def captions(played: Performance) -> list[str]:
    """What happens, in several wordings."""
    done = "lifts a red cube from the table" if played.success else "tries to lift a red cube"
    lines = [f"a robot arm {done}", f"the robot {done}", f"{'a robot' if played.success else 'an arm'} {done}"]
    if played.phases:
        lines.append(f"the arm {joined(played.phases)}")
    return list(dict.fromkeys(lines))


SOURCE = Demonstrations()
