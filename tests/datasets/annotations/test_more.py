"""Pascal VOC, label maps, Omni3D and corpora of records become annotations; folders of classes of videos and sounds."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from embodio.datasets.annotations import read_annotations
from embodio.datasets.annotations.omni3d import allocentric
from embodio.datasets.annotations.parts.item import AnnotationError
from embodio.datasets.codecs.image_codec import encode_image
from embodio.model.tasks.families import family_named
from tests.support.datasets.annotated_files import (
    HEIGHT,
    WIDTH,
    draw,
    film,
    items,
    left_out,
    made,
    sing,
    write,
    write_json,
)
from tests.support.model import small


def voc(*objects: str) -> str:
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    return f"<annotation><folder>VOC2007</folder><filename>000005.jpg</filename>{size}{''.join(objects)}</annotation>"


def thing(name: str, box: tuple[int, int, int, int], difficult: int = 0) -> str:
    sides = "".join(f"<{side}>{at}</{side}>" for side, at in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{sides}</bndbox></object>"


def test_pascal_voc_counts_pixels_from_one(tmp_path: Path) -> None:
    draw(tmp_path, "JPEGImages/000005.jpg")
    for name in ("Annotations", "ImageSets/Main"):
        (tmp_path / name).mkdir(parents=True)
    objects = [thing("chair", (1, 1, 10, 20)), thing("chair", (5, 5, WIDTH, HEIGHT)), thing("cup", (5, 5, 9, 9), 1)]
    objects += [thing("pen", (5, 5, WIDTH + 9, 9)), thing("", (5, 5, 9, 9))]
    (tmp_path / "Annotations" / "000005.xml").write_text(voc(*objects))
    (tmp_path / "ImageSets" / "Main" / "val.txt").write_text("000005\n")
    for file in (tmp_path / "Annotations", tmp_path / "ImageSets" / "Main" / "val.txt"):
        (found,) = made("pascal_voc", file, "detect", tmp_path)
        assert found.labels == ("chair", "chair") and found.boxes[0].tolist() == [0, 0, 20, 10]
    assert found.boxes[1].tolist() == [4, 4, HEIGHT, WIDTH]
    assert len(made("pascal_voc", file, "localise", tmp_path)) == 1
    assert [one.text for one in made("pascal_voc", file, "classify", tmp_path)] == ["chair", "chair"]
    assert left_out(items("pascal_voc", file, "detect", tmp_path)) == {
        "an object that is marked as difficult": 1,
        "a box outside its image": 1,
        "an object without a name": 1,
    }
    for text, message in (("<annotation>", "no element found"), ("<annotation/>", "lacks 'size/height'")):
        (tmp_path / "Annotations" / "000005.xml").write_text(text)
        with pytest.raises(AnnotationError, match=rf"000005\.xml: .*{message}"):
            items("pascal_voc", file, "detect", tmp_path)


def test_label_maps_of_ade20k_and_cityscapes(tmp_path: Path) -> None:
    draw(tmp_path / "images", "ADE_val_00000001.jpg", "x_leftImg8bit.png")
    (tmp_path / "annotations").mkdir()
    numbers = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    numbers[:10], numbers[10:20] = 1, 2
    for name in ("ADE_val_00000001", "ADE_val_00000009"):
        Image.fromarray(numbers).save(tmp_path / "annotations" / f"{name}.png")
    table = "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t11\t1\t1\twall\n2\t0.1\t11\t1\t1\tbuilding, edifice\n"
    (tmp_path / "objectInfo150.txt").write_text(table)
    reading: dict[str, Any] = {"names": "objectInfo150.txt"}
    wall, building = made("label_maps", tmp_path / "annotations", "segment", tmp_path / "images", **reading)
    assert (wall.name, building.name) == ("wall", "building") and wall.mask[:10].all() and wall.mask.sum() == 10 * WIDTH
    assert left_out(items("label_maps", tmp_path / "annotations", "segment", tmp_path / "images", **reading)) == {
        "a map whose picture is not in the media folder": 1
    }
    Image.fromarray(numbers).save(tmp_path / "annotations" / "x_gtFine_labelIds.png")
    reading = {"names": {8: "road", 9: "car"}, "target": "_gtFine_labelIds", "picture": "_leftImg8bit", "shift": 7}
    road, _ = made("label_maps", tmp_path / "annotations", "segment", tmp_path / "images", **reading)
    assert road.name == "road" and road.mask[:10].all()
    for names, message in (("none.txt", "there is no 'none.txt'"), ("../objectInfo150.txt", "there is no")):
        with pytest.raises(AnnotationError, match=message):
            items("label_maps", tmp_path / "annotations", "segment", tmp_path / "images", names=names)


def omni3d(folder: Path, *rows: dict[str, Any]) -> Path:
    draw(folder, "kitti/1.jpg")
    intrinsics = [[50, 0, WIDTH / 2], [0, 50, HEIGHT / 2], [0, 0, 1]]
    image = {"id": 1, "width": WIDTH, "height": HEIGHT, "file_path": "kitti/1.jpg", "K": intrinsics}
    return write_json(
        folder, "KITTI_val.json", {"info": {}, "images": [image], "categories": [], "annotations": list(rows)}
    )


def test_boxes_of_omni3d(tmp_path: Path) -> None:
    row = {"id": 1, "image_id": 1, "category_id": 0, "category_name": "car", "valid3D": True, "behind_camera": False}
    row |= {"center_cam": [1.0, 0.5, 5.0], "dimensions": [1.5, 1.2, 4.0], "R_cam": np.eye(3).tolist()}
    others = [{"image_id": 9}, {"valid3D": False}, {"center_cam": [9, 0, 5]}, {"center_cam": [0, 0, 200]}]
    file = omni3d(tmp_path, row, row | {"id": 2, "center_cam": [0, 0, 5]}, *(row | one for one in others))
    (cars,) = made("omni3d", file, "cuboids")
    first, second = cars.cuboids
    assert first.centre == pytest.approx((WIDTH / 2 + 10, HEIGHT / 2 + 5)) and first.depth == 5
    assert first.size == (1.5, 1.2, 4.0) and np.allclose(second.rotation, np.eye(3))
    assert not np.allclose(first.rotation, np.eye(3)), "it is seen from the side"
    assert sum(left_out(items("omni3d", file, "cuboids")).values()) == 4
    with pytest.raises(AnnotationError, match="annotation 3: it lacks 'image_id'"):
        items("omni3d", omni3d(tmp_path, {"id": 3}), "cuboids")


def test_what_looks_alike_has_one_allocentric_rotation() -> None:
    """An object that turns with its ray looks the same wherever it is."""
    for centre in ([0.0, 0, 4], [1.0, -2, 4], [-3.0, 0.5, 2]):
        ray = np.array(centre) / np.linalg.norm(centre)
        turn = allocentric(np.eye(3), np.array(centre))
        assert np.allclose(turn @ ray, [0, 0, 1]) and np.linalg.det(turn) == pytest.approx(1)
        assert np.allclose(allocentric(turn.T, np.array(centre)), np.eye(3))


def test_records_of_a_corpus(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "00000.tar", "w") as archive:
        members = {"a.png": encode_image(small.image(0), "png"), "a.txt": b"a red cup", "b.txt": b"text alone"}
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    found = read_annotations("records", tmp_path / "00000.tar", tmp_path, family_named("caption"))
    caption: Any = found[0].make()
    write("caption", caption)
    assert caption.text == "a red cup" and (caption.media.image == small.image(0)).all() and len(found) == 2
    drawn: Any = read_annotations("records", tmp_path / "00000.tar", tmp_path, family_named("draw"))[0].make()
    assert drawn.text == "a red cup" and drawn.drawn.shape == (40, 24, 3)
    with pytest.raises(AnnotationError, match=r"record 1 \(b\): it has no image or sound, as caption needs"):
        found[1].make()
    with pytest.raises(AnnotationError, match=r"no caption|no image or sound|no transcript"):
        read_annotations("records", tmp_path / "00000.tar", tmp_path, family_named("transcribe"))[0].make()
    with pytest.raises(AnnotationError, match="none"):
        read_annotations("records", tmp_path / "none.tar", tmp_path, family_named("caption"))


def test_folders_of_videos_and_sounds(tmp_path: Path) -> None:
    film(tmp_path, "ApplyEyeMakeup/v_1.mp4")
    sing(tmp_path, "dog_bark/1.wav")
    bark, paint = sorted(made("class_folders", tmp_path, "tag", frames=2), key=lambda one: str(one.text))[::-1]
    assert (bark.text, paint.text) == ("dog bark", "Apply Eye Makeup")
    assert len(bark.media.audio) == 16_000 and len(paint.media.image_history) == 1
