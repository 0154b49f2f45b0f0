"""What a look at a corpus says, also on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.records.record import Media, Record, Video
from embodio.datasets.records.summary import look_at
from embodio.train.commands.data.data import main
from tests.support.datasets.corpora import RecordList


def test_parts_are_counted_and_described() -> None:
    video = Video(frames=np.zeros((3, 8, 9, 3), np.uint8), rate=12.0)
    records = [
        Record(key="a", image=Media.of(np.zeros((4, 6, 3), np.uint8)), captions=("a cat", "a pet")),
        Record(key="b", sound=Media.of(np.zeros(8000, np.float32)), facts={"n": 3}),
        Record(key="c", video=Media.of(video)),
        Record(key="d"),
    ]
    seen = look_at(RecordList(records, broken=frozenset({3})), 9)
    assert seen.count == 4 and dict(seen.parts) == {"captions": 1, "image": 1, "sound": 1, "fact: n": 1, "video": 1}
    assert seen.examples["image"] == "6 x 4 pixels" and seen.examples["sound"] == "0.50 s"
    assert seen.examples["video"] == "3 frames of 9 x 8 pixels at 12 Hz, silent"
    assert seen.examples["captions"] == "2, such as 'a cat'" and "flipped bits" in seen.faults[0]


def test_the_command_shows_columns_and_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [json.dumps({"raw_content": f"text {number}", "lang": "en"}) for number in range(9)]
    (tmp_path / "a.jsonl").write_text("\n".join([*rows, "{"]))
    assert main(["records", str(tmp_path), "look=100"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "10 records, read by jsonl" in shown and "raw_content" in shown and "fact: lang" in shown
    assert "cannot be read" in shown and "not JSON" in shown
    assert main(["records", str(tmp_path), "columns={text: lang}", "look=1"]) == 0
    assert "'en'" in capsys.readouterr().out
    (tmp_path / "twice.jsonl").write_text('{"text": "again"}\n' * 3)
    assert main(["records", str(tmp_path / "twice.jsonl"), "duplicates=drop"]) == 0
    assert "1 records, read by jsonl, 2 duplicates dropped" in capsys.readouterr().out
    assert main(["records", str(tmp_path / "none")]) == 1
    assert "there is no such file, folder or pattern" in capsys.readouterr().err
