"""`embodio-data tasks`: lists, filters and counts, and says what can be read here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embodio.datasets.catalogue.rows import read_catalogue
from embodio.train.commands.data.data import main


def test_categories_and_totals(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"]) == 0
    page = capsys.readouterr().out
    count = sum(len(category.rows) for category in read_catalogue())
    assert f"{count} tasks on " in page and "100.00 % of the stream" in page
    assert all(category.name in page for category in read_catalogue()) and "vqa_v2" not in page


def test_filters_and_what_can_be_read_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "derived").mkdir()
    (tmp_path / "derived" / "vqa_sentences.jsonl").touch()
    assert main(["tasks", "family=answer_question", "category=image", f"data={tmp_path}"]) == 0
    page = capsys.readouterr().out
    (line,) = [one for one in page.splitlines() if " vqa_sentence " in one]
    assert "yes" in line and "jsonl" in line
    assert " okvqa " in page and "librispeech" not in page and f"can be read in {tmp_path}" in page
    assert main(["tasks", f"data={tmp_path}", "readable=true"]) == 0
    page = capsys.readouterr().out
    assert "vqa_sentence" in page and "1 task on 1 source, " in page


def test_one_task_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "refcoco"]) == 0
    page = capsys.readouterr().out
    assert "family: refer" in page and "reference prompts: Refexp" in page and "size: 42404" in page
    out = tmp_path / "tasks.json"
    assert main(["tasks", "modality=audio", "kind=prompted", "licence=public domain", f"out={out}"]) == 0
    found = json.loads(out.read_text())
    (task,) = found["categories"]["sound_from_text"]["tasks"]
    assert task["name"] == "speech_ljspeech" and task["size"] == 13100 and 0 < task["share"] < 0.01


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["match=no_such_task"], 1, "no task is left"),
        (["vqa_v3"], 1, "did you mean vqa_v2"),
        (["kind=chat"], 2, "kind: got 'chat', expected one of prompted"),
        (["modality=smell"], 2, "modality: got 'smell'"),
        (["readable=true"], 2, "readable: give the root"),
    ],
)
def test_what_cannot_be_shown_is_said(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tasks", *arguments]) == code
    shown = capsys.readouterr()
    assert message in shown.out + shown.err
