"""Tracks, flow, actions and sounds in time, and next frames, in the public formats."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets.annotations.charades import events_of
from embodio.datasets.annotations.flo import flow_of
from embodio.datasets.annotations.parts.item import AnnotationError
from tests.support.datasets.annotated_files import HEIGHT, WIDTH, draw, film, items, left_out, made, sing, write_json


def lines(folder: Path, name: str, *rows: object) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(f"{row}\n" for row in rows))


def test_parts_of_got10k_begin_with_the_object_in_sight(tmp_path: Path) -> None:
    draw(tmp_path, *(f"GOT_1/{number:08d}.jpg" for number in range(1, 10)))
    lines(tmp_path, "GOT_1/groundtruth.txt", *(f"{number}.0,2.0,10.0,20.0" for number in range(9)))
    lines(tmp_path, "GOT_1/absence.label", 0, 0, 1, 1, 0, 0, 0, 0, 0)
    lines(tmp_path, "GOT_2/groundtruth.txt", "1,2,3,4")
    first, last = made("tracks", tmp_path, "track", frames=2, every=2)
    assert first.start.tolist() == [2, 0, 22, 10] and np.isnan(first.boxes).all()
    assert last.start.tolist() == [2, 4, 22, 14] and last.boxes.tolist() == [[2, 6, 22, 16]]
    assert left_out(items("tracks", tmp_path, "track", frames=2, every=2)) == {"a sequence without frames": 1}
    assert [item.key for item in items("tracks", tmp_path, "track", frames=3, every=1)] == ["GOT_1/0", "GOT_1/6"]


def test_boxes_of_lasot_are_hidden_by_either_file(tmp_path: Path) -> None:
    draw(tmp_path, *(f"cat/cat-1/img/{number:08d}.jpg" for number in range(1, 6)))
    boxes = ["1,2,10,20", "1,2,10,20", "1,2,10,20", "0,0,0,0", f"1,2,{WIDTH},9"]
    lines(tmp_path, "cat/cat-1/groundtruth.txt", *boxes)
    lines(tmp_path, "cat/cat-1/full_occlusion.txt", "0,1,0,0,0")
    lines(tmp_path, "cat/cat-1/out_of_view.txt", "0,0,1,0,0")
    (track,) = made("tracks", tmp_path, "track", every=1)
    assert np.isnan(track.boxes).all(axis=1).tolist() == [True, True, True, False]
    assert track.start.tolist() == [2, 1, 22, 11]
    assert track.boxes[3].tolist() == [2, 1, 11, WIDTH], "cut at the edge of the frame"
    lines(tmp_path, "cat/cat-1/out_of_view.txt", "0,0")
    with pytest.raises(AnnotationError, match="sequence cat/cat-1: "):
        items("tracks", tmp_path, "track")


def test_what_is_not_a_folder_of_tracks_is_named(tmp_path: Path) -> None:
    draw(tmp_path, "a/1.jpg")
    lines(tmp_path, "a/groundtruth.txt", "1,2,3,4", "1,2,3,4")
    for reading, message in (
        ({}, "2 boxes for 1 frames"),
        ({"frames": 1}, "got 1 and 10"),
        ({"every": 0}, "got 5 and 0"),
    ):
        with pytest.raises(AnnotationError, match=message):
            items("tracks", tmp_path, "track", **reading)
    with pytest.raises(AnnotationError, match="expected a folder"):
        items("tracks", tmp_path / "none", "track")


def flo(movement: np.ndarray) -> bytes:
    """A .flo file of movements [H, W, 2] to the right and down."""
    height, width = movement.shape[:2]
    return struct.pack("<fii", 202021.25, width, height) + movement.astype("<f4").tobytes()


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**31))
def test_movements_are_down_and_right(height: int, width: int, seed: int) -> None:
    movement = np.random.default_rng(seed).normal(0, 30, (height, width, 2)).astype(np.float32)
    assert np.array_equal(flow_of(flo(movement)), movement[..., ::-1])


@given(st.binary(max_size=60))
def test_what_is_not_a_flo_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a .flo file|movements need|unknown"):
        flow_of(data)


def test_flow_of_flying_chairs_and_sintel(tmp_path: Path) -> None:
    movement = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    movement[..., 0] = 3
    draw(tmp_path / "chairs", "00001_img1.ppm", "00001_img2.ppm")
    (tmp_path / "chairs" / "00001_flow.flo").write_bytes(flo(movement))
    (tmp_path / "chairs" / "00002_flow.flo").write_bytes(flo(movement))
    (chairs,) = made("flo", tmp_path / "chairs", "flow")
    assert chairs.flow[0, 0].tolist() == [0, 3] and len(chairs.media.image_history) == 1
    assert left_out(items("flo", tmp_path / "chairs", "flow")) == {"a movement whose frames are not there": 1}
    draw(tmp_path / "sintel", *(f"clean/alley_1/frame_000{number}.png" for number in (1, 2)))
    (tmp_path / "sintel" / "flow" / "alley_1").mkdir(parents=True)
    (tmp_path / "sintel" / "flow" / "alley_1" / "frame_0001.flo").write_bytes(flo(movement[:9]))
    (item,) = items("flo", tmp_path / "sintel", "flow", rendering="clean")
    with pytest.raises(AnnotationError, match=f"9 x {WIDTH} pixels, and the image {HEIGHT} x {WIDTH}"):
        item.make()
    with pytest.raises(AnnotationError, match="expected a folder"):
        items("flo", tmp_path / "none", "flow")


def test_actions_of_activitynet_are_asked_for_by_name(tmp_path: Path) -> None:
    film(tmp_path, "v_abc.mp4")
    cut = [{"label": "Diving", "segment": span} for span in ([0.1, 0.3], [0.5, 4.0], [2.0, 3.0])]
    row = {"duration": 1.0, "subset": "training", "annotations": [*cut, {"label": "Rowing", "segment": [0, 1]}]}
    database = {"abc": row, "gone": row, "other": row | {"subset": "testing", "annotations": []}}
    file = write_json(tmp_path, "activity_net.v1-3.min.json", {"version": "1.3", "database": database})
    diving, rowing = made("activitynet", file, "find_events", split="training", frames=2)
    assert np.allclose(diving.spans, [[0.1, 0.3], [0.5, 1.0]]) and diving.labels == ("Diving",) * 2
    assert (rowing.name, rowing.seconds) == ("Rowing", 1.0) and len(rowing.media.image_history) == 1
    missing, outside = "a video that is not in the media folder", "an action without a name or outside its video"
    assert left_out(items("activitynet", file, "find_events", split="training")) == {outside: 1, missing: 1}
    (tagged,) = made("activitynet", file, "tag", split="training", frames=1)
    assert tagged.references == ("Diving", "Rowing")
    with pytest.raises(AnnotationError, match="lacks 'database'"):
        items("activitynet", write_json(tmp_path, "bad.json", {}), "tag")


def test_charades_has_actions_and_captions(tmp_path: Path) -> None:
    film(tmp_path, "videos/46GP8.mp4")
    header = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\n"
    row = (
        "46GP8,HR43,Kitchen,6,7,Yes,A person cooks.,food,One cooks.;A person eats.,c092 0.20 0.90;c147 0.00 9.60,1.00\n"
    )
    file = tmp_path / "Charades_v1_train.csv"
    file.write_text(header + row + row.replace("46GP8", "GONE1"))
    with pytest.raises(AnnotationError, match=r"fetch Charades_v1_classes.txt"):
        items("charades", file, "tag", tmp_path / "videos")
    lines(tmp_path, "Charades_v1_classes.txt", "c092 Holding some food", "c147 Cooking something")
    holding, cooking = made("charades", file, "find_events", tmp_path / "videos", frames=2)
    assert np.allclose(holding.spans, [[0.2, 0.9]]) and np.allclose(cooking.spans, [[0, 1]])
    (tagged,) = made("charades", file, "tag", tmp_path / "videos", frames=2)
    (caption,) = made("charades", file, "caption", tmp_path / "videos", frames=2)
    assert tagged.text == "Holding some food" and caption.references == ("One cooks.", "A person eats.")
    lines(tmp_path, "Charades_v1_classes.txt", "c092 Holding some food")
    with pytest.raises(AnnotationError, match="row 1: it lacks 'c147'"):
        items("charades", file, "tag", tmp_path / "videos")


@given(st.lists(st.tuples(st.sampled_from(["c000", "c156"]), st.floats(0, 99), st.floats(0, 99)), max_size=4))
def test_actions_of_charades_are_read_as_they_are_written(events: list[tuple[str, float, float]]) -> None:
    names = {"c000": "Holding some clothes", "c156": "Eating"}
    text = ";".join(f"{key} {start} {end}" for key, start, end in events)
    assert events_of(text, names) == [(names[key], start, end) for key, start, end in events]


def test_sounds_of_vgg_ss_come_from_one_place(tmp_path: Path) -> None:
    draw(tmp_path, *(f"frames/{key}_000030.jpg" for key in ("a", "b", "c")))
    sing(tmp_path, "audio/a_000030.wav", "audio/b_000030.wav")
    boxes = {"a": [[0.1, 0.25, 0.5, 1.01]], "b": [[0, 0, 1, 1]] * 2, "c": [[0, 0, 1, 1]]}
    rows = [{"file": f"{key}_000030", "class": "dog barking", "bbox": own} for key, own in boxes.items()]
    file = write_json(tmp_path, "vggss.json", rows)
    (found,) = made("vgg_ss", file, "sound_source")
    assert found.box.tolist() == [HEIGHT / 4, WIDTH / 10, HEIGHT, WIDTH / 2] and len(found.media.audio) == 16_000
    several, gone = "a sound from several places, or from none", "a frame or a sound that is not in the media folder"
    assert left_out(items("vgg_ss", file, "sound_source")) == {several: 1, gone: 1}
    with pytest.raises(AnnotationError, match="row 0: it lacks 'bbox'"):
        items("vgg_ss", write_json(tmp_path, "bad.json", [{"file": "a"}]), "sound_source")


def test_the_last_frame_of_a_video_is_the_next_one(tmp_path: Path) -> None:
    film(tmp_path, "a/one.mp4", "two.mp4")
    (tmp_path / "notes.txt").write_text("no video")
    found: list[Any] = made("video_folder", tmp_path, "next_frame", frames=2)
    assert [item.key for item in items("video_folder", tmp_path, "next_frame")] == ["a/one.mp4", "two.mp4"]
    assert len(found[0].media.image_history) == 1 and not found[0].robot
    assert not np.array_equal(found[0].drawn, found[0].media.image)
    with pytest.raises(AnnotationError, match="expected a folder"):
        items("video_folder", tmp_path / "two.mp4", "next_frame")
    with pytest.raises(AnnotationError, match="frames: got 0"):
        items("video_folder", tmp_path, "next_frame", frames=0)
