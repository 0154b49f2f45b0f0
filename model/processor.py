"""Example -> Features: tokens, patches, masks and positions as arrays. Pure NumPy, the same in training and acting."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.model.config import ModelConfig
from embodio.model.errors import ModelError
from embodio.model.example import Example, Image
from embodio.model.image_geometry import ImageFit
from embodio.model.image_patches import CHANNELS, image_to_patches
from embodio.model.vocabulary import BOS_ID, EOS_ID, Prompt, Vocabulary

Features = dict[str, npt.NDArray[np.generic]]
"""One example as arrays; the keys are those of a Batch, the shapes lack its leading dimension."""

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


class ProcessorError(ModelError, ValueError):
    """An example that the model cannot take; the message names the field of the example."""


class Processor:
    """Turns examples into features for one model (paper sections 3.1 and 3.2).

    Features (L tokens, N patches, F frame slots, C = patch * patch * 3), masks are 1 where valid:

    * `inputs/text/tokens`, `/mask`, `/pos_ids`: int32 [L], ending with the end-of-sequence id.
    * `inputs/image/input` float32 [N, C] normalised patches, `/mask` int32 [N], `/pos_ids` int32 [N] index in the grid.
    * `inputs/image_history/input` float32 [F, N, C], `/mask`, `/pos_ids` int32 [F, N]; unused slots come last, masked.
    * `targets/text/targets` int32 [L] ending with end of sequence, `/inputs` the same shifted right by one with begin
      of sequence in front, `/mask`, `/pos_ids`, `/segment_ids` int32 [L].

    Parts that an example does not have are absent.
    """

    def __init__(self, config: ModelConfig, vocabulary: Vocabulary) -> None:
        """Makes a processor.

        Raises:
            ProcessorError: the vocabulary has more ids than the model has rows for them.
        """
        rows = config.transformer.vocab_size
        if vocabulary.size > rows:
            raise ProcessorError(
                f"the vocabulary has {vocabulary.size} ids but transformer.vocab_size is {rows}; "
                f"set it to vocabulary.padded_size = {vocabulary.padded_size}"
            )
        self.config = config
        self.vocabulary = vocabulary

    def __call__(self, example: Example, rng: np.random.Generator | None = None) -> Features:
        """Turns one example into features.

        Text longer than the model takes is cut, and still ends with end of sequence.

        Args:
            example: the example; images of any size.
            rng: chooses the patches of a model that looks at a part of them (`config.sampling`); not used otherwise.

        Raises:
            ProcessorError: the example has a part that the model was not built for, an image that is not RGB or not in
                range, too many history frames, or `rng` is missing.
            GeometryError: an image so thin that nothing of it is left on the canvas.
            VocabularyError: a prompt that the vocabulary cannot encode.
        """
        self._require_supported(example)
        features = self._text_input(example.text)
        if example.image is not None:
            samples = self.config.sampling.image_patches
            parts = self._patches(example.image, self.config.image_size, samples, rng, "image")
            features.update(_named("inputs/image", parts))
        if len(example.image_history):
            features.update(_named("inputs/image_history", self._history(example.image_history, rng)))
        if example.text_target is not None:
            features.update(self._text_target(example.text_target))
        return features

    def _require_supported(self, example: Example) -> None:
        inputs, targets = self.config.input_modalities, self.config.target_modalities
        if example.image is not None and "image" not in inputs:
            raise ProcessorError(f"image: this model has no image input, only {inputs}; leave the image out")
        if len(example.image_history) and "image_history" not in inputs:
            raise ProcessorError(f"image_history: this model has no image history, only {inputs}; leave it out")
        if example.text_target is not None and "text" not in targets:
            raise ProcessorError(f"text_target: this model does not write text, only {targets}; leave it out")
        for name in ("audio", "audio_history", "image_target", "audio_target"):
            part = getattr(example, name)
            if part is not None and len(part):
                raise ProcessorError(f"{name}: only texts and image inputs can be processed; leave it out")

    def _text_input(self, prompt: Prompt) -> Features:
        tokens = self._tokens(prompt, self.config.lengths.encoder_text)
        return {
            "inputs/text/tokens": tokens,
            "inputs/text/mask": np.ones_like(tokens),
            "inputs/text/pos_ids": np.arange(len(tokens), dtype=np.int32),
        }

    def _text_target(self, prompt: Prompt) -> Features:
        targets = self._tokens(prompt, self.config.lengths.decoder_text)
        inputs = np.concatenate([np.array([BOS_ID], dtype=np.int32), targets[:-1]])
        # An empty answer is not trained, so it is masked altogether (spec of the JAX original, section 3.2).
        mask = np.ones_like(targets) if len(targets) > 1 else np.zeros_like(targets)
        return {
            "targets/text/inputs": inputs,
            "targets/text/targets": targets,
            "targets/text/mask": mask,
            "targets/text/pos_ids": np.arange(len(targets), dtype=np.int32),
            "targets/text/segment_ids": np.ones_like(targets),
        }

    def _tokens(self, prompt: Prompt, longest: int) -> Ints:
        return np.array([*self.vocabulary.encode(prompt)[: longest - 1], EOS_ID], dtype=np.int32)

    def _patches(
        self, image: Image, canvas: tuple[int, int], samples: int, rng: np.random.Generator | None, name: str
    ) -> tuple[Floats, Ints, Ints]:
        """Returns patches [N, C], mask [N] and grid positions [N] of one image."""
        _require_image(image, name)
        patch = self.config.image_patch_size
        patches = image_to_patches(image, canvas, patch)
        mask = ImageFit.of((image.shape[0], image.shape[1]), canvas).patch_mask(patch)
        if samples >= len(mask):
            return patches, mask, np.arange(len(mask), dtype=np.int32)
        if rng is None:
            raise ProcessorError(
                f"{name}: the model looks at {samples} of {len(mask)} patches chosen at random; give an rng, "
                "or raise config.sampling to keep all"
            )
        shuffled = rng.permutation(len(mask)).astype(np.int32)
        chosen = shuffled[np.argsort(1 - mask[shuffled], kind="stable")[:samples]]  # valid patches first
        return patches[chosen], mask[chosen], chosen

    def _history(self, frames: Sequence[Image], rng: np.random.Generator | None) -> tuple[Floats, Ints, Ints]:
        """Returns patches [F, N, C], mask [F, N] and grid positions [F, N]; empty slots are zero and masked."""
        sampling, canvas = self.config.sampling, self.config.image_history_size
        slots, patch = sampling.num_frames, self.config.image_patch_size
        if len(frames) > slots:
            raise ProcessorError(
                f"image_history: {len(frames)} frames, but the model has {slots} slots (config.sampling.num_frames); "
                "give the ones that it should see"
            )
        count = min(sampling.image_history_patches, (canvas[0] // patch) * (canvas[1] // patch))
        patches = np.zeros((slots, count, patch * patch * CHANNELS), dtype=np.float32)
        mask = np.zeros((slots, count), dtype=np.int32)
        positions = np.tile(np.arange(count, dtype=np.int32), (slots, 1))
        for slot, frame in enumerate(frames):
            patches[slot], mask[slot], positions[slot] = self._patches(
                frame, canvas, count, rng, f"image_history[{slot}]"
            )
        return patches, mask, positions


def _named(prefix: str, parts: tuple[Floats, Ints, Ints]) -> Features:
    patches, mask, positions = parts
    return {f"{prefix}/input": patches, f"{prefix}/mask": mask, f"{prefix}/pos_ids": positions}


def _require_image(image: Image, name: str) -> None:
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != CHANNELS or not image.size:
        found = f"shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ProcessorError(f"{name}: expected an RGB array [height, width, 3], found {found}")
    if image.dtype == np.uint8:
        return
    if not np.issubdtype(image.dtype, np.floating):
        raise ProcessorError(f"{name}: expected uint8 or float pixels, found {image.dtype}")
    if not (image.min() >= 0 and image.max() <= 1):  # also false for NaN
        raise ProcessorError(f"{name}: float pixels must lie in [0, 1]; divide by 255 or give uint8")
