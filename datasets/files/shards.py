"""Shards of a job, numbered from 1: `shard=2/8` does every eighth piece, beginning with the second."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHARDS = "shards"
"""Folder inside the folder of a job in which each shard has its own."""


@dataclass(frozen=True)
class JobShard:
    """One of several equal parts.

    Attributes:
        number: from 1.
        of_all: number of parts.
    """

    number: int
    of_all: int

    @classmethod
    def of(cls, text: str) -> JobShard:
        """Reads "2/8".

        Raises:
            ValueError: it is not written like that, or the number is not from 1 to the number of parts.
        """
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise ValueError(
                f"shard: got {text!r}, expected a number from 1 and how many there are, such as 2/8; in a Slurm array "
                "--array=1-8 it is shard=$SLURM_ARRAY_TASK_ID/8"
            )
        return cls(int(found[1]), int(found[2]))

    @property
    def text(self) -> str:
        """As it is typed."""
        return f"{self.number}/{self.of_all}"

    @property
    def folder(self) -> str:
        """The path of its folder inside that of the job."""
        return f"{SHARDS}/{self.number}-of-{self.of_all}"

    def indices(self, pieces: int) -> range:
        """The numbers, from 0, of its pieces."""
        return range(self.number - 1, pieces, self.of_all)


def shard_folders(places: Sequence[Path], file: str) -> list[Path]:
    """The folders of shards: the given ones, or the shards inside them.

    Args:
        places: folders of shards, or folders that hold shards.
        file: name of the file that every shard has.
    """
    found: list[Path] = []
    for place in places:
        inside = sorted(path.parent for path in (place / SHARDS).glob(f"*/{file}"))
        found += inside or [place]
    return found


def require_all(shards: Mapping[Path, JobShard], error: type[Exception]) -> None:
    """Makes sure that every shard of one job is there once.

    Args:
        shards: folder -> shard.
        error: raised if not; the message names shards and folders.
    """
    if not shards:
        raise error("there are no shards to merge. Name the folder out=... of the commands with shard=i/n")
    places: dict[int, Path] = {}
    first_folder, first = next(iter(shards.items()))
    for folder, shard in shards.items():
        if shard.of_all != first.of_all:
            raise error(
                f"{first_folder} is shard {first.text} and {folder} is shard {shard.text}: they are parts of "
                "different jobs. Name folders of one"
            )
        if shard.number in places:
            raise error(
                f"{places[shard.number]} and {folder} are both shard {shard.text}. Name one of them, or run one again "
                "with the right number"
            )
        places[shard.number] = folder
    missing = [number for number in range(1, first.of_all + 1) if number not in places]
    if missing:
        named = ", ".join(f"{number}/{first.of_all}" for number in missing)
        raise error(f"shards are missing: {named}. Run their commands, then merge again")


def require_finished(
    folder: Path,
    shard: JobShard,
    wanted: Set[Any],
    done: Set[Any],
    called: str,
    error: type[Exception],
    pieces: str = "episodes",
) -> None:
    """Makes sure that a shard has all its pieces.

    Args:
        folder: of the shard.
        shard: which one it is.
        wanted: numbers or names of its pieces.
        done: those that it has.
        called: what such a number or name is, such as "seed".
        error: raised if some are missing; the message names the first one.
        pieces: what they are.
    """
    missing = sorted(wanted - done)
    if missing:
        raise error(
            f"{folder} (shard {shard.text}) lacks {len(missing)} of {len(wanted)} {pieces}, such as {called} "
            f"{missing[0]}. Run its command again; it resumes"
        )
