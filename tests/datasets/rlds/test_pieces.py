"""Reading a record in pieces: the same values as reading it whole, every byte checked, no more read than needed."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets.episodes.cache import EpisodeCache, step_bytes
from embodio.datasets.episodes.index import index_episodes
from embodio.datasets.errors import CorruptRecordError, FeatureError
from embodio.datasets.files.byte_files import LocalFile
from embodio.datasets.rlds.example_proto import DecodedExample, decode_integers, encode_example
from embodio.datasets.rlds.pieces.example_wire import KINDS, locate
from embodio.datasets.rlds.pieces.piece_table import PieceTable, PieceTableBuilder
from embodio.datasets.rlds.pieces.pieces import PiecedExample, fields_of, knows
from embodio.datasets.rlds.reader import RLDSReader
from tests.support.datasets.proto_values import values
from tests.support.datasets.toy import write_toy_dataset


def pieced(data: bytes, folder: Path | None = None) -> PiecedExample:
    builder = PieceTableBuilder()
    builder.add(data)
    return PiecedExample(builder.build(), 0, lambda start, size: data[start : start + size], lambda: data)


def same(one: DecodedExample | PiecedExample, other: DecodedExample | PiecedExample) -> bool:
    """Whether two readers give the same values, kinds and errors."""
    if one.names() != other.names():
        return False
    for name in one.names():
        for read in ("blobs", "floats", "integers"):
            answers = []
            for example in (one, other):
                try:
                    found = getattr(example, read)(name)
                    answers.append(found.tobytes() if isinstance(found, np.ndarray) else list(found))
                except FeatureError as error:
                    answers.append(str(error))
            if answers[0] != answers[1]:
                return False
    return True


@given(values)
def test_pieces_hold_what_the_protobuf_library_finds(content: dict) -> None:
    data = encode_example(content)
    found = locate(data)
    assert found is not None and found.keys() == content.keys()
    if content:
        assert same(pieced(data), DecodedExample(data))
    for name, located in found.items():
        assert located.count == len(np.ravel(content[name]) if isinstance(content[name], np.ndarray) else content[name])


@given(values.filter(bool), st.data())
def test_damaged_bytes_are_never_read_otherwise_than_by_the_library(content: dict, data: st.DataObject) -> None:
    """What `locate` accepts is a valid message with the same values; all else is left to the library."""
    good = bytearray(encode_example(content))
    for _ in range(data.draw(st.integers(1, 3))):
        if good:
            good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(good[: data.draw(st.integers(0, len(good)))])
    found = locate(damaged)
    if found:
        try:
            decoded = DecodedExample(damaged)
        except FeatureError:  # a number that is too long: found by reading the whole record
            assert any(KINDS[located.kind] == "int64_list" for located in found.values())
        else:
            assert same(pieced(damaged), decoded)


def test_unusual_layouts_are_left_to_the_library() -> None:
    assert locate(bytes.fromhex("0a0e0a0c0a016b12071a05080108ac02")) is None  # numbers that are not packed
    assert locate(bytes.fromhex("0a0c0a0a12051a030a01010a016b")) is None  # the value before its name
    entry = bytes.fromhex("0a0a0a016b12051a030a0101")
    assert locate(b"\x0a" + bytes([2 * len(entry)]) + entry * 2) is None  # one name twice
    assert locate(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01") is None
    with pytest.raises(FeatureError, match="not a list of whole numbers"):
        decode_integers(b"\x0a\x05\x01")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("pieces") / "toy", episodes=3, steps=6)


def test_episodes_are_the_same_before_and_after_indexing(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "toy"))
    whole = [list(episode.steps()) for episode in RLDSReader(copy)]
    index_episodes(RLDSReader(copy))
    (table,) = (copy / ".embodio").glob("pieces-*")
    for number, episode in enumerate(RLDSReader(copy)):
        assert type(episode._example) is PiecedExample
        assert episode.metadata["seed"] == number
        for step, expected in zip(episode.steps(), whole[number], strict=True):
            np.testing.assert_equal(step, expected)
    rotten = bytearray(table.read_bytes())
    rotten[len(rotten) // 2] ^= 1
    for content in (bytes(rotten), b"", b"EMBPIECE", table.read_bytes()[:-1]):
        table.write_bytes(content)
        assert type(RLDSReader(copy).episode(0)._example) is DecodedExample
    reader = RLDSReader(copy)
    assert reader.episode_length(0) == 6 and type(reader.episode(0)._example) is PiecedExample, "it is made again"


def test_a_step_is_read_without_the_rest_of_its_episode(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index_episodes(RLDSReader(folder))
    read: list[tuple[int, int]] = []
    plain = LocalFile.read

    def counted(self: LocalFile, offset: int, length: int) -> bytes:
        read.append((offset, length))
        return plain(self, offset, length)

    reader = RLDSReader(folder)
    monkeypatch.setattr(LocalFile, "read", counted)
    frame = reader.episode(2).frame("hand", 5)
    (only,) = read
    assert only[1] == len(reader.episode(2).encoded_frame("hand", 5)) < len(reader.record(2)) // 10
    np.testing.assert_array_equal(frame, list(reader.episode(2).steps())[5]["observation"]["hand"])


def test_rot_is_noticed_at_every_read(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "toy"))
    index_episodes(RLDSReader(copy))
    reader = RLDSReader(copy)
    episode = reader.episode(1)
    good = episode.frame("front", 3)
    shard = next(copy.glob("*.tfrecord*"))
    content = shard.read_bytes()
    place = content.index(episode.encoded_frame("front", 3)) + 50
    with shard.open("r+b") as file:
        file.seek(place)
        file.write(bytes([content[place] ^ 4]))
    with pytest.raises(CorruptRecordError, match="record 1: the checksum of the payload is wrong"):
        episode.frame("front", 3)
    np.testing.assert_array_equal(episode.frame("front", 2), RLDSReader(folder).episode(1).frame("front", 2))
    shard.write_bytes(content)
    np.testing.assert_array_equal(episode.frame("front", 3), good)


def test_a_table_that_is_wrong_is_not_believed() -> None:
    data = encode_example({"a": [b"one", b"two"], "f": np.ones(3, np.float32), "i": np.array([1, 300], np.int64)})
    builder = PieceTableBuilder()
    builder.add(data)
    table = builder.build()
    table.crcs[...] ^= 1
    example = PiecedExample(table, 0, lambda start, size: data[start : start + size], lambda: data)
    assert same(example, DecodedExample(data))


def test_damaged_and_unusual_records_are_read_whole() -> None:
    builder = PieceTableBuilder()
    builder.add(None)
    builder.add(encode_example({"a": [b"1"]}))
    builder.add(encode_example({"b": [b"1", b"2"]}))
    builder.add(bytes.fromhex("0a0e0a0c0a016b12071a05080108ac02"))
    table = builder.build()
    assert [knows(table, record) for record in range(4)] == [False, True, True, False]
    assert list(fields_of(table, 2)) == ["b"] and fields_of(table, 2)["b"][2] == 2
    assert not any(PieceTableBuilder.build(PieceTableBuilder()).kinds.shape)


def test_a_table_of_another_version_of_the_shard_is_not_used(tmp_path: Path) -> None:
    builder = PieceTableBuilder()
    builder.add(encode_example({"a": [b"1"], "é": np.zeros(2, np.float32)}))
    path = tmp_path / "side" / "pieces"
    builder.build().save(path, (10, 77))
    loaded = PieceTable.load(path, (10, 77), 1)
    assert loaded is not None and fields_of(loaded, 0) == fields_of(builder.build(), 0)
    assert PieceTable.load(path, (10, 78), 1) is None and PieceTable.load(path, (10, 77), 2) is None
    builder.build().save(tmp_path / "no" / "folder" / "pieces", (1, 1))  # cannot be written: does without


def test_an_episode_in_pieces_counts_for_what_it_holds(folder: Path, tmp_path: Path) -> None:
    """Images that stay in the file take no part of the memory for open episodes; a record that was read whole does."""
    copy = Path(shutil.copytree(folder, tmp_path / "toy"))
    for indexed in (False, True):
        if indexed:
            index_episodes(RLDSReader(copy))
        else:
            shutil.rmtree(copy / ".embodio", ignore_errors=True)
        reader = RLDSReader(copy)
        needed = step_bytes(reader.features, in_pieces=indexed) * 6
        assert (needed < 128 * 128) == indexed
        cache = EpisodeCache(reader, 3 * needed + 40_000)
        tracemalloc.start()
        for number in range(3):
            episode = cache.episode(number)
            assert episode.in_pieces == indexed  # type: ignore[attr-defined]
            episode.array("action"), episode.frame("hand", 2), episode.text("language_instruction", 1)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(cache) == 3 and held < 3 * needed + 40_000
        assert all(cache.episode(number) is cache.episode(number) for number in range(3))
        small = EpisodeCache(reader, 1)
        assert [len(small.episode(number)) for number in range(3)] == [6, 6, 6] and len(small) == 1
