"""`embodio-data annotations` shows what a file holds, what was left out, and a page of examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from embodio.train.commands.data.data import main
from tests.support.datasets.annotated_files import HEIGHT, WIDTH, draw, write_json


@pytest.fixture
def file(tmp_path: Path) -> Path:
    draw(tmp_path, "1.jpg")
    images = [{"id": key, "file_name": f"{key}.jpg", "width": WIDTH, "height": HEIGHT} for key in (1, 2)]
    boxes = ((1, [5, 4, 10, 20]), (2, [0, 0, 9, 8]), (1, [50, 0, 90, 8]))
    rows = [{"id": at, "image_id": image, "category_id": 1, "bbox": box} for at, (image, box) in enumerate(boxes)]
    content = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "cup"}]}
    return write_json(tmp_path, "instances.json", content)


def test_a_file_is_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotations", str(file), "format=coco", "family=classify", f"out={file.parent / 'page.html'}"]) == 0
    shown = capsys.readouterr().out
    assert (
        "2 items of classify, 2 groups, read by coco" in shown and "cup" in shown and "[4.0, 5.0, 24.0, 15.0]" in shown
    )
    assert "left out: 1, a box outside its image; the first one is annotation 2" in shown
    assert "2.jpg" in shown, "the picture that is missing is named"
    page = (file.parent / "page.html").read_text()
    assert "cup" in page and "data:image/png" in page and "1 examples" in shown
    named = ["format=coco", "family=classify", f"out={file.parent / 'named.html'}", "vocabulary=text-nano"]
    assert main(["annotations", str(file), *named]) == 0 and "cup" in (file.parent / "named.html").read_text()


def test_settings_and_mistakes(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = file.parent / "rows.jsonl"
    table.write_text('{"name": "1.jpg", "words": "a cup"}')
    fields = "fields={image: name, text: words}"
    assert main(["annotations", str(table), "format=table", "family=caption", fields]) == 0
    assert "a cup" in capsys.readouterr().out
    assert main(["annotations", str(file), "format=coco", "family=segment", "reading={per: objects}"]) == 1
    assert "per: got 'objects', expected instance or name" in capsys.readouterr().err
    for arguments, message in (
        (["format=cocoa", "family=detect"], "did you mean 'coco'"),
        (["format=coco", "family=tag"], "it opens caption"),
        (["format=coco", "family=detekt"], "did you mean 'detect'"),
        (["format=coco", "family=classify", "out=x.html", "vocabulary=text-nan"], "text-nano ships"),
    ):
        assert main(["annotations", str(file), *arguments]) == 1
        assert message in capsys.readouterr().err
