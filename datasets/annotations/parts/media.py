"""Media of annotations: pictures, sounds and videos by the names or bytes that an annotated file gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pictures

from embodio.datasets.files.names import inside
from embodio.datasets.records.decoding import IMAGES, SOUNDS, VIDEOS, checked_sound, decoded_image, numbers_of_image
from embodio.datasets.records.settings import Origin, RecordSettings
from embodio.model.example import Image
from embodio.model.processing.audio import SEGMENT_SAMPLES
from embodio.model.processing.audio_features import SAMPLE_RATE
from embodio.model.processing.sound_files import read_sound
from embodio.model.processing.video_files import read_video

Floats = npt.NDArray[np.float32]

FRAMES = 5
"""Frames of a video that the released networks see: the main image and four before it."""
SEGMENT = SEGMENT_SAMPLES / SAMPLE_RATE
"""Seconds of a sound that the released networks make at once: 4.08."""
HEARD = FRAMES * SEGMENT
"""Seconds of a sound that the released networks hear: 20.4."""
_SETTINGS = RecordSettings(smallest_side=1, most_elongated=1e9)
_KINDS: Mapping[str, tuple[str, ...]] = {"image": IMAGES, "sound": SOUNDS, "video": VIDEOS}


@dataclass(frozen=True)
class SoundPart:
    """A sound in the folder of media, or the beginning of it.

    Attributes:
        source: name of a sound or a video, or the mapping of a table, see `read_image`.
        longest: seconds, from the beginning; what comes later is cut off.
        whole: whether a longer sound is an error instead.
    """

    source: Any
    longest: float = HEARD
    whole: bool = False


@dataclass(frozen=True)
class VideoPart:
    """Frames of a video in the folder of media, at the middle of equal parts; the last one is the main image.

    Attributes:
        name: of the file.
        frames: how many.
        sound: whether the sound around each frame is heard.
    """

    name: str
    frames: int = FRAMES
    sound: bool = False


def media_bytes(source: Any, folder: Path) -> tuple[bytes, str]:
    """The bytes of media and their name for messages; see `read_image` for the arguments and errors."""
    if isinstance(source, Mapping) and source.get("bytes") is not None:
        return bytes(source["bytes"]), str(source.get("path") or "bytes")
    name = source.get("path") if isinstance(source, Mapping) else source
    if not isinstance(name, str):
        raise TypeError(f"expected the name of a file, found {type(name).__name__}")
    return inside(folder, name, folder).read_bytes(), name


def read_image(source: Any, folder: Path) -> Image:
    """A picture in RGB, uint8 [H, W, 3], upright.

    Args:
        source: name of a file in the folder, or {"bytes": ..., "path": ...} as tables of Hugging Face have it.
        folder: of the media; no name leads out of it.

    Raises:
        OSError, TypeError, DatasetError: it is missing, damaged, too large, or outside of the folder.
    """
    if isinstance(source, str):
        path = inside(folder, source, folder)
        state = path.stat()
        return _decoded_file(path, source, state.st_mtime_ns, state.st_size)
    data, name = media_bytes(source, folder)
    return decoded_image(data, Origin(name, 0, "the picture"), _SETTINGS)


@lru_cache(maxsize=2)
def _decoded_file(path: Path, name: str, changed: int, size: int) -> Image:
    """The picture of a file, kept until two others are read: annotations of one picture and its masks come together."""
    picture = decoded_image(path.read_bytes(), Origin(name, 0, "the picture"), _SETTINGS)
    picture.flags.writeable = False  # it is handed out again
    return picture


def read_numbers(source: Any, folder: Path) -> npt.NDArray[Any]:
    """The numbers of a picture as they are stored, [H, W] or [H, W, C]; arguments and errors of `read_image`."""
    data, name = media_bytes(source, folder)
    return numbers_of_image(data, Origin(name, 0, "the picture"), _SETTINGS)


def image_size(name: str, folder: Path) -> tuple[int, int]:
    """(height, width) of a picture, of which nothing but the head is read; errors of `read_image`."""
    with Pictures.open(inside(folder, name, folder)) as picture:
        return picture.height, picture.width


def read_part(part: Any, folder: Path) -> Floats:
    """A sound, float32 [samples] at 16 kHz; `part` is a SoundPart or what may be its source."""
    if not isinstance(part, SoundPart):
        return _sound(part, folder)
    found, most = _sound(part.source, folder), round(part.longest * SAMPLE_RATE)
    if part.whole and len(found) > most:
        raise ValueError(f"the sound lasts {len(found) / SAMPLE_RATE:.1f} s, longer than {part.longest:.3g} s")
    return found[:most]


def _sound(source: Any, folder: Path) -> Floats:
    if isinstance(source, Mapping) and source.get("array") is not None:
        origin = Origin(str(source.get("path")), 0, "the sound")
        return checked_sound(np.asarray(source["array"]), float(source.get("sampling_rate") or 0), origin, _SETTINGS)
    if isinstance(source, str):
        return read_sound(inside(folder, source, folder))
    data, name = media_bytes(source, folder)
    return read_sound(name, data)


def read_clip(part: Any, folder: Path) -> dict[str, Any]:
    """The media fields of an example for a video; `part` is a VideoPart or the name of a file."""
    chosen = part if isinstance(part, VideoPart) else VideoPart(part)
    path = inside(folder, chosen.name, folder)
    return read_video(path, frames=chosen.frames, sound=chosen.sound).inputs()


class MediaIndex:
    """The media files of a folder by their names without endings, for annotations that give no ending or no folder.

    The folder is listed once, and the names are held in memory.

    Args:
        folder: of the media.
        kinds: "image", "sound" or "video", the best first.
    """

    def __init__(self, folder: Path, *kinds: str) -> None:
        self._kinds = kinds
        self._names: dict[str, list[str]] = {}
        for path in sorted(folder.rglob("*")):
            ending = path.suffix[1:].lower()
            if any(ending in _KINDS[kind] for kind in kinds) and path.is_file():
                self._names.setdefault(path.stem, []).append(path.relative_to(folder).as_posix())

    def find(self, *stems: str) -> str | None:
        """The name of the file with one of these stems, the first that is there; None for none of them.

        Raises:
            ValueError: there are several such files of one kind.
        """
        for stem in stems:
            names = self._names.get(stem, [])
            for kind in self._kinds:
                own = [name for name in names if name.rpartition(".")[2].lower() in _KINDS[kind]]
                if len(own) > 1:
                    raise ValueError(f"the media folder has several files for {stem!r}: {', '.join(own)}")
                if own:
                    return own[0]
        return None
