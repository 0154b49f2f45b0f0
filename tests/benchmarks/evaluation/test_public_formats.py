"""Suites of files in public formats: items, settings of the format, and figures of an object with `run`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from embodio.benchmarks.evaluation.evaluate import main
from tests.support.datasets.annotated_files import HEIGHT, WIDTH, draw, write_json

SUITE = """
tasks:
  names: {family: classify, format: coco, file: instances.json, media: pictures}
  masks: {family: segment, format: coco, file: instances.json, media: pictures, reading: {per: name}}
"""


class Knowing:
    """Names every object a cup, and finds all of the picture."""

    def run(self, family: str, asked: Sequence[Any], *, seeds: Sequence[int], **how: Any) -> list[Any]:
        if family == "classify":
            return [replace(one, text="cup") for one in asked]
        full = [one.media.image[..., 0] >= 0 for one in asked]
        return [replace(one, mask=mask) for one, mask in zip(asked, full, strict=True)]


def knowing() -> Knowing:
    return Knowing()


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    draw(tmp_path / "pictures", "1.jpg")
    images = [{"id": 1, "file_name": "1.jpg", "width": WIDTH, "height": HEIGHT}]
    outline = [[0, 0, WIDTH, 0, WIDTH, HEIGHT / 2, 0, HEIGHT / 2]]
    rows = [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, WIDTH, HEIGHT / 2], "segmentation": outline},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [5, 4, 10, 20], "segmentation": [[5, 4, 15, 4, 15, 24]]},
        {"id": 3, "image_id": 9, "category_id": 2, "bbox": [5, 4, 10, 20], "segmentation": []},
    ]
    categories = [{"id": 1, "name": "cup"}, {"id": 2, "name": "pen"}]
    write_json(tmp_path, "instances.json", {"images": images, "annotations": rows, "categories": categories})
    (tmp_path / "mine.yaml").write_text(SUITE)
    return tmp_path / "mine.yaml"


def test_a_suite_of_coco(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = suite.parent / "out"
    arguments = [f"suite={suite}", f"model={__name__}:knowing", f"out={out}", "resamples=20"]
    assert main(arguments) == 0
    found = json.loads((out / "results.json").read_text())["tasks"]
    assert found["names"]["items"] == 2
    assert found["names"]["metrics"]["exact_match"]["exact_match"]["value"] == 0.5
    assert 0.25 < found["masks"]["metrics"]["mask_iou"]["mask_iou"]["value"] < 0.5


def test_a_setting_that_the_format_lacks_is_named(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite.write_text(SUITE.replace("per: name", "by: name"))
    assert main([f"suite={suite}", f"model={__name__}:knowing", f"out={suite.parent / 'out'}"]) == 1
    assert "coco has no setting 'by'; it has per" in capsys.readouterr().err
