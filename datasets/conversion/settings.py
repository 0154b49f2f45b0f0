"""ConversionSettings: format, image encoding and rate of a converted data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from embodio.datasets.errors import DatasetError

_IMAGES = {"rlds": ("png", "jpeg"), "lerobot": ("video", "png")}


@dataclass(frozen=True)
class ConversionSettings:
    """Settings of a conversion.

    Attributes:
        to: "rlds" or "lerobot".
        name: of the new data set; None takes that of the source, in lower case.
        images: how images are stored. RLDS: "png" (every value is kept) or "jpeg". LeRobot: "video" (H.264;
            camera images of 128 px differ by less than 2 of 255 on average) or "png" (every value is kept). None takes
            the first one.
        fps: steps per second for LeRobot; None takes that of the source's robot.
    """

    to: Literal["rlds", "lerobot"] = "rlds"
    name: str | None = None
    images: str | None = None
    fps: float | None = None

    @property
    def image_encoding(self) -> str:
        """How images are stored."""
        return self.images or _IMAGES[self.to][0]

    def __post_init__(self) -> None:
        """Checks the choices; raises DatasetError."""
        if self.to not in _IMAGES:
            raise DatasetError(f"to={self.to!r}: choose rlds or lerobot")
        if self.images not in (None, *_IMAGES[self.to]):
            raise DatasetError(f"images={self.images!r}: {self.to} takes {' or '.join(_IMAGES[self.to])}")
        if self.fps is not None and not 0 < self.fps <= 10_000:
            raise DatasetError(f"fps={self.fps}: give steps per second, more than 0")
