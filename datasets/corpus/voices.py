"""Voices of espeak-ng: which ones speak for training, which are kept for evaluation, and how a text is read aloud."""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embodio.datasets.corpus.source import CorpusItem, LeftOut, SourceAbsent
from embodio.datasets.errors import DatasetError
from embodio.model.example import Waveform
from embodio.model.processing.audio import resample

PROGRAM = "espeak-ng"
ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-gbclan", "en-gb-x-rp")
SPEAKERS = (
    *("f1", "f2", "f3", "f4", "m1", "m2", "m3", "m4", "m5", "m6", "m7"),
    *("Alex", "Andrea", "Andy", "Annie", "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Jacky", "Lee", "Marco"),
    *("Mario", "Michael", "Mike", "Nguyen", "RicishayMax", "adam", "anika", "antonio", "aunty", "benjamin", "caleb"),
    *("david", "ed", "edward", "grandma", "grandpa", "gustave", "iven", "iven3", "john", "klatt", "klatt2", "klatt3"),
    *("linda", "marcelo", "max", "michel", "miguel", "norbert", "pablo", "pedro", "quincy", "rob", "robert", "sandro"),
    *("shelby", "steph", "steph2", "travis", "victor", "zac", "UniRobot", "robosoft", "whisper"),
)
HELD_OUT_ACCENTS = ("en-gb-x-gbcwmd", "en-us-nyc")
HELD_OUT_SPEAKERS = ("f5", "m8", "Alicia", "belinda", "boris", "paul", "klatt4", "steph3", "iven2", "robosoft4")
"""Never heard in training, neither these speakers nor these accents: what is said in them measures how far listening
carries over to new voices."""

CHOICES = ("", "known", "held_out")
"""Which voices are wanted: all, those of training, or those that are kept for evaluation."""
NOT_NARRATED = "not narrated: the Debian package espeak-ng is not installed"
"""The note of sources whose items are narrated where there are voices."""
_LOUDNESS = 0.5  # of narrations
_SILENCE = 0.01  # of the loudest sample
_PAUSE = 0.06  # seconds that are kept before and after


class SpeechError(Exception):
    """The program cannot read a text aloud."""


@dataclass(frozen=True)
class Voice:
    """How a text is read.

    Attributes:
        accent: a voice of espeak-ng, such as "en-us".
        speaker: a variant of it, such as "f3".
        speed: words a minute.
        pitch: 0 to 99.
    """

    accent: str
    speaker: str
    speed: int
    pitch: int

    @property
    def is_held_out(self) -> bool:
        """Whether speaker or accent are kept for evaluation."""
        return self.accent in HELD_OUT_ACCENTS or self.speaker in HELD_OUT_SPEAKERS

    @property
    def facts(self) -> dict[str, Any]:
        """What a record says of its voice."""
        return {
            "voice": f"{self.accent}+{self.speaker}",
            "voice_held_out": self.is_held_out,
            "speed": self.speed,
            "pitch": self.pitch,
        }


def is_wanted(record_facts: Mapping[str, Any], voices: str) -> bool:
    """Whether the voice of a record is among `voices`, one of `CHOICES`."""
    return not voices or bool(record_facts.get("voice_held_out")) == (voices == "held_out")


def require_choice(voices: str) -> None:
    """Raises DatasetError if `voices` is none of `CHOICES`."""
    if voices not in CHOICES:
        raise DatasetError(f"voices: got {voices!r}, expected known, held_out or nothing")


def require_installed() -> None:
    """Raises SourceAbsent if espeak-ng is not installed."""
    if not is_installed():
        raise SourceAbsent("the program espeak-ng is not there; the Debian package espeak-ng brings it")


def draw_voice(generator: np.random.Generator, *, held_out: bool) -> Voice:
    """A voice for training, or one of a held-out speaker with a held-out accent."""
    accents, speakers = (HELD_OUT_ACCENTS, HELD_OUT_SPEAKERS) if held_out else (ACCENTS, SPEAKERS)
    return Voice(
        str(generator.choice(accents)),
        str(generator.choice(speakers)),
        int(generator.integers(140, 201)),
        int(generator.integers(25, 76)),
    )


def voice_for(item: CorpusItem, generator: np.random.Generator) -> Voice:
    """A voice for an item; half of the validation side is read by held-out ones."""
    return draw_voice(generator, held_out=item.split == "validation" and bool(generator.integers(2)))


def narration(text: str, item: CorpusItem, generator: np.random.Generator) -> Waveform:
    """What is said in an item, in a voice for it; as `read_aloud`, but raises LeftOut if the program fails."""
    voice = voice_for(item, generator)
    try:
        return read_aloud(text, voice, _LOUDNESS)
    except SpeechError as error:
        raise LeftOut("narrations that espeak-ng does not read") from error


def is_installed() -> bool:
    """Whether the program is there."""
    return shutil.which(PROGRAM) is not None


def read_aloud(text: str, voice: Voice, loudness: float) -> Waveform:
    """A text as speech.

    Args:
        text: one sentence or two.
        voice: who reads it.
        loudness: the largest sample, in (0, 1].

    Returns:
        float32 [samples] at 16 kHz, silence at both ends cut to 60 ms.

    Raises:
        SpeechError: the program fails, or says nothing.
    """
    command = [PROGRAM, "-v", f"{voice.accent}+{voice.speaker}", "-s", str(voice.speed), "-p", str(voice.pitch)]
    try:
        said = subprocess.run(
            [*command, "--stdin", "--stdout"], input=text.encode(), capture_output=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SpeechError(f"{PROGRAM} cannot read {text!r} aloud: {error}") from error
    with wave.open(io.BytesIO(said.stdout)) as file:
        rate = file.getframerate()
    samples = np.frombuffer(said.stdout[44:], "<i2").astype(np.float32)  # the head's length is unknown to a pipe
    if not samples.size or not samples.any():
        raise SpeechError(f"{PROGRAM} says nothing for {text!r}")
    loud = np.flatnonzero(np.abs(samples) > _SILENCE * np.abs(samples).max())
    pause = int(_PAUSE * rate)
    cut = samples[max(0, loud[0] - pause) : loud[-1] + pause]
    sound = resample(cut / 32768, rate)
    scaled: Waveform = (sound * (loudness / np.abs(sound).max())).astype(np.float32)
    return scaled
