"""Regions and objects in the public formats of RefCOCO, Visual Genome, Open Images, COCO-Text and ICDAR."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.annotations.parts.item import AnnotationError
from embodio.datasets.codecs.image_codec import encode_image
from tests.support.datasets.annotated_files import HEIGHT, WIDTH, draw, items, left_out, made, write_json
from tests.support.model import small


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw(tmp_path, "VG_100K/1.jpg", "VG_100K_2/2.jpg", "train2014/COCO_train2014_1.jpg")
    return tmp_path


def mdetr(folder: Path, **changes: Any) -> Path:
    name = "train2014/COCO_train2014_1.jpg"
    image = {"file_name": name, "width": WIDTH, "height": HEIGHT, "original_id": 1, "dataset_name": "refcoco"}
    texts = ("the left cup ", "cup on the left", "")
    images = [image | {"id": key, "caption": text, "tokens_negative": [[0, 4]]} for key, text in enumerate(texts)]
    box = {"bbox": [5, 4, 10, 20], "area": 200, "iscrowd": 0, "category_id": 1, "tokens_positive": [[0, 3]]}
    rows = [box | {"id": 10 + key, "image_id": key, "segmentation": [[5, 4, 15, 4, 15, 24, 5, 24]]} for key in range(4)]
    content = {"info": {}, "licenses": [], "images": images, "annotations": rows, "categories": []}
    return write_json(folder, "finetune_refcoco_val.json", content | changes)


def test_expressions_of_mdetr(folder: Path) -> None:
    first, second = made("refcoco", mdetr(folder), "refer")
    assert first.expression == "the left cup" and first.box.tolist() == [4, 5, 24, 15]
    found = items("refcoco", mdetr(folder), "refer")
    assert len({one.group for one in found}) == 1 and second.expression == "cup on the left"
    assert left_out(found) == {"an empty expression": 1, "an image_id that no image has": 1}
    assert made("refcoco", mdetr(folder), "segment")[0].mask.sum() == 200
    assert made("refcoco", mdetr(folder), "caption_region")[1].text == "cup on the left"
    rows = [{"id": 1, "image_id": 0, "bbox": [5, 4, 10, 20]}]
    with pytest.raises(AnnotationError, match="lacks a segmentation"):
        items("refcoco", mdetr(folder, annotations=rows), "segment")


def test_expressions_in_parquet(folder: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    written = pytest.importorskip("pyarrow.parquet")

    outline = json.dumps({"segmentation": [[5, 4, 15, 4, 15, 24, 5, 24]], "bbox": [5, 4, 10, 20]})
    row = {"ref_id": 7, "image_path": "train2014/COCO_train2014_1.jpg", "file_name": "COCO_train2014_1_3.jpg"}
    row |= {
        "sentences": [{"raw": "A", "sent": "the cup"}, {"raw": "B", "sent": "left"}],
        "bbox": [5.0, 4.0, 15.0, 24.0],
    }
    row |= {"raw_anns": outline, "raw_image_info": json.dumps({"height": HEIGHT, "width": WIDTH})}
    written.write_table(pyarrow.Table.from_pylist([row]), folder / "refs.parquet")
    first, second = made("refcoco", folder / "refs.parquet", "refer")
    assert (first.expression, second.expression) == ("the cup", "left") and first.box.tolist() == [4, 5, 24, 15]
    assert made("refcoco", folder / "refs.parquet", "segment")[0].mask.sum() == 200

    picture = {"bytes": encode_image(small.image(0), "png"), "path": None}
    row = {
        "question_id": "1",
        "image": picture,
        "question": "?",
        "answer": ["one", "two"],
        "bbox": [1.0, 2.0, 10.0, 20.0],
    }
    written.write_table(pyarrow.Table.from_pylist([row]), folder / "lmms.parquet")
    found = made("refcoco", folder / "lmms.parquet", "refer")
    assert [one.expression for one in found] == ["one", "two"] and found[1].box.tolist() == [2, 1, 22, 11]
    assert (found[0].media.image == small.image(0)).all()


def test_pickles_are_never_read(folder: Path) -> None:
    (folder / "refs(unc).p").write_bytes(b"\x80\x04.")
    with pytest.raises(AnnotationError, match="pickles are never read"):
        items("refcoco", folder / "refs(unc).p", "refer")


def test_regions_of_visual_genome_are_cut_at_the_edge(folder: Path) -> None:
    region = {"region_id": 10, "image_id": 1, "phrase": "A cup", "x": 50, "y": -3, "width": 30, "height": 20}
    rows = [region, region | {"region_id": 11, "phrase": " "}, region | {"region_id": 12, "width": 0}]
    file = write_json(folder, "region_descriptions.json", [{"id": 1, "regions": rows}, {"id": 9, "regions": rows}])
    (caption,) = made("visual_genome", file, "caption_region")
    assert caption.text == "A cup" and caption.box.tolist() == [0, 50, 17, WIDTH]
    assert made("visual_genome", file, "refer")[0].expression == "A cup"
    assert left_out(items("visual_genome", file, "refer")) == {
        "an empty text": 1,
        "a box without an area": 1,
        "a picture that is not in the media folder": 1,
    }
    outside = write_json(folder, "o.json", [{"id": 1, "regions": [region | {"x": 500}]}])
    with pytest.raises(AnnotationError, match=r"region_id 10: box: .* is not a box inside"):
        items("visual_genome", outside, "refer")[0].make()
    with pytest.raises(AnnotationError, match="lacks 'qas'; expected an image with qas, as answer_question needs"):
        items("visual_genome", file, "answer_question")


def test_objects_relationships_and_questions_of_visual_genome(folder: Path) -> None:
    cup = {"object_id": 1, "x": 5, "y": 4, "w": 10, "h": 20, "names": ["cup", "mug"], "synsets": ["cup.n.01"]}
    objects = [
        cup,
        cup | {"object_id": 2, "x": 30},
        cup | {"object_id": 3, "names": []},
        cup | {"object_id": 4, "names": ["pen"]},
    ]
    file = write_json(folder, "objects.json", [{"image_id": 2, "objects": objects}])
    (whole,) = made("visual_genome", file, "detect")
    assert whole.labels == ("cup", "cup", "pen") and whole.boxes[0].tolist() == [4, 5, 24, 15]
    cups, _ = made("visual_genome", file, "localise")
    assert cups.name == "cup" and len(cups.boxes) == 2
    assert [one.text for one in made("visual_genome", file, "classify")] == ["cup", "cup", "pen"]
    assert made("visual_genome", file, "inpaint")[2].name == "pen"

    relation = {
        "relationship_id": 5,
        "predicate": "ON",
        "synsets": [],
        "subject": cup,
        "object": {key: value for key, value in cup.items() if key != "names"} | {"name": "table"},
    }
    file = write_json(folder, "relationships.json", [{"image_id": 2, "relationships": [relation]}])
    (found,) = made("visual_genome", file, "relate")
    assert found.text == "on" and found.subject.tolist() == [4, 5, 24, 15]
    assert (found.subject_name, found.object_name) == ("cup", "table")
    asked = {"qa_id": 6, "image_id": 2, "question": "What?", "answer": "A cup.", "a_objects": [], "q_objects": []}
    (found,) = made("visual_genome", write_json(folder, "qa.json", [{"id": 2, "qas": [asked]}]), "answer_question")
    assert (found.question, found.text) == ("What?", "A cup.")


HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"


def test_open_images_has_fractions_of_the_sides(folder: Path) -> None:
    rows = (
        "1,xclick,/m/01,1,0.25,0.5,0.1,0.6,0,0,0,0,0",
        "1,xclick,/m/01,1,0,1,0,1,0,0,0,0,0",
        "1,xclick,/m/02,1,0.5,1,0.5,1,0,0,0,0,0",
        "1,xclick,/m/01,1,0.1,0.2,0.1,0.2,0,0,1,0,0",
        "1,xclick,/m/99,1,0.1,0.2,0.1,0.2,0,0,0,0,0",
        "1,xclick,/m/01,1,0.1,1.2,0.1,0.2,0,0,0,0,0",
        "8,xclick,/m/01,1,0.1,0.2,0.1,0.2,0,0,0,0,0",
    )
    file = folder / "validation-annotations-bbox.csv"
    file.write_text("\n".join((HEADER, *rows)))
    with pytest.raises(AnnotationError, match="names of its labels are not next to it"):
        items("open_images", file, "detect")
    (folder / "class-descriptions-boxable.csv").write_text('/m/01,Cup\n/m/02,"Chest, old"\n')
    (whole,) = made("open_images", file, "detect")
    assert whole.labels == ("Cup", "Cup", "Chest, old")
    assert np.allclose(whole.boxes[0], [0.1 * HEIGHT, 0.25 * WIDTH, 0.6 * HEIGHT, 0.5 * WIDTH])
    cups, _ = made("open_images", file, "localise")
    assert cups.name == "Cup" and len(cups.boxes) == 2 and len(made("open_images", file, "classify")) == 3
    assert [one.name for one in made("open_images", file, "inpaint")] == ["Cup", "Cup", "Chest, old"]
    assert left_out(items("open_images", file, "detect")) == {
        "a group": 1,
        "a label without a name": 1,
        "a box outside its image": 1,
        "a picture that is not in the media folder": 1,
    }


def test_relationships_of_open_images(folder: Path) -> None:
    (folder / "class-descriptions-boxable.csv").write_text("/m/01,Cup\n/m/02,Table\n")
    sides = "XMin1,XMax1,YMin1,YMax1,XMin2,XMax2,YMin2,YMax2"
    rows = ["1,/m/01,/m/02,0.1,0.2,0.3,0.4,0,1,0.5,1,inside_of", "1,/m/01,/m/0w,0.1,0.2,0.3,0.4,0,1,0.5,1,is"]
    rows += ["1,/m/01,/m/99,0.1,0.2,0.3,0.4,0,1,0.5,1,on", "1,/m/01,/m/02,0.2,0.1,0.3,0.4,0,1,0.5,1,on"]
    file = folder / "vrd.csv"
    file.write_text("\n".join((f"ImageID,LabelName1,LabelName2,{sides},RelationshipLabel", *rows)))
    (found,) = made("open_images", file, "relate")
    assert found.text == "inside of" and np.allclose(found.subject, [12, 6, 16, 12]) and found.object[0] == 20
    assert found.subject_name and found.object_name
    assert left_out(items("open_images", file, "relate")) == {
        "an attribute rather than a relationship": 1,
        "a label without a name": 1,
        "a box without an area": 1,
    }


def test_coco_text_and_textocr(folder: Path) -> None:
    image = {"id": 1, "file_name": "COCO_train2014_1.jpg", "width": WIDTH, "height": HEIGHT, "set": "train"}
    word = {"id": 5, "image_id": 1, "bbox": [5, 14, 10, 6], "utf8_string": "CUP", "legibility": "legible"}
    anns = [word, word | {"id": 6, "bbox": [1, 2, 8, 6], "utf8_string": "the"}, word | {"id": 7, "utf8_string": ""}]
    anns += [
        word | {"id": 8, "bbox": [50, 2, 30, 6]},
        word | {"id": 9, "image_id": 77},
        word | {"id": 10, "image_id": 2},
    ]
    images = {"1": image, "2": image | {"id": 2, "set": "val"}}
    content = {"imgs": images, "anns": {str(one["id"]): one for one in anns}, "imgToAnns": {"1": [5, 6, 7]}, "cats": {}}
    file = write_json(folder, "cocotext.v2.json", content)
    (words,) = made("coco_text", file, "read_text", split="train")
    assert words.labels == ("the", "CUP") and words.boxes.tolist() == [[2, 1, 8, 9], [14, 5, 20, 15]]
    cup = made("coco_text", file, "localise", split="train")[1]
    assert cup.name == "CUP" and cup.boxes.tolist() == [[14, 5, 20, 15]]
    assert [one.text for one in made("coco_text", file, "caption_region", split="train")] == ["the", "CUP"]
    assert left_out(items("coco_text", file, "read_text", split="train")) == {
        "a word that nobody could read": 1,
        "a box outside its image": 1,
        "an image_id that no image has": 1,
    }
    points = word | {"image_id": "1", "points": [5, 14, 15, 15, 15, 22, 4, 20], "id": "1_1"}
    file = write_json(folder, "textocr.json", {"imgs": {"1": image}, "anns": {"1_1": points}})
    assert made("coco_text", file, "read_text")[0].boxes.tolist() == [[14, 4, 22, 15]]


def test_icdar_has_a_text_file_for_each_picture(folder: Path) -> None:
    draw(folder, "img_1.jpg", "20.jpg")
    truth = folder / "gt"
    truth.mkdir()
    lines = "\ufeff5,4,15,4,15,24,5,24,Genaxis, Theatre\r\n1,1,9,1,9,9,1,9,###\r\n5,4,15,4,15,24,5,24,Latin,HOW\r\n"
    (truth / "gt_img_1.txt").write_text(lines)
    (truth / "gt_20.txt").write_text('5 4 15 24 "Footpath"\n5, 4, 15, 24, "To"\n')
    two, one = made("icdar", truth, "read_text", folder)
    assert one.labels == ("Genaxis, Theatre", "HOW") and one.boxes[0].tolist() == [4, 5, 24, 15]
    assert two.labels == ("Footpath", "To") and two.boxes[1].tolist() == [4, 5, 24, 15]
    assert left_out(items("icdar", truth, "read_text", folder)) == {"a word that nobody could read": 1}
    (truth / "gt_img_1.txt").write_text("what is this")
    with pytest.raises(AnnotationError, match=r"gt_img_1.txt, line 1: there are 0 commas; expected eight numbers"):
        items("icdar", truth, "read_text", folder)
