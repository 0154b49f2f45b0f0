"""Record: one item of a corpus as a person would describe it, whatever file format holds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from embodio.datasets.tasks.parts.record_task import Place
from embodio.model.example import Image, Waveform

Content = TypeVar("Content", covariant=True)
Decoded = TypeVar("Decoded")


class Media(Generic[Content]):
    """An image, sound or video that is decoded when it is first needed.

    Args:
        decode: reads and decodes it; raises CorruptRecordError where the bytes are damaged.
    """

    def __init__(self, decode: Callable[[], Content]) -> None:
        self._decode = decode

    @staticmethod
    def of(content: Decoded) -> Media[Decoded]:
        """Media that are decoded already."""
        return Media(lambda: content)

    def load(self) -> Content:
        """The decoded content; each call decodes again."""
        return self._decode()


@dataclass(frozen=True, eq=False, kw_only=True)
class Video:
    """Frames with the sound that belongs to them.

    Attributes:
        frames: uint8 [T, H, W, 3].
        rate: frames a second.
        sound: mono 16 kHz float32 [samples] from the first frame on, or None.
    """

    frames: npt.NDArray[np.uint8]
    rate: float
    sound: Waveform | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class View:
    """One view of a scene.

    Attributes:
        image: RGB.
        pose: camera to world, float64 [4, 4], OpenCV axes (x right, y down, z forward), metres; None if unknown.
        intrinsics: float64 [3, 3] in pixels of the image, or None.
    """

    image: Media[Image]
    pose: npt.NDArray[np.float64] | None = None
    intrinsics: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Trajectory:
    """Steps of an agent.

    Attributes:
        instruction: the task in words, or "".
        images: one for each step.
        states: float [T, S], such as positions; None if not recorded.
        actions: float [T, A], or one word for each step (navigation); None if not recorded.
        rate: steps a second, or None.
        state_limits: lowest and highest value of each state number, float64 [2, S], between which states are written as
            value tokens; None if unknown.
        action_limits: the same of each action number, float64 [2, A].
    """

    instruction: str
    images: Sequence[Media[Image]]
    states: npt.NDArray[np.floating[Any]] | None = None
    actions: npt.NDArray[np.floating[Any]] | tuple[str, ...] | None = None
    rate: float | None = None
    state_limits: npt.NDArray[np.float64] | None = None
    action_limits: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Record:
    """One item of a corpus; absent parts keep their defaults.

    Attributes:
        key: name in its source, such as the stem of a file.
        text: running text.
        document: interleaved text and images in reading order.
        captions: texts that describe the image, the sound or the video, each a whole description.
        image: a picture.
        sound: mono 16 kHz float32 [samples] in [-1, 1].
        transcript: what is said in the sound or the video.
        video: frames with sound.
        views: several views of one scene.
        trajectory: steps of an agent.
        facts: further annotations by name, such as "boxes", "labels", "depth", "normals", "masks"; arrays, texts or
            Media of them, see the reader that fills them.
    """

    key: str
    text: str = ""
    document: Sequence[str | Media[Image]] = ()
    captions: tuple[str, ...] = ()
    image: Media[Image] | None = None
    sound: Media[Waveform] | None = None
    transcript: str = ""
    video: Media[Video] | None = None
    views: tuple[View, ...] = ()
    trajectory: Trajectory | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class RecordSource(Protocol):
    """Numbered records, all reachable at random, in an order that does not change."""

    @property
    def name(self) -> str:
        """For messages and logs."""

    @property
    def digest(self) -> str:
        """SHA-256 of the index, in hex: changes when records are added, removed or changed."""

    def __len__(self) -> int: ...

    def record(self, index: int) -> Record:
        """Record `index`.

        Raises:
            CorruptRecordError: it cannot be read; the message names file and offset.
        """

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
