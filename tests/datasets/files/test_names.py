"""Names out of data files: what stays inside a folder, what is refused, and templates with known slots."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets.errors import UnsafeName
from embodio.datasets.files.names import filled, inside, relative

SLOTS = {"chunk_index": 3, "file_index": 12, "video_key": "observation.images.front"}
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
BAD = [
    *("", ".", "/", "./", "..", "../x", "a/../../x", "a/..", "/etc/passwd", "//host/x", "a\x00b", "a\nb", "a\\..\\b"),
    *("..\\x", "C:\\x", "c:/x", "x" * 256, "a/" + "é" * 128, "\ud800"),
]
GOOD = ["a", "a/b", "a//b", "./a", "a..b", ".hidden", "..a", "~", "a b", "é" * 100, "%2e%2e/x", "ab:c"]
TEMPLATES = [
    *("{chunk_index.__class__}", "{chunk_index[0]}", "{0}", "{}", "{{chunk_index}}", "{chunk_index!r}", "{nothing}"),
    *("{chunk_index:900000000d}", "{chunk_index:0900000000d}", "{chunk_index:>99}", "{chunk_index:099d}", "{x", "x}"),
    *("{video_key:03d}", "../../{chunk_index}", "/data/{chunk_index}", "{chunk_index:03d}\x00", "", "data/..", "{é}"),
]


@pytest.mark.parametrize("name", BAD)
def test_names_that_lead_elsewhere_are_refused(name: str, tmp_path: Path) -> None:
    for check in (lambda: relative(name, "info.json"), lambda: inside(tmp_path, name, "info.json")):
        with pytest.raises(UnsafeName, match=r"^info\.json: the name"):
            check()


@pytest.mark.parametrize("name", GOOD)
def test_names_of_files_are_taken(name: str, tmp_path: Path) -> None:
    path = inside(tmp_path, name, "info.json")
    assert path == tmp_path / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(b"")
    assert path.resolve().is_relative_to(tmp_path.resolve())


@given(st.text(st.sampled_from("./\\a{}%\x00~:")))
def test_whatever_is_taken_stays_inside(name: str) -> None:
    folder = Path("/some/folder")
    try:
        path = inside(folder, name, "here")
    except UnsafeName as error:
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
    else:
        assert path.resolve().is_relative_to(folder) and path.resolve() != folder


def test_links_are_followed_inside_only(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "set"
    for path in (outside, folder / "real"):
        path.mkdir(parents=True)
        (path / "file").write_text("text")
    (folder / "there").symlink_to("real")
    (folder / "away").symlink_to(outside)
    (folder / "file").symlink_to("../outside/file")
    assert inside(folder, "there/file", "info.json").read_text() == "text"
    for name in ("away/file", "away", "file", "away/new"):
        with pytest.raises(UnsafeName, match=r"through a link to .*outside"):
            inside(folder, name, "info.json")
    (tmp_path / "linked").symlink_to(folder)  # the folder itself may be one
    assert inside(tmp_path / "linked", "real/file", "info.json").read_text() == "text"


def test_snapshots_of_hugging_face_hold_links_to_blobs(tmp_path: Path) -> None:
    hub = tmp_path / "datasets--somebody--something"
    snapshot = hub / "snapshots" / "0123abc"
    for path in (hub / "blobs", snapshot / "data", tmp_path / "blobs"):
        path.mkdir(parents=True)
        (path / "42").write_text("text")
    (snapshot / "data" / "file").symlink_to("../../../blobs/42")
    (snapshot / "data" / "away").symlink_to("../../../../blobs/42")
    assert inside(snapshot, "data/file", "info.json").read_text() == "text"
    assert inside(snapshot / "data", "file", "info.json").read_text() == "text"
    with pytest.raises(UnsafeName):
        inside(snapshot, "data/away", "info.json")


def test_templates() -> None:
    assert filled(DATA, SLOTS, "here") == "data/chunk-003/file-012.parquet"
    assert filled("videos/{video_key}/{chunk_index:06d}.mp4", SLOTS, "here") == (
        "videos/observation.images.front/000003.mp4"
    )
    assert filled("x{file_index}", SLOTS, "here") == "x12" and filled("same", SLOTS, "here") == "same"


@pytest.mark.parametrize("template", TEMPLATES)
def test_other_templates_are_refused(template: str) -> None:
    with pytest.raises(UnsafeName):
        filled(template, SLOTS, "info.json")


@pytest.mark.parametrize("key", ["..", "../x", "a/b", "/etc", "{chunk_index}", "a\x00", "a\\b", "a}"])
def test_texts_in_templates_are_one_part(key: str) -> None:
    with pytest.raises(UnsafeName):
        filled("{video_key}/x" if key == ".." else "videos/{video_key}", SLOTS | {"video_key": key}, "info.json")


@given(st.text(st.sampled_from("{}:0359d.!_/\\acdefhiknvuxy")), st.integers(0, 10**6))
def test_a_filled_template_is_short_and_relative(template: str, number: int) -> None:
    slots = {"chunk_index": number, "a": number, "video_key": "key"}
    try:
        name = filled(template, slots, "here")
    except UnsafeName:
        return
    assert len(name) < 10 * len(template) + 10 and not name.startswith("/") and ".." not in name.split("/")
