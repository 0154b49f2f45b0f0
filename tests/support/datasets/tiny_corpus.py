"""A few records in the layout of `embodio-data corpus`, with known facts."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.support.train.media_corpus import wav, write_shard

SIDE = 32
BOXES = [[2, 3, 10, 12], [12, 4, 30, 20]]
SCENE: dict[str, Any] = {
    "labels": ["red box", "blue box"],
    "boxes": BOXES,
    "mask_values": [1, 2],
    "questions": [["how many boxes are there?", "two"], ["is there a ball?", "no"]],
    "relations": [[0, "behind", 1], [1, "in front of", 0]],
}
LIFT = "lift the red cube"


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def scene_masks() -> np.ndarray:
    masks = np.zeros((SIDE, SIDE), np.uint8)
    for value, (y1, x1, y2, x2) in enumerate(BOXES, start=1):
        masks[y1:y2, x1:x2] = value
    return masks


def write_tiny_corpus(folder: Path, splits: tuple[str, ...] = ("train", "validation"), instruction: str = LIFT) -> Path:
    """Sources `scenes`, `robots`, `openclipart` with two pictures each, `sounds` and `commands` with three sounds."""
    rng = np.random.default_rng(0)
    for split in splits:
        scenes, robots, art, sounds, commands = (dict[str, bytes]() for _ in range(5))
        for number in range(2):
            picture = png(rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8))
            depth = np.full((SIDE, SIDE), 1000 * (number + 1), np.uint16)
            normals = np.full((SIDE, SIDE, 3), (128, 128, 255), np.uint8)
            key = f"s-{number}"
            scenes |= {f"{key}.png": picture, f"{key}.txt": b"two boxes\na red box and a blue box\n"}
            scenes |= {f"{key}.depth.png": png(depth), f"{key}.normals.png": png(normals)}
            scenes |= {f"{key}.masks.png": png(scene_masks()), f"{key}.json": json.dumps(SCENE).encode()}
            robot = {"labels": ["white cube", "robot arm"], "boxes": BOXES, "gripper": "open"}
            robots |= {f"r-{number}.png": picture, f"r-{number}.json": json.dumps(robot).encode()}
            title = {"title": "a heart", "category": ("shapes", "food")[number], "keywords": ["love"]}
            art |= {f"a-{number}.png": picture, f"a-{number}.json": json.dumps(title).encode()}
        for number in range(3):
            tone = wav(np.sin(np.arange(8000) * rng.uniform(0.05, 0.5)) * 0.5)
            said = {"transcript": f"say {number}", "voice_held_out": number == 2, "heard": ["a knock", "one knock"]}
            sounds |= {f"t-{number}.wav": tone, f"t-{number}.json": json.dumps(said).encode()}
            meant = {"transcript": "please raise it", "instruction": instruction, "voice_held_out": number == 2}
            commands |= {f"c-{number}.wav": tone, f"c-{number}.json": json.dumps(meant).encode()}
        for name, members in {
            "scenes": scenes, "robots": robots, "openclipart": art, "sounds": sounds, "commands": commands
        }.items():  # fmt: skip
            write_shard(folder / name / split / "00000.tar", members)
    return folder
