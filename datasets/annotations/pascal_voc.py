"""Pascal VOC: objects in pictures, an XML file for each picture.

Reads the folder Annotations of VOC 2007 and 2012 (host.robots.ox.ac.uk/pascal/VOC), and what tools export like it:

    <annotation><filename>2007_000027.jpg</filename><size><width>486</width><height>500</height></size>
      <object><name>person</name><difficult>0</difficult>
        <bndbox><xmin>174</xmin><ymin>101</ymin><xmax>349</xmax><ymax>351</ymax></bndbox></object></annotation>

The annotations are the folder, at any depth, or a list such as ImageSets/Main/val.txt, with Annotations next to
ImageSets. The first pixel is 1, and the last one belongs to the box, so a box is (ymin - 1, xmin - 1, ymax, xmax).
Objects that are marked as difficult are left out and counted. The boxes of all files are held in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, file_text
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.locations.places import fault_of_box

_SCHEMA = "an annotation of Pascal VOC with filename, size and objects"
Found = list[tuple[list[float], str]]


def read_pascal_voc(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The objects of all pictures: `detect` takes all of a picture, `localise` those of one name, `classify` each.

    Raises:
        AnnotationError: there is no such folder or list, or a file is not of VOC.
    """
    found, index = ItemList(file, folder, family), MediaIndex(folder, "image")
    for path in _files(file):
        objects: Found = []
        with expecting(path, _SCHEMA):
            root = _root(file_text(path))
            size = (float(_text(root, "size/height")), float(_text(root, "size/width")))
            name = index.find(PurePosixPath(_text(root, "filename")).stem, path.stem)
            for number, one in enumerate(root.iter("object")):
                box, place = _box(one), f"object {number} of {path.name}"
                if _text(one, "difficult", "0") == "1":
                    found.leave_out("an object that is marked as difficult", place)
                elif fault := fault_of_box(box, size) or ("" if _text(one, "name") else "an object without a name"):
                    found.leave_out(fault, place)
                else:
                    objects.append((box, _text(one, "name")))
        if name is None:
            found.leave_out("a picture that is not in the media folder", path.name)
        else:
            _add(found, path.stem, name, objects)
    return found.done()


def _add(found: ItemList, key: str, image: str, objects: Found) -> None:
    """Adds the objects of a picture."""
    if found.family.name == "detect":
        values = {"boxes": [box for box, _ in objects], "labels": [name for _, name in objects]}
        found.add(key, image, {"image": image, **values}, key)
    elif found.family.name == "classify":
        for number, (box, name) in enumerate(objects):
            found.add(f"{key}/{number}", image, {"image": image, "box": box, "text": name}, key)
    else:
        several: dict[str, list[list[float]]] = defaultdict(list)
        for box, name in objects:
            several[name].append(box)
        for name, boxes in several.items():
            values = {"name": name, "boxes": boxes, "labels": [name] * len(boxes)}
            found.add(f"{key}/{name}", image, {"image": image, **values}, key)


def _files(file: Path) -> Iterator[Path]:
    if file.is_dir():
        yield from sorted(file.rglob("*.xml"))
        return
    home = next((one / "Annotations" for one in file.parents if (one / "Annotations").is_dir()), None)
    if home is None:
        raise AnnotationError(f"{file}: expected a folder of XML files, or a list with a folder Annotations above it")
    for line in file_text(file).splitlines():
        if line.strip():
            yield home / f"{PurePosixPath(line.split()[0]).name}.xml"


def _root(text: str) -> ElementTree.Element:
    """The root of XML; raises ValueError if it is not such."""
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML: {error}") from error


def _text(element: ElementTree.Element, path: str, otherwise: str | None = None) -> str:
    """The text of a part; raises KeyError if it is not there."""
    text = element.findtext(path, otherwise)
    if text is None:
        raise KeyError(path)
    return text.strip()


def _box(element: ElementTree.Element) -> list[float]:
    top, left, bottom, right = (float(_text(element, f"bndbox/{side}")) for side in ("ymin", "xmin", "ymax", "xmax"))
    return [top - 1, left - 1, bottom, right]


READ = read_pascal_voc
FAMILIES = ("detect", "localise", "classify")
