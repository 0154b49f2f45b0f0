"""Opening of data sets by name, path or URL."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from embodio.datasets.catalogue import catalogue_names, catalogue_path
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import DatasetError
from embodio.datasets.files.remote import is_url
from embodio.datasets.sources.description import Description
from embodio.datasets.sources.guesses import warn_of_guesses
from embodio.datasets.sources.layouts import layout_behind, layout_named, layout_of
from embodio.datasets.sources.mapped import MappedSource
from embodio.datasets.sources.rlds import version_folder
from embodio.datasets.tfds.names import is_tfds, prepared_folder, why_unreadable

ROOT_VARIABLE = "EMBODIO_DATA"
_YAML = (".yaml", ".yml")


def open_source(
    name_or_path: str | Path, *, folder: str | Path | None = None, split: str | None = None
) -> EpisodeSource:
    """Opens a data set and warns about guesses in its description.

    Args:
        name_or_path: a folder or file with data of any known layout, or its URL (RLDS is read in place, files of
            LeRobot folders and whole HDF5 files, tars and zips are copied to the user's cache folder); a YAML file that
            describes a data set, a name of the catalogue, or "tfds:NAME" for data prepared by tfds on this machine.
        folder: where the files of a catalogue name are, a path or a URL; None looks in the folder (or at the URL) that
            the environment variable EMBODIO_DATA names. For names of tfds, its data_dir; None takes
            TFDS_DATA_DIR, else ~/tensorflow_datasets.
        split: name of the split: of RLDS data (or "train[:90%]", "train+test", "all", as in tfds), of LeRobot data, a
            filter key of HDF5, a task of VIMA; None takes that of the description, else "train" of
            RLDS and everything of the others.

    Raises:
        DatasetError: nothing has that name, or the layout is unknown; lists what there is.
        CorruptRecordError: a file is damaged or cut off.
        FeatureError: the files do not hold what their description says.
    """
    source = _open(name_or_path, folder, split)
    warn_of_guesses(source, name_or_path)
    return source


def _open(name_or_path: str | Path, folder: str | Path | None, split: str | None) -> EpisodeSource:
    text, path = str(name_or_path), Path(name_or_path)
    if is_tfds(text):
        return _open_prepared(text, folder, split)
    if is_url(text):
        return layout_behind(text).opened(text, split, "")
    if text in catalogue_names() and not path.exists():
        return open_described(Description.load(catalogue_path(text)), folder=folder, split=split)
    if path.suffix.lower() in _YAML and path.is_file():
        return open_described(Description.load(path), folder=folder, split=split)
    if not path.exists():
        near = difflib.get_close_matches(text, catalogue_names(), n=3)
        known = f"did you mean {' or '.join(near)}?" if near else f"the names are {', '.join(catalogue_names())}"
        raise DatasetError(f"{text}: there is no such file, folder or name of the catalogue; {known}")
    return layout_of(path).opened(path, split, "")


def _open_prepared(text: str, folder: str | Path | None, split: str | None) -> EpisodeSource:
    place = version_folder(prepared_folder(text, folder))
    if why := why_unreadable(place):
        remedy = f"`embodio-data convert {text} out=...` has tfds make a copy that is read without TensorFlow"
        raise DatasetError(f"{text}: {why}. {remedy}")
    return layout_named("rlds").opened(place, split, "")


def open_described(description: Description, *, folder: str | Path | None, split: str | None) -> MappedSource:
    """Opens the files of a description; errors as in `open_source`."""
    path = _place(description, folder)
    base = layout_named(description.kind).opened(path, split or description.split, description.instruction.text)
    return MappedSource(base, description)


def _place(description: Description, folder: str | Path | None) -> Path | str:
    """Where the files of a description are: a path, or a URL as text."""
    if is_tfds(description.folder):
        return prepared_folder(description.folder, folder)
    if folder is not None:
        return str(folder) if is_url(folder) else _existing(Path(folder), description)
    if is_url(description.folder):
        return description.folder
    named = Path(description.folder)
    root = os.environ.get(ROOT_VARIABLE)
    if root and is_url(root) and description.folder and not named.is_absolute():
        return f"{root.rstrip('/')}/{description.folder}"
    tried = [named] if named.is_absolute() else [description.path.parent / named]
    if root and not named.is_absolute():
        tried.append(Path(root) / named)
    for path in tried:
        if description.folder and path.exists():
            return path
    raise DatasetError(
        f"the files of {description.name!r} are not there. Fetch them from {description.origin or 'their publisher'} "
        f"and give the folder (folder=...), or set {ROOT_VARIABLE} to the folder that holds {description.folder}"
    )


def _existing(path: Path, description: Description) -> Path:
    if not path.exists():
        origin = description.origin or "its publisher"
        raise DatasetError(f"{path} is not there. Fetch {description.name!r} from {origin}")
    return path
