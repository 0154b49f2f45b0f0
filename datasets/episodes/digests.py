"""Digests of episodes, which identify a data set and reveal changes in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from embodio.datasets.episodes.features import DepthFeature, ImageFeature, TensorFeature, TextFeature
from embodio.datasets.episodes.side_files import data_folder, fingerprint, load_side_file, save_side_file
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView, encoded_frame
from embodio.datasets.errors import CorruptRecordError, FeatureError
from embodio.datasets.files.remote import cache_folder

DIGITS = 16
"""Hexadecimal digits of a digest."""
_KIND = "digests"
_REVISION = 1


def episode_digests(source: EpisodeSource) -> tuple[str, ...]:
    """A digest of the content of each episode, [N] of `DIGITS` hexadecimal digits.

    It covers every number and text of every step and of the whole episode, and every image that is stored compressed;
    of images that are stored as numbers the first, middle and last step. Of a data set with video files it covers the
    files, see `videos_digest`. An unreadable episode has the digest of its readable part.

    Reading is limited by the disk; the result is kept with the data until a file changes.
    """
    key = fingerprint(source, revision=_REVISION)
    known = load_side_file(source, _KIND, key)
    if isinstance(known, dict) and len(known.get("each", ())) == len(source):
        return tuple(map(str, known["each"]))
    filmed = _is_filmed(source)
    found = tuple(_digest(source, number, filmed) for number in range(len(source)))
    save_side_file(source, _KIND, key, {"each": list(found)})
    return found


def videos_digest(source: EpisodeSource) -> str:
    """A digest of the names and contents of a data set's video files, "" where it has none."""
    videos = _videos(source)
    if not videos:
        return ""
    key = fingerprint(source, revision=_REVISION, videos=True)
    known = load_side_file(source, _KIND, key)
    if isinstance(known, dict) and "videos" in known:
        return str(known["videos"])
    total = hashlib.sha256()
    for name, path in videos:
        with path.open("rb") as file:
            total.update(f"{name}\0".encode() + hashlib.file_digest(file, "sha256").digest())
    found = total.hexdigest()[:DIGITS]
    save_side_file(source, _KIND, key, {"videos": found})
    return found


def _is_filmed(source: EpisodeSource) -> bool:
    """Whether images are in video files: a folder of LeRobot."""
    folder = data_folder(source)
    return folder is not None and (folder / "meta" / "info.json").is_file() and (folder / "videos").is_dir()


def _videos(source: EpisodeSource) -> list[tuple[str, Path]]:
    """Names and places of all video files; none of data behind a URL, of which only some are here."""
    folder = data_folder(source)
    if folder is None or not _is_filmed(source) or folder.is_relative_to(cache_folder()):
        return []
    return sorted((path.relative_to(folder).as_posix(), path) for path in (folder / "videos").rglob("*.mp4"))


def _digest(source: EpisodeSource, number: int, filmed: bool) -> str:
    total = hashlib.sha256()
    try:
        episode = source.episode(number)
        for name, content in _parts(episode, filmed):
            total.update(f"\0{name}\0{len(content)}\0".encode())
            total.update(content)
    except (CorruptRecordError, FeatureError) as error:
        total.update(f"\0damaged\0{type(error).__name__}".encode())
    return total.hexdigest()[:DIGITS]


def _parts(episode: EpisodeView, filmed: bool) -> Iterator[tuple[str, bytes]]:
    """Every part of an episode by its name, as bytes."""
    yield "length", str(len(episode)).encode()
    for path, feature in sorted(episode.features.steps.items()):
        try:
            if isinstance(feature, TensorFeature | DepthFeature):
                array = np.ascontiguousarray(episode.array(path))
                yield f"{path} {array.dtype} {array.shape}", array.tobytes()
            elif isinstance(feature, TextFeature):
                texts = [episode.text(path, step) for step in range(len(episode))]
                yield path, json.dumps(texts).encode()
            elif isinstance(feature, ImageFeature):
                yield from _images(episode, path, filmed)
        except FeatureError as error:
            yield f"{path} unread", type(error).__name__.encode()
    for path in sorted(episode.features.episode):
        try:
            yield path, _plain(episode.value(path))
        except FeatureError as error:
            yield f"{path} unread", type(error).__name__.encode()
    for path in sorted(episode.features.sequences):
        yield path, b"".join(_plain(value) for value in _sequence(episode, path))


def _images(episode: EpisodeView, path: str, filmed: bool) -> Iterator[tuple[str, bytes]]:
    last = len(episode) - 1
    if last >= 0 and encoded_frame(episode, path, 0) is not None:
        for step in range(last + 1):
            yield path, encoded_frame(episode, path, step) or b""
    elif not filmed:
        for step in sorted({0, last // 2, last} if last >= 0 else ()):
            yield path, episode.frame(path, step).tobytes()


def _sequence(episode: EpisodeView, path: str) -> Iterator[Any]:
    """The values of a sequence, of an episode or of each of its steps."""
    if not path.startswith("steps/"):
        yield episode.sequence(path)
        return
    for step in range(len(episode)):
        yield episode.sequence(path, step)


def _plain(value: Any) -> bytes:
    if isinstance(value, np.ndarray) and value.dtype != object:
        return f"{value.dtype} {value.shape} ".encode() + np.ascontiguousarray(value).tobytes()
    if isinstance(value, tuple | list):
        return b"".join(f"{len(part)} ".encode() + part for part in map(_plain, value))
    return repr(value).encode()
