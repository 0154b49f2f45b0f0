"""SpokenInstructions: instructions read aloud, in any wording and voice, by what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from embodio.datasets.corpus.voices import is_wanted, require_choice
from embodio.datasets.errors import DatasetError, FeatureError
from embodio.datasets.records.opening import open_records

SHIPPED = Path(__file__).parents[2] / "corpus" / "shipped"
"""Folder of the instructions that ship with the package, a sub-folder with records for each task."""


def spoken_folder(place: str | Path) -> Path:
    """The absolute folder of spoken instructions: `place`, or the one of that name that ships, such as lift-aloud."""
    known = [path.name for path in SHIPPED.iterdir()]
    return SHIPPED / place if str(place) in known else Path(place).absolute()


class SpokenInstructions:
    """Sounds in which instructions are said, such as the source `commands` of a corpus.

    Args:
        place: folder of records, each with a sound and the instruction that it means, or its transcript; or the name of
            one that ships.
        voices: "held_out" for held-out voices, "known" for the others; "" for all.

    Raises:
        DatasetError: there are no such records, or nothing is said in them.
    """

    def __init__(self, place: str | Path, voices: str = "") -> None:
        require_choice(voices)
        self._source, self._place = open_records(spoken_folder(place)), str(place)
        self._said: dict[str, list[int]] = {}
        for index in range(len(self._source)):
            record = self._source.record(index)
            meaning = str(record.facts.get("instruction") or record.transcript)
            if record.sound is not None and meaning and is_wanted(record.facts, voices):
                self._said.setdefault(meaning, []).append(index)
        if not self._said:
            raise DatasetError(f"{place}: there is not one spoken instruction; embodio-data corpus makes commands")

    def require(self, instructions: Sequence[str], setting: str) -> None:
        """Checks that all of these are said; raises DatasetError, which names the setting that holds them."""
        unsaid = [instruction for instruction in instructions if instruction not in self._said]
        if unsaid:
            raise DatasetError(f"{setting}: {self._place} says {', '.join(self._said)}, but not {', '.join(unsaid)}")

    def said(self, instruction: str, number: int, generator: np.random.Generator | None) -> npt.NDArray[np.float32]:
        """One of the sounds that mean an instruction, float32 [samples] at 16 kHz.

        Args:
            instruction: as the environment words it.
            number: without a generator it says which one.
            generator: draws one.

        Raises:
            FeatureError: nothing means this instruction.
            CorruptRecordError: the sound is damaged.
        """
        found = self._meaning(instruction)
        chosen = found[number % len(found) if generator is None else int(generator.integers(len(found)))]
        sound = self._source.record(chosen).sound
        if sound is None:
            raise FeatureError(f"{self._place}: record {chosen} has no sound")
        return sound.load()

    def words(self, instruction: str, number: int) -> str:
        """The words of the sound of that number that means an instruction; raises FeatureError as `said`."""
        found = self._meaning(instruction)
        return self._source.record(found[number % len(found)]).transcript

    def _meaning(self, instruction: str) -> list[int]:
        found = self._said.get(instruction)
        if found is None:
            raise FeatureError(f"{self._place}: nothing said there means {instruction!r}, only {', '.join(self._said)}")
        return found
