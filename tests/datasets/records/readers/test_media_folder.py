"""Folders of media with text next to them, and with tables of metadata."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.records.opening import open_records
from tests.support.videos import number_of, write_video


def picture(path: Path, grey: int = 7) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((16, 20, 3), grey, dtype=np.uint8)).save(path)


def test_files_of_one_name_are_a_record(tmp_path: Path) -> None:
    picture(tmp_path / "animals" / "a cat, 1.5 kg (ä).png", 30)
    (tmp_path / "animals" / "a cat, 1.5 kg (ä).txt").write_text("a cat\n\nein Kater\n")
    (tmp_path / "animals" / "a cat, 1.5 kg (ä).json").write_text('{"title": "Mia", "transcript": "meow"}')
    soundfile.write(tmp_path / "animals" / "a cat, 1.5 kg (ä).ogg", np.zeros(4000), 16000)
    picture(tmp_path / "b.JPG")
    (tmp_path / "b.jpg.txt").write_text("not next to it: the case differs")
    picture(tmp_path / "c.jpg")
    (tmp_path / "c.jpg.txt").write_text("next to it")
    (tmp_path / "alone.txt").write_text("no media here")
    picture(tmp_path / ".hidden.png")
    picture(tmp_path / ".thumbnails" / "a.png")
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    source = open_records(tmp_path)
    records = {record.key: record for record in map(source.record, range(len(source)))}
    cat = records["animals/a cat, 1.5 kg (ä)"]
    assert cat.captions == ("a cat", "ein Kater") and cat.transcript == "meow" and cat.facts == {"title": "Mia"}
    assert int(cat.image.load()[0, 0, 0]) == 30 and len(cat.sound.load()) >= 4000  # type: ignore[union-attr]
    assert records["c"].captions == ("next to it",) and records["b"].captions == ()
    assert records["alone"].text == "no media here" and records["alone"].image is None
    assert set(records) == {"animals/a cat, 1.5 kg (ä)", "alone", "b", "b.jpg", "c"}


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_videos_with_text_next_to_them(tmp_path: Path, suffix: str) -> None:
    """Frames, rate and words; another one has words in the table, and one is cut off."""
    for name in ("falls", "rolls", "torn"):
        write_video(tmp_path / f"{name}.{suffix}", range(6), [number / 10 for number in range(6)])
    (tmp_path / "falls.txt").write_text("a box falls\nsomething falls\n")
    (tmp_path / "falls.json").write_text('{"transcript": "look", "impacts": 1}')
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"file_name": f"rolls.{suffix}", "text": "a ball rolls"}))
    torn = tmp_path / f"torn.{suffix}"
    torn.write_bytes(torn.read_bytes()[:300])
    source = open_records(tmp_path)
    records = {record.key: record for record in map(source.record, range(len(source)))}
    assert set(records) == {"falls", "rolls", "torn"}
    falls = records["falls"]
    assert falls.captions == ("a box falls", "something falls") and falls.transcript == "look"
    assert falls.facts == {"impacts": 1} and falls.image is None and records["rolls"].captions == ("a ball rolls",)
    video = falls.video.load()  # type: ignore[union-attr]
    assert [number_of(frame) for frame in video.frames] == list(range(6)) and video.rate == pytest.approx(10, rel=0.01)
    with pytest.raises(CorruptRecordError, match=rf"torn\.{suffix}, record 2: at byte 0: the video cannot be opened"):
        records["torn"].video.load()  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_tables_of_metadata(tmp_path: Path, kind: str) -> None:
    for number in range(3):
        picture(tmp_path / "train" / f"{number}.png", number)
    rows = [{"file_name": f"{number}.png", "text": f"picture {number}", "size": "small"} for number in (2, 0)]
    lines = [json.dumps(row) for row in rows]
    if kind == "csv":
        lines = ["file_name,text,size", "2.png,picture 2,small", "0.png,picture 0,small"]
    (tmp_path / "train" / f"metadata.{kind}").write_text("\n".join(lines))
    source = open_records(tmp_path)
    assert [source.record(index).captions for index in range(3)] == [("picture 0",), (), ("picture 2",)]
    assert source.record(2).facts == {"size": "small"} and int(source.record(2).image.load()[0, 0, 0]) == 2  # type: ignore[union-attr]


def test_damage_and_digest(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:-20])
    (tmp_path / "a.json").write_text("{")
    source = open_records(tmp_path)
    with pytest.raises(CorruptRecordError, match=r"a\.json, record 0: at byte 0: not JSON"):
        source.record(0)
    with pytest.raises(CorruptRecordError, match=r"b\.png, record 1: at byte 0: the image cannot be decoded"):
        source.record(1).image.load()  # type: ignore[union-attr]
    before = source.digest
    assert open_records(tmp_path).digest == before
    (tmp_path / "a.json").write_text("3")
    assert open_records(tmp_path).digest != before


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_text(f'file_name,text\n"{"x" * 200_000}",y\n')
    with pytest.raises(DatasetError, match=r"metadata\.csv, line \d: .*metadata\.jsonl"):
        open_records(tmp_path)
