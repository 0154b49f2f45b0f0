"""docs/annotations.md: its table is what the formats open, its Python and its suite are right."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from embodio.datasets.annotations import annotation_formats, annotation_reader, families_of_format
from tests.support.datasets.annotated_files import HEIGHT, WIDTH, draw, write_json
from tests.support.rooms import REPO

PAGE = (REPO / "docs" / "annotations.md").read_text(encoding="utf-8")


def rows() -> dict[str, list[str]]:
    """Format -> the cells of its row."""
    table = PAGE[PAGE.index("| format |") :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return {line[0].strip("`"): line for line in cells}


def test_every_format_is_in_the_table_with_its_families_and_settings() -> None:
    assert sorted(rows()) == annotation_formats()
    for name, (_, _, families, settings) in rows().items():
        assert tuple(families.split(", ")) == (families_of_format(name) or ("all",)), name
        parameters = inspect.signature(annotation_reader(name)).parameters.values()
        assert re.findall(r"`(\w+)`", settings) == [one.name for one in parameters if one.kind is one.KEYWORD_ONLY], (
            name
        )


def test_the_python_of_the_page(tmp_path: Path, capsys: object) -> None:
    draw(tmp_path, "1.jpg")
    images = [{"id": 1, "file_name": "1.jpg", "width": WIDTH, "height": HEIGHT}]
    row = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 4, 10, 20]}
    content = {"images": images, "annotations": [row], "categories": [{"id": 1, "name": "cup"}]}
    names: dict[str, object] = {}
    for snippet in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(snippet, "annotations.md", "exec"), names)
    shown = names["boxes_of"]
    assert callable(shown)
    shown(str(write_json(tmp_path, "i.json", content)), str(tmp_path))
