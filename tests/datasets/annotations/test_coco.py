"""COCO files become annotations: boxes, masks, keypoints and captions, and what cannot be used is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from embodio.datasets.annotations.parts.item import AnnotationError
from tests.support.datasets.annotated_files import HEIGHT, WIDTH, draw, items, left_out, made, write_json

mask = pytest.importorskip("pycocotools.mask")


def runs(box: list[int]) -> dict[str, Any]:
    """Run lengths in COCO's text of the pixels of a box (x, y, w, h)."""
    x, y, width, height = box
    pixels = np.zeros((HEIGHT, WIDTH), dtype=np.uint8, order="F")
    pixels[y : y + height, x : x + width] = 1
    found = mask.encode(pixels)
    return {"size": found["size"], "counts": found["counts"].decode()}


def instances(**changes: Any) -> dict[str, Any]:
    images = [{"id": key, "file_name": f"{key}.jpg", "width": WIDTH, "height": HEIGHT} for key in (1, 2)]
    categories = [{"id": 1, "name": "person"}, {"id": 18, "name": "traffic_light"}]
    square = [[5.0, 4.0, 15.0, 4.0, 15.0, 24.0, 5.0, 24.0]]
    annotations = [
        {"id": 10, "image_id": 1, "category_id": 1, "bbox": [5, 4, 10, 20], "iscrowd": 0, "segmentation": square},
        {"id": 11, "image_id": 1, "category_id": 1, "bbox": [30, 6, 5, 5], "iscrowd": 0}
        | {"segmentation": runs([30, 6, 5, 5])},
        {"id": 12, "image_id": 1, "category_id": 1, "bbox": [40, 0, 20, 40], "iscrowd": 1}
        | {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [40 * HEIGHT, 20 * HEIGHT]}},
        {
            "id": 13,
            "image_id": 2,
            "category_id": 18,
            "bbox": [0, 0, 9, 8],
            "iscrowd": 0,
            "segmentation": [[0, 0, 9, 0, 9, 8]],
        },
    ]
    return {
        "info": {},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": categories,
    } | changes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw(tmp_path, "1.jpg", "2.jpg")
    return tmp_path


def test_boxes_have_y_first_and_end_at_the_far_edge(folder: Path) -> None:
    file = write_json(folder, "instances.json", instances())
    first, second = made("coco", file, "detect")
    assert first.boxes.tolist() == [[4, 5, 24, 15], [6, 30, 11, 35]] and first.labels == ("person", "person")
    assert second.labels == ("traffic light",) and second.names == ("person", "traffic light")
    person, light = made("coco", file, "localise")
    assert person.name == "person" and len(person.boxes) == 2 and light.boxes.tolist() == [[0, 0, 8, 9]]
    assert [one.text for one in made("coco", file, "classify")] == ["person", "person", "traffic light"]
    (hidden, *_) = made("coco", file, "inpaint")
    assert hidden.box.tolist() == [4, 5, 24, 15] and hidden.drawn.shape == (HEIGHT, WIDTH, 3)
    first_item = items("coco", file, "classify")[0]
    assert (first_item.key, first_item.group) == ("10", "1.jpg")


def test_masks_of_objects_and_of_names(folder: Path) -> None:
    file = write_json(folder, "instances.json", instances())
    square, block, triangle = made("coco", file, "segment")
    assert square.mask[4:24, 5:15].all() and square.mask.sum() == 200 and square.name == "person"
    assert block.mask.sum() == 25 and block.box.tolist() == [6, 30, 11, 35] and triangle.mask.sum() > 20
    assert left_out(items("coco", file, "segment")) == {"a crowd": 1}
    whole, _ = made("coco", file, "segment", per="name")
    assert whole.box is None and whole.mask.sum() == 200 + 25 + 20 * HEIGHT, "crowds belong to all objects of a name"


