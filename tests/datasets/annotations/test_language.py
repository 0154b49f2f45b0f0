"""Instructions, multiple-choice questions and tables in the public formats, as JSON, CSV and Parquet."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from embodio.datasets.annotations import read_annotations
from embodio.datasets.annotations.parts.item import AnnotatedItem, AnnotationError
from embodio.datasets.codecs.image_codec import encode_image
from embodio.model.tasks.families import family_named
from tests.support.datasets.annotated_files import draw, film, write, write_json
from tests.support.model import small


def rows_of(name: str, file: Path, family: str, **reading: Any) -> Sequence[AnnotatedItem]:
    return read_annotations(name, file, file.parent, family_named(family), reading)


def made(name: str, file: Path, family: str, **reading: Any) -> list[Any]:
    found: list[Any] = [item.make() for item in rows_of(name, file, family, **reading)]
    for one in found:
        write(family, one)
    return found


def lines(folder: Path, *rows: object) -> Path:
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder / "rows.jsonl"


def parquet(folder: Path, *rows: dict[str, Any], name: str = "rows.parquet") -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    written = pytest.importorskip("pyarrow.parquet")

    written.write_table(pyarrow.Table.from_pylist(list(rows)), folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("row", "instruction", "context", "text"),
    [
        ({"inputs": "Add 1 and 2.", "targets": "3", "task": "x"}, "Add 1 and 2.", "", "3"),
        ({"inputs_pretokenized": "a", "targets_pretokenized": "b"}, "a", "", "b"),
        ({"instruction": "Sum up.", "input": "", "output": "Done."}, "Sum up.", "", "Done."),
        ({"instruction": "Sum up.", "input": "Long.", "output": "Done."}, "Sum up.", "Long.", "Done."),
        ({"instruction": "Who?", "context": "Ann ran.", "response": "Ann", "category": "x"}, "Who?", "Ann ran.", "Ann"),
        ({"question": "2 + 2?", "answer": "4\n#### 4"}, "2 + 2?", "", "4\n#### 4"),
    ],
)
def test_columns_of_instructions(
    tmp_path: Path, row: dict[str, Any], instruction: str, context: str, text: str
) -> None:
    listed = write_json(tmp_path, "rows.json", [row])
    for file in (lines(tmp_path, row), listed, parquet(tmp_path, row)):
        (found,) = made("instructions", file, "follow_instruction")
        assert (found.instruction, found.context, found.text) == (instruction, context, text)


def test_rows_are_read_one_by_one_and_items_can_be_sent_to_workers(tmp_path: Path) -> None:
    file = lines(tmp_path, *({"inputs": f"say {number}", "targets": str(number)} for number in range(500)))
    found = rows_of("instructions", file, "follow_instruction")
    assert len(found) == 500 and [one.make().text for one in found[7:9]] == ["7", "8"]  # type: ignore[attr-defined]
    sent = pickle.dumps(found)
    assert len(sent) < 20_000 and pickle.loads(sent)[-1].make().text == "499"


def test_every_answer_of_a_chat_is_an_item(tmp_path: Path) -> None:
    draw(tmp_path, "coco/1.jpg")
    turns = ("human", "<image>\nWhat is it?"), ("gpt", "A cup."), ("human", "Which colour?"), ("gpt", "Red.")
    row = {"id": "1", "image": "coco/1.jpg", "conversations": [{"from": who, "value": text} for who, text in turns]}
    first, second = made("instructions", write_json(tmp_path, "llava.json", [row]), "follow_instruction")
    assert (first.instruction, first.context, first.text) == ("What is it?", "", "A cup.")
    assert second.context == "User: What is it?\nAssistant: A cup." and second.instruction == "Which colour?"
    assert second.media.image.shape == (40, 60, 3)
    said = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}]
    row = {"messages": [*said, {"role": "assistant", "content": "Hello"}]}
    (only,) = made("instructions", lines(tmp_path, row), "follow_instruction")
    assert (only.instruction, only.text) == ("Hi", "Hello") and "Be short." in only.context
    with pytest.raises(AnnotationError, match=r"row 0 .*a turn of 'ghost'"):
        rows_of(
            "instructions", lines(tmp_path, {"messages": [{"role": "ghost", "content": "x"}]}), "follow_instruction"
        )


def test_damaged_rows_are_named_with_file_and_offset(tmp_path: Path) -> None:
    good = {"inputs": "a", "targets": "b"}
    file = lines(tmp_path, good, good | {"targets": " "}, {"other": 1})
    with file.open("a") as opened:
        opened.write("\n{broken")
    items = rows_of("instructions", file, "follow_instruction")
    for number, message in (
        (1, r"row 1 of rows\.jsonl: text: expected text that is not empty"),
        (2, r"row 2 of rows\.jsonl: there are the columns other; expected inputs, targets; "),
        (3, r"rows\.jsonl, record 3: at byte \d+: not JSON"),
    ):
        with pytest.raises(AnnotationError, match=message):
            items[number].make()
    with pytest.raises(AnnotationError, match="expected inputs, targets"):
        rows_of("instructions", lines(tmp_path, {"other": 1}), "follow_instruction")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(AnnotationError, match="there is not one item"):
        rows_of("instructions", tmp_path / "empty.jsonl", "follow_instruction")


ARC = {"stem": "Which?", "choices": [{"text": "sun", "label": "A"}, {"text": "moon", "label": "B"}]}


@pytest.mark.parametrize(
    ("row", "question", "options", "chosen"),
    [
        ({"id": "x", "question": ARC, "answerKey": "B"}, "Which?", ("sun", "moon"), 1),
        (
            {"question": "Which?", "choices": {"text": ["sun", "moon"], "label": ["1", "2"]}, "answerKey": "1"},
            "Which?",
            ("sun", "moon"),
            0,
        ),
        ({"question": "2 + 2", "choices": ["3", "4", "5", "6"], "answer": 1}, "2 + 2", ("3", "4", "5", "6"), 1),
        ({"ctx": "He", "endings": ["sat.", "flew."], "label": "1"}, "He", ("sat.", "flew."), 1),
        ({"goal": "Boil", "sol1": "heat", "sol2": "cool", "label": 0}, "Boil", ("heat", "cool"), 0),
        ({"sentence": "Ann _", "option1": "x", "option2": "y", "answer": "2"}, "Ann _", ("x", "y"), 1),
        ({"article": "T.", "question": "Q", "options": ["a", "b"], "answer": "B"}, "T.\nQ", ("a", "b"), 1),
        ({"passage": "P.", "question": "is it", "answer": False}, "P.\nis it", ("yes", "no"), 1),
        (
            {"question": "Q", "distractor1": "b", "distractor2": "a", "correct_answer": "c", "support": "S."},
            "S.\nQ",
            ("a", "b", "c"),
            2,
        ),
        ({"question": "Q", "A": "x", "B": "y", "C": "", "answer": "A", "hint": None}, "Q", ("x", "y"), 0),
    ],
)
def test_columns_of_choices(
    tmp_path: Path, row: dict[str, Any], question: str, options: tuple[str, ...], chosen: int
) -> None:
    for file in (lines(tmp_path, row), parquet(tmp_path, row)):
        (found,) = made("choices", file, "multiple_choice")
        assert (found.question, found.options, found.chosen) == (question, options, chosen)


def test_choices_with_pictures(tmp_path: Path) -> None:
    draw(tmp_path, "1_2.jpg")
    seed = {"data_id": "1_2.jpg", "data_type": "image", "question": "Q", "question_id": "1", "answer": "B"}
    seed |= {f"choice_{letter}": letter for letter in "abcd"}
    (found,) = made("choices", write_json(tmp_path, "seed.json", {"questions": [seed]}), "multiple_choice")
    assert found.chosen == 1 and found.media.image is not None
    picture = {"bytes": encode_image(small.image(0), "png"), "path": None}
    row = {"question": "Q", "choices": ["a", "b"], "answer": 0, "hint": "H.", "image": picture, "lecture": ""}
    (found,) = made("choices", parquet(tmp_path, row), "multiple_choice")
    assert found.media.image.shape == (40, 24, 3) and found.question == "H.\nQ"
    problems = {"7": {"question": "Q", "choices": ["a", "b"], "answer": 1, "hint": "", "image": None, "split": "val"}}
    assert made("choices", write_json(tmp_path, "problems.json", problems), "multiple_choice")[0].chosen == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "Q", "choices": ["a", "b"], "answer": 2}, "the answer 2 is none of 2 options"),
        ({"question": "Q", "answer": 2}, "lacks 'options'"),
        ({"choices": ["a"], "answer": 0}, "lacks 'question or question_stem"),
    ],
)
def test_choices_that_are_not_such_are_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        rows_of("choices", lines(tmp_path, row), "multiple_choice")


def test_a_table_by_its_columns(tmp_path: Path) -> None:
    draw(tmp_path, "images/000000000042.jpg")
    row = {"image_id": 42, "meta": {"q": "How many?"}, "answer": 3, "bbox": [5, 4, 10, 20]}
    image = "images/{image_id:012d}.jpg"
    fields = {"image": image, "question": "meta.q", "text": "answer"}
    for file in (lines(tmp_path, row), parquet(tmp_path, row), write_json(tmp_path, "t.json", {"data": [row]})):
        (found,) = made("table", file, "answer_question", fields=fields)
        assert (found.question, found.text) == ("How many?", "3") and found.media.image.shape == (40, 60, 3)
    (found,) = made("table", file, "refer", fields={"image": image, "expression": "the {answer}", "box": "bbox"})
    assert found.box.tolist() == [4, 5, 24, 15] and found.expression == "the 3"
    for order, box in (("xyxy", [4, 5, 20, 10]), ("yxyx", [5, 4, 10, 20])):
        (found,) = made(
            "table", file, "caption_region", fields={"image": image, "text": "answer", "box": "bbox"}, boxes=order
        )
        assert found.box.tolist() == box


def test_values_of_a_table_in_other_words(tmp_path: Path) -> None:
    file = lines(tmp_path, {"caption": "The cup is left.", "label": 1}, {"caption": "x", "label": 7})
    reading = {"fields": {"question": "caption", "text": "label"}, "words": {"text": {1: "yes", 0: "no"}}}
    found = rows_of("table", file, "answer_question", **reading)
    assert found[0].make().text == "yes"  # type: ignore[attr-defined]
    with pytest.raises(AnnotationError, match=r"row 1 of rows\.jsonl: it lacks '7'"):
        found[1].make()


def test_a_table_without_a_header(tmp_path: Path) -> None:
    film(tmp_path, "34870.mp4")
    (tmp_path / "train.csv").write_text("34870;Drumming Fingers\n")
    reading = {"fields": {"video": "{id}.mp4", "text": "label"}, "columns": ["id", "label"], "delimiter": ";"}
    (found,) = made("table", tmp_path / "train.csv", "tag", **reading)
    assert found.text == "Drumming Fingers" and len(found.media.image_history) == 4


def test_a_table_of_pictures_in_its_cells(tmp_path: Path) -> None:
    before, after = ({"bytes": encode_image(small.image(seed), "png"), "path": None} for seed in (0, 1))
    row = {"original_image": before, "edit_prompt": "make it blue", "edited_image": after}
    fields = {"image": "original_image", "instruction": "edit_prompt", "drawn": "edited_image"}
    (found,) = made("table", parquet(tmp_path, row), "edit", fields=fields)
    assert found.instruction == "make it blue" and (found.drawn == small.image(1)).all()


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        ({}, "table needs the setting 'fields'"),
        ({"fields": {"text": "words"}}, "row 0.*: it lacks 'words'"),
        ({"fields": {"text": "a"}, "boxes": "yx"}, "boxes: got 'yx'"),
    ],
)
def test_mistakes_in_the_columns_of_a_table(tmp_path: Path, reading: dict[str, Any], message: str) -> None:
    with pytest.raises(AnnotationError, match=message):
        rows_of("table", lines(tmp_path, {"a": "b"}), "caption", **reading)


def test_no_name_in_a_table_leads_out_of_the_folder(tmp_path: Path) -> None:
    file = lines(tmp_path, {"name": "../secret", "text": "x"})
    with pytest.raises(AnnotationError, match="not that of a file inside the folder"):
        rows_of("table", file, "caption", fields={"image": "{name}.jpg", "text": "text"})[0].make()
