"""Names such as `tfds:bridge/demos:1.0.0`: where tfds has prepared the data set on this machine."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

from embodio.datasets.episodes.feature_json import load_features
from embodio.datasets.errors import DatasetError
from embodio.datasets.files.remote import is_url
from embodio.datasets.rlds.dataset_info import INFO_NAME, DatasetInfo

PREFIX = "tfds:"
ROOT_VARIABLE = "TFDS_DATA_DIR"
_NAME = re.compile(r"tfds:(?P<name>[A-Za-z]\w*)(?:/(?P<config>\w[\w.+-]*))?(?::(?P<version>\d+\.\d+\.\d+))?")


def is_tfds(text: str) -> bool:
    """Whether a text names a data set of tfds."""
    return text.startswith(PREFIX)


def prepared_folder(text: str, root: str | Path | None = None) -> Path | str:
    """The folder of a data set, its configuration or its version; nothing is downloaded.

    Args:
        text: "tfds:NAME", "tfds:NAME/CONFIG", each perhaps with ":VERSION".
        root: folder or URL of prepared data sets, `data_dir` in tfds; None takes TFDS_DATA_DIR, else
            ~/tensorflow_datasets.

    Raises:
        DatasetError: the text is not such a name, or the data set is not there.
    """
    found = _NAME.fullmatch(text)
    if found is None:
        raise DatasetError(f"{text!r} is not a name of tfds: write tfds:NAME, tfds:NAME/CONFIG or tfds:NAME:1.0.0")
    parts = [part for part in found.groups() if part is not None]
    root = root or os.environ.get(ROOT_VARIABLE) or Path.home() / "tensorflow_datasets"
    if is_url(root):
        return "/".join([str(root).rstrip("/"), *parts])
    folder = Path(root).expanduser().joinpath(*parts)
    if not folder.is_dir():
        known = [path.name for path in Path(root).expanduser().glob("*/") if path.is_dir()]
        near = difflib.get_close_matches(parts[0], known, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near and parts[0] not in near else ""
        raise DatasetError(
            f"{text}: {folder} is not there{hint}. Nothing is downloaded: prepare the data set with tfds, or give the "
            f"folder that tfds calls data_dir (folder=...), or set {ROOT_VARIABLE}"
        )
    return folder


def why_unreadable(folder: Path | str) -> str:
    """Why a data set can only be read by tfds itself; empty where it can be read without.

    Args:
        folder: of one version, with dataset_info.json; a URL is not looked into.
    """
    if not isinstance(folder, Path) or not (folder / INFO_NAME).exists():
        return ""
    try:
        DatasetInfo.load(folder)
        load_features(folder)
    except DatasetError as error:
        return str(error).partition(". ")[0]
    return ""


def unread_fields(folder: Path | str) -> str:
    """Names of the fields that only tfds itself reads, separated by commas; empty where there are none."""
    if not isinstance(folder, Path) or not (folder / INFO_NAME).exists() or why_unreadable(folder):
        return ""
    return ", ".join(load_features(folder).unread)
