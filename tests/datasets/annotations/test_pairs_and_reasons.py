"""Pairs of pictures, changed pictures, views, dialogues and explained answers, in the public formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from embodio.datasets.annotations import read_annotations
from embodio.datasets.annotations.gsm8k import _values
from embodio.datasets.annotations.parts.item import AnnotationError
from embodio.datasets.annotations.views import movement_of
from embodio.model.tasks.families import family_named
from tests.support.datasets.annotated_files import HEIGHT, WIDTH, draw, items, left_out, made, write, write_json


def rows_made(name: str, file: Path, family: str, **reading: Any) -> list[Any]:
    """The annotations of rows that are read when they are needed, each also written as an example."""
    found = [item.make() for item in read_annotations(name, file, file.parent, family_named(family), reading)]
    for one in found:
        write(family, one)
    return found


def test_captions_of_several_pictures_of_coco(tmp_path: Path) -> None:
    draw(tmp_path, *(f"{number}.jpg" for number in range(5)))
    images = [{"id": number, "file_name": f"{number}.jpg", "width": WIDTH, "height": HEIGHT} for number in range(5)]
    rows = [{"id": number, "image_id": number, "caption": f"picture {number}"} for number in range(5)]
    file = write_json(tmp_path, "captions.json", {"images": images, "annotations": rows, "categories": []})
    every = made("coco", file, "caption_several")
    assert [one.captions for one in every] == [("picture 0", "picture 1"), ("picture 2", "picture 3")]
    one = made("coco", file, "caption_several", asked="one")
    assert [(each.wanted, each.captions) for each in one] == [(0, ("picture 0",)), (1, ("picture 3",))]
    for reading in ({"pictures": 1}, {"asked": "some"}):
        with pytest.raises(AnnotationError, match="expected at least 2, and one or all"):
            items("coco", file, "caption_several", **reading)


def test_sums_with_the_way_to_their_result(tmp_path: Path) -> None:
    row = {
        "question": "How many?",
        "answer": "She sold 48/2 = <<48/2=24>>24 clips.\nIn all 48+24 = <<48+24=72>>72.\n#### 72",
    }
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")
    (found,) = rows_made("gsm8k", tmp_path / "train.jsonl", "reason")
    assert found.text == "72" and found.steps == "She sold 48/2 = 24 clips.\nIn all 48+24 = 72."
    (tmp_path / "bad.jsonl").write_text(json.dumps({"question": "How many?", "answer": "72"}) + "\n")
    with pytest.raises(AnnotationError, match=r"row 0 .*the answer has no ####"):
        rows_made("gsm8k", tmp_path / "bad.jsonl", "reason")


@given(st.text("abc 12=.\n", max_size=30), st.text("0123456789", min_size=1, max_size=5))
def test_results_of_sums_are_what_follows_the_mark(steps: str, result: str) -> None:
    found = _values({"question": "?", "answer": f"{steps}<<1+1=2>>\n#### {result}"})
    assert found["text"] == result and found["steps"] == steps.strip()


def test_questions_of_lessons_are_explained(tmp_path: Path) -> None:
    draw(tmp_path, "train/1/image.png")
    row = {
        "question": "Which is a solid?",
        "choices": ["ice", "steam"],
        "answer": 0,
        "hint": "Look.",
        "image": "image.png",
    }
    row |= {"split": "train", "solution": "Ice keeps its shape.", "lecture": "Matter has states."}
    others = {"2": row | {"solution": ""}, "3": row | {"split": "val"}, "4": row | {"image": None, "hint": ""}}
    file = write_json(tmp_path, "problems.json", {"1": row} | others)
    seen, told = made("science_qa", file, "reason")
    assert seen.question == "Look.\nWhich is a solid?\nOptions: (A) ice (B) steam" and seen.text == "ice"
    assert seen.steps == "Ice keeps its shape." and seen.media.image is not None and told.media.image is None
    assert left_out(items("science_qa", file, "reason")) == {"a question without an explanation": 1}
    bad = write_json(tmp_path, "bad.json", {"1": row | {"answer": 2}})
    with pytest.raises(AnnotationError, match="question 1: the answer 2 is none of 2 options"):
        items("science_qa", bad, "reason")


def test_sentences_about_two_pictures(tmp_path: Path) -> None:
    draw(tmp_path, "0/train-7-0-img0.png", "0/train-7-0-img1.png", height=30)
    row = {"sentence": "There are two dogs.", "left_url": "", "right_url": "", "synset": "dog"}
    rows = [row | {"label": "True", "identifier": "train-7-0-1"}, row | {"label": "False", "identifier": "train-8-0-0"}]
    (tmp_path / "train.json").write_text("".join(json.dumps(one) + "\n" for one in rows))
    (found,) = made("nlvr2", tmp_path / "train.json", "answer_question")
    assert found.pair and found.text == "true" and len(found.media.image_history) == 1
    gone = {"a picture that is not in the media folder": 1}
    assert left_out(items("nlvr2", tmp_path / "train.json", "answer_question")) == gone
    (tmp_path / "bad.json").write_text(
        "".join(json.dumps(row | {"label": "x", "identifier": "a-b"}) + "\n" for _ in "ab")
    )
    with pytest.raises(AnnotationError, match=r"row 0 .*lacks 'x'"):
        items("nlvr2", tmp_path / "bad.json", "answer_question")


def test_dialogues_about_pictures(tmp_path: Path) -> None:
    draw(tmp_path, "train2014/COCO_train2014_000000000042.jpg")
    dialog = [{"question": 1, "answer": 0, "answer_options": [0], "gt_index": 0}, {"question": 0, "answer": 1}]
    dialogues = [
        {"image_id": 42, "caption": "a dog on a mat", "dialog": [*dialog, {"question": 1}]},
        {"image_id": 43, "caption": "a cat", "dialog": dialog},
    ]
    data = {"questions": ["is it asleep", "what colour is it"], "answers": ["brown", "yes"], "dialogs": dialogues}
    file = write_json(tmp_path, "visdial_1.0_train.json", {"version": "1.0", "split": "train", "data": data})
    first, second = made("visdial", file, "chat")
    assert (first.turns, first.text) == (("a dog on a mat. what colour is it?",), "brown")
    assert (second.turns, second.text) == ((*first.turns, "brown", "is it asleep?"), "yes")
    unanswered, gone = "a question without an answer", "a picture that is not in the media folder"
    assert left_out(items("visdial", file, "chat")) == {unanswered: 1, gone: 1}
    bad = write_json(tmp_path, "bad.json", {"data": data | {"answers": []}})
    with pytest.raises(AnnotationError, match=r"dialogue number 0: .*index out of range"):
        items("visdial", bad, "chat")


def test_changed_pictures_of_instruct_pix2pix(tmp_path: Path) -> None:
    draw(tmp_path, *(f"shard-00/0000000/{seed}_{side}.jpg" for seed in ("7", "12") for side in (0, 1)))
    write_json(
        tmp_path, "shard-00/0000000/prompt.json", {"caption": "a cup", "edit": "make it blue", "output": "a blue cup"}
    )
    write_json(tmp_path, "seeds.json", [["shard-00/0000000", ["7", "12"]]])
    found = made("instruct_pix2pix", tmp_path, "edit")
    assert [one.instruction for one in found] == ["make it blue"] * 2 and found[0].drawn.shape == (HEIGHT, WIDTH, 3)
    write_json(tmp_path, "shard-00/0000000/prompt.json", {})
    with pytest.raises(AnnotationError, match=r"prompt.json: it lacks 'edit'"):
        items("instruct_pix2pix", tmp_path, "edit")
    with pytest.raises(AnnotationError, match="cannot be read"):
        items("instruct_pix2pix", tmp_path / "none", "edit")


def test_a_table_of_magicbrush(tmp_path: Path) -> None:
    draw(tmp_path, "1.png")
    seen = {"bytes": (tmp_path / "1.png").read_bytes(), "path": "1.png"}
    row = {"img_id": "1", "turn_index": 1, "source_img": seen, "mask_img": seen, "instruction": "add a hat"}
    (tmp_path / "train").mkdir()
    pq.write_table(
        pa.Table.from_pylist([row | {"target_img": seen}]), tmp_path / "train" / "train-00000-of-00001.parquet"
    )
    fields = {"image": "source_img", "instruction": "instruction", "drawn": "target_img"}
    (found,) = rows_made("table", tmp_path / "train", "edit", fields=fields)
    assert found.instruction == "add a hat" and found.drawn.shape == (HEIGHT, WIDTH, 3)


def camera(theta: float, phi: float, distance: float) -> np.ndarray:
    """A matrix [3, 4] of a camera at these angles; it may look anywhere."""
    place = distance * np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    rotation, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    return np.concatenate([rotation, -(rotation @ place)[:, None]], axis=1)


ANGLES = st.tuples(st.floats(0.1, 3.0), st.floats(-3.1, 3.1), st.floats(1.5, 2.2))


@given(ANGLES, ANGLES)
def test_movements_are_differences_of_angles_and_distance(before: Any, after: Any) -> None:
    pose = movement_of(camera(*before), camera(*after))
    assert (pose.theta, pose.radius) == pytest.approx((after[0] - before[0], after[2] - before[2]), abs=1e-6)
    assert np.exp(1j * pose.phi) == pytest.approx(np.exp(1j * (after[1] - before[1])), abs=1e-6)
    assert -np.pi <= pose.phi <= np.pi


def test_views_of_objects_are_pairs(tmp_path: Path) -> None:
    folder = tmp_path / "views_release" / "0a1b"
    folder.mkdir(parents=True)
    pixels = np.full((HEIGHT, WIDTH, 4), 60, np.uint8)
    pixels[0, 0, 3] = 0
    for number in range(3):
        Image.fromarray(pixels + np.uint8(number)).save(folder / f"{number:03d}.png")
        np.save(folder / f"{number:03d}.npy", camera(1.0 + number / 10, number / 2, 2.0))
    (tmp_path / "views_release" / "lone").mkdir()
    np.save(tmp_path / "views_release" / "lone" / "000.npy", camera(1, 1, 2))
    view, _, back = made("views", tmp_path / "views_release", "view")
    assert (view.pose.theta, view.pose.phi) == pytest.approx((0.1, 0.5)) and back.pose.theta == pytest.approx(-0.2)
    assert view.media.image[0, 0].tolist() == [255] * 3 and view.drawn[1, 1].tolist() == [61] * 3
    moved, _, _ = made("views", tmp_path / "views_release", "camera_pose")
    assert moved.pose == view.pose and np.array_equal(moved.media.image_history[0], view.media.image)
    few = {"an object with fewer than two views": 1}
    assert left_out(items("views", tmp_path / "views_release", "view")) == few
    np.save(folder / "001.npy", np.zeros((4, 4)))
    with pytest.raises(AnnotationError, match=r"pose: a matrix of the shape \(4, 4\)"):
        items("views", tmp_path / "views_release", "view")[0].make()
    with pytest.raises(AnnotationError, match="expected a folder"):
        items("views", tmp_path / "none", "view")
