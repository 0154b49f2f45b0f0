"""Indices of a corpus made ahead, a file at a time, by processes of this machine or the machines of a cluster.

An index is the same whichever process makes it. Opening the corpus finds those that are there, and makes the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from embodio.datasets.engines import Crew
from embodio.datasets.records.files.file_set import FileSet
from embodio.datasets.records.opening import RecordFormat, reader_of
from embodio.datasets.records.settings import RecordSettings


def indexed_files(files: FileSet, reader: RecordFormat, settings: RecordSettings) -> list[str]:
    """The files of a split that have an index each; none for readers that find them by descriptions of their own."""
    if reader.takes_splits:
        return []
    chosen = files.of_split(settings.split)
    return [name for name in chosen.names if reader.holds(chosen.only([name]))]


def make_indices(
    files: FileSet,
    settings: RecordSettings,
    crew: Crew,
    done: Callable[[int], None] = lambda count: None,
) -> int:
    """Makes the indices of all files; those that are there already cost a look.

    Args:
        files: of the corpus, in a folder that all machines share.
        settings: how records are read.
        crew: makes them.
        done: called after each file with the number of those that are done.

    Returns:
        The number of files with an index.

    Raises:
        DatasetError: no reader knows the files, or a file cannot be read.
        EngineError: the engine fails.
    """
    names = indexed_files(files, reader_of(files, settings), settings)
    for count, _ in enumerate(crew.engine(partial(_index, files, settings), names, crew.workers), start=1):
        done(count)
    return len(names)


def _index(files: FileSet, settings: RecordSettings, name: str) -> None:
    """Makes the index of one file, by opening it alone."""
    one = files.only([name])
    reader_of(files, settings).source(one, settings)
