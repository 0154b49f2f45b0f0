"""Annotated files: values become annotations, formats are read, and mistakes are named with their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from embodio.benchmarks.evaluation.procedures import procedure_names
from embodio.datasets.annotations import (
    UnknownAnnotationFormatError,
    annotation_formats,
    annotation_reader,
    families_of_format,
)
from embodio.datasets.annotations.parts.item import AnnotatedItem, AnnotationError
from embodio.datasets.annotations.parts.values import annotated_item, annotation_of, digest_of
from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.metrics.parts.instances import Instances, PeoplePoses
from embodio.model.tasks.families import families, family_named


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    (tmp_path / "photo.png").write_bytes(encode_image(pixels, "png"))
    mask = np.zeros((40, 60, 3), dtype=np.uint8)
    mask[:10] = 255
    (tmp_path / "mask.png").write_bytes(encode_image(mask, "png"))
    np.save(tmp_path / "depth.npy", np.full((40, 60), 0.5, dtype=np.float32))
    return tmp_path


def made(family: str, folder: Path, **values: Any) -> Any:
    return annotation_of(family_named(family), values, folder, "here")


def test_fields_have_the_types_of_annotations(folder: Path) -> None:
    asked = made("answer_question", folder, image="photo.png", question="what?", text="cup", references=["cup", "mug"])
    assert asked.media.image.shape == (40, 60, 3) and asked.references == ("cup", "mug")
    assert made("refer", folder, image="photo.png", expression="it", box=[1, 2, 30, 50]).box.dtype == np.float32
    assert made("segment", folder, image="photo.png", name="sky", mask="mask.png").mask.sum() == 600
    assert made("depth", folder, image="photo.png", depth="depth.npy").depth.max() == 0.5
    normals = made("normals", folder, image="photo.png", normals="mask.png").normals
    assert np.allclose(normals[0, 0], 3**-0.5, atol=1e-3) and not normals[-1].any()
    points = [[y, 2 * y, y % 3] for y in range(17)]
    assert (
        made("keypoints", folder, image="photo.png", box=[0, 0, 9, 9], keypoints=points).keypoints.visible.sum() == 11
    )
    assert made("localise", folder, image="photo.png", name="cup", boxes=[]).boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image": "photo.png", "expression": "it", "box": [1, 2, 30, 90]}, r"not a box inside an image of 40 x 60"),
        ({"image": "photo.png", "expression": "it", "box": [9, 2, 9, 20]}, r"box: .* is not a box inside"),
        ({"image": "photo.png", "expression": "it", "box": [9, 2]}, r"box: expected numbers of the shape \(4,\)"),
        ({"expression": "it", "box": [1, 2, 30, 50]}, "there is not an image"),
        ({"image": "lost.png", "expression": "it"}, "image: .*lost.png"),
        ({"image": "photo.png", "expression": " "}, "expression: expected text that is not empty"),
        ({"image": "photo.png", "expresion": "it"}, "no field 'expresion'; did you mean 'expression'"),
        ({"image": "photo.png"}, "expression"),
    ],
)
def test_mistakes_are_named_with_their_place(folder: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(AnnotationError, match=f"^here: .*{message}|^here: {message}"):
        made("refer", folder, **values)


def test_lines_of_json(folder: Path) -> None:
    rows = [{"image": "photo.png", "question": "what?", "text": "cup"}, {"key": "b", "question": "why?", "text": "so"}]
    file = folder / "rows.jsonl"
    file.write_text("\n\n".join(json.dumps(row) for row in rows))
    items = annotation_reader("jsonl")(file, folder, family_named("answer_question"))
    assert [(item.key, item.group) for item in items] == [("1", "photo.png"), ("b", "b")]
    assert items[1].make().question == "why?"  # type: ignore[attr-defined]
    for text, message in (("[1]", "expected an object"), ("{", "line 1: not JSON"), ("", "not one item")):
        file.write_text(text)
        with pytest.raises(AnnotationError, match=message):
            annotation_reader("jsonl")(file, folder, family_named("answer_question"))
    file.write_text('{"key": "a"}\n{"key": "a"}')
    with pytest.raises(AnnotationError, match="two items have the key 'a'"):
        annotation_reader("jsonl")(file, folder, family_named("answer_question"))


def grit(folder: Path, kind: Any, *samples: dict[str, Any]) -> list[AnnotatedItem]:
    rows = []
    for place, sample in enumerate(samples):
        asked = {"example_id": f"e{place}", "image_id": "photo.png"} | sample.get("input", {})
        rows.append({"input": asked, "output": sample.get("output", {}), "meta": sample.get("meta", {})})
    file = folder / "samples" / "ablation" / "task.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(rows))
    return list(annotation_reader("grit")(file, folder, family_named(kind) if isinstance(kind, str) else kind))


def of_grit(folder: Path, kind: Any, asked: dict[str, Any], output: dict[str, Any]) -> Any:
    (item,) = grit(folder, kind, {"input": asked, "output": output})
    return item.make()


def test_samples_of_grit_have_x_before_y(folder: Path) -> None:
    place = of_grit(folder, "localise", {"task_query": "cup"}, {"bboxes": [[2, 1, 50, 30]]})
    assert place.name == "cup" and place.boxes.tolist() == [[1, 2, 30, 50]]
    (folder / "output_options").mkdir()
    (folder / "output_options" / "few.json").write_text('["a", "b"]')
    word = of_grit(folder, "classify", {"task_bbox": [2, 1, 50, 30], "output_options": "few"}, {"words": ["a"]})
    assert word.box.tolist() == [1, 2, 30, 50] and word.choices == ("a", "b") and word.text == "a"
    with pytest.raises(AnnotationError, match=r"output_options: there is no file .*many.json"):
        of_grit(folder, "classify", {"output_options": "many"}, {"words": ["a"]})
    question = of_grit(folder, "answer_question", {"task_query": "what?"}, {"words": ["a", "b"]})
    assert question.references == ("a", "b")
    with pytest.raises(AnnotationError, match="sample 0: it lacks 'task_query'"):
        of_grit(folder, "refer", {}, {"bboxes": [[2, 1, 50, 30]]})
    with pytest.raises(AnnotationError, match="no task of the family 'draw'"):
        of_grit(folder, "draw", {}, {})


class Whole(NamedTuple):
    """A task of whole images."""

    name: str
    annotation: type[Any]


def test_samples_of_grit_of_all_things_and_all_people(folder: Path) -> None:
    runs = [{"size": [40, 60], "counts": [0, 40, 2360]}, {"size": [40, 60], "counts": [2360, 40]}]
    things = of_grit(folder, Whole("segment_each", Instances), {"task_query": "cup"}, {"masks": runs})
    assert things.name == "cup" and not things.stuff and [one.sum() for one in things.masks] == [40, 40]
    assert things.masks[0][:, 0].all()
    stuff = of_grit(folder, Whole("segment_each", Instances), {"task_query": "grass (Stuff)"}, {"masks": runs[:1]})
    assert stuff.name == "grass" and stuff.stuff
    with pytest.raises(AnnotationError, match="masks: run lengths over 3 pixels, where the image has 2400"):
        wrong = {"masks": [{"size": [40, 60], "counts": [3]}]}
        of_grit(folder, Whole("segment_each", Instances), {"task_query": "cup"}, wrong)
    points = {"points": [[5, 7, 2] * 17, [0, 0, 0] * 17]}
    poses = of_grit(folder, Whole("keypoints_each", PeoplePoses), {"task_query": "person"}, points)
    assert poses.people[0].points[0].tolist() == [7, 5] and not poses.people[1].visible.any()


def test_parts_of_grit(folder: Path) -> None:
    plain = {"data_source": "nyuv2_loc", "is_new_source": True, "has_new_concept": False, "is_distorted": False}
    sample = {"input": {"task_query": "cup"}, "output": {"bboxes": []}, "meta": plain}
    blurred = sample | {"input": {"task_query": "cup", "example_id": "e0_dist"}, "meta": plain | {"is_distorted": True}}
    items = grit(folder, "localise", sample, blurred, sample | {"meta": {}})
    assert [item.parts for item in items] == [
        ("nyuv2_loc", "newSrc", "sameCpt", "undist"), ("nyuv2_loc", "dist"), (),
    ]  # fmt: skip


def test_an_item_is_known_by_its_values_and_the_content_of_its_files(folder: Path) -> None:
    def digest(**values: Any) -> str:
        given = {"image": "photo.png", "name": "sky", "mask": "mask.png"} | values
        return digest_of(annotated_item(family_named("segment"), given, folder, "here", "a", "b").make())

    before = digest()
    assert digest() == before and digest(name="cloud") != before
    (folder / "mask.png").write_bytes((folder / "photo.png").read_bytes())
    assert digest() != before
    assert digest(mask={"size": [40, 60], "counts": [2400]}) == digest(mask={"counts": "P[2", "size": [40, 60]})
    with pytest.raises(AnnotationError, match=r"here: .*lost.png"):
        digest(image="lost.png")


def test_cuboids_of_values(folder: Path) -> None:
    values = {"centre": [1, 2], "depth": 3, "size": [4, 5, 6], "rotation": np.eye(3).tolist()}
    (one,) = made("cuboids", folder, image="photo.png", name="box", cuboids=[values]).cuboids
    assert one.centre == (1.0, 2.0) and one.size == (4.0, 5.0, 6.0) and one.rotation.shape == (3, 3)
    with pytest.raises(AnnotationError, match="cuboids: expected a mapping with centre, depth, rotation, size"):
        made("cuboids", folder, image="photo.png", name="box", cuboids=[{"depth": 3}])


def test_formats_are_listed() -> None:
    assert {"coco", "grit", "jsonl"} <= set(annotation_formats())
    kinds = {*families(), *procedure_names()}
    for name in annotation_formats():
        assert set(families_of_format(name)) <= kinds
    with pytest.raises(UnknownAnnotationFormatError, match="did you mean 'jsonl'"):
        annotation_reader("jsonll")


@pytest.mark.parametrize(
    ("family", "values", "field", "wanted"),
    [
        ("track", {"start": [0, 0, 5, 5], "boxes": [[1, 1, 6, 6], None]}, "boxes", [[1, 1, 6, 6], [np.nan] * 4]),
        ("find_events", {"seconds": 9, "spans": [[1, 2.5]], "labels": ["run"]}, "spans", [[1, 2.5]]),
        ("navigate", {"goal": [1, 0, 2], "position": [0, 0, 0], "heading": 0.5, "moves": ["left"]}, "goal", [1, 0, 2]),
        ("box_properties", {"name": "cup", "property": "width", "values": [[4], [5]]}, "values", [[4], [5]]),
        ("normal_at", {"point": [1, 2], "normal": [0, 1, 0]}, "normal", [0, 1, 0]),
        ("relations", {"name": "cup", "relations": ["on"], "objects": [[0, 0, 5, 5]]}, "objects", [[0, 0, 5, 5]]),
        ("flow", {"flow": "flow.npy"}, "flow", np.ones((40, 60, 2))),
    ],
)
def test_numbers_of_families(folder: Path, family: str, values: dict[str, Any], field: str, wanted: Any) -> None:
    np.save(folder / "flow.npy", np.ones((40, 60, 2)))
    found = getattr(made(family, folder, image="photo.png", **values), field)
    np.testing.assert_array_equal(found, np.asarray(wanted, dtype=np.float32))


def test_only_frames_of_a_track_may_be_without_a_box(folder: Path) -> None:
    with pytest.raises(AnnotationError, match="null is not a box"):
        made("detect", folder, image="photo.png", boxes=[None], labels=["cup"])
    with pytest.raises(AnnotationError, match=r"flow: expected a \.npy file"):
        made("flow", folder, image="photo.png", flow="photo.png")
