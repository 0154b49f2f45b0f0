"""Rows of a LeRobot data file, found by the episode and frame that each row names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import CorruptRecordError
from embodio.datasets.sources.parquet import REMEDY, open_parquet, reading

_EPISODE, _FRAME = "episode_index", "frame_index"


class DataFile:
    """A parquet file with the rows of one or more episodes.

    The row numbers in `meta/episodes` are not used: they are wrong in data sets that were cut, joined or converted.

    Args:
        path: of the file.

    Raises:
        CorruptRecordError: the file is missing or damaged, or a row does not name its episode and frame.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open_parquet(path)
        sizes = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        self._ends = np.cumsum([0, *sizes])
        with reading(path, 0):
            table = self._file.read(columns=[_EPISODE, _FRAME])
        episodes, frames = (_whole(path, table, name) for name in (_EPISODE, _FRAME))
        goes_on = (np.diff(episodes) == 0) & (np.diff(frames) == 1)
        starts = np.flatnonzero(np.concatenate([[True], ~goes_on])) if len(episodes) else np.zeros(0, np.int64)
        # One run for each sequence of consecutive frames: its episode, its first row, its first frame, its length.
        lengths = np.diff(np.append(starts, len(episodes)))
        self._runs = np.stack([episodes[starts], starts, frames[starts], lengths], axis=1)

    def holds(self, episode: int) -> bool:
        """Whether a row is of this episode."""
        return bool((self._runs[:, 0] == episode).any())

    def rows(self, episode: int, length: int) -> npt.NDArray[np.int64]:
        """The numbers of the rows of an episode, int64 [T], in the order of its frames.

        Raises:
            CorruptRecordError: they are not exactly the frames 0 to `length` - 1.
        """
        runs = self._runs[self._runs[:, 0] == episode]
        runs = runs[np.argsort(runs[:, 2], kind="stable")]
        firsts, counts = runs[:, 2], runs[:, 3]
        if int(counts.sum()) != length or not np.array_equal(firsts, np.cumsum(counts) - counts):
            first = int(runs[:, 1].min()) if len(runs) else 0
            raise CorruptRecordError(self._path, first, self._problem(episode, length, runs), REMEDY)
        return np.concatenate(
            [np.zeros(0, np.int64)] + [np.arange(first, first + count) for _, first, _, count in runs.tolist()]
        )

    def column(self, name: str, rows: npt.NDArray[np.int64]) -> Any:
        """An arrow array of one column at some rows; raises CorruptRecordError if it is missing or damaged."""
        first, last = (int(rows.min()), int(rows.max()) + 1) if len(rows) else (0, 0)
        begin = int(np.searchsorted(self._ends, first, side="right")) - 1
        end = int(np.searchsorted(self._ends, last, side="left")) if len(rows) else begin
        with reading(self._path, first):
            table = self._file.read_row_groups(list(range(begin, end)), columns=[name])
            if name not in table.column_names:
                raise CorruptRecordError(self._path, first, f"there is no column {name}", REMEDY)
            if len(rows) and np.array_equal(rows, np.arange(first, last)):
                return table[name].slice(first - int(self._ends[begin]), len(rows)).combine_chunks()
            return table[name].take(rows - int(self._ends[begin])).combine_chunks()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _problem(self, episode: int, length: int, runs: npt.NDArray[np.int64]) -> str:
        _, first, frame, count = runs[:3].T.tolist()
        found = ", ".join(
            f"rows {a} to {a + n - 1} are its frames {f} to {f + n - 1}"
            for a, f, n in zip(first, frame, count, strict=True)
        )
        more = f" and {len(runs) - 3} more stretches" if len(runs) > 3 else ""
        return f"episode {episode} should have the frames 0 to {length - 1} once each, but {found or 'has none'}{more}"


def whole_number(value: object) -> int | None:
    """An integer, also if a program stored it as a float; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62 else None


def _whole(path: Path, table: Any, name: str) -> npt.NDArray[np.int64]:
    """A column of whole numbers, int64 [N]; floats are taken where they are whole."""
    if name not in table.column_names:
        raise CorruptRecordError(path, 0, f"there is no column {name}, so nothing says what the rows are", REMEDY)
    column = table[name].combine_chunks()
    while "list" in str(column.type):
        column = column.flatten()
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    if len(values) != len(table) or values.dtype.kind not in "iuf":
        raise CorruptRecordError(path, 0, f"{name} is of {column.type}, expected whole numbers", REMEDY)
    fits = np.isfinite(values) & (np.abs(values) < 2.0**53) & (np.floor(values) == values)
    if not fits.all():
        row = int(np.argmin(fits))
        raise CorruptRecordError(path, row, f"{name} is {values[row]}, expected a whole number", REMEDY)
    found: npt.NDArray[np.int64] = values.astype(np.int64)
    return found
