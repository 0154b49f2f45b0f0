"""A LeRobot folder behind a URL: descriptions are copied to the cache folder at once, data and videos when needed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from embodio.datasets.errors import UnsafeName
from embodio.datasets.files.names import inside
from embodio.datasets.files.remote import fetch, mirror
from embodio.datasets.sources.lerobot.layout import INFO
from embodio.datasets.sources.lerobot.names import OWN
from embodio.datasets.sources.lerobot.version2 import EPISODES, TASKS

_FETCHED = ".fetched"  # hidden, so that the fingerprint of the data set does not change as files arrive


class RemoteLeRobot:
    """The local copies of a remote folder's files.

    Attributes:
        folder: holds `meta`.
    """

    def __init__(self, url: str) -> None:
        """Copies the descriptions of the data set; raises DatasetError as `embodio.datasets.files.remote.mirror`."""
        self._url = url.rstrip("/")
        self.folder = mirror(self._url, [INFO, "meta/tasks.parquet", TASKS, EPISODES, f"meta/{OWN}"])
        self._here: set[Path] = set()

    def episode_files(self) -> Iterator[Path]:
        """Copies the tables of episodes of version 3, one after the other; raises DatasetError as `mirror`."""
        for chunk in itertools.count():
            for file in itertools.count():
                path = self._mirrored(f"meta/episodes/chunk-{chunk:03d}/file-{file:03d}.parquet")
                if path.exists():
                    yield path
                    continue
                if not file:
                    return
                break

    def file(self, path: Path) -> Path:
        """Copies a file of the folder unless it is on this machine.

        Args:
            path: where it would be in `folder`.

        Raises:
            DatasetError: it cannot be fetched.
            UnsafeName: the copy would lie outside of `folder`, or the name cannot be a part of a URL.
        """
        name = path.relative_to(self.folder).as_posix()
        if "?" in name or "#" in name:
            raise UnsafeName(self._url, name, "cannot be a part of a URL")
        here = inside(self.folder, f"{_FETCHED}/{name}", self._url)
        if here not in self._here:
            fetch(f"{self._url}/{name}", here.parent)
            self._here.add(here)
        return here

    def _mirrored(self, name: str) -> Path:
        """Where a description is, if the server has it."""
        return mirror(self._url, [name]) / name
