"""Tasks that are answered with an image: from text, by editing, filling in, from another view, later or as a goal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.model.example import Example, Image
from embodio.model.generation import GenerationOptions
from embodio.model.processing.image_geometry import ImageFit, Interpolation
from embodio.model.tasks.engine import Engine, Floats, Seeds, sampled, size_of
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.locations.spatial import CameraPose, write_pose
from embodio.model.tasks.prompts import Template
from embodio.model.tasks.results import Picture, Pixels

IMAGE_TOP_P, IMAGE_GUIDANCE = 0.95, 10.0
"""The paper's settings for images (appendix D.2): temperature 1, guidance against a neutral prompt."""


class DrawingTasks(Engine):
    """Tasks that draw.

    Arguments that all of them have: `prompt` replaces the task's words and has the same slots; `options` says how to
    choose codes, by default as the paper does; `guidance` is the scale of classifier-free guidance, 0 for none; `seeds`
    are those of sampling, one for each image, or s for s, s + 1, ...

    Images made of words have the size of the tokeniser's, all others that of the image that was given. All raise
    TaskError where nothing is given, counts differ or the model has no image tokeniser, PromptError for a prompt with
    wrong slots, and ProcessorError for an image that does not fit the model.
    """

    def draw(
        self,
        texts: Sequence[str],
        *,
        guidance: float = IMAGE_GUIDANCE,
        prompt: Template | None = None,
        options: GenerationOptions | None = None,
        seeds: Seeds = 0,
    ) -> list[Picture]:
        """Draws an image of each text; the slot is {text}."""
        self._require_some("texts", texts)
        template = self.prompts.draw if prompt is None else prompt
        examples = [Example(text=self.prompt_of(template, "image", text=text)) for text in texts]
        drawn = self._draw(examples, sampled(options, IMAGE_TOP_P), seeds, guidance)
        return [Picture(to_pixels(image)) for image in drawn]

    def edit(
        self,
        images: Sequence[Image],
        instructions: Sequence[str],
        *,
        guidance: float = 0.0,
        prompt: Template | None = None,
        options: GenerationOptions | None = None,
        seeds: Seeds = 0,
    ) -> list[Picture]:
        """Draws each image with a change; the slot is {instruction}."""
        self._image_fits(images)
        given = self._require_pairs("instructions", instructions, len(images))
        template = self.prompts.edit if prompt is None else prompt
        examples = [
            Example(text=self.prompt_of(template, "image", instruction=instruction), image=image)
            for instruction, image in zip(given, images, strict=True)
        ]
        return self._pictures(examples, images, options, seeds, guidance)

    def inpaint(
        self,
        images: Sequence[Image],
        boxes: Sequence[npt.ArrayLike],
        names: Sequence[str],
        *,
        guidance: float = 0.0,
        prompt: Template | None = None,
        options: GenerationOptions | None = None,
        seeds: Seeds = 0,
    ) -> list[Picture]:
        """Fills a region of each image with something; what is outside of it stays as it is.

        Args:
            images: RGB, of any size.
            boxes: the region (y1, x1, y2, x2) in pixels of each image; the model does not see what is in it.
            names: what to draw there.
            guidance: see the class.
            prompt: has the slots {box} and {name}.
            options: see the class.
            seeds: see the class.
        """
        places = self._box_ids(images, boxes)
        given = self._require_pairs("names", names, len(images))
        template = self.prompts.inpaint if prompt is None else prompt
        regions = [_region(box, image) for box, image in zip(boxes, images, strict=True)]
        examples = []
        for image, region, ids, name in zip(images, regions, places, given, strict=True):
            hidden = image.copy()
            hidden[region] = 0
            examples.append(Example(text=self.prompt_of(template, "image", box=ids, name=name), image=hidden))
        drawn = self._draw_over(examples, images, sampled(options, IMAGE_TOP_P), seeds, guidance)
        pictures = []
        for image, region, new in zip(images, regions, drawn, strict=True):
            whole = to_pixels(image)
            whole[region] = to_pixels(new[region])
            pictures.append(Picture(whole))
        return pictures

    def view(
        self,
        images: Sequence[Image],
        poses: Sequence[CameraPose],
        *,
        guidance: float = 0.0,
        prompt: Template | None = None,
        options: GenerationOptions | None = None,
        seeds: Seeds = 0,
    ) -> list[Picture]:
        """Draws what a camera sees that was moved; the slot is {pose}.

        Raises:
            LocationError: a pose is outside its range.
        """
        self._image_fits(images)
        moves = self._require_pairs("poses", poses, len(images))
        template = self.prompts.view if prompt is None else prompt
        examples = [
            Example(text=self.prompt_of(template, "image", pose=write_pose(self.codec, pose).tolist()), image=image)
            for pose, image in zip(moves, images, strict=True)
        ]
        return self._pictures(examples, images, options, seeds, guidance)

    # ------------------------------------------------------------------ shared

    def _pictures(
        self,
        examples: Sequence[Example],
        images: Sequence[Image],
        options: GenerationOptions | None,
        seeds: Seeds,
        guidance: float,
    ) -> list[Picture]:
        drawn = self._draw_over(examples, images, sampled(options, IMAGE_TOP_P), seeds, guidance)
        return [Picture(to_pixels(image)) for image in drawn]

    def _draw_over(
        self,
        examples: Sequence[Example],
        images: Sequence[Image],
        options: GenerationOptions,
        seeds: Seeds,
        guidance: float = 0.0,
        interpolation: Interpolation = "bilinear",
    ) -> list[Floats]:
        """Draws images that lie as the given ones do; float32 [H, W, 3] in [0, 1] of their sizes."""
        drawn = self._draw(examples, options, seeds, guidance)
        return [
            np.clip(ImageFit.of(size_of(image), size_of(new)).image_from_canvas(new, interpolation), 0, 1)
            for image, new in zip(images, drawn, strict=True)
        ]


def to_pixels(image: Image) -> Pixels:
    """A new uint8 [H, W, 3] of an image, or of colours in [0, 1]."""
    if image.dtype == np.uint8:
        return image.astype(np.uint8)
    pixels: Pixels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return pixels


def _region(box: npt.ArrayLike, image: Image) -> tuple[slice, slice]:
    """The rows and columns of an image that a box (y1, x1, y2, x2) in pixels touches."""
    low, high = np.floor(np.asarray(box)[:2]).astype(int), np.ceil(np.asarray(box)[2:]).astype(int)
    low, high = np.maximum(low, 0), np.minimum(high, image.shape[:2])
    if not (low < high).all():
        raise TaskError(f"boxes: {box!r} covers nothing of an image of {image.shape[:2]} pixels; give one that does")
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