def test_keypoints_of_people(folder: Path) -> None:
    seen = [7, 9, 2, 8, 10, 1, *[0] * 45]
    rows = instances()["annotations"][:2]
    rows[0] |= {"keypoints": seen, "num_keypoints": 2}
    rows[1] |= {"keypoints": [0] * 51, "num_keypoints": 0}
    file = write_json(folder, "person_keypoints.json", instances(annotations=rows))
    (person,) = made("coco", file, "keypoints")
    assert person.keypoints.points[0].tolist() == [9, 7] and person.keypoints.visible.sum() == 2
    assert left_out(items("coco", file, "keypoints")) == {"nothing of it is visible": 1}


def test_captions(folder: Path) -> None:
    rows = [{"id": key, "image_id": 1, "caption": text} for key, text in enumerate((" A dog. ", "Dogs", " "))]
    rows.append({"id": 9, "image_id": 77, "caption": "lost"})
    file = write_json(folder, "captions.json", instances(annotations=rows))
    (caption,) = made("coco", file, "caption")
    assert caption.text == "A dog." and caption.references == ("A dog.", "Dogs")
    found = items("coco", file, "caption")
    assert left_out(found) == {"an empty caption": 1, "an image_id that no image has": 1}
    assert [one.first for one in found.left_out] == ["annotation 2", "annotation 9"]
    assert [one.text for one in made("coco", file, "draw")] == ["A dog.", "Dogs"]


def test_what_cannot_be_used_is_counted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    wrong = [
        {"id": 1, "image_id": 5, "category_id": 1, "bbox": [0, 0, 5, 5]},
        {"id": 2, "image_id": 1, "category_id": 99, "bbox": [0, 0, 5, 5]},
        {"id": 3, "image_id": 1, "category_id": 1, "bbox": [0, 0, 0, 5]},
        {"id": 4, "image_id": 1, "category_id": 1, "bbox": [50, 0, 20, 5]},
        {"id": 5, "image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]},
    ]
    categories = [{"id": 1, "name": "person"}, {"id": 99, "name": ""}]
    file = write_json(folder, "instances.json", instances(annotations=wrong, categories=categories))
    found = items("coco", file, "classify")
    assert len(found) == 1 and left_out(found) == {
        "an image_id that no image has": 1,
        "a category_id without a name": 1,
        "a box without an area": 1,
        "a box outside its image": 1,
    }
    assert "a box outside its image; the first one is annotation 4" in caplog.text
    file = write_json(folder, "instances.json", instances(annotations=wrong[:2]))
    with pytest.raises(AnnotationError, match="not one item of classify in it; 1 were left out"):
        items("coco", file, "classify")


def test_mistakes_are_named(folder: Path) -> None:
    rows = instances()["annotations"]
    for content, message in (
        ([], "expected an object of COCO"),
        ({"annotations": []}, "lacks 'images'"),
        (instances(annotations=[{"id": 1}]), "number 0 of the annotations: it lacks 'image_id'"),
        (instances(annotations=[rows[0] | {"bbox": [1, 2]}]), "not enough values to unpack"),
    ):
        with pytest.raises(AnnotationError, match=message):
            items("coco", write_json(folder, "bad.json", content), "detect")
    with pytest.raises(AnnotationError, match="lacks 'keypoints'"):
        items("coco", write_json(folder, "bad.json", instances()), "keypoints")
    with pytest.raises(AnnotationError, match="opens caption, caption_several, draw, detect"):
        items("coco", write_json(folder, "bad.json", instances()), "tag")
    with pytest.raises(AnnotationError, match="no setting 'by'; it has per"):
        items("coco", folder / "bad.json", "segment", by="name")
    with pytest.raises(AnnotationError, match="cannot be read"):
        items("coco", folder / "none.json", "detect")


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 2, 3, 4]], "at least three points"),
        ([], "expected polygons or run lengths"),
        ({"size": [4, 4], "counts": [16]}, r"run lengths of an image of \(4, 4\)"),
        ({"size": [HEIGHT, WIDTH], "counts": [5]}, "run lengths over 5 pixels"),
        ({"size": [HEIGHT, WIDTH], "counts": "\u00e9"}, "hold the character"),
        ({"size": [HEIGHT, WIDTH], "counts": "o"}, "end inside a number"),
    ],
)
def test_damaged_masks_are_named(folder: Path, segmentation: Any, message: str) -> None:
    row = instances()["annotations"][0] | {"segmentation": segmentation}
    (item,) = items("coco", write_json(folder, "bad.json", instances(annotations=[row])), "segment")
    with pytest.raises(AnnotationError, match=rf"annotation 10: mask: .*{message}"):
        item.make()


