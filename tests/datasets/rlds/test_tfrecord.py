"""TFRecord framing: what is framed comes back, and no damage goes unnoticed."""

import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets import CorruptRecordError
from embodio.datasets.files.byte_files import LocalFile
from embodio.datasets.rlds.tfrecord import frame, masked_crc32c, read_payload, scan

payloads = st.lists(st.binary(max_size=40), min_size=1, max_size=5)


def read_all(path: Path) -> list[bytes]:
    file = LocalFile(path)
    spans = enumerate(scan(file).tolist())
    return [read_payload(file, record, offset, length) for record, (offset, length) in spans]


def read_all_from(data: bytes) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shard"
        path.write_bytes(data)
        return read_all(path)


def test_checksum_is_the_masked_castagnoli_polynomial() -> None:
    crc = 0xE3069283  # of "123456789", from RFC 3720
    assert masked_crc32c(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


def test_layout_of_a_record() -> None:
    framed = frame(b"abc")
    assert framed[:8] == struct.pack("<Q", 3)
    assert framed[12:15] == b"abc"
    assert len(framed) == 8 + 4 + 3 + 4


@given(payloads)
def test_round_trip(values: list[bytes]) -> None:
    assert read_all_from(b"".join(frame(value) for value in values)) == values


@given(payloads, st.data())
def test_any_changed_byte_is_noticed(values: list[bytes], data: st.DataObject) -> None:
    stream = bytearray(b"".join(frame(value) for value in values))
    position = data.draw(st.integers(0, len(stream) - 1))
    stream[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CorruptRecordError):
        read_all_from(bytes(stream))


@given(payloads, st.data())
def test_a_cut_inside_a_record_is_noticed(values: list[bytes], data: st.DataObject) -> None:
    framed = [frame(value) for value in values]
    ends = np.cumsum([0, *(len(record) for record in framed)])
    cut = data.draw(st.integers(0, int(ends[-1])).filter(lambda position: position not in ends))
    with pytest.raises(CorruptRecordError) as caught:
        read_all_from(b"".join(framed)[:cut])
    assert caught.value.record == int(np.searchsorted(ends, cut)) - 1


def test_error_names_file_record_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    path.write_bytes(frame(b"one") + frame(b"two")[:-1])
    with pytest.raises(CorruptRecordError, match=rf"{path}, record 1: .*1 bytes too early.*again"):
        scan(LocalFile(path))


def test_a_file_that_shrinks_after_the_scan_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    path.write_bytes(frame(b"payload"))
    ((offset, length),) = scan(LocalFile(path)).tolist()
    os.truncate(path, offset + 2)
    with pytest.raises(CorruptRecordError, match="ends inside"):
        read_payload(LocalFile(path), 0, offset, length)


def test_empty_file_has_no_records(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    path.touch()
    assert scan(LocalFile(path)).shape == (0, 2)
