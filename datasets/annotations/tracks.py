"""GOT-10k and LaSOT: sequences of frames with the box of one object in each.

Reads folders of sequences (github.com/got-10k/toolkit, got10k/datasets; cis.temple.edu/lasot). A sequence is a folder
with

    groundtruth.txt                        a line x, y, width, height for each frame
    *.jpg or img/*.jpg                     the frames, in the order of their names
    absence.label                          GOT-10k: a line for each frame, 1 where the object is not there
    full_occlusion.txt, out_of_view.txt    LaSOT: numbers with commas, one for each frame, 1 where it is not seen

at any depth. Sequences without frames are left out and counted. The numbers are held in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, file_text
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import FRAMES
from embodio.datasets.annotations.parts.places import box_of_corner
from embodio.datasets.errors import AnnotationError
from embodio.datasets.records.decoding import IMAGES
from embodio.model.tasks.base.family import Family

BOXES = "groundtruth.txt"
_HIDDEN = ("absence.label", "full_occlusion.txt", "out_of_view.txt")
_LINES = "a line x, y, width, height for each frame, and 0 or 1 for each in the files about what is hidden"


def read_tracks(
    file: Path, folder: Path, family: Family[Any], *, frames: int = FRAMES, every: int = 10
) -> AnnotatedItems:
    """Parts of the sequences of a folder, one after another, that begin with the object in sight.

    Args:
        file: the folder.
        folder: not used, as the frames are in it.
        family: `track`.
        frames: of a part, at least 2 and at most one more than the network has slots for.
        every: frames from one of them to the next.

    Raises:
        AnnotationError: the annotations are not a folder, or a file of numbers does not fit its frames.
    """
    if not file.is_dir():
        raise AnnotationError(f"{file}: expected a folder of sequences")
    if frames < 2 or every < 1:
        raise AnnotationError(f"{file}: frames and every: got {frames} and {every}, expected at least 2 and 1")
    found = ItemList(file, file, family)
    for place in sorted(path.parent for path in file.rglob(BOXES)):
        name = place.relative_to(file).as_posix()
        shown = place / "img" if (place / "img").is_dir() else place
        names = [
            one.relative_to(file).as_posix() for one in sorted(shown.iterdir()) if one.suffix[1:].lower() in IMAGES
        ]
        if not names:
            found.leave_out("a sequence without frames", f"sequence {name}")
            continue
        with expecting(f"{file}, sequence {name}", _LINES):
            boxes = _boxes(place, len(names))
        for first in range(0, len(names), frames * every):
            chosen = [number for number in range(first, first + frames * every, every) if number < len(names)]
            if len(chosen) < frames or boxes[first] is None:
                continue
            values = {
                "image_history": [names[one] for one in chosen[:-1]],
                "image": names[chosen[-1]],
                "start": boxes[first],
                "boxes": [boxes[one] for one in chosen[1:]],
            }
            found.add(f"{name}/{first}", name, values, f"frame {first} of sequence {name}", clip=True)
    return found.done()


def _boxes(place: Path, frames: int) -> list[list[float] | None]:
    """The box of each frame; None where the object is not seen."""
    numbers = _numbers(place / BOXES).reshape(-1, 4)
    hidden = np.zeros(frames, dtype=bool)
    for name in _HIDDEN:
        if (place / name).is_file():
            hidden |= _numbers(place / name) > 0
    if len(numbers) != frames:
        raise ValueError(f"{len(numbers)} boxes for {frames} frames")
    seen = ~hidden & np.isfinite(numbers).all(axis=1) & (numbers[:, 2:] > 0).all(axis=1)
    return [box_of_corner(box) if good else None for box, good in zip(numbers.tolist(), seen.tolist(), strict=True)]


def _numbers(path: Path) -> npt.NDArray[np.float64]:
    """All numbers of a file, with commas, spaces or lines between them."""
    return np.array([float(one) for one in file_text(path).replace(",", " ").split()])


READ = read_tracks
FAMILIES = ("track",)
