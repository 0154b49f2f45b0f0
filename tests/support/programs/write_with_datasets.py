"""Writes a small folder with `DatasetDict.save_to_disk`: python write_with_datasets.py FOLDER (needs datasets, pillow).

The folder in tests/datasets/records/data/saved_by_datasets is of datasets 5.2.0.
"""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

from PIL import Image as Pictures

from datasets import Audio, ClassLabel, Dataset, DatasetDict, Features, Image, List, Value

FEATURES = Features(
    {
        "image": Image(),
        "audio": Audio(),
        "caption": Value("string"),
        "label": ClassLabel(names=["cat", "dog"]),
        "tags": List(Value("string")),
    }
)


def picture(grey: int) -> bytes:
    """A grey PNG, 20 pixels wide and 16 high."""
    buffer = io.BytesIO()
    Pictures.new("RGB", (20, 16), (grey, grey, grey)).save(buffer, "png")
    return buffer.getvalue()


def sound(value: int) -> bytes:
    """A WAV file of 0.1 s at 8 kHz, 8 bits, of one value."""
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 836, b"WAVE", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    return head + struct.pack("<4sI", b"data", 800) + bytes([value]) * 800


def split(name: str, count: int) -> Dataset:
    """Records 0 to count - 1 of a split."""
    rows = [
        {
            "image": {"bytes": picture(10 * number), "path": None},
            "audio": {"bytes": sound(128 + number), "path": None},
            "caption": f"{name} {number}",
            "label": number % 2,
            "tags": ["a"] * number,
        }
        for number in range(count)
    ]
    return Dataset.from_list(rows).cast(FEATURES)  # which needs nothing that decodes sounds


if __name__ == "__main__":
    both = DatasetDict({"train": split("train", 5), "test": split("test", 1)})
    both.save_to_disk(Path(sys.argv[1]), num_shards={"train": 2, "test": 1})