def test_pictures_are_read_from_the_folder_alone(folder: Path) -> None:
    draw(folder, "inner/1.jpg", "secret.jpg")
    for name, message in (
        ("../secret.jpg", "not that of a file inside the folder"),
        ("/etc/passwd", "not that of a file inside the folder"),
        ("lost.jpg", "lost.jpg"),
        ("link.jpg", "leads through a link"),
    ):
        (folder / "inner" / "link.jpg").unlink(missing_ok=True)
        (folder / "inner" / "link.jpg").symlink_to(folder / "secret.jpg")
        images = [{"id": 1, "file_name": name, "width": WIDTH, "height": HEIGHT}]
        rows = instances()["annotations"][:1]
        file = write_json(folder, "instances.json", instances(images=images, annotations=rows))
        with pytest.raises(AnnotationError, match=f"image 1: image: .*{message}"):
            items("coco", file, "detect", folder / "inner")[0].make()


def test_images_by_their_address_as_in_lvis(folder: Path) -> None:
    draw(folder, "val2017/7.jpg")
    images = [{"id": 1, "coco_url": "http://images.cocodataset.org/val2017/7.jpg", "width": WIDTH, "height": HEIGHT}]
    rows = instances()["annotations"][:1]
    (found,) = made("coco", write_json(folder, "lvis.json", instances(images=images, annotations=rows)), "detect")
    assert found.labels == ("person",)


def test_categories_of_whole_images_as_in_inaturalist(folder: Path) -> None:
    pairs = ((1, 1), (2, 9), (7, 1))
    rows = [{"id": key, "image_id": image, "category_id": name} for key, (image, name) in enumerate(pairs)]
    file = write_json(folder, "train2017.json", instances(annotations=rows))
    (found,) = made("coco", file, "classify")
    assert found.text == "person" and found.box is None
    assert left_out(items("coco", file, "classify")) == {
        "a category_id without a name": 1,
        "an image_id that no image has": 1,
    }


def panoptic(folder: Path, segments: list[dict[str, Any]]) -> Path:
    """A picture whose left half is segment 70000 and whose right half is 258, above 300."""
    ids = np.full((HEIGHT, WIDTH), 70_000)
    ids[:, WIDTH // 2 :] = 258
    ids[HEIGHT // 2 :, WIDTH // 2 :] = 300
    (folder / "panoptic_val").mkdir()
    colours = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=2).astype(np.uint8)
    Image.fromarray(colours).save(folder / "panoptic_val" / "1.png")
    row = {"image_id": 1, "file_name": "1.png", "segments_info": segments}
    categories = [{"id": 1, "name": "sky", "isthing": 0}, {"id": 2, "name": "dog", "isthing": 1}]
    return write_json(folder, "panoptic_val.json", instances(annotations=[row], categories=categories))


def test_panoptic_segments_of_one_name_are_one_mask(folder: Path) -> None:
    ids = ((70_000, 1), (258, 2), (300, 2), (9, 77))
    segments = [{"id": key, "category_id": category, "area": 1, "iscrowd": 0} for key, category in ids]
    file = panoptic(folder, segments)
    sky, dogs = made("coco_panoptic", file, "segment")
    assert (sky.name, dogs.name) == ("sky", "dog") and not (sky.mask & dogs.mask).any() and (sky.mask | dogs.mask).all()
    assert sky.mask[:, : WIDTH // 2].all() and dogs.mask.sum() == HEIGHT * WIDTH // 2
    assert left_out(items("coco_panoptic", file, "segment")) == {"a category_id without a name": 1}


def test_images_without_objects_have_no_boxes(folder: Path) -> None:
    first, second = made("coco", write_json(folder, "i.json", instances(annotations=[])), "detect")
    assert first.boxes.shape == second.boxes.shape == (0, 4)
