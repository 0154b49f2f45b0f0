"""Verbs answered with an image, or with per-pixel values generated as an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
import numpy.typing as npt

from embodio.model.example import Image
from embodio.model.processing.image import Interpolation
from embodio.model.processing.video_files import Clip
from embodio.model.tasks.base.family import A, InputMedia
from embodio.model.tasks.base.image_family import I, ImageFamily
from embodio.model.tasks.engine import Engine
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.families.depth import Depth, DepthItem
from embodio.model.tasks.families.draw import Draw, Drawn
from embodio.model.tasks.families.edit import Edit, Edited
from embodio.model.tasks.families.goal_image import Goal, GoalImageFamily
from embodio.model.tasks.families.inpaint import Inpaint, Inpainted
from embodio.model.tasks.families.next_frame import FrameAhead, NextFrameFamily
from embodio.model.tasks.families.normals import NormalsItem, SurfaceNormals
from embodio.model.tasks.families.segment import Segment, Segmented
from embodio.model.tasks.families.view import SynthesiseView, Viewed
from embodio.model.tasks.locations.spatial import CameraPose
from embodio.model.tasks.results import DepthMap, Mask, Normals, Picture
from embodio.model.tasks.verbs.how import DrawHow

IMAGE_GUIDANCE = 10.0
"""The paper's guidance for text-to-image (appendix D.2): temperature 1, guidance against a neutral prompt."""

Frames = Sequence[Image] | Clip
"""Images oldest first; the last is the current one."""


