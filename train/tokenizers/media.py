"""Media of a corpus: the pictures or sounds in the tar shards of its sources, by number."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.image_codec import decode_image
from embodio.datasets.errors import CorruptRecordError, DatasetError, ExampleError
from embodio.datasets.tasks.parts.record_task import Place
from embodio.model.processing.audio import resample, to_mono

Split = Literal["train", "validation"]
PICTURES = ("jpg", "jpeg", "png", "webp")
SOUNDS = ("wav", "flac", "ogg")


@dataclass(frozen=True)
class Member:
    """One file inside a shard.

    Attributes:
        shard: the tar file.
        name: of the member.
        start: its first byte in the shard.
        size: its bytes.
    """

    shard: Path
    name: str
    start: int
    size: int


@dataclass(frozen=True)
class CorpusMedia:
    """The media of one split, in the order of sources, shards and members.

    Attributes:
        corpus: folder of the corpus; below it `SOURCE/SPLIT/*.tar`.
        sources: names of the sources; each must have shards.
        split: which part.
        endings: what the names of the members end with, such as `PICTURES`.
        damaged: always empty; a damaged member is noticed when it is read.
    """

    corpus: Path
    sources: tuple[str, ...]
    split: Split
    endings: tuple[str, ...]
    damaged: tuple[ExampleError, ...] = field(default=(), init=False)

    @cached_property
    def members(self) -> Sequence[Member]:
        """All members; raises DatasetError if a source has no shards, or none of them has such members."""
        found: list[Member] = []
        for source in self.sources:
            shards = sorted((self.corpus / source / self.split).glob("*.tar"))
            if not shards:
                raise DatasetError(
                    f"data: {self.corpus / source / self.split} has no tar shards; embodio-data corpus "
                    f"out={self.corpus} makes them, or leave {source} out of sources="
                )
            found += [member for shard in shards for member in _members(shard, self.endings)]
        if not found:
            raise DatasetError(f"data: no {', '.join(self.endings)} in the shards of {', '.join(self.sources)}")
        return found

    @cached_property
    def digest(self) -> str:
        """SHA-256 of names, places and sizes of all members, in hex."""
        total = hashlib.sha256()
        for one in self.members:
            place = [one.shard.relative_to(self.corpus).as_posix(), one.name, one.start, one.size]
            total.update(json.dumps(place).encode() + b"\n")
        return total.hexdigest()

    def __len__(self) -> int:
        return len(self.members)

    def place(self, index: int) -> Place:
        """Where item `index` comes from, for messages."""
        one = self.members[index]
        return Place(f"{one.shard}:{one.name}", index)

    def picture(self, index: int) -> npt.NDArray[np.uint8]:
        """Picture `index`, uint8 [H, W, 3]; raises CorruptRecordError if it cannot be decoded."""
        try:
            return decode_image(self._bytes(index))
        except (ValueError, OSError, DatasetError) as error:
            raise self._corrupt(index, error) from error

    def sound(self, index: int) -> npt.NDArray[np.float32]:
        """Sound `index`, mono at 16 kHz, float32 [samples]; raises CorruptRecordError if it cannot be decoded."""
        try:
            return _decoded_sound(self._bytes(index))
        except (ValueError, OSError) as error:  # those of PyAV are OSError or ValueError too
            raise self._corrupt(index, error) from error

    def _bytes(self, index: int) -> bytes:
        one = self.members[index]
        with one.shard.open("rb") as file:
            file.seek(one.start)
            return file.read(one.size)

    def _corrupt(self, index: int, error: Exception) -> CorruptRecordError:
        one = self.members[index]
        return CorruptRecordError(one.shard, index, f"{one.name} cannot be decoded: {error}", "make the corpus again")


def _members(shard: Path, endings: tuple[str, ...]) -> list[Member]:
    with tarfile.open(shard, "r:") as archive:
        return [
            Member(shard, info.name, info.offset_data, info.size)
            for info in archive
            if info.isfile() and info.name.rpartition("/")[2].partition(".")[2].lower() in endings
        ]


def _decoded_sound(data: bytes) -> npt.NDArray[np.float32]:
    import av

    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        frames = [frame.to_ndarray() for frame in container.decode(stream)]
        planar, rate, channels = stream.format.is_planar, stream.rate, stream.channels
    if not frames:
        raise ValueError("it holds no samples")
    if planar:
        return resample(to_mono(np.concatenate(frames, axis=1).T), rate)
    return resample(to_mono(np.concatenate(frames, axis=1).reshape(-1, channels)), rate)
