"""Captions and labels of videos in the public formats: MSR-VTT, VATEX, Something-Something, Kinetics, UCF101."""

from __future__ import annotations

from pathlib import Path

import pytest

from embodio.datasets.annotations.parts.item import AnnotationError
from tests.support.datasets.annotated_files import film, items, left_out, made, write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    film(tmp_path, "TrainVal/video0.mp4", "TrainVal/video1.mp4", "Ptf_2VRj-V0_000122_000132.mp4")
    return tmp_path


def test_msrvtt_gathers_the_captions_of_a_video(folder: Path) -> None:
    videos = [{"id": at, "video_id": f"video{at}", "split": split} for at, split in enumerate(("train", "validate"))]
    sentences = [
        {"sen_id": at, "video_id": video, "caption": text}
        for at, (video, text) in enumerate(
            (("video0", "a dog"), ("video1", "a cat"), ("video0", "dogs"), ("video0", " "))
        )
    ]
    file = write_json(folder, "info.json", {"info": {}, "videos": videos, "sentences": sentences})
    (caption,) = made("video_captions", file, "caption", split="train", frames=3)
    assert caption.text == "a dog" and caption.references == ("a dog", "dogs") and len(caption.media.image_history) == 2
    assert left_out(items("video_captions", file, "caption", split="train")) == {"an empty caption": 1}
    assert len(items("video_captions", file, "caption")) == 2
    with pytest.raises(AnnotationError, match="lacks 'video_id'"):
        items("video_captions", write_json(folder, "bad.json", {"videos": [{}], "sentences": []}), "caption")


def test_vatex_and_lists(folder: Path) -> None:
    row = {"videoID": "Ptf_2VRj-V0_000122_000132", "enCap": ["One.", "Two."], "chCap": ["x"]}
    file = write_json(folder, "vatex.json", [row, row | {"videoID": "gone_000000_000010"}])
    (caption,) = made("video_captions", file, "caption", frames=1)
    assert caption.references == ("One.", "Two.") and not caption.media.image_history
    assert left_out(items("video_captions", file, "caption")) == {"a video that is not in the media folder": 2}
    (folder / "webvid.csv").write_text('videoid,name\nvideo0,"a, dog"\n')
    assert made("video_captions", folder / "webvid.csv", "caption", frames=2)[0].text == "a, dog"


def test_labels_of_videos(folder: Path) -> None:
    row = {
        "id": "video0",
        "label": "holding a cup next to a pen",
        "template": "Holding [something] next to [something]",
    }
    file = write_json(folder, "ssv2.json", [row | {"placeholders": ["a cup", "a pen"]}, row | {"id": "video1"}])
    first, _ = made("video_labels", file, "tag", frames=2)
    assert first.text == "holding a cup next to a pen" and first.choices == ()
    first, _ = made("video_labels", file, "tag", frames=2, templates=True, choices=True)
    assert first.text == "holding something next to something" and first.choices == (first.text,)

    header = "label,youtube_id,time_start,time_end,split\n"
    rows = "abseiling,Ptf_2VRj-V0,122,132,val\n,video0,,,val\nx,gone,1,11,val\n"
    (folder / "kinetics.csv").write_text(header + rows)
    assert [one.text for one in made("video_labels", folder / "kinetics.csv", "tag", frames=2)] == ["abseiling"]
    assert left_out(items("video_labels", folder / "kinetics.csv", "tag")) == {
        "an empty label": 1,
        "a video that is not in the media folder": 1,
    }
    (folder / "trainlist01.txt").write_text("ApplyEyeMakeup/video0.avi 1\n")
    (found,) = made("video_labels", folder / "trainlist01.txt", "tag", frames=2)
    assert found.text == "apply eye makeup"


def test_damaged_videos_and_frames_that_are_too_few(folder: Path) -> None:
    (folder / "broken.mp4").write_bytes(b"nothing")
    file = write_json(folder, "list.json", [{"video": "broken.mp4", "caption": "x"}])
    with pytest.raises(AnnotationError, match=r"video broken\.mp4: video: .*cannot be read"):
        items("video_captions", file, "caption")[0].make()
    file = write_json(folder, "list.json", [{"video": "video0.mp4", "caption": "x"}])
    with pytest.raises(AnnotationError, match="cannot take 0 frames"):
        items("video_captions", file, "caption", frames=0)[0].make()
