"""The folder of a collection: finished episodes wait in a staging folder, then become a data set at once.

    collection.json    the settings, and one row per episode of the data set below
    .staging/          episodes finished since: NNNNNN.json (its row) and NNNNNN.tfrecord (its record)
    .commit/           a new data set, complete, about to replace the old one

Every file gets its name only when it is complete, and `.commit` appears in one rename, so whenever the process dies the
next `CollectionStore` finds a state that it can resume.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodio.datasets.episodes.features import EpisodeFeatures, features_of
from embodio.datasets.episodes.recorded.prompt import with_prompts
from embodio.datasets.errors import CollectionError, CollectionMismatch
from embodio.datasets.files.byte_files import LocalFile
from embodio.datasets.files.folder_lock import HOLDER
from embodio.datasets.files.shards import SHARDS
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.tfrecord import frame, read_payload, scan
from embodio.datasets.rlds.writer import SHARD_BYTES, write_dataset
from embodio.envs.embodiment import Embodiment
from embodio.model.writing import is_partial, remove_partial, sync, sync_tree, write_bytes, write_errors, write_json

STAGING = ".staging"
INDEX = "collection.json"
_LISTED = 3
_OPTIONAL = ("shard", "episodes", "agent", "takeover", "record_agent", "prompts")


@dataclass(frozen=True, kw_only=True)
class StoreSettings(ABC):
    """The settings that a folder must match to be extended.

    Attributes:
        environment: name of the environment.
        seed: of episode 0; episode i has seed + i.
        embodiment: of the robot, as `Embodiment.to_dict` gives it.
        shard: the part of the episodes that this folder holds, such as "2/8"; "" for all of them.
        episodes: number in all shards together; 0 where there are none.
    """

    environment: str
    seed: int
    embodiment: Mapping[str, Any]
    shard: str = ""
    episodes: int = 0

    @property
    @abstractmethod
    def features(self) -> EpisodeFeatures:
        """What an episode holds."""

    @property
    @abstractmethod
    def description(self) -> str:
        """A one-line description for readers."""

    def to_json(self) -> dict[str, Any]:
        """Returns plain JSON values of all settings; those of shards, learner and prompts only where there are some."""
        data: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return {name: value for name, value in data.items() if name not in _OPTIONAL or value}


@dataclass(frozen=True, kw_only=True)
class CollectionSettings(StoreSettings):
    """The settings that identify a collection.

    Attributes:
        noise: levels; episode i has noise[i % len(noise)].
        keep_failures: whether episodes without success are part of the data set.
        env_options: further arguments of the environment.
        agent: who plays before the expert takes over; "" for nobody.
        takeover: highest number of steps that it plays.
        record_agent: whether they are recorded.
        prompts: whether instructions may hold more than words.
    """

    noise: tuple[float, ...]
    keep_failures: bool
    env_options: Mapping[str, Any]
    agent: str = ""
    takeover: int = 0
    record_agent: bool = False
    prompts: bool = False

    @property
    def features(self) -> EpisodeFeatures:
        """What an episode holds."""
        features = features_of(Embodiment.from_dict(self.embodiment))
        return with_prompts(features) if self.prompts else features

    @property
    def description(self) -> str:
        """A one-line description for readers."""
        return f"Scripted demonstrations of {self.environment}."


@dataclass(frozen=True)
class CollectedEpisode:
    """The outcome of one episode.

    Attributes:
        index: number of the episode in the collection.
        seed: of the scene and the noise.
        noise: level.
        status: "success", "failure" or "timeout" ("error" only in a report, never on disk: it is retried).
        steps: actions executed.
        seconds: wall time.
        kept: whether the data set holds it.
    """

    index: int
    seed: int
    noise: float
    status: str
    steps: int
    seconds: float
    kept: bool


class CollectionStore:
    """Opens, or begins, the collection in a folder."""

    def __init__(self, folder: Path, settings: StoreSettings) -> None:
        """Checks the folder and completes what an earlier process left unfinished.

        Args:
            folder: is made if missing.
            settings: of the run.

        Raises:
            CollectionMismatch: the folder holds a collection with other settings; names the field.
            CollectionError: the folder holds something else, or a damaged collection.json.
        """
        self.folder = folder
        self.settings = settings
        self.staging = folder / STAGING
        self._commit = folder / ".commit"
        self._building = folder / ".building"
        self._index = folder / INDEX
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._building, ignore_errors=True)
        if self._commit.exists():
            self._publish()
        if self._index.exists() and not self._was_cut_off():
            self._check_settings()
        else:
            self._require_own()
            write_json(self._index, {"settings": settings.to_json(), "episodes": []})
        with write_errors(self.staging):
            self.staging.mkdir(exist_ok=True)
            remove_partial(self.staging)

    def published(self) -> list[CollectedEpisode]:
        """Returns the rows of the episodes that the current data set was made from, in order."""
        return [CollectedEpisode(**row) for row in _read_json(self._index)["episodes"]]

    def staged(self) -> list[CollectedEpisode]:
        """Returns the rows of the episodes finished since, in order."""
        return [CollectedEpisode(**_read_json(path)) for path in sorted(self.staging.glob("[0-9]*.json"))]

    def assemble(self, shard_bytes: int = SHARD_BYTES) -> None:
        """Makes all finished episodes, in order, the data set of this folder; does nothing if none is new.

        Args:
            shard_bytes: size at which a new shard begins.

        Raises:
            CollectionError: no episode was kept.
        """
        published, staged = self.published(), self.staged()
        if not staged:
            return
        rows = sorted({row.index: row for row in [*staged, *published]}.values(), key=lambda row: row.index)
        if not any(row.kept for row in rows):
            if any(row.status == "success" for row in rows):
                raise CollectionError(
                    f"{self.folder}: in none of {len(rows)} episodes the expert had to take over, so there is nothing "
                    "to keep. Take a lower takeover, a harder environment, or record_agent"
                )
            raise CollectionError(
                f"{self.folder}: none of {len(rows)} episodes succeeded, so there is nothing to keep. "
                "Check the expert, or collect with keep_failures"
            )
        write_dataset(
            self._building,
            _dataset_name(self.settings.environment),
            Embodiment.from_dict(self.settings.embodiment),
            self.settings.features,
            self._records(rows, published),
            description=self.settings.description,
            shard_bytes=shard_bytes,
        )
        content = {"settings": self.settings.to_json(), "episodes": [dataclasses.asdict(row) for row in rows]}
        write_json(self._building / INDEX, content)
        with write_errors(self.folder):
            sync_tree(self._building)
            self._building.rename(self._commit)
            sync(self.folder)
        self._publish()
        self.staging.mkdir()

    def _records(self, rows: list[CollectedEpisode], published: list[CollectedEpisode]) -> Iterator[bytes]:
        """Yields the kept records, from the old data set or from the staging folder."""
        positions = {row.index: position for position, row in enumerate(row for row in published if row.kept)}
        reader = RLDSReader(self.folder) if positions else None
        for row in rows:
            if row.kept and reader is not None and row.index in positions:
                yield reader.record(positions[row.index])
            elif row.kept:
                yield _read_staged(self.staging / f"{row.index:06d}.tfrecord")

    def _publish(self) -> None:
        """Moves the files of `.commit` to their places; may be interrupted and repeated at any point."""
        info = self._commit / "dataset_info.json"
        if info.exists():  # it moves last: while it is here, the old shards may still exist
            shards = len(_read_json(info)["splits"][0]["shardLengths"])
            for old in self.folder.glob("*.tfrecord-*-of-*"):
                if not old.name.endswith(f"-of-{shards:05d}"):
                    old.unlink()
            for path in sorted(self._commit.iterdir()):
                if path != info:
                    path.replace(self.folder / path.name)
            sync(self.folder)
            info.replace(self.folder / info.name)
        sync(self.folder)
        shutil.rmtree(self.staging, ignore_errors=True)
        self._commit.rmdir()

    def _was_cut_off(self) -> bool:
        """Whether a process died while writing the first index, so that rewriting it loses nothing."""
        try:
            json.loads(self._index.read_bytes())
        except ValueError:
            return not (self.folder / "dataset_info.json").exists() and not any(self.staging.glob("[0-9]*"))
        return False

    def _require_own(self) -> None:
        """Refuses a folder that held something else before the collection began."""
        own = {self._index.name, self.staging.name, HOLDER, SHARDS}
        others = sorted(
            path.name for path in self.folder.iterdir() if path.name not in own and not is_partial(path.name)
        )
        if others:
            raise CollectionError(
                f"{self.folder} holds {', '.join(others[:_LISTED])}{', ...' if len(others) > _LISTED else ''}, which "
                "no collection put there. Choose another folder, or an empty one"
            )

    def _check_settings(self) -> None:
        expected, found = _read_json(self._index).get("settings"), self.settings.to_json()
        if not isinstance(expected, dict):
            raise CollectionError(
                f"{self._index} has no settings. It is not the index of a collection; choose another folder"
            )
        for field in [*expected, *(name for name in found if name not in expected)]:
            if expected.get(field) != found.get(field):
                raise CollectionMismatch(self.folder, field, expected.get(field), found.get(field))


def stage(staging: Path, row: CollectedEpisode, record: bytes | None) -> None:
    """Puts a finished episode where `CollectionStore.assemble` finds it.

    Args:
        staging: the staging folder of the store.
        row: its outcome.
        record: the serialised episode; must be there if `row.kept`.
    """
    if record is not None:
        target = staging / f"{row.index:06d}.tfrecord"
        write_bytes(target, frame(record))
    write_json(staging / f"{row.index:06d}.json", dataclasses.asdict(row))


def _read_staged(path: Path) -> bytes:
    if not path.exists():
        raise CollectionError(
            f"{path} is missing. Delete the .json file next to it, so that the episode is collected again"
        )
    file = LocalFile(path)
    offset, length = (int(value) for value in scan(file)[0])
    return read_payload(file, 0, offset, length)


def _dataset_name(environment: str) -> str:
    """Turns "robosuite/lift" into a name that tfds accepts: "robosuite_lift"."""
    name = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in environment.lower()).strip(
        "_"
    )
    return name if name[:1].isalpha() else f"env_{name}"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise CollectionError(f"{path} is damaged: {error}. Delete it if its episode may be collected again") from error
    return data
