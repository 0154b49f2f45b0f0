"""Short videos of made-up scenes in motion, with the sounds of impacts; some of them are narrated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from embodio.datasets.corpus.encoding import facts, flac, mp4
from embodio.datasets.corpus.scenes.camera import draw_camera
from embodio.datasets.corpus.scenes.impacts import loudness, sound_of
from embodio.datasets.corpus.scenes.motion import Take, film, heard, play, story
from embodio.datasets.corpus.scenes.painter import painter
from embodio.datasets.corpus.scenes.world import PhysicsError
from embodio.datasets.corpus.source import CorpusItem, CorpusPlan, CorpusRequest, LeftOut, generator_of
from embodio.datasets.corpus.voices import NOT_NARRATED, is_installed, narration
from embodio.datasets.records.record import Video
from embodio.model.example import Waveform
from embodio.model.processing.audio import fit_length
from embodio.model.processing.audio_features import SAMPLE_RATE

_SIZE, _RATE, _FRAMES = 128, 12.0, 24
_SECONDS = _FRAMES / _RATE
_NARRATED = 0.25  # share of videos
_LONGEST_NARRATION = 34  # characters that fit into the time


@dataclass(frozen=True)
class Collisions:
    """Things that fall, roll, slide and hit each other.

    Attributes:
        count: videos, unless `limit` says otherwise.
    """

    count: int = 1500
    title: str = "short videos of things that fall and collide, with sounds and captions, some narrated"
    licence: str = "our own; narration synthesised"
    ships: bool = True
    packages: tuple[str, ...] = ("libegl1", "libgl1-mesa-dri", "espeak-ng")
    layout: Literal["webdataset", "jsonl"] = "webdataset"
    shard_records: int = 50
    version: int = 2

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """Numbers the videos; raises SourceAbsent if there is nothing to render with."""
        painter()
        can_speak = is_installed()
        notes = () if can_speak else (NOT_NARRATED,)
        count = request.limit or self.count
        items = [CorpusItem(f"collision-{index:06d}", {"may_speak": can_speak}) for index in range(count)]
        return CorpusPlan(items, notes=notes, may_crash=True)

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        """One video of two seconds, its sound once more without loss, and what happens in it."""
        generator = generator_of(seed, item.key)
        try:
            world, camera = play(generator), draw_camera(generator)
            camera = replace(camera, distance=0.8 * camera.distance)
            take = film(world.things, camera, _SIZE, _RATE, _FRAMES, world)
        except PhysicsError as error:
            raise LeftOut("plays in which the physics diverged") from error
        if not world.is_sane():
            raise LeftOut("plays in which the physics diverged")
        sound = sound_of(world, take.impacts, _SECONDS, generator)
        captions = story(take)
        is_narrated = bool(generator.random() < _NARRATED) and item.data["may_speak"]
        transcript, sound = _narrated(captions, sound, generator, item) if is_narrated else ("", sound)
        row = {"transcript": transcript, "seconds": _SECONDS, "rate": _RATE, "impacts": _impacts(take)}
        return {
            "mp4": mp4(Video(frames=take.frames, rate=_RATE, sound=sound)),
            "flac": flac(sound),
            "txt": "\n".join(captions + ([] if transcript else heard(take))),
            "json": facts(row | {"labels": [thing.name for thing in world.things], "heard": heard(take)}),
        }


def _narrated(
    captions: list[str], sound: Waveform, generator: np.random.Generator, item: CorpusItem
) -> tuple[str, Waveform]:
    """What a voice says, and the sound with it; nothing where no caption is short enough."""
    short = [text for text in captions if len(text) <= _LONGEST_NARRATION]
    if not short:
        return "", sound
    text = short[int(generator.integers(len(short)))]
    speech = narration(text, item, generator)
    if speech.size > _SECONDS * SAMPLE_RATE:
        return "", sound
    mixed = 0.5 * sound + fit_length(speech, sound.size)
    return text, np.clip(mixed, -1, 1).astype(np.float32)


def _impacts(take: Take) -> list[dict[str, Any]]:
    """Each impact in words and numbers."""
    names = {-1: "table", -2: "floor"}
    return [
        {
            "time": round(impact.time, 3),
            "one": take.world.things[impact.one].name,
            "other": names.get(impact.other) or take.world.things[impact.other].name,
            "loudness": round(loudness(impact), 3),
        }
        for impact in take.impacts
    ]


SOURCE = Collisions()
