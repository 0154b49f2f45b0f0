"""Messages: what is sent comes back, what lies or grows beyond all bounds is refused."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from embodio.agent.client.errors import MessageError
from embodio.agent.client.messages import DTYPES, pack, unpack
from embodio.agent.client.verbs import VERBS, check_arguments

shapes = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)
arrays = st.sampled_from(sorted(DTYPES)).flatmap(lambda dtype: hnp.arrays(np.dtype(dtype), shapes))


@settings(max_examples=150, deadline=None)
@given(array=arrays, turned=st.booleans())
def test_arrays_come_back(array: np.ndarray, turned: bool) -> None:
    array = array.T if turned else array
    back = unpack(pack({"type": "x", "array": [array]}))["array"][0]
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert back.flags.owndata or back.base is None or back.size == 0
    assert back.flags.writeable


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_message_or_an_error(data: bytes) -> None:
    with contextlib.suppress(MessageError):
        unpack(data)


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 60), byte=st.integers(0, 255))
def test_damaged_arrays_are_a_message_or_an_error(place: int, byte: int) -> None:
    data = bytearray(pack({"type": "x", "a": np.arange(6, dtype=np.float32).reshape(2, 3)}))
    data[place % len(data)] = byte
    with contextlib.suppress(MessageError):
        unpack(bytes(data))


@pytest.mark.parametrize(
    "value",
    [np.array([None]), np.array(["text"]), np.zeros(2, "m8[s]"), np.zeros(2, [("a", "i4")]), object(), {1, 2}, 2**70],
)
def test_refuses_what_is_no_number(value: Any) -> None:
    with pytest.raises(MessageError):
        pack({"type": "x", "value": value})


def test_tuples_stay_tuples_and_kinds_of_maps_and_texts_are_plain() -> None:
    sent = {"type": "x", "a": ("lift", ["push", (1, 2.5)], OrderedDict(b=(np.str_("c"), np.float64(0.5))))}
    back = unpack(pack(sent))["a"]
    assert back == ("lift", ["push", (1, 2.5)], {"b": ("c", 0.5)}) and type(back[2]) is dict


EMPTY = msgpack.ExtType(1, msgpack.packb(["|u1", [0], b""]))


def nested(levels: int) -> bytes:
    """Tuples in tuples around a large text: each level that was read would hold a copy of it."""
    value = msgpack.packb(["x" * 100_000])
    for _ in range(levels):
        value = msgpack.packb([msgpack.ExtType(2, value)])
    return msgpack.packb({"type": "x", "a": msgpack.ExtType(2, value)})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x82\xa4type\xa1x\xa1a\xdc\x30\x00" + b"\x80" * 0x3000, "lists and maps"),
        (msgpack.packb({"type": "x", "a": [EMPTY] * 20_001}), "more than 20000 arrays"),
        (nested(300), "nested deeper than 4"),
        (msgpack.packb({"type": "x", "a": msgpack.ExtType(2, b"\xa1x")}), "expected a list"),
        (msgpack.packb({"type": "x", "a": msgpack.ExtType(3, b"")}), "unknown extension 3"),
        (msgpack.packb({"type": "x", 1: 2}), "not valid msgpack"),
        (msgpack.packb(["type"]), "expected a map"),
        (b"\xc1", "not valid msgpack"),
        (b"\x81" * 5000, r"not valid msgpack \(StackError\)"),
    ],
)
def test_refuses_bombs_and_what_is_no_message(data: bytes, message: str) -> None:
    with pytest.raises(MessageError, match=message):
        unpack(data)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["|O", [1], b"12345678"], "dtype"),
        (["O", [1], b"12345678"], "dtype"),
        (["<U1", [1], b"1234"], "dtype"),
        (["<M8[s]", [1], b"12345678"], "dtype"),
        (["<f4", [-1], b"1234"], "malformed shape"),
        (["<f4", [2**31], b"1234"], "malformed shape"),
        (["<f4", [2**30, 2**30, 2**30], b"1234"], "needs"),
        (["<f4", [0, 2**30, 2**30, 2**30], b""], "message"),
        (["<f4", [True], b"1234"], "malformed shape"),
        (["<f4", [1.0], b"1234"], "malformed shape"),
        (["<f4", [1], b"123"], "needs 4 bytes"),
        (["<f4", [1], b"12345"], "needs 4 bytes"),
        (["<f4", [1], "1234"], "needs 4 bytes"),
        (["<f4", [1] * 17, b"1234"], "message"),
        (["<f4", [1]], "dtype, shape and bytes"),
        ({"<f4": 1}, "message"),
        (7, "dtype, shape and bytes"),
    ],
    ids=str,
)
def test_refuses_arrays_that_lie(parts: Any, message: str) -> None:
    with pytest.raises(MessageError, match=message):
        unpack(msgpack.packb({"type": "x", "a": msgpack.ExtType(1, msgpack.packb(parts))}))


@pytest.mark.parametrize("verb", VERBS)
def test_arguments_are_checked(verb: str) -> None:
    good = {
        name: None if type(None) in kinds else kinds[0]()
        for name, kinds in VERBS[verb].items()
        if kinds[0] is not np.ndarray
    }
    good |= {name: np.zeros(1) for name, kinds in VERBS[verb].items() if kinds[0] is np.ndarray}
    check_arguments(verb, good)
    for name, kinds in VERBS[verb].items():
        with pytest.raises(MessageError, match="expected"):
            check_arguments(verb, {key: value for key, value in good.items() if key != name})
        if kinds != (object,):
            with pytest.raises(MessageError, match=f"{verb}.{name}: expected"):
                check_arguments(verb, good | {name: {1}})
            with pytest.raises(MessageError, match=f"{verb}.{name}: expected"):
                check_arguments(verb, good | {name: True})
    with pytest.raises(MessageError, match="arguments"):
        check_arguments(verb, good | {"__class__": 1})
    with pytest.raises(MessageError, match="no such verb"):
        check_arguments("__init__", {})
