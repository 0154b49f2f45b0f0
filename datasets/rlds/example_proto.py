"""The `tf.train.Example` message without TensorFlow: named lists of bytes, float32 or int64.

The message type is declared in a separate descriptor pool, so it never clashes with TensorFlow's when both are loaded
in one process. The bytes on the wire are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from embodio.datasets.errors import FeatureError

ExampleValue = Sequence[bytes] | npt.NDArray[np.float32] | npt.NDArray[np.int64]

_PACKAGE = "embodio.rlds"
_Field = descriptor_pb2.FieldDescriptorProto


def _add_field(
    owner: descriptor_pb2.DescriptorProto,
    name: str,
    number: int,
    kind: Any,
    *,
    type_name: str = "",
    repeated: bool = False,
) -> descriptor_pb2.FieldDescriptorProto:
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    field: descriptor_pb2.FieldDescriptorProto = owner.field.add(name=name, number=number, type=kind, label=label)
    if type_name:
        field.type_name = f".{_PACKAGE}.{type_name}"
    return field


def _declare() -> tuple[Any, Any]:
    """Builds the classes of the messages Example and Int64List."""
    file = descriptor_pb2.FileDescriptorProto(name="embodio/rlds/example.proto", package=_PACKAGE, syntax="proto3")
    for name, kind in (
        ("BytesList", _Field.TYPE_BYTES),
        ("FloatList", _Field.TYPE_FLOAT),
        ("Int64List", _Field.TYPE_INT64),
    ):
        _add_field(file.message_type.add(name=name), "value", 1, kind, repeated=True)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, type_name) in enumerate(
        (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")), start=1
    ):
        _add_field(feature, name, number, _Field.TYPE_MESSAGE, type_name=type_name).oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    _add_field(entry, "key", 1, _Field.TYPE_STRING)
    _add_field(entry, "value", 2, _Field.TYPE_MESSAGE, type_name="Feature")
    _add_field(features, "feature", 1, _Field.TYPE_MESSAGE, type_name="Features.FeatureEntry", repeated=True)
    _add_field(file.message_type.add(name="Example"), "features", 1, _Field.TYPE_MESSAGE, type_name="Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = [pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in ("Example", "Int64List")]
    return message_factory.GetMessageClass(found[0]), message_factory.GetMessageClass(found[1])


_Example, _Int64List = _declare()


class ExampleValues(Protocol):
    """Read access to the values of one Example.

    All but `names` raise FeatureError where there is no such name, or its values are of another kind.
    """

    def names(self) -> list[str]:
        """The names of all values, sorted."""

    def count(self, name: str, kind: str) -> int:
        """The number of values called `name`; `kind` is "bytes_list", "float_list" or "int64_list"."""

    def blobs(self, name: str) -> Sequence[bytes]:
        """The byte strings called `name`."""

    def floats(self, name: str) -> npt.NDArray[np.float32]:
        """The numbers called `name`, float32 [N]."""

    def integers(self, name: str) -> npt.NDArray[np.int64]:
        """The whole numbers called `name`, int64 [N]."""


def encode_example(values: Mapping[str, ExampleValue]) -> bytes:
    """Serialises named values; the same values always give the same bytes.

    Args:
        values: flat name -> a sequence of bytes, a float32 array or an int64 array (arrays of any shape are flattened).

    Returns:
        The bytes of a `tf.train.Example`.

    Raises:
        FeatureError: an array has another dtype.
    """
    example = _Example()
    for name, value in values.items():
        feature = example.features.feature[name]
        if not isinstance(value, np.ndarray):
            feature.bytes_list.value.extend(value)
        elif value.dtype == np.float32:
            feature.float_list.value.extend(value.ravel().tolist())
        elif value.dtype == np.int64:
            feature.int64_list.value.extend(value.ravel().tolist())
        else:
            raise FeatureError(f"{name}: an example holds bytes, float32 or int64, not {value.dtype}. Convert it first")
    return bytes(example.SerializeToString(deterministic=True))


def decode_integers(data: bytes) -> npt.NDArray[np.int64]:
    """Returns the numbers of a serialised Int64List, int64 [N]; raises FeatureError if it is not one."""
    numbers = _Int64List()
    try:
        numbers.ParseFromString(data)
    except message.DecodeError as error:
        raise FeatureError(
            f"{len(data)} bytes are not a list of whole numbers ({error}). Fetch the data again"
        ) from error
    return np.fromiter(numbers.value, np.int64, count=len(numbers.value))


class DecodedExample:
    """Read access to the values of one serialised Example; lists are converted only when asked for."""

    def __init__(self, data: bytes) -> None:
        """Parses the bytes.

        Args:
            data: a serialised `tf.train.Example`.

        Raises:
            FeatureError: the bytes are not such a message.
        """
        example = _Example()
        try:
            example.ParseFromString(data)
        except message.DecodeError as error:
            raise FeatureError(
                f"a record of {len(data)} bytes is not a tf.train.Example ({error}). Check that it is an RLDS file"
            ) from error
        self._features = example.features.feature

    def names(self) -> list[str]:
        """Returns the names of all values, sorted."""
        return sorted(self._features)

    def count(self, name: str, kind: str) -> int:
        """Returns the number of values called `name`; raises FeatureError as `blobs` does."""
        return len(self._list(name, kind))

    def _list(self, name: str, kind: str) -> Any:
        if name not in self._features:
            raise FeatureError(f"the record has no {name!r}; it has {', '.join(self.names())}")
        feature = self._features[name]
        found = feature.WhichOneof("kind")
        if found is None:
            return ()
        if found != kind:
            raise FeatureError(f"{name} is stored as {found}, not as {kind}. Its features.json does not belong to it")
        return getattr(feature, kind).value

    def blobs(self, name: str) -> Sequence[bytes]:
        """Returns the byte strings called `name`; raises FeatureError if they are missing or of another kind."""
        values: Sequence[bytes] = self._list(name, "bytes_list")
        return values

    def floats(self, name: str) -> npt.NDArray[np.float32]:
        """Returns the numbers called `name`, float32 [N]; raises FeatureError as `blobs` does."""
        values = self._list(name, "float_list")
        return np.fromiter(values, np.float32, count=len(values))

    def integers(self, name: str) -> npt.NDArray[np.int64]:
        """Returns the whole numbers called `name`, int64 [N]; raises FeatureError as `blobs` does."""
        values = self._list(name, "int64_list")
        return np.fromiter(values, np.int64, count=len(values))