class PictureVerbs(Engine):
    """Verbs that generate images; `DrawHow` lists their common arguments.

    Images from text have the tokeniser's size, all others the size of the given image; `guidance` is the scale of
    classifier-free guidance, 0 for none. Per-pixel labels are generated as images too and resized with `interpolation`:
    "nearest" as in the references, which adds no new values, or "bilinear", which is smoother. All raise TaskError if
    nothing is given, counts differ or the model has no image tokeniser, PromptError for a prompt with wrong slots, and
    ProcessorError for an image that does not fit the model.
    """

    def draw(self, texts: Sequence[str], *, guidance: float = IMAGE_GUIDANCE, **how: Unpack[DrawHow]) -> list[Picture]:
        """Generates an image of each text; the slot is {text}."""
        self._require_some("texts", texts)
        return self._pictures(Draw(), [Drawn(text=text) for text in texts], guidance, **how)

    def edit(
        self, images: Sequence[Image], instructions: Sequence[str], *, guidance: float = 0.0, **how: Unpack[DrawHow]
    ) -> list[Picture]:
        """Changes each image as instructed; the slot is {instruction}."""
        given = self._require_pairs("instructions", instructions, len(self._images(images)))
        asked = [
            Edited(media=InputMedia(image=image), instruction=instruction)
            for image, instruction in zip(images, given, strict=True)
        ]
        return self._pictures(Edit(), asked, guidance, **how)

    def inpaint(
        self,
        images: Sequence[Image],
        boxes: Sequence[npt.ArrayLike],
        names: Sequence[str],
        *,
        guidance: float = 0.0,
        **how: Unpack[DrawHow],
    ) -> list[Picture]:
        """Fills a region of each image with an object; the rest is unchanged.

        Args:
            images: RGB, of any size.
            boxes: the region (y1, x1, y2, x2) in pixels of each image; its content is hidden from the model.
            names: name of the object.
            guidance: see the class.
            how: see `DrawHow`; the slots of a prompt are {box} and {name}.
        """
        places = self._boxes(boxes, len(self._images(images)))
        given = self._require_pairs("names", names, len(images))
        asked = [
            Inpainted(media=InputMedia(image=image), box=box, name=name)
            for image, box, name in zip(images, places, given, strict=True)
        ]
        return self._pictures(Inpaint(), asked, guidance, **how)

    def view(
        self, images: Sequence[Image], poses: Sequence[CameraPose], *, guidance: float = 0.0, **how: Unpack[DrawHow]
    ) -> list[Picture]:
        """Generates the view of a moved camera; the slot is {pose}.

        Raises:
            LocationError: a pose is outside its range.
        """
        moves = self._require_pairs("poses", poses, len(self._images(images)))
        asked = [Viewed(media=InputMedia(image=image), pose=pose) for image, pose in zip(images, moves, strict=True)]
        return self._pictures(SynthesiseView(), asked, guidance, **how)

    def next_frames(self, videos: Sequence[Frames], *, guidance: float = 0.0, **how: Unpack[DrawHow]) -> list[Picture]:
        """Generates the frame after each series of frames, the last of which is the main image."""
        return self._pictures(
            NextFrameFamily(), [FrameAhead(media=one) for one in self._series(videos)], guidance, **how
        )

    def goals(
        self, videos: Sequence[Frames], instructions: Sequence[str], *, guidance: float = 0.0, **how: Unpack[DrawHow]
    ) -> list[Picture]:
        """Generates the view of the last frame of each series after the instruction is carried out.

        The slot is {instruction}.
        """
        self._require_some("videos", videos)
        given = self._require_pairs("instructions", instructions, len(videos))
        asked = [
            Goal(media=media, instruction=instruction)
            for media, instruction in zip(self._series(videos), given, strict=True)
        ]
        return self._pictures(GoalImageFamily(), asked, guidance, **how)

    def segment(
        self,
        images: Sequence[Image],
        names: Sequence[str],
        *,
        boxes: Sequence[npt.ArrayLike] | None = None,
        interpolation: Interpolation = "nearest",
        **how: Unpack[DrawHow],
    ) -> list[Mask]:
        """Segments all objects of one name, or the one in a region.

        Args:
            images: RGB, of any size.
            names: what to segment in each image.
            boxes: a region (y1, x1, y2, x2) in pixels of each image, to segment detected instances one by one.
            interpolation: see the class.
            how: see `DrawHow`; the slots of a prompt are {name}, and {box} if boxes are given.
        """
        given = self._require_pairs("names", names, len(self._images(images)))
        places = [None] * len(images) if boxes is None else self._boxes(boxes, len(images))
        asked = [
            Segmented(media=InputMedia(image=image), name=name, box=box, interpolation=interpolation)
            for image, name, box in zip(images, given, places, strict=True)
        ]
        drawn = _only(self._ask(Segment(), asked, **how))
        return [Mask(np.asarray(one.mask), np.asarray(one.drawn)) for one in drawn]

    def depth(
        self, images: Sequence[Image], *, interpolation: Interpolation = "nearest", **how: Unpack[DrawHow]
    ) -> list[DepthMap]:
        """Estimates the relative depth of every pixel."""
        asked = [DepthItem(media=InputMedia(image=one), interpolation=interpolation) for one in self._images(images)]
        drawn = _only(self._ask(Depth(), asked, **how))
        return [DepthMap(np.asarray(one.depth), np.asarray(one.drawn)) for one in drawn]

    def normals(
        self, images: Sequence[Image], *, interpolation: Interpolation = "nearest", **how: Unpack[DrawHow]
    ) -> list[Normals]:
        """Estimates the surface normal of every pixel."""
        asked = [NormalsItem(media=InputMedia(image=one), interpolation=interpolation) for one in self._images(images)]
        drawn = _only(self._ask(SurfaceNormals(), asked, **how))
        return [Normals(np.asarray(one.normals), np.asarray(one.drawn)) for one in drawn]

    # ------------------------------------------------------------------ shared

    def _pictures(
        self, family: ImageFamily[I], asked: Sequence[I], guidance: float, **how: Unpack[DrawHow]
    ) -> list[Picture]:
        drawn = _only(self._ask(family, asked, guidance=guidance, **how))
        return [Picture(np.asarray(one.drawn)) for one in drawn]

    def _series(self, videos: Sequence[Frames]) -> list[InputMedia]:
        """The last frame of each series as the main image, those before it as the history."""
        self._require_some("videos", videos)
        found = []
        for index, frames in enumerate(videos):
            given = frames.frames if isinstance(frames, Clip) else frames
            if not isinstance(given, tuple | list | np.ndarray):
                raise TaskError(f"videos[{index}]: expected a Clip or a list of images, found {type(given).__name__}")
            series = list[Image](given)
            if not series:
                raise TaskError(f"videos[{index}]: there is no frame; give at least the current one")
            found.append(InputMedia(image=series[-1], image_history=series[:-1]))
        self._images([media.image for media in found if media.image is not None])
        return found


def _only(found: Sequence[A | AnswerError]) -> list[A]:
    """The answers; generated images can always be read."""
    return [one for one in found if not isinstance(one, AnswerError)]
