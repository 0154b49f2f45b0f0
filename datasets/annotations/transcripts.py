"""Transcripts of speech: LibriSpeech, LJ Speech, VCTK-like tables and Common Voice.

Public forms, told apart by the name of the file:

    LibriSpeech, LibriTTS, MLS (openslr.org/12): `84-121123.trans.txt` of lines "84-121123-0000 GO DO YOU HEAR"; a
        folder, such as dev-clean, means all such files in it. The sound is the file of that name, in whatever folder
    LibriTTS, VCTK: a folder with a text file for each sound, `84_121123_000007_000001.normalized.txt` or p225_001.txt
    LJ Speech 1.1 (keithito.com): `metadata.csv` of lines "LJ001-0001|Printing, in 1880 ...|Printing, in eighteen ..."
    Common Voice (commonvoice.mozilla.org): `validated.tsv` with path and sentence
    others: CSV with file_name, path, file or audio, and transcription, transcript, sentence or text

Texts that are all in capitals are written in small letters, as LibriSpeech has no case. Sounds that are not in the
folder are left out and counted. The files are held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, file_text
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import HEARD, SEGMENT, MediaIndex, SoundPart
from embodio.datasets.annotations.parts.rows import one_of, open_rows
from embodio.model.tasks.base.family import Family

_LINES, _NORMALISED = ".trans.txt", ".normalized.txt"
_TABLES = ("metadata.csv", "validated.tsv", "train.tsv")
_LJ = ("name", "spoken", "normalised")
_SOUNDS = ("file_name", "path", "file", "audio", "name")
_TEXTS = ("normalised", "transcription", "transcript", "sentence", "text", "spoken")


def read_transcripts(file: Path, folder: Path, family: Family[Any], *, seconds: float = HEARD) -> AnnotatedItems:
    """The utterances of a file or a folder.

    Args:
        file: the transcripts.
        folder: of the sounds.
        family: `transcribe` reads what is said, `make_sound` says it.
        seconds: the longest utterance that is heard, 20.4 by the released networks; what is said is at most 4.08. A
            longer one is an error of its item, as a part of it is not what the transcript says.

    Raises:
        AnnotationError: there are no transcripts, or the columns are others.
    """
    found, index = ItemList(file, folder, family), MediaIndex(folder, "sound", "video")
    for name, text, place in _utterances(file):
        with expecting(f"{file}, {place}", "the name of a sound"):
            sound = index.find(PurePosixPath(name).stem, name, f"{name}_mic1")
        if sound is None:
            found.leave_out("a sound that is not in the media folder", place)
        elif not text:
            found.leave_out("an empty transcript", place)
        else:
            longest, field = (seconds, "audio") if family.name == "transcribe" else (SEGMENT, "sound")
            values = {field: SoundPart(sound, longest, whole=True), "text": text}
            found.add(name, _speaker(sound), values, place)
    return found.done()


def _utterances(file: Path) -> Iterator[tuple[str, str, str]]:
    """Name, text and place of each utterance of a file or a folder."""
    if not file.is_dir():
        yield from _lines([file]) if file.name.endswith(_LINES) else _rows(file)
    elif chapters := sorted(file.rglob(f"*{_LINES}")):
        yield from _lines(chapters)
    elif tables := [file / name for name in _TABLES if (file / name).is_file()]:
        yield from _rows(tables[0])
    else:
        for path in sorted(file.rglob(f"*{_NORMALISED}")) or sorted(file.rglob("*.txt")):
            name = path.name.removesuffix(_NORMALISED).removesuffix(".txt")
            yield name, _cased(file_text(path)), path.relative_to(file).as_posix()


def _lines(files: Sequence[Path]) -> Iterator[tuple[str, str, str]]:
    """Name, text and place of each line of LibriSpeech."""
    for path in files:
        for number, line in enumerate(file_text(path).splitlines(), start=1):
            name, _, text = line.strip().partition(" ")
            if name:
                yield name, _cased(text), f"{path.name}, line {number}"


def _rows(file: Path) -> Iterator[tuple[str, str, str]]:
    """Name, text and place of each row of a table."""
    first = file_text(file).partition("\n")[0] if file.suffix == ".csv" else ""
    bars = first.count("|") >= 1 and "," not in first.partition("|")[0]
    rows = open_rows(file, columns=_LJ if bars else (), delimiter="|" if bars else "")
    for number in range(len(rows)):
        row, place = rows.row(number), rows.place(number)
        with expecting(f"{file}, {place}", f"one of {', '.join(_SOUNDS)} and one of {', '.join(_TEXTS)}"):
            texts = [str(row[name]) for name in _TEXTS if row.get(name) not in (None, "")]
            yield str(one_of(row, *_SOUNDS)), _cased(texts[0] if texts else ""), place


def _cased(text: str) -> str:
    return text.strip().lower() if text.isupper() else text.strip()


def _speaker(name: str) -> str:
    """The folder of a sound, which is a chapter of one reader in LibriSpeech."""
    return str(PurePosixPath(name).parent) if "/" in name else name


READ = read_transcripts
FAMILIES = ("transcribe", "make_sound")
