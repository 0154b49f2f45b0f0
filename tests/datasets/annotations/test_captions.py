"""Captions of pictures in the public lists: Flickr30k, Flickr8k and Karpathy's splits."""

from __future__ import annotations

from pathlib import Path

import pytest

from embodio.datasets.annotations.parts.item import AnnotationError
from tests.support.datasets.annotated_files import draw, items, left_out, made, write_json


def test_flickr30k_gathers_the_captions_of_a_picture(tmp_path: Path) -> None:
    draw(tmp_path, "images/1000092795.jpg")
    file = tmp_path / "results_20130124.token"
    lines = (
        "1000092795.jpg#0\tTwo guys .",
        "1000092795.jpg#1\tThey talk , outside .",
        "1.jpg#0\tx",
        "1000092795.jpg#2\t ",
    )
    file.write_text("\n".join(lines))
    (caption,) = made("image_captions", file, "caption")
    assert caption.references == ("Two guys .", "They talk , outside .")
    assert [one.text for one in made("image_captions", file, "draw")] == list(caption.references)
    found = items("image_captions", file, "caption")
    assert left_out(found) == {"a picture that is not in the media folder": 1, "an empty caption": 1}
    assert found.left_out[0].first == "line 3"


def test_tables_and_karpathys_splits(tmp_path: Path) -> None:
    draw(tmp_path, "a.jpg", "val2014/b.jpg")
    (tmp_path / "captions.txt").write_text('image,caption\na.jpg,"A dog, running ."\n')
    assert made("image_captions", tmp_path / "captions.txt", "caption")[0].text == "A dog, running ."
    images = [
        {"filename": "a.jpg", "split": "train", "sentences": [{"raw": "One."}], "imgid": 0},
        {"filename": "b.jpg", "filepath": "val2014", "split": "test", "sentences": [{"raw": "Two. "}, {"raw": "B."}]},
    ]
    file = write_json(tmp_path, "dataset_coco.json", {"images": images, "dataset": "coco"})
    (caption,) = made("image_captions", file, "caption", split="test")
    assert caption.references == ("Two.", "B.") and len(items("image_captions", file, "caption")) == 2
    with pytest.raises(AnnotationError, match="lacks 'sentences'"):
        items("image_captions", write_json(tmp_path, "bad.json", {"images": [{"filename": "a.jpg"}]}), "caption")
    (tmp_path / "bad.csv").write_text("picture,words\na.jpg,x\n")
    with pytest.raises(AnnotationError, match="row 1: it lacks 'image or file_name or image_name'"):
        items("image_captions", tmp_path / "bad.csv", "caption")
