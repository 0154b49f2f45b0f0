"""npz files of arrays or nested dictionaries of arrays, read without executing any content.

NumPy writes a dictionary as a pickle, and a pickle is a program; see `embodio.model.weights.plain_pickles`.
"""

from __future__ import annotations

import lzma
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from embodio.model.errors import WeightsError
from embodio.model.weights.plain_pickles import DAMAGE, PlainReader

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: Path) -> dict[str, Any]:
    """The entries of an npz file.

    Args:
        path: what `numpy.savez` wrote; its entries are arrays of numbers, or dictionaries of such, as deep as they are.

    Returns:
        Nested dictionaries of arrays.

    Raises:
        WeightsError: the file is absent or damaged, or holds anything else than numbers.
    """
    if not path.exists():
        raise WeightsError(f"{path} does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {}
            for name in archive.namelist():
                with archive.open(name) as file:
                    entries[name.removesuffix(".npy")] = _read_entry(file)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, RuntimeError, *DAMAGE) as error:
        raise WeightsError(
            f"{path} is damaged, or holds more than arrays ({error}); where you trust it, save it again with NumPy "
            "arrays of float32, one for each parameter"
        ) from error
    return entries


def _read_entry(file: IO[bytes]) -> Any:
    """One entry of the archive: an array, or what a pickle in its place holds."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"the format {version} of npy files is not known")
    shape, in_columns, dtype = _HEADERS[version](file)
    if dtype.hasobject:
        return _plain(PlainReader(file).read())
    array = np.frombuffer(file.read(), dtype=dtype)
    return array.reshape(shape, order="F" if in_columns else "C")


def _plain(value: Any) -> Any:
    """Checks that there are only dictionaries and numbers."""
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if not isinstance(value, (np.ndarray, np.generic, int, float)):
        raise pickle.UnpicklingError(f"a value of the type {type(value).__name__} instead of an array")
    return np.asarray(value)
