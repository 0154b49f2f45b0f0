"""Data that names files elsewhere, here and from a server on this machine: nothing outside is read or written."""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.errors import DatasetError, UnsafeName
from embodio.datasets.files import remote
from embodio.datasets.files.file_trees import FolderTree
from embodio.datasets.files.remote import fetch, folder_of, mirror
from embodio.datasets.opening import open_source
from tests.support.datasets.toy import write_toy_dataset

OUTSIDE = b"what was here before"


class Stranger(http.server.BaseHTTPRequestHandler):
    """Serves the files of a folder, and something for every other path, wherever that leads."""

    folder: Path
    endless = "/endless/"

    def do_GET(self) -> None:
        path = self.folder / self.path.removeprefix("/set/")
        known = self.path.startswith("/set/") and path.is_file()
        if self.path.startswith(self.endless) and self.command == "GET":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):  # until nobody listens any more
                while True:
                    self.wfile.write(bytes(1 << 16))
        meta = self.path.startswith("/set/meta/") or "dataset_info" in self.path
        self.send_response(200 if known or not meta else 404)
        data = path.read_bytes() if known else b"evil"
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_HEAD = do_GET  # noqa: N815 - the name that the standard library looks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    (home / ".cache").mkdir(parents=True)
    (home / ".bashrc").write_bytes(OUTSIDE)
    return home


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile")
    source = open_source(write_toy_dataset(root / "toy", episodes=2, steps=3))
    convert(source, root / "set", ConversionSettings("lerobot", images="video"))
    return root / "set"


@pytest.fixture
def lerobot(converted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(converted, tmp_path / "set"))


