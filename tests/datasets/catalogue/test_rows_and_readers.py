"""Every row of the catalogue is one that the reader of its format accepts; public files of some rows are read."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embodio.datasets.annotations import annotation_formats, annotation_reader, read_annotations
from embodio.datasets.annotations.parts.values import MEDIA
from embodio.datasets.augment.tasks import named_task_augmentation
from embodio.datasets.catalogue.rows import TaskRow, catalogue_folder, find_row, read_catalogue
from embodio.datasets.errors import AnnotationError, UnusableRecord
from embodio.datasets.tasks.parts.annotated_task import AnnotatedTask
from embodio.model import Vocabulary
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.families import family_named
from tests.support.datasets.annotated_files import HEIGHT, WIDTH, draw, film, sing, write_json

NOT_YET = {
    "caption_several": "coco",
    "draw": "visual_genome",
    "follow_instruction": "video_questions",
    "answer_question": "coco",
    "segment": "open_images",
    "judge_action": "habitat",
}
"""Family -> format whose reader does not make annotations of it yet; `embodio-data tasks` says so of these rows."""

HOLD_MEDIA = {"nyu", "records", "class_folders", "corpus"}
"""Formats whose file holds the media, or lies among them."""


def rows() -> list[TaskRow]:
    categories = [one for name in ("", "nano") for one in read_catalogue(catalogue_folder(name))]
    every = [row for category in categories for row in category.rows]
    return [row for row in every if row.family and row.format in annotation_formats()]


def faults(row: TaskRow) -> list[str]:
    """What the reader of a row would refuse, or misunderstand."""
    found = []
    if not row.opens and NOT_YET.get(row.read_as) != row.format:
        found.append(f"{row.format} does not open {row.read_as}")
    parameters = inspect.signature(annotation_reader(row.format)).parameters.values()
    settings = {one.name: one for one in parameters if one.kind is one.KEYWORD_ONLY}
    found += [f"{row.format} has no setting {name}" for name in set(row.settings) - set(settings)]
    found += [
        f"{row.format} needs {name}"
        for name, one in settings.items()
        if one.default is one.empty and name not in row.settings
    ]
    if row.format == "table":
        known = {one.name for one in dataclasses.fields(family_named(row.read_as).annotation)} | set(MEDIA)
        given = set(row.settings.get("fields", ()))
        found += [f"{row.read_as} has no field {name}" for name in given - known]
        found += [f"words of {name}, which is not read" for name in set(row.settings.get("words", ())) - given]
    held = row.format in HOLD_MEDIA or row.path.endswith(".parquet")
    if not row.media and not held and set(row.inputs) | set(row.outputs) != {"text"}:
        found.append("it has no folder of media")
    return found


def test_every_row_is_accepted_by_the_reader_of_its_format() -> None:
    found = {row.name: said for row in rows() if (said := faults(row))}
    assert not found and len(rows()) > 150


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"family": "depth"}, "coco does not open depth"),
        ({"settings": {"split": "train"}}, "coco has no setting split"),
        ({"format": "table"}, "table needs fields"),
        ({"format": "table", "settings": {"fields": {"words": "x"}}}, "detect has no field words"),
        ({"media": ""}, "it has no folder of media"),
    ],
)
def test_faults_are_found(changes: dict[str, Any], fault: str) -> None:
    assert fault in faults(dataclasses.replace(find_row(read_catalogue(), "detect_coco_2017"), **changes))


def read(name: str, root: Path) -> list[Any]:
    """The annotations of a row of the catalogue, made."""
    row = find_row(read_catalogue(), name)
    items = read_annotations(row.format, root / row.path, root / row.media, family_named(row.read_as), row.settings)
    return [item.make() for item in items]


def test_videos_of_jester_are_read(tmp_path: Path) -> None:
    film(tmp_path, "jester/videos/34870.mp4")
    (tmp_path / "jester" / "jester-v1-train.csv").write_text("34870;Drumming Fingers\n")
    (found,) = read("tag_jester", tmp_path)
    assert found.text == "Drumming Fingers" and len(found.media.image_history) == 4


def test_verbs_of_swig_are_read(tmp_path: Path) -> None:
    draw(tmp_path, "swig/images_512/adjusting_1.jpg")
    write_json(tmp_path, "swig/SWiG_jsons/train.json", {"adjusting_1.jpg": {"verb": "adjusting", "bb": {}}})
    (found,) = read("swig_verb", tmp_path)
    assert found.text == "adjusting" and found.media.image.shape == (HEIGHT, WIDTH, 3)


def test_statements_of_vsr_are_true_or_false(tmp_path: Path) -> None:
    draw(tmp_path, "vsr/images/7.jpg")
    lines = [{"image": "7.jpg", "caption": "The cup is on the table.", "label": label} for label in (1, 0)]
    (tmp_path / "vsr" / "train.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert [one.text for one in read("vsr_binary", tmp_path)] == ["true", "false"]


def test_pictures_in_the_tables_of_mmbench_are_seen(tmp_path: Path) -> None:
    draw(tmp_path, "1.png")
    seen = {"bytes": (tmp_path / "1.png").read_bytes(), "path": "1.png"}
    row = {"index": 1, "question": "What is it?", "hint": "nan", "A": "a cup", "B": "a dog", "C": "nan", "answer": "B"}
    file = tmp_path / "mmbench" / "en" / "dev-00000-of-00001.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([row | {"image": seen}]), file)
    (found,) = read("mmbench", tmp_path)
    assert (found.question, found.options, found.chosen) == ("What is it?", ("a cup", "a dog"), 1)
    assert found.media.image.shape == (HEIGHT, WIDTH, 3)


def test_all_parts_of_wavcaps_are_heard(tmp_path: Path) -> None:
    parts = {"AudioSet_SL/as": {"id": "Yb0.wav"}, "FreeSound/fsd": {"id": "31", "file_name": "Street Noise.wav"}}
    for part, sound in parts.items():
        content = {"data": [sound | {"caption": f"heard in {part}", "duration": 1.0}]}
        write_json(tmp_path, f"wavcaps/json_files/{part}_final.json", content)
    write_json(tmp_path, "wavcaps/json_files/blacklist/blacklist_exclude_all_ac.json", {"AudioSet": ["Yb0"]})
    sing(tmp_path, "wavcaps/audio/AudioSet_SL/Yb0.wav", "wavcaps/audio/FreeSound/31.wav")
    found = read("caption_sound_wavcaps", tmp_path)
    assert [one.text for one in found] == ["heard in AudioSet_SL/as", "heard in FreeSound/fsd"]


def test_conversations_of_llava_are_chats(tmp_path: Path) -> None:
    draw(tmp_path, "coco/train2017/1.jpg")
    turns = [("human", "<image>\nWhat is there?"), ("gpt", "A cup."), ("human", "Which colour?"), ("gpt", "Red.")]
    said = [{"from": who, "value": text} for who, text in turns]
    chats = [
        {"id": "1", "image": "1.jpg", "conversations": said},
        {"id": "2", "conversations": [said[2], *said[3:] * 2]},
    ]
    write_json(tmp_path, "llava/conversation_58k.json", chats)
    found = [(one.turns, one.text) for one in read("llava_conversation", tmp_path)]
    asked = ("What is there?", "A cup.", "Which colour?")
    assert found == [(asked[:1], "A cup."), (asked, "Red."), (asked[2:], "Red.")]


def test_chats_in_which_nobody_takes_turns_are_left_out_and_other_tables_are_named(tmp_path: Path) -> None:
    said = [{"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Hi."}]
    chat = {"messages": [*said, {"role": "assistant", "content": "How are you?"}]}
    file = tmp_path / "chats.jsonl"
    file.write_text("\n".join(json.dumps(one) for one in (chat, {"messages": chat["messages"][1:]})))
    found = read_annotations("instructions", file, tmp_path, family_named("chat"))
    assert [item.make().turns for item in found] == [("Hi.",)]  # type: ignore[attr-defined]
    file.write_text(json.dumps({"instruction": "Say hello.", "input": "", "output": "Hello."}))
    with pytest.raises(AnnotationError, match="chats are in the column messages or conversations"):
        read_annotations("instructions", file, tmp_path, family_named("chat"))


def test_classes_that_are_not_in_a_picture_are_asked_for(tmp_path: Path) -> None:
    """By the names of all classes, which the reader knows, where each picture is annotated for all of them."""
    draw(tmp_path, "1.jpg")
    images = [{"id": 1, "file_name": "1.jpg", "width": WIDTH, "height": HEIGHT}]
    rows = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}]
    categories = [{"id": 1, "name": "cup"}, {"id": 2, "name": "dog"}]
    content = {"images": images, "annotations": rows, "categories": categories}
    codec = TaskCodec(Vocabulary.default(), (384, 384), 512)

    def asked(images: list[dict[str, Any]]) -> set[tuple[str, str]]:
        file = write_json(tmp_path, "instances.json", content | {"images": images})
        items = read_annotations("coco", file, tmp_path, family_named("detect"))
        made = named_task_augmentation("ask_presence")
        task = AnnotatedTask("presence", file, items, family_named("answer_question"), codec, augmentation=made)
        generators = (np.random.default_rng(seed) for seed in range(20))
        examples = [task.example(0, generator) for generator in generators]
        return {("dog" if "dog" in str(one.text) else "cup", str(one.text_target)) for one in examples}

    assert asked(images) == {("cup", "yes"), ("dog", "no")}
    with pytest.raises(UnusableRecord):
        asked([images[0] | {"not_exhaustive_category_ids": []}])
