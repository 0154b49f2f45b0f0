"""The tf.train.Example message: values come back, and misuse is named."""

import numpy as np
import pytest
from hypothesis import given

from embodio.datasets import FeatureError
from embodio.datasets.rlds.example_proto import DecodedExample, encode_example
from tests.support.datasets.proto_values import values


@given(values)
def test_round_trip_bit_for_bit(content: dict) -> None:
    decoded = DecodedExample(encode_example(content))
    assert decoded.names() == sorted(content)
    for name, value in content.items():
        if isinstance(value, list):
            assert list(decoded.blobs(name)) == value
        elif value.dtype == np.float32:
            assert decoded.floats(name).tobytes() == value.tobytes()
        else:
            assert decoded.integers(name).tobytes() == value.tobytes()


def test_bytes_do_not_depend_on_the_order_of_names() -> None:
    assert encode_example({"a": [b"1"], "b": [b"2"]}) == encode_example({"b": [b"2"], "a": [b"1"]})


def test_known_bytes() -> None:
    # features { feature { key: "k" value { int64_list { value: 1 value: 300 } } } }, written out by hand
    expected = bytes.fromhex("0a0e 0a0c 0a016b 1207 1a05 0a03 01 ac02".replace(" ", ""))
    assert encode_example({"k": np.array([1, 300], dtype=np.int64)}) == expected


def test_numbers_that_are_not_packed_are_read() -> None:
    unpacked = bytes.fromhex("0a0e 0a0c 0a016b 1207 1a05 0801 08ac02".replace(" ", ""))
    assert DecodedExample(unpacked).integers("k").tolist() == [1, 300]


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(FeatureError, match=r"x: .*float64"):
        encode_example({"x": np.zeros(1)})  # type: ignore[dict-item]


def test_missing_name_lists_what_there_is() -> None:
    with pytest.raises(FeatureError, match=r"no 'b'; it has a"):
        DecodedExample(encode_example({"a": [b"1"]})).blobs("b")


def test_wrong_kind_is_named() -> None:
    with pytest.raises(FeatureError, match="bytes_list, not as float_list"):
        DecodedExample(encode_example({"a": [b"1"]})).floats("a")


def test_bytes_that_are_no_example_are_refused() -> None:
    with pytest.raises(FeatureError, match=r"is not a tf\.train\.Example"):
        DecodedExample(b"\xff\xff\xff")
