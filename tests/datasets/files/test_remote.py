"""RLDS data behind URLs: the same episodes, few requests, an index on this machine, and errors that say what to do."""

from __future__ import annotations

import http.server
import multiprocessing
import pickle
import re
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.inspect_source import propose
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.episodes.features import features_of
from embodio.datasets.episodes.side_files import data_folder, fingerprint
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.files.remote import file_system
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.pieces.record_index import INDEX_NAME
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.writer import write_dataset
from embodio.datasets.sources.hdf5 import HDF5Source
from tests.support.datasets.robomimic_files import write_robomimic
from tests.support.datasets.toy import write_toy_dataset
from tests.support.datasets.vima_files import write_episode


class Handler(http.server.SimpleHTTPRequestHandler):
    """Answers byte ranges, which the standard library's does not."""

    asked: list[str] = []  # noqa: RUF012 - counted by the tests
    ranges = True

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        self.asked.append(f"{path.name} {self.headers.get('Range', '')}")
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if self.ranges else None
        part = data[int(found[1]) : int(found[2]) + 1] if found else data
        self.send_response(206 if found else 200)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    whole = RLDSReader(write_toy_dataset(tmp_path / "whole", episodes=5, steps=2))
    records = [whole.record(index) for index in range(5)]
    out = tmp_path / "toy" / "1.0.0"
    write_dataset(out, "toy", whole.embodiment, features_of(whole.embodiment), records, shard_bytes=180_000)
    assert len(list(out.glob("*tfrecord*"))) > 1
    return out


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Handler, "asked", [])
    opened = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Handler(*args, directory=str(tmp_path)))
    threading.Thread(target=opened.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{opened.server_port}"
    opened.shutdown()
    opened.server_close()


def assert_same(source: EpisodeSource, folder: Path) -> None:
    plain = RLDSReader(folder)
    assert len(source) == len(plain) and source.embodiment == plain.embodiment
    for index in range(len(plain)):
        ours, theirs = source.episode(index), plain.episode(index)
        assert source.episode_length(index) == len(theirs)
        assert np.array_equal(ours.array("action"), theirs.array("action"))
        assert np.array_equal(ours.frame("hand", 1), theirs.frame("hand", 1))


def test_file_and_memory(folder: Path, cache: Path) -> None:
    memory = fsspec.filesystem("memory")
    for path in folder.iterdir():
        memory.pipe_file(f"/toy/1.0.0/{path.name}", path.read_bytes())
    for url in (f"file://{folder}", "memory://toy/1.0.0", "memory://toy", f"file://{folder.parent}/"):
        source = open_source(url)
        assert_same(source, folder)
        place = data_folder(source)
        assert place is not None and place.is_relative_to(cache)
        assert (place / INDEX_NAME).exists()


def test_http_asks_for_parts_of_files_only(folder: Path, server: str) -> None:
    source = open_source(f"{server}/toy/1.0.0")
    assert [name for name in Handler.asked if "tfrecord" in name] == []
    source.episode(4)
    shards = [name for name in Handler.asked if "tfrecord" in name]
    assert shards and all("bytes=" in name for name in shards)
    assert len({name.split()[0] for name in shards}) == 1  # the other shards are not looked at
    assert_same(source, folder)
    source.close()
    Handler.asked.clear()
    again = open_source(f"{server}/toy/1.0.0")
    again.episode(4)
    assert len([name for name in Handler.asked if "bytes=" in name]) == 1  # the index is kept


def test_what_http_says_goes_wrong(folder: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embodio.datasets.files.remote._PAUSES", ())
    with pytest.raises(DatasetError, match=r"dataset_info\.json is missing"):
        open_source(f"{server}/nothing/1.0.0")
    source = open_source(f"{server}/toy/1.0.0")
    monkeypatch.setattr(Handler, "ranges", False)
    with pytest.raises(DatasetError, match="sends no parts of files"):
        source.episode(0)
    monkeypatch.setattr(Handler, "ranges", True)
    (shard,) = folder.glob("*-00000-of-*")
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(CorruptRecordError, match=r"http://127.*tfrecord-00000.*record 0: the checksum"):
        source.episode(0)
    shard.unlink()
    with pytest.raises(DatasetError, match=r"http://127.*tfrecord-00000.*cannot be"):
        source.episode(0)
    with pytest.raises(DatasetError, match="Check the address and the connection"):
        open_source("http://127.0.0.1:9/toy/1.0.0")


def read_in_child(source: EpisodeSource, found: multiprocessing.Queue[float]) -> None:
    found.put(float(source.episode(4).array("action")[0, 0]))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_source_opened_here_is_read_by_a_worker(start: str, folder: Path, server: str) -> None:
    source = open_source(f"{server}/toy/1.0.0")
    expected = float(source.episode(4).array("action")[0, 0])
    context = multiprocessing.get_context(start)
    found = context.Queue()
    child = context.Process(target=read_in_child, args=(source, found))
    child.start()
    assert found.get(timeout=600) == expected
    child.join()


def test_missing_packages_and_protocols_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(protocol: str) -> None:
        raise ImportError("install it")

    with pytest.raises(DatasetError, match="gopher:// is not known"):
        open_source("gopher://toy")
    monkeypatch.setattr(fsspec, "filesystem", missing)
    for protocol, package in (("gs", "gcsfs"), ("s3", "s3fs"), ("https", "aiohttp")):
        with pytest.raises(DatasetError, match=f"pip install {package}"):
            file_system(f"{protocol}://bucket/toy")


def test_lerobot_folders_are_copied_as_far_as_they_are_read(folder: Path, server: str, tmp_path: Path) -> None:
    convert(open_source(folder), tmp_path / "moved", ConversionSettings("lerobot", images="video"))
    plain, source = open_source(tmp_path / "moved"), open_source(f"{server}/moved")
    assert source.name == plain.name == "moved" and source.embodiment == plain.embodiment and len(source) == len(plain)
    assert not [name for name in Handler.asked if ".mp4" in name]
    key = fingerprint(source)
    for index in range(len(plain)):
        ours, theirs = source.episode(index), plain.episode(index)
        assert ours.instruction == theirs.instruction and ours.metadata == theirs.metadata
        assert np.array_equal(ours.array("action"), theirs.array("action"))
        assert np.array_equal(ours.frame("hand", 1), theirs.frame("hand", 1))
    videos = [name.split()[0] for name in Handler.asked if ".mp4" in name]
    assert len(videos) == len(set(videos)) == 1  # that of the camera that was looked at
    assert fingerprint(source) == key
    described = tmp_path / "moved.yaml"
    described.write_text(propose(source, f"{server}/moved"))
    assert len(open_source(described)) == len(plain)
    assert np.array_equal(
        pickle.loads(pickle.dumps(source)).episode(0).array("action"), plain.episode(0).array("action")
    )


def test_single_files_are_copied(server: str, tmp_path: Path) -> None:
    write_robomimic(tmp_path / "square.hdf5")
    source = open_source(f"{server}/square.hdf5?download=1")
    assert isinstance(source, HDF5Source) and len(source) == len(open_source(tmp_path / "square.hdf5"))
    write_episode(tmp_path / "vima" / "rotate" / "000000", 1, 0)
    with tarfile.open(tmp_path / "rotate.tar", "w") as archive:
        archive.add(tmp_path / "vima" / "rotate", "rotate")
    assert open_source(f"{server}/rotate.tar").episode(0).instruction
    asked = len([name for name in Handler.asked if "rotate.tar" in name])
    open_source(f"{server}/rotate.tar")
    assert len([name for name in Handler.asked if "rotate.tar" in name]) == asked  # it is there


def test_what_cannot_be_behind_a_url_is_said(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embodio.datasets.files.remote._PAUSES", ())
    path = tmp_path / "v.yaml"
    path.write_text(f"{{name: v, kind: vima, folder: '{server}/vima', instruction: {{keys: [language_instruction]}}}}")
    with pytest.raises(DatasetError, match="one tar or zip"):
        open_source(path)
    with pytest.raises(DatasetError, match=r"http://127.*gone.hdf5 cannot be fetched"):
        open_source(f"{server}/gone.hdf5")
    with pytest.raises(DatasetError, match=r"http://127.*/gone/dataset_info.json is missing. Give the address"):
        open_source(f"{server}/gone")
