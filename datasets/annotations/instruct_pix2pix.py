"""InstructPix2Pix: made-up pictures, what to change, and the changed pictures.

Reads the folders `clip-filtered-dataset` and `random-sample-dataset` (github.com/timothybrooks/instruct-pix2pix,
`edit_dataset.py` and its README), which hold the pictures:

    seeds.json                             [["shard-00/0000000", [seeds]], ...]
    shard-00/0000000/prompt.json           {"edit", ...}
    shard-00/0000000/SEED_0.jpg, SEED_1.jpg    before and after

Each seed is an item. The instructions are read at once and held in memory. Tables of MagicBrush and of this data set as
Parquet are read by `table`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.files.names import inside
from embodio.model.tasks.base.family import Family

SEEDS = "seeds.json"
_SCHEMA = "a list of InstructPix2Pix: folders of a change, each with its seeds"


def read_instruct_pix2pix(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The changes of a folder.

    Args:
        file: the folder that holds the seeds.
        folder: not used, as the pictures are in it.
        family: `edit`.

    Raises:
        AnnotationError: there are no seeds, or a folder has no instruction.
    """
    rows = parsed_file(file / SEEDS, list, _SCHEMA)
    found = ItemList(file, file, family)
    for number, row in enumerate(rows):
        with expecting(f"{file / SEEDS}, row {number}", _SCHEMA):
            name, seeds = str(row[0]), [str(one) for one in row[1]]
        prompt = inside(file, name, file) / "prompt.json"
        with expecting(prompt, "an object with edit"):
            instruction = str(parsed_file(prompt, dict, "an object with edit")["edit"]).strip()
        for seed in seeds:
            values = {"image": f"{name}/{seed}_0.jpg", "drawn": f"{name}/{seed}_1.jpg", "instruction": instruction}
            found.add(f"{name}/{seed}", name, values, f"seed {seed} of {name}")
    return found.done()


READ = read_instruct_pix2pix
FAMILIES = ("edit",)
