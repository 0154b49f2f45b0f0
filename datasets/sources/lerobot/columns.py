"""Fields of episodes as parquet columns, in LeRobot's types."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.image_codec import decode_image, encode_image
from embodio.datasets.episodes.features import DepthFeature, Feature, ImageFeature, TensorFeature, TextFeature
from embodio.datasets.errors import FeatureError

_INDEX = "__index_level_0__"
_LISTED = 64  # larger arrays of a whole episode are stored as their bytes


def described(path: str, feature: Feature, names: Sequence[str] | None, *, video: bool) -> dict[str, Any]:
    """The entry of a field in info.json; raises FeatureError if LeRobot cannot hold it."""
    if isinstance(feature, TextFeature):
        return {"dtype": "string", "shape": [1], "names": None}
    if isinstance(feature, ImageFeature):
        size = [feature.height, feature.width, feature.channels]
        if None in size:
            raise FeatureError(f"{path}: LeRobot needs images of one size, and these have any. Resize them first")
        return {"dtype": "video" if video else "image", "shape": size, "names": ["height", "width", "channels"]}
    shape, dtype = list(shape_of(feature)) or [1], dtype_of(feature).name
    if 0 in shape or len(shape) > 5:
        raise FeatureError(f"{path}: LeRobot has no fields of the shape {tuple(shape)}")
    return {"dtype": dtype, "shape": shape, "names": list(names) if names else None}


def shape_of(feature: TensorFeature | DepthFeature) -> tuple[int, ...]:
    """The shape of one step."""
    return (feature.height, feature.width, 1) if isinstance(feature, DepthFeature) else feature.shape


def dtype_of(feature: TensorFeature | DepthFeature) -> np.dtype[Any]:
    """The dtype of the values."""
    return np.dtype(np.float32) if isinstance(feature, DepthFeature) else feature.numpy_dtype


def number_column(values: npt.NDArray[Any]) -> Any:
    """An arrow column of T numbers, vectors or arrays, [T, *shape]; one number alone is not a vector."""
    import pyarrow as pa

    shape = values.shape[1:] if values.shape[1:] not in ((), (1,)) else ()
    column = pa.array(np.ascontiguousarray(values).reshape(-1))
    if len(shape) == 1:
        return pa.FixedSizeListArray.from_arrays(column, shape[0])
    for size in reversed(shape):
        offsets = pa.array(np.arange(0, len(column) + 1, size, dtype=np.int32))
        column = pa.ListArray.from_arrays(offsets, column)
    return column


def image_column(files: Sequence[bytes]) -> Any:
    """An arrow column of image files."""
    import pyarrow as pa

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.array([{"bytes": data, "path": None} for data in files], kind)


def image_file(cell: object, read: Callable[[str], bytes]) -> bytes:
    """The image file that a cell holds, or names.

    Args:
        cell: bytes, the path of a file, or a dict of `bytes` and `path`, one of which may be missing.
        read: gives the content of the file at such a path.

    Raises:
        FeatureError: the cell is none of these.
    """
    data, path = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, cell)
    if isinstance(data, bytes):
        return data
    if not isinstance(path, str):
        raise FeatureError("a cell holds neither an image nor the path of one. Fetch the data set again")
    return read(path)


def store_value(feature: Feature, value: Any) -> Any:
    """A value of a whole episode as stored in the table of episodes."""
    if isinstance(feature, ImageFeature):
        return encode_image(value, "png")
    if isinstance(feature, TextFeature):
        return str(value)
    array = np.ascontiguousarray(value, dtype_of(feature))
    if array.size > _LISTED or array.dtype == np.uint64:  # whose upper half arrow does not accept as integers
        return array.tobytes()
    return array.item() if not shape_of(feature) else array.ravel().tolist()


def load_value(feature: Feature, stored: Any) -> Any:
    """Inverse of `store_value`."""
    if isinstance(feature, ImageFeature):
        return decode_image(stored or b"", feature.channels)
    if isinstance(feature, TextFeature) or not (shape_of(feature) or isinstance(stored, bytes)):
        return stored
    dtype, shape = dtype_of(feature), shape_of(feature)
    values = np.frombuffer(stored, dtype) if isinstance(stored, bytes) else np.array(stored, dtype)
    if values.size != np.prod(shape, dtype=int):
        raise FeatureError(f"{values.size} numbers where {shape} were declared. Fetch the data set again")
    return values.reshape(shape) if shape else values.item()


def task_table(tasks: Sequence[str]) -> Any:
    """The table of tasks; its column of texts is what pandas calls the index, as LeRobot expects."""
    import pyarrow as pa

    columns = [
        {"name": name, "field_name": field, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
        for name, field, kind, numpy in (
            ("task_index", "task_index", "int64", "int64"),
            (None, _INDEX, "unicode", "object"),
        )
    ]
    levels = {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    about = {"index_columns": [_INDEX], "column_indexes": [levels], "columns": columns, "pandas_version": "2.0.0"}
    table = pa.table(
        {"task_index": pa.array(range(len(tasks)), pa.int64()), _INDEX: pa.array(list(tasks), pa.string())}
    )
    return table.replace_schema_metadata({"pandas": json.dumps(about)})
