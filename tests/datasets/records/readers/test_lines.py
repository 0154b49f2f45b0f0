"""Text and JSON lines: every record at random, whatever the packing, blank lines, damage or number of files."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embodio.datasets.errors import CorruptRecordError, DatasetError, UnusableRecord
from embodio.datasets.records.lines import line_spans
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.readers.text import piece_end

PACKED = ("", ".gz", ".zst")


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content))
    elif path.suffix == ".zst":
        with pyarrow.CompressedOutputStream(str(path), "zstd") as stream:
            stream.write(content)
    else:
        path.write_bytes(content)


@given(st.lists(st.binary(max_size=9)), st.integers(1, 7))
def test_lines_are_found_whatever_the_blocks(parts: list[bytes], size: int) -> None:
    content = b"\n".join(parts)
    blocks = (content[place : place + size] for place in range(0, len(content), size))
    spans = line_spans(blocks).tolist()
    assert [content[start : start + length] for start, length in spans] == [
        line for line in content.split(b"\n") if any(byte > 32 for byte in line)
    ]


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.fixed_dictionaries({"text": st.text(min_size=1), "n": st.integers()}), min_size=1, max_size=12),
    packing=st.sampled_from(PACKED),
    shards=st.integers(1, 3),
)
def test_rows_at_random_are_those_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], packing: str, shards: int
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    for shard in range(shards):
        lines = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows[shard::shards])
        write(folder / f"part{shard}.jsonl{packing}", lines.encode("utf-8", "surrogatepass"))
    source = pickle.loads(pickle.dumps(open_records(folder)))
    expected = [row for shard in range(shards) for row in rows[shard::shards]]
    assert len(source) == len(expected)
    for index in reversed(range(len(expected))):
        record = source.record(index)
        assert record.text == expected[index]["text"]
        assert record.facts == {"n": expected[index]["n"]}


@given(st.text(min_size=1, max_size=40), st.integers(4, 12))
def test_pieces_are_the_whole_text_and_end_between_characters(text: str, longest: int) -> None:
    data, pieces = text.encode(), []
    while len(data) > longest:
        size = piece_end(data[:longest])
        pieces.append(data[:size])
        data = data[size:]
    assert b"".join([*pieces, data]) == text.encode()
    assert "".join(piece.decode() for piece in [*pieces, data]) == text


@pytest.mark.parametrize(("unit", "count"), [("line", 40), ("file", 1), ("piece", 8)])
def test_units_of_plain_text(tmp_path: Path, unit: str, count: int) -> None:
    write(tmp_path / "a.txt.gz", b"".join(b"line %d of a text\n" % number for number in range(40)))
    source = open_records(tmp_path, unit=unit, piece_bytes=100)
    texts = [source.record(index).text for index in range(len(source))]
    assert len(texts) == count
    assert "\n".join(texts).split() == b"".join(b"line %d of a text\n" % n for n in range(40)).decode().split()


def test_damage_is_named_with_file_and_byte(tmp_path: Path) -> None:
    good = b'{"text": "good"}\n'
    write(
        tmp_path / "a.jsonl", good + b'{"text": "caf\xe9"}\n' + b'{"text": \n[1, 2]\n' + b'{"text": "%s"}' % (b"x" * 99)
    )
    source = open_records(tmp_path, largest_record=64)
    assert source.record(0).text == "good" and len(source) == 5
    for index, problem in (
        (1, r"a.jsonl, record 1: at byte 30: not text in UTF-8"),
        (2, r"record 2: at byte 34: not JSON"),
        (3, r"record 3: at byte 44: a list, where named values"),
    ):
        with pytest.raises(CorruptRecordError, match=problem):
            source.record(index)
    with pytest.raises(UnusableRecord, match=r"record 4: at byte 51: 111 bytes, more than largest_record=64"):
        source.record(4)
    with pytest.raises(DatasetError, match="record 5 of"):
        source.record(5)


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_what_comes_before_the_end_of_a_truncated_file_is_read_and_the_rest_reported(
    tmp_path: Path, packing: str
) -> None:
    path = tmp_path / f"a.jsonl{packing}"
    rows = [json.dumps({"text": f"{number * 7919 % 1000003} {number}"}) for number in range(40_000)]
    write(path, "\n".join(rows).encode())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_records(tmp_path)
    assert len(source) > 5_000
    assert source.record(4_999).text.endswith(" 4999")
    (error,) = source.damaged
    assert "the compressed file is damaged or cut off after" in str(error) and f"a.jsonl{packing}" in str(error)


def test_the_digest_changes_with_the_content_alone(tmp_path: Path) -> None:
    write(tmp_path / "one" / "a.jsonl", b'{"text": "a"}\n{"text": "b"}\n')
    write(tmp_path / "two" / "a.jsonl", b'{"text": "a"}\n{"text": "b"}\n')
    first = open_records(tmp_path / "one")
    assert open_records(tmp_path / "two").digest == first.digest
    write(tmp_path / "two" / "a.jsonl", b'{"text": "a"}\n{"text": "c"}\n')
    changed = open_records(tmp_path / "two")
    assert changed.digest != first.digest and changed.record(1).text == "c"
    assert open_records(tmp_path / "one", largest_record=9).digest != first.digest


def test_duplicates_are_dropped_across_files(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", b'{"text": "a"}\n{"text": "b"}\n{"text": "a"}\n')
    write(tmp_path / "b.jsonl", b'{"text": "b"}\n{"text": "c"}\n')
    source = open_records(tmp_path, duplicates="drop")
    assert [source.record(index).text for index in range(len(source))] == ["a", "b", "c"]
    assert source.dropped == 2  # type: ignore[attr-defined]
    whole = open_records(tmp_path)
    assert len(whole) == 5 and whole.dropped == 0  # type: ignore[attr-defined]


def test_files_that_rows_name_are_read_from_the_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"")
    rows = [
        {"image": "../secret.png"},
        {"image": "/etc/passwd"},
        {"image": "gone.png"},
        {"image": "https://x/y.png"},
        {"image": "cats"},
    ]
    (tmp_path / "data" / "cats").mkdir(parents=True)
    write(tmp_path / "data" / "a.jsonl", "\n".join(map(json.dumps, rows)).encode())
    source = open_records(tmp_path / "data")
    for index in (0, 1):
        with pytest.raises(CorruptRecordError, match=r"not that of a file inside the folder"):
            source.record(index)
    with pytest.raises(CorruptRecordError, match=r"record 2: at byte \d+: .*gone\.png is missing"):
        source.record(2).image.load()  # type: ignore[union-attr]
    assert source.record(3).image is None
    with pytest.raises(CorruptRecordError, match=r"record 4: at byte \d+: .*cats cannot be read"):
        source.record(4).image.load()  # type: ignore[union-attr]


def test_odd_files(tmp_path: Path) -> None:
    write(tmp_path / "empty.jsonl", b"")
    write(tmp_path / "blank.jsonl", b"\n \n\t\n")
    write(tmp_path / ".hidden.jsonl", b'{"text": "no"}')
    write(tmp_path / "bom ä'\".jsonl", b'\xef\xbb\xbf{"text": "yes"}\r\n"bare"')
    source = open_records(tmp_path)
    assert [source.record(index).text for index in range(len(source))] == ["yes", "bare"]


def test_records_beyond_16_mib_are_duplicates_only_if_all_of_them_is_equal(tmp_path: Path) -> None:
    long = b"a" * (1 << 24)
    (tmp_path / "long.txt").write_bytes(b"\n".join([long + b"1", long + b"2", long + b"1"]))
    assert len(open_records(tmp_path / "long.txt", unit="line", duplicates="drop")) == 2
