"""Pictures that several annotations share are decoded once, and again when their file changes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pictures

from embodio.datasets.annotations.parts import media
from embodio.datasets.annotations.parts.media import read_image


def save(file: Path, grey: int) -> None:
    Pictures.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(file)


def test_a_picture_is_decoded_once_for_annotations_with_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []

    def decode(data: bytes, origin: media.Origin, *rest: object) -> object:
        decoded.append(str(origin.path))
        return whole(data, origin, *rest)  # type: ignore[arg-type]

    whole = media.decoded_image
    monkeypatch.setattr(media, "decoded_image", decode)
    for name in ("a.png", "mask0.png", "mask1.png", "mask2.png"):
        save(tmp_path / name, 100)
    for number in range(3):
        assert read_image("a.png", tmp_path).mean() == 100
        read_image(f"mask{number}.png", tmp_path)
    assert decoded == ["a.png", "mask0.png", "mask1.png", "mask2.png"]


def test_a_file_that_changes_is_read_again_and_pictures_cannot_be_written_to(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 100)
    picture = read_image("a.png", tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        picture[0, 0] = 7
    save(tmp_path / "a.png", 200)
    os.utime(tmp_path / "a.png", ns=(1, 1))
    assert read_image("a.png", tmp_path).mean() == 200
