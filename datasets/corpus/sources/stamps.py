"""Stamps of Tux Paint: pictures with captions in many languages, recorded human voices and the things' own sounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from embodio.datasets.corpus.encoding import facts, flac, jpeg
from embodio.datasets.corpus.pictures import SvgError, described_picture
from embodio.datasets.corpus.source import (
    CorpusItem,
    CorpusPlan,
    CorpusRequest,
    LeftOut,
    SourceAbsent,
    shuffled,
)
from embodio.model.processing.media_files import MediaError
from embodio.model.processing.sound_files import read_sound

FOLDER = Path("/usr/share/tuxpaint/stamps")
_LONGEST_SIDE = 256  # pixels
_MARK = ".utf8="  # between language and caption


@dataclass(frozen=True)
class Stamps:
    """The pictures of tuxpaint-stamps-default, and each of its sounds together with its picture.

    Attributes:
        folder: with a folder for each category.
    """

    folder: Path = FOLDER
    title: str = "pictures with captions in up to 77 languages, human voices in nine, sounds of the things"
    licence: str = "GPL-2"
    ships: bool = False
    packages: tuple[str, ...] = ("tuxpaint-stamps-default",)
    layout: Literal["webdataset", "jsonl"] = "webdataset"
    shard_records: int = 500
    version: int = 2

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """Lists pictures and sounds; raises SourceAbsent if the package is not installed."""
        if not self.folder.is_dir():
            raise SourceAbsent(f"{self.folder} is not there; the Debian package {self.packages[0]} brings it")
        left_out = Counter[str]()
        items = list(_items(self.folder, left_out))
        return CorpusPlan(shuffled(items, request.limit), left_out)

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        """A picture with its captions; for a sound, the sound, its picture and what is said."""
        picture, sound = item.data["picture"], item.data.get("sound")
        try:
            image = described_picture(self.folder / picture, _LONGEST_SIDE)
        except SvgError as error:
            raise LeftOut("pictures in SVG, as the extra `corpus` is not installed") from error
        captions = read_captions(self.folder / item.data["text"])
        row = {"category": picture.split("/")[0], "kind": "picture", "licence": self.licence}
        sample: dict[str, bytes | str] = {"jpg": jpeg(image)}
        if sound is None:
            row |= {"captions_by_language": {code: text for code, text in captions.items() if code != "en"}}
            sample["txt"] = captions["en"]
        else:
            try:
                sample["flac"] = flac(read_sound(self.folder / sound))
            except MediaError as error:
                raise LeftOut("sounds that cannot be decoded") from error
            language = item.data["language"]
            said = captions.get(language, "")
            row |= {"kind": "voice", "language": language, "transcript": said} if language else {"kind": "sound"}
            sample["txt"] = captions["en"]
        return sample | {"json": facts(row)}


def read_captions(path: Path) -> dict[str, str]:
    """Language -> caption of a text file: the first line is "en", the others are such as `de.utf8=Eine Amsel.`."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    captions = {"en": lines[0].strip()} if lines else {}
    for line in lines[1:]:
        code, mark, text = line.partition(_MARK)
        if mark and text.strip():
            captions[code] = text.strip()
    return captions


def _items(folder: Path, left_out: Counter[str]) -> Iterator[CorpusItem]:
    """One item for each described picture, and one for each of its sounds."""
    sounds: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.ogg")):
        stem = str(path.relative_to(folder).with_suffix(""))
        sounds.setdefault(_owner(folder, stem), []).append(path)
    for path in sorted([*folder.rglob("*.png"), *folder.rglob("*.svg")]):
        text, stem = path.with_suffix(".txt"), str(path.relative_to(folder).with_suffix(""))
        if path.suffix == ".svg" and path.with_suffix(".png").exists():
            continue
        if not text.exists() or not read_captions(text).get("en"):
            left_out["pictures without a caption"] += 1
            continue
        data = {"picture": str(path.relative_to(folder)), "text": f"{stem}.txt", "size": path.stat().st_size}
        key = stem.replace(".", "_")
        yield CorpusItem(key, data)
        for sound in sounds.get(stem, ()):
            tail = sound.stem[len(path.stem) :]
            if tail not in ("", "_desc") and not tail.startswith("_desc_"):
                left_out["names of things as speech, without a text"] += 1
                continue
            language = "" if not tail else tail.removeprefix("_desc").removeprefix("_") or "en"
            more = {"sound": str(sound.relative_to(folder)), "language": language}
            yield CorpusItem(f"{key}/{language.replace('.', '_') or 'sound'}", data | more, key)


def _owner(folder: Path, stem: str) -> str:
    """The stem of the picture that a sound belongs to: the longest beginning of its name that is one."""
    parts = stem.split("_")
    for count in range(len(parts), 0, -1):
        name = "_".join(parts[:count])
        if (folder / f"{name}.txt").exists():
            return name
    return stem


SOURCE = Stamps()
