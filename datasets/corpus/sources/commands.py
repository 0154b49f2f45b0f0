"""Instructions of robosuite's tasks in every wording that may be trained on, read aloud in many voices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from embodio.datasets.corpus.encoding import facts, flac
from embodio.datasets.corpus.source import (
    CorpusItem,
    CorpusPlan,
    CorpusRequest,
    LeftOut,
    generator_of,
    shuffled,
)
from embodio.datasets.corpus.voices import SpeechError, read_aloud, require_installed, voice_for
from embodio.envs.perturbing.wordings import OTHER_WORDS, worded_instructions, wordings_of
from embodio.model.processing.audio import SEGMENT_SAMPLES

_FORMS = ("{text}", "please {text}", "{text}, please", "robot, {text}", "now {text}", "can you {text}?")


@dataclass(frozen=True)
class Commands:
    """Spoken instructions of at most one segment of sound.

    Attributes:
        voices: how often each wording is said, unless `limit` says otherwise.
    """

    voices: int = 240
    title: str = "instructions to robots in several wordings, read aloud by espeak-ng"
    licence: str = "synthesised; texts our own"
    ships: bool = True
    packages: tuple[str, ...] = ("espeak-ng",)
    layout: Literal["webdataset", "jsonl"] = "webdataset"
    shard_records: int = 500
    version: int = 1

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """Numbers the sounds; raises SourceAbsent if espeak-ng is not installed."""
        require_installed()
        items = []
        for task, instruction in enumerate(worded_instructions("robosuite")):
            for number, text in enumerate((instruction, *wordings_of(instruction, OTHER_WORDS))):
                data = {"instruction": instruction, "text": text}
                items += [CorpusItem(f"command-{task:02d}-{number}-{one:03d}", data) for one in range(self.voices)]
        return CorpusPlan(shuffled(items, request.limit))

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        """The sound, what is said in it, and the instruction that it means."""
        generator = generator_of(seed, item.key)
        voice, loudness = voice_for(item, generator), float(generator.uniform(0.3, 0.9))
        text = _FORMS[int(generator.integers(len(_FORMS)))].format(text=item.data["text"])
        try:
            sound = read_aloud(text, voice, loudness)
        except SpeechError as error:
            raise LeftOut("commands that espeak-ng does not read") from error
        if len(sound) > SEGMENT_SAMPLES:
            raise LeftOut("commands that are longer than a segment of sound")
        row = {
            "transcript": text,
            "instruction": item.data["instruction"],
            **voice.facts,
        }
        return {"flac": flac(sound), "json": facts(row)}


SOURCE = Commands()
