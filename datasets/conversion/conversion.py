"""Conversion of any data set to RLDS or LeRobot: resumable, and in its final place only when complete."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.conversion.targets import open_target
from embodio.datasets.episodes.side_files import fingerprint
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.files.folder_lock import sole_user
from embodio.model.writing import sync, sync_tree, write_errors, write_text

REPORT = "conversion.json"


@dataclass(frozen=True)
class Conversion:
    """The outcome of a conversion.

    Attributes:
        folder: of the new one.
        episodes: number of its episodes.
        left_out: fields that the new layout cannot hold: sequences in LeRobot, and unreadable ones.
        skipped: number of each damaged episode of the source -> what is wrong with it.
        resumed: episodes that an earlier run had written.
    """

    folder: Path
    episodes: int
    left_out: tuple[str, ...]
    skipped: Mapping[int, str]
    resumed: int


def convert(
    source: EpisodeSource,
    folder: str | Path,
    settings: ConversionSettings | None = None,
    *,
    done: Callable[[int], None] = lambda count: None,
) -> Conversion:
    """Rewrites every episode of a source, with instruction, metadata and robot.

    The new data set grows in a hidden folder next to its final place. Called again with the same arguments after the
    process was killed, this resumes there, and the result is byte-identical. Damaged episodes are left out.

    Args:
        source: what to convert.
        folder: where to; must be empty or not exist.
        settings: see `ConversionSettings`.
        done: called after each with the number of episodes of the source done so far.

    Raises:
        DatasetError: the folder holds something, an unfinished conversion there has other settings, another process
            converts to it, the settings do not fit the source, or no episode could be read.
        FeatureError: the source has fields that the new layout cannot hold.
    """
    settings, folder = settings or ConversionSettings(), Path(folder)
    _require_free(folder)
    staging = folder.absolute().with_name(f".{folder.absolute().name}.converting")
    begins = not staging.exists()
    with sole_user(staging, "converting into"):
        _require_free(folder)  # by now another process may have finished
        report = _Report(staging / REPORT, _identity(source, settings), folder)
        try:
            writer = open_target(source, staging, settings)
        except DatasetError:
            if begins:
                shutil.rmtree(staging)
            raise
        first = report.next_after(writer.written)
        resumed = writer.written
        done(first)
        for index in range(first, len(source)):
            try:
                writer.add(source.episode(index))
            except (CorruptRecordError, FeatureError) as error:
                report.skip(index, str(error))
            done(index + 1)
        if not writer.written:
            shutil.rmtree(staging)
            raise DatasetError(f"none of {len(source)} episodes can be read. {next(iter(report.skipped.values()), '')}")
        writer.close()
        _require_free(folder)
        with write_errors(folder):
            sync_tree(staging)
            staging.replace(folder)
            sync(staging.parent)
    return Conversion(folder, writer.written, _left_out(source, settings), dict(report.skipped), resumed)


class _Report:
    """The file that records what is converted, and which episodes are left out because they are damaged."""

    def __init__(self, path: Path, identity: Mapping[str, Any], folder: Path) -> None:
        self._path, self._identity = path, identity
        self.skipped: dict[int, str] = {}
        if path.exists():
            known = json.loads(path.read_text(encoding="utf-8"))
            differing = sorted(key for key, value in identity.items() if known.get(key) != value)
            if differing:
                raise DatasetError(
                    f"{path.parent} holds a conversion to {folder} that was not finished, with another "
                    f"{differing[0]}. Finish it with the same settings, or delete that folder"
                )
            self.skipped = {int(index): str(problem) for index, problem in known["skipped"].items()}
        else:
            self._save()

    def next_after(self, written: int) -> int:
        """Number of the episode to resume with when that many are written."""
        index = 0
        while written or index in self.skipped:
            written -= index not in self.skipped
            index += 1
        self.skipped = {number: problem for number, problem in self.skipped.items() if number < index}
        self._save()
        return index

    def skip(self, index: int, problem: str) -> None:
        """Leaves an episode out."""
        self.skipped[index] = problem
        self._save()

    def _save(self) -> None:
        content = {**self._identity, "skipped": {str(index): text for index, text in self.skipped.items()}}
        write_text(self._path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _require_free(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "already holds something" if folder.is_dir() else "is a file"
        raise DatasetError(f"{folder} {what}. Choose another folder, or delete it")


def _identity(source: EpisodeSource, settings: ConversionSettings) -> dict[str, Any]:
    """Everything that decides what is written, which two runs must have in common."""
    text = json.dumps([source.name, len(source), source.features.to_json()], sort_keys=True)
    digest = fingerprint(source) or hashlib.sha256(text.encode()).hexdigest()[:32]
    chosen = {"to": settings.to, "name": settings.name, "images": settings.image_encoding, "fps": settings.fps}
    left = sorted(_left_out(source, settings))
    return {"source": source.name, **chosen, "content of the source": digest, "fields left out": left}


def _left_out(source: EpisodeSource, settings: ConversionSettings) -> tuple[str, ...]:
    sequences = source.features.sequences if settings.to == "lerobot" else ()
    return (*sequences, *source.features.unread)