@pytest.fixture
def server(lerobot: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("embodio.datasets.files.remote._PAUSES", ())
    monkeypatch.setattr(Stranger, "folder", lerobot, raising=False)
    opened = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    threading.Thread(target=opened.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{opened.server_port}/set"
    opened.shutdown()
    opened.server_close()


def edit_info(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "meta" / "info.json"
    info = json.loads(path.read_text())
    edit(info)
    path.write_text(json.dumps(info))


def read_all(place: object) -> None:
    source = open_source(str(place))
    for number in range(len(source)):
        episode = source.episode(number)
        episode.array("action")
        for camera in episode.cameras:
            episode.frame(camera, 0)


UP = "../" * 12
ATTACKS: list[str] = [
    "../../../../../.bashrc",
    "data/../../../../../../.bashrc",
    f"{UP}etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "..\\..\\.bashrc",
    "data/x\x00.parquet",
    "{chunk_index.__class__.__mro__}",
    "{chunk_index:0900000000d}",
    "{chunk_index!r:>900000000}",
    "{episode_index}/../../{file_index}",
    "data/{secret}",
    "..",
    "",
]


@pytest.mark.parametrize("template", ATTACKS)
@pytest.mark.parametrize("key", ["data_path", "video_path"])
def test_templates_of_lerobot(key: str, template: str, lerobot: Path, server: str, home: Path) -> None:
    edit_info(lerobot, lambda info: info.update({key: template}))
    before = {path: path.read_bytes() for path in lerobot.rglob("*") if path.is_file()}
    for place in (lerobot, server):
        with pytest.raises(UnsafeName):
            read_all(place)
    assert (home / ".bashrc").read_bytes() == OUTSIDE
    written = [path for path in home.parent.rglob("*") if path.is_file() and b"evil" in path.read_bytes()]
    assert written == [] and before == {path: path.read_bytes() for path in lerobot.rglob("*") if path.is_file()}


@pytest.mark.parametrize("key", ["../../../../home/.bashrc", "..", "a/b", "{chunk_index}"])
def test_names_of_cameras_in_lerobot(key: str, lerobot: Path, server: str, home: Path) -> None:
    (lerobot / "meta" / "embodio.json").unlink()
    edit_info(lerobot, lambda info: info["features"].update({key: info["features"]["observation.images.front"]}))
    edit_info(lerobot, lambda info: info.update(video_path="{video_key}"))
    for place in (lerobot, server):
        with pytest.raises(DatasetError):
            read_all(place)
    assert (home / ".bashrc").read_bytes() == OUTSIDE


@pytest.mark.parametrize("name", ["data/file?.parquet", "data/file#1.parquet"])
def test_names_that_a_url_would_cut(name: str, lerobot: Path, server: str, home: Path) -> None:
    edit_info(lerobot, lambda info: info.update(data_path=name))
    with pytest.raises(UnsafeName, match="part of a URL"):
        read_all(server)


def test_links_out_of_a_folder(lerobot: Path, home: Path) -> None:
    data = next((lerobot / "data").rglob("*.parquet"))
    data.rename(home / "private.parquet")
    data.symlink_to(home / "private.parquet")
    with pytest.raises(UnsafeName, match="through a link"):
        read_all(lerobot)
    (lerobot / "link").symlink_to(home / ".bashrc")
    assert "link" in FolderTree(lerobot).names()
    with pytest.raises(UnsafeName):
        FolderTree(lerobot).read("link")


@pytest.mark.parametrize("name", ["../x", "../../.bashrc", "/tmp/x", "a/../../../x", "x\x00", "..", ""])
def test_the_cache_writes_into_its_folder_only(name: str, server: str, home: Path) -> None:
    with pytest.raises(UnsafeName):
        mirror(server, ["meta/info.json", name])
    assert (home / ".bashrc").read_bytes() == OUTSIDE


@pytest.mark.parametrize("below", ["..", "../..", "../../../..", "a/../../..", "/tmp"])
def test_single_files_are_fetched_into_the_cache_only(below: str, server: str, home: Path) -> None:
    with pytest.raises(UnsafeName):
        fetch(f"{server}/.bashrc", folder_of(server) / below)
    assert (home / ".bashrc").read_bytes() == OUTSIDE


def test_links_in_the_cache_are_not_followed(server: str, home: Path) -> None:
    (folder_of(server) / "out").symlink_to(home)
    with pytest.raises(UnsafeName):
        fetch(f"{server}/.bashrc", folder_of(server) / "out")
    with pytest.raises(UnsafeName):
        mirror(server, ["out/.bashrc"])
    assert (home / ".bashrc").read_bytes() == OUTSIDE


def test_a_server_that_sends_without_end(server: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_DESCRIPTION", 1 << 20)
    monkeypatch.setattr(remote, "_UNSAID", 1 << 20)
    endless = server.removesuffix("set") + "endless"
    with pytest.raises(DatasetError, match="sends more than 1048576 bytes"):
        mirror(endless, ["meta/info.json"])
    with pytest.raises(DatasetError, match="sends more than"):
        fetch(f"{endless}/data.hdf5", folder_of(endless))
    assert not [path for path in (home / ".cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["data/action/0.0", "data/action", "meta/episode_ends/.zarray"])
def test_links_out_of_a_buffer(name: str, tmp_path: Path, home: Path) -> None:
    zarr = pytest.importorskip("zarr")
    root = zarr.group(zarr.DirectoryStore(str(tmp_path / "a.zarr")))
    root.create_dataset("data/action", data=np.zeros((5, 2)), chunks=(5, 2))
    root.create_dataset("meta/episode_ends", data=np.array([5]))
    path = tmp_path / "a.zarr" / name
    path.rename(home / "away")
    path.symlink_to(home / "away")
    with pytest.raises(UnsafeName, match="through a link"):
        open_source(tmp_path / "a.zarr").episode(0).array("action")


@pytest.mark.parametrize("name", ["..", ".", "x\x00", "..\\x", "a" * 300])
def test_names_of_shards(name: str, tmp_path: Path, home: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", episodes=1, steps=2)
    info = json.loads((folder / "dataset_info.json").read_text())
    info["splits"][0]["filepathTemplate"] = "{DATASET}"
    (folder / "dataset_info.json").write_text(json.dumps(info | {"name": name}))
    with pytest.raises(UnsafeName):
        open_source(folder)


def test_side_files_do_not_follow_a_link(tmp_path: Path, home: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", episodes=1, steps=2)
    (folder / ".embodio").symlink_to(home)
    with pytest.raises(UnsafeName, match="through a link"):
        open_source(folder).episode(0)
    assert sorted(path.name for path in home.iterdir()) == [".bashrc", ".cache"]
