"""Tasks that are answered with a value for every pixel: segmentation, depth and surface normals, drawn as images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.model.example import Example, Image
from embodio.model.generation import GenerationOptions
from embodio.model.processing.image_geometry import Interpolation
from embodio.model.tasks.drawing import DrawingTasks, to_pixels
from embodio.model.tasks.engine import Floats, Seeds, sampled
from embodio.model.tasks.prompts import Template
from embodio.model.tasks.results import DepthMap, Mask, Normals

LABEL_TOP_P, MASK_TOP_P = 0.95, 0.97
"""The paper's settings for drawn labels (appendix D.6): temperature 1, no guidance."""


class DenseTasks(DrawingTasks):
    """Tasks whose answers have the size of the image that was given.

    Arguments that all of them have: `prompt` replaces the task's words and has the same slots; `options` says how to
    choose codes, by default as the paper does; `seeds` are those of sampling, one for each image, or s for s, s + 1,
    ...; `interpolation` says how what was drawn is scaled to the size of the image: "nearest" as the references do, so
    that no label is mixed with its neighbour, or "bilinear", which is smoother.

    All raise TaskError where nothing is given, counts differ or the model has no image tokeniser, PromptError for a
    prompt with wrong slots, and ProcessorError for an image that does not fit the model.
    """

    def segment(
        self,
        images: Sequence[Image],
        names: Sequence[str],
        *,
        boxes: Sequence[npt.ArrayLike] | None = None,
        interpolation: Interpolation = "nearest",
        prompt: Template | None = None,
        options: GenerationOptions | None = None,
        seeds: Seeds = 0,
    ) -> list[Mask]:
        """Draws where the objects of one name are, or the one in a region.

        Args:
            images: RGB, of any size.
            names: what to segment in each image.
            boxes: a region (y1, x1, y2, x2) in pixels of each image; instances are detected first and then segmented
                one by one.
            interpolation: see the class.
            prompt: has the slot {name}, and {box} where boxes are given.
            options: see the class.
            seeds: see the class.
        """
        self._image_fits(images)
        given = self._require_pairs("names", names, len(images))
        if boxes is None:
            template = self.prompts.segment if prompt is None else prompt
            texts = [self.prompt_of(template, "image", name=name) for name in given]
        else:
            template = self.prompts.segment_box if prompt is None else prompt
            places = self._box_ids(images, boxes)
            texts = [
                self.prompt_of(template, "image", name=name, box=ids) for name, ids in zip(given, places, strict=True)
            ]
        examples = [Example(text=text, image=image) for text, image in zip(texts, images, strict=True)]
        drawn = self._draw_over(examples, images, sampled(options, MASK_TOP_P), seeds, interpolation=interpolation)
        return [Mask(image.mean(axis=2) > 0.5, to_pixels(image)) for image in drawn]

    def depth(
        self,
        images: Sequence[Image],
        *,
        interpolation: Interpolation = "nearest",
        prompt: Template | None = None,
        options: GenerationOptions | None = None,
        seeds: Seeds = 0,
    ) -> list[DepthMap]:
        """Draws the relative depth of every pixel."""
        drawn = self._labels(images, self.prompts.depth if prompt is None else prompt, interpolation, options, seeds)
        return [DepthMap(image.mean(axis=2), to_pixels(image)) for image in drawn]

    def normals(
        self,
        images: Sequence[Image],
        *,
        interpolation: Interpolation = "nearest",
        prompt: Template | None = None,
        options: GenerationOptions | None = None,
        seeds: Seeds = 0,
    ) -> list[Normals]:
        """Draws the surface normal of every pixel."""
        drawn = self._labels(images, self.prompts.normals if prompt is None else prompt, interpolation, options, seeds)
        return [Normals(to_normals(image), to_pixels(image)) for image in drawn]

    def _labels(
        self,
        images: Sequence[Image],
        template: Template,
        interpolation: Interpolation,
        options: GenerationOptions | None,
        seeds: Seeds,
    ) -> list[Floats]:
        self._image_fits(images)
        text = self.prompt_of(template, "image")
        examples = [Example(text=text, image=image) for image in images]
        return self._draw_over(examples, images, sampled(options, LABEL_TOP_P), seeds, interpolation=interpolation)


def to_normals(image: Floats) -> Floats:
    """Directions (x, y, z) of length 1 of colours float32 [H, W, 3] in [0, 1]; grey, which has none, points along z."""
    vectors = image * 2 - 1
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    plain = np.array([0, 0, 1], dtype=np.float32)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), plain).astype(np.float32)
