"""The rows of instruction tuning: what they refer to exists, and mistakes are named with file, row and field."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from embodio.datasets.catalogue.kinds import KINDS
from embodio.datasets.catalogue.rows import (
    CatalogueError,
    TaskRow,
    catalogue_folder,
    find_row,
    read_catalogue,
    read_category,
)
from embodio.datasets.metrics import metric_names
from embodio.datasets.objectives import objective_names
from embodio.model.tasks import Prompts
from embodio.model.tasks.families import families

ROW: dict[str, Any] = {
    "title": "questions",
    "family": "answer_question",
    "prompts": "plain",
    "format": "jsonl",
    "path": "questions/train.jsonl",
    "origin": "https://example.org",
    "licence": "CC0",
    "split": "train",
    "size": 100,
    "metrics": ["vqa_accuracy"],
    "source": ["chosen"],
}
CATEGORY = {"title": "questions", "group": "words", "share": 60, "inputs": ["text"], "outputs": ["text"]}


def rows() -> list[TaskRow]:
    return [row for category in read_catalogue() for row in category.rows]


def write(folder: Path, content: Any, name: str = "mine") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return file


def test_there_are_rows_for_every_kind_and_family_of_media() -> None:
    found = rows()
    assert len(found) >= 200 and len({row.name for row in found}) == len(found)
    assert set(Counter(row.kind for row in found)) == set(KINDS)
    assert {"text", "image", "audio", "video", "robot"} == {one for row in found for one in row.inputs}


def test_what_rows_refer_to_exists() -> None:
    groups, metrics, objectives = set(Prompts()), set(metric_names()), set(objective_names())
    for row in rows():
        if row.family:
            assert row.family in families() and f"{row.family}.{row.prompts}" in groups, row.name
            assert set(row.metrics) <= metrics, row.name
            assert set(row.metrics) <= set(families()[row.family].metrics), row.name
        else:
            assert set(row.objectives) <= objectives, row.name
        assert row.source and row.licence and row.origin.startswith("http"), row.name


@pytest.mark.parametrize("name", ["", "nano"])
def test_every_row_with_a_family_is_measured(name: str) -> None:
    found = [row for category in read_catalogue(catalogue_folder(name)) for row in category.rows if row.family]
    assert found and not [row.name for row in found if not row.metrics]


def test_a_row_of_ones_own_is_one_entry(tmp_path: Path) -> None:
    file = write(tmp_path, CATEGORY | {"tasks": {"mine": ROW | {"cap": 50, "rate": 2, "inputs": ["audio"]}}})
    row = find_row([read_category(file)], "mine")
    assert (row.category, row.cap, row.inputs, row.outputs, row.kind) == ("mine", 50, ("audio",), ("text",), "prompted")
    assert row.missing(tmp_path) == f"{tmp_path / 'questions/train.jsonl'} does not exist"
    (tmp_path / "questions").mkdir()
    (tmp_path / "questions" / "train.jsonl").touch()
    assert row.missing(tmp_path) == "" and row.files(tmp_path) == [tmp_path / "questions" / "train.jsonl"]


def test_a_format_without_a_reader_is_allowed_and_said(tmp_path: Path) -> None:
    row = read_category(write(tmp_path, CATEGORY | {"tasks": {"mine": ROW | {"format": "my_format"}}})).rows[0]
    assert not row.opens and "no reader of my_format for answer_question" in row.missing(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "answer_questions"}, "family: no family 'answer_questions'; did you mean 'answer_question'"),
        ({"prompts": "plane"}, "prompts: no wordings 'answer_question.plane'; did you mean 'answer_question.plain'"),
        ({"metrics": ["vqa"]}, "metrics: metrics: no metric 'vqa'"),
        ({"metrics": "vqa_accuracy"}, "metrics: got 'vqa_accuracy', expected a list"),
        ({"format": "a b"}, "format: got 'a b', expected the name of a module"),
        ({"kind": "chat"}, "kind: got 'chat', expected one of prompted"),
        ({"augmentation": "ask"}, "augmentation: .*no task augmentation 'ask'"),
        ({"augmentation": "segment_union"}, "augmentation: it makes annotations of segment, not of answer_question"),
        ({"inputs": ["smell"]}, "inputs: got 'smell', expected one of text"),
        ({"size": 0}, "size: got 0, expected a whole number of items"),
        ({"size": "many"}, "size: got 'many'"),
        ({"cap": -1}, "cap: got -1"),
        ({"rate": 0}, "rate: got 0, expected a number above 0"),
        ({"trains": "no"}, "trains: got 'no', expected true or false"),
        ({"source": []}, "source: say what confirms the row"),
        ({"licence": 4}, "licence: got 4, expected a text"),
        ({"licences": "CC0"}, "licences: unknown key; did you mean 'licence'"),
        ({"family": "", "objectives": {"denoise": 1}}, "objectives.denoise: .*no objective 'denoise'"),
        ({"family": "", "objectives": {"denoise_text": 1}, "format": "coco"}, "format: got 'coco', expected one of"),
        ({"objectives": {"denoise_text": 1}}, "family: give a family, or objectives"),
    ],
)
def test_mistakes_name_file_row_and_field(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = write(tmp_path, CATEGORY | {"tasks": {"mine": ROW | change}})
    with pytest.raises(CatalogueError, match=f"{file}: tasks.mine.{message}"):
        read_category(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "not a readable YAML file"),
        ([1], "expected the keys"),
        (CATEGORY, "it lacks tasks"),
        (CATEGORY | {"tasks": {}}, "tasks: expected at least one row"),
        (CATEGORY | {"share": "much", "tasks": {"mine": ROW}}, "share: got 'much', expected percent above 0"),
        (CATEGORY | {"tasks": {"mine": {key: ROW[key] for key in ROW if key != "size"}}}, "tasks.mine: it lacks size"),
    ],
)
def test_a_file_that_is_not_a_category_is_refused(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=message):
        read_category(write(tmp_path, content))


def test_names_are_unique_and_unknown_ones_get_a_hint(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path, CATEGORY | {"tasks": {"mine": ROW}}, name)
    with pytest.raises(CatalogueError, match=r"two.yaml: tasks.mine: one.yaml has a row of this name too"):
        read_catalogue(tmp_path)
    with pytest.raises(CatalogueError, match="no task 'vqa_v3'; did you mean vqa_v2"):
        find_row(read_catalogue(), "vqa_v3")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CatalogueError, match="there are no categories"):
        read_catalogue(tmp_path / "empty")
