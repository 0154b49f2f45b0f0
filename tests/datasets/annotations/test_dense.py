"""Depth, normals, masks and classes of whole pictures in the public formats of NYU, DIODE, ScanNet and ImageNet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embodio.datasets.annotations.parts.item import AnnotationError
from tests.support.datasets.annotated_files import HEIGHT, WIDTH, draw, items, left_out, made


def write_nyu(folder: Path) -> Path:
    """Two rooms as MATLAB stores them: columns before rows, names as references to UTF-16."""
    h5py = pytest.importorskip("h5py")
    images = np.arange(2 * 3 * WIDTH * HEIGHT).reshape(2, 3, WIDTH, HEIGHT).astype(np.uint8)
    depths = np.full((2, WIDTH, HEIGHT), 2.5, dtype=np.float32)
    depths[0, 0, 1], depths[0, 1, 0] = 12, np.nan
    labels = np.zeros((2, WIDTH, HEIGHT), dtype=np.uint16)
    labels[0, :10], labels[0, 10:20], labels[1] = 1, 2, 3
    with h5py.File(folder / "nyu.mat", "w") as file:
        for name, values in (("images", images), ("depths", depths), ("labels", labels)):
            file[name] = values
        references = []
        for number, name in enumerate(("night stand", "wall")):
            file[f"#refs#/{number}"] = np.array([[ord(one)] for one in name], dtype=np.uint16)
            references.append(file[f"#refs#/{number}"].ref)
        file.create_dataset("names", data=np.array([references], dtype=h5py.ref_dtype))
    return folder / "nyu.mat"


def test_rooms_of_nyu(tmp_path: Path) -> None:
    import h5py
    import scipy.io

    file = write_nyu(tmp_path)
    first, _ = made("nyu", file, "depth")
    with h5py.File(file) as content:
        stored = content["images"][0]
    assert first.media.image.shape == (HEIGHT, WIDTH, 3) and (first.media.image[3, 7] == stored[:, 7, 3]).all()
    assert first.depth[5, 5] == pytest.approx(0.25) and first.depth[1, 0] == 1 and first.depth[0, 1] == 0
    stand, wall = made("nyu", file, "segment")
    assert (stand.name, wall.name) == ("night stand", "wall") and stand.mask[:, :10].all() and stand.mask.sum() == 400
    assert left_out(items("nyu", file, "segment")) == {"a label without a name": 1}
    scipy.io.savemat(tmp_path / "splits.mat", {"trainNdxs": np.array([[1]]), "testNdxs": np.array([[2]])})
    assert [one.key for one in items("nyu", file, "depth", split="test")] == ["1"]
    for split, message in (("val", "expected train or test"), ("train", "splits.mat: it cannot be read")):
        (tmp_path / "splits.mat").write_bytes(b"x")
        with pytest.raises(AnnotationError, match=message):
            items("nyu", file, "depth", split=split)
    file.write_bytes(b"not HDF5")
    with pytest.raises(AnnotationError, match="cannot be read as HDF5"):
        items("nyu", file, "depth")


def test_depth_and_normals_of_diode(tmp_path: Path) -> None:
    stem = "scene_00019/scan_00183/00019_00183_outdoor_000_000"
    draw(tmp_path, f"{stem}.png")
    depth = np.full((HEIGHT, WIDTH, 1), 10, dtype=np.float32)
    valid = np.ones((HEIGHT, WIDTH), dtype=np.float32)
    valid[0] = 0
    normals = np.zeros((HEIGHT, WIDTH, 3), dtype=np.float32)
    normals[1:, :, 2] = -2
    for name, values in (("depth", depth), ("depth_mask", valid), ("normal", normals)):
        np.save(tmp_path / f"{stem}_{name}.npy", values)
    (found,) = made("maps", tmp_path, "depth", target="_depth", furthest=50)
    assert found.depth.dtype == np.float32 and not found.depth[0].any() and np.allclose(found.depth[1:], 0.2)
    (found,) = made("maps", tmp_path, "normals", target="_normal")
    assert not found.normals[0].any() and np.allclose(found.normals[1:], [0, 0, -1])


def test_maps_as_pictures(tmp_path: Path) -> None:
    draw(tmp_path / "rgb", "a.color.jpg", "0001.jpg")
    (tmp_path / "maps").mkdir()
    colours = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    colours[5:] = (128, 128, 255)
    Image.fromarray(colours).save(tmp_path / "maps" / "a.normal.png")
    (found,) = made("maps", tmp_path / "maps", "normals", tmp_path / "rgb", picture=".color", target=".normal")
    assert not found.normals[:5].any() and np.allclose(found.normals[5:], [0, 0, 1], atol=0.01)
    for number, side in (("0001", WIDTH), ("0002", WIDTH)):
        Image.fromarray(np.full((HEIGHT, side), 2500, dtype=np.uint16)).save(tmp_path / "maps" / f"{number}.png")
    (found,) = made("maps", tmp_path / "maps", "depth", tmp_path / "rgb", unit=1000)
    assert np.allclose(found.depth, 0.25)
    assert left_out(items("maps", tmp_path / "maps", "depth", tmp_path / "rgb")) == {
        "a map whose picture is not in the media folder": 2
    }
    Image.fromarray(np.full((HEIGHT, 20), 2500, dtype=np.uint16)).save(tmp_path / "maps" / "0001.png")
    with pytest.raises(AnnotationError, match="depth: it has 40 x 20 pixels, and the image 40 x 60"):
        items("maps", tmp_path / "maps", "depth", tmp_path / "rgb")[0].make()
    for reading, message in (({"unit": 0}, "expected positive numbers"), ({"metres": 2}, "no setting 'metres'")):
        with pytest.raises(AnnotationError, match=message):
            items("maps", tmp_path / "maps", "depth", **reading)
    with pytest.raises(AnnotationError, match="expected a folder of maps"):
        items("maps", tmp_path / "rgb" / "0001.jpg", "depth")


def test_folders_of_classes(tmp_path: Path) -> None:
    draw(
        tmp_path,
        "train/n01440764/n01440764_10026.jpg",
        "train/n99999999/x.jpg",
        "train/001.Black_footed_Albatross/1.jpg",
    )
    (tmp_path / "LOC_synset_mapping.txt").write_text("n01440764 tench, Tinca tinca\nn01443537 goldfish\n")
    bird, fish = made("class_folders", tmp_path / "train", "classify", tmp_path)
    assert (
        bird.text == "Black footed Albatross" and fish.text == "tench" and fish.references == ("tench", "Tinca tinca")
    )
    assert left_out(items("class_folders", tmp_path / "train", "classify", tmp_path)) == {"a class without a name": 1}
    (bird, _) = made("class_folders", tmp_path / "train", "classify", tmp_path, choices=True)
    assert bird.choices == ("Black footed Albatross", "tench")
    with pytest.raises(AnnotationError, match="outside of the folder of media"):
        items("class_folders", tmp_path / "train", "classify", tmp_path / "train" / "n01440764")
    with pytest.raises(AnnotationError, match="expected a folder with a folder for each class"):
        items("class_folders", tmp_path / "LOC_synset_mapping.txt", "classify")
