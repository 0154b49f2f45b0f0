"""VGG-SS: where in the middle frame of a video its sound comes from.

Reads `vggss.json` (github.com/hche11/Localizing-Visual-Sounds-the-Hard-Way, metadata, and its README for the media):

    [{"file": "ID_000030", "class", "bbox": [[x1, y1, x2, y2] as shares of width and height]}]

The folder of media holds ID_000030.jpg and ID_000030.wav, such as in `frames` and `audio`; what is not there is left
out and counted, as are sounds that come from several places. The file is held in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import HEARD, MediaIndex, SoundPart, image_size
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.locations.places import fault_of_box

_SCHEMA = "a list of VGG-SS with file, class and bbox"


def read_vgg_ss(file: Path, folder: Path, family: Family[Any], *, seconds: float = HEARD) -> AnnotatedItems:
    """The sounds of a file.

    Args:
        file: the boxes.
        folder: of the frames and sounds.
        family: `sound_source`.
        seconds: of a sound that are heard, from its beginning.

    Raises:
        AnnotationError: the file is not one of VGG-SS, or nothing of it is there.
    """
    rows, found = parsed_file(file, list, _SCHEMA), ItemList(file, folder, family)
    frames, sounds = MediaIndex(folder, "image"), MediaIndex(folder, "sound")
    for number, row in enumerate(rows):
        place = f"row {number}"
        with expecting(f"{file}, {place}", _SCHEMA):
            key, boxes = str(row["file"]), [[min(max(float(one), 0.0), 1.0) for one in box] for box in row["bbox"]]
            image, sound = frames.find(key), sounds.find(key)
            if any(len(box) != 4 for box in boxes):
                raise ValueError("a box of other than four numbers")
        if image is None or sound is None:
            found.leave_out("a frame or a sound that is not in the media folder", place)
            continue
        if len(boxes) != 1:
            found.leave_out("a sound from several places, or from none", place)
            continue
        height, width = image_size(image, folder)
        left, top, right, bottom = boxes[0]
        box = [top * height, left * width, bottom * height, right * width]
        if fault := fault_of_box(box, (height, width)):
            found.leave_out(fault, place)
        else:
            found.add(key, key, {"image": image, "audio": SoundPart(sound, seconds), "box": box}, place)
    return found.done()


READ = read_vgg_ss
FAMILIES = ("sound_source",)
