"""Captions of pictures in lists: Flickr30k, Flickr8k and the splits of Karpathy.

    Flickr30k (`results_20130124.token`)      lines "1000092795.jpg#0<tab>Two young guys ..."; Flickr8k.token.txt too
    CSV and TSV (Flickr8k, `captions.txt`)    image or file_name, and caption; several rows a picture
    Karpathy's splits of COCO and Flickr      {"images": [{"filename", "filepath", "split", "sentences": [{"raw"}]}]}
    (`dataset_coco.json`, arXiv 1412.2306)

COCO's own captions are read by `coco`. A picture is found by its name, in whatever folder. The file is held in memory,
as Python objects about five times its size.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, file_text, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex
from embodio.datasets.annotations.parts.rows import one_of, open_rows
from embodio.model.tasks.base.family import Family

_KARPATHY = "an object of Karpathy's splits with images that have filename and sentences"
_ROW = "a row with image or file_name, and caption"


def read_image_captions(file: Path, folder: Path, family: Family[Any], *, split: str = "") -> AnnotatedItems:
    """The pictures of a file: `caption` takes all captions of one together, `draw` each of them.

    Args:
        file: the captions.
        folder: of the pictures.
        family: `caption` or `draw`.
        split: of Karpathy's splits, takes the pictures of this one (train, restval, val or test); "" for all.

    Raises:
        AnnotationError: the file is in none of the forms.
    """
    found, index = ItemList(file, folder, family), MediaIndex(folder, "image")
    several: dict[str, list[str]] = {}
    for picture, text, place in _captions(file, split):
        with expecting(f"{file}, {place}", "one picture of the name"):
            name = index.find(PurePosixPath(picture).stem)
        if name is None:
            found.leave_out("a picture that is not in the media folder", place)
        elif not text:
            found.leave_out("an empty caption", place)
        else:
            several.setdefault(name, []).append(text)
    for name, texts in several.items():
        if family.name == "caption":
            found.add(name, name, {"image": name, "text": texts[0], "references": texts}, f"image {name}")
            continue
        for number, text in enumerate(texts):
            found.add(f"{name}/{number}", name, {"text": text, "drawn": name}, f"image {name}")
    return found.done()


def _captions(file: Path, split: str) -> Iterator[tuple[str, str, str]]:
    """Picture, caption and place of each caption."""
    if file.suffix == ".json":
        content = parsed_file(file, dict, _KARPATHY)
        with expecting(file, _KARPATHY):
            for number, image in enumerate(content["images"]):
                if split in ("", image.get("split")):
                    for sentence in image["sentences"]:
                        yield str(image["filename"]), str(sentence["raw"]).strip(), f"image number {number}"
        return
    if file.suffix in (".token", ".txt") and "#" in file_text(file).partition("\t")[0]:
        for number, line in enumerate(file_text(file).splitlines(), start=1):
            name, _, text = line.partition("\t")
            if name.strip():
                yield name.rpartition("#")[0], text.strip(), f"line {number}"
        return
    rows = open_rows(file, delimiter="," if file.suffix == ".txt" else "")
    for number in range(len(rows)):
        row, place = rows.row(number), rows.place(number)
        with expecting(f"{file}, {place}", _ROW):
            picture, text = str(one_of(row, "image", "file_name", "image_name")), str(row["caption"]).strip()
        yield picture, text, place


READ = read_image_captions
FAMILIES = ("caption", "draw")
