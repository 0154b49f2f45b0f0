"""Processor: converts an Example to Features (tokens, patches, masks, positions) in NumPy, for training and acting."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from embodio.model.config.model import ModelConfig
from embodio.model.config.parts import Size
from embodio.model.errors import ModelError
from embodio.model.example import Example, Image, Sound
from embodio.model.processing.audio import cut_segments, fit_length, spectrogram_to_patches, spectrogram_to_target
from embodio.model.processing.audio_features import (
    AudioError,
    Spectrogram,
    mel_power,
    require_waveform,
    segment_samples,
)
from embodio.model.processing.hidden_codes import hidden_image_codes, hidden_sound_codes, seen_patches
from embodio.model.processing.image import CHANNELS, ImageFit, image_to_patches, image_to_target
from embodio.model.tokens.vocabulary import BOS_ID, EOS_ID, Prompt, Vocabulary

Features = dict[str, npt.NDArray[np.generic]]
"""One example as arrays; the keys are those of a Batch, the shapes lack its leading dimension."""

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


_Parts = tuple[Floats, Ints, Ints]
"""Patches [N, C], mask [N] and grid positions [N] of one input; for a history all with a leading [F]."""

# Fields of an example -> the modality that the model needs for them.
_INPUT_FIELDS = ("image", "image_history", "audio", "audio_history")
_TARGET_FIELDS = {"text_target": "text", "image_target": "image", "audio_target": "audio"}


_HINTS = {1: "; repeat grey three times", 4: "; leave out the fourth channel, such as alpha"}


class ProcessorError(ModelError, ValueError):
    """An example that does not fit the model; the message names the field of the example."""


class Processor:
    """Turns examples into features for one model (paper sections 3.1 and 3.2).

    Features (L tokens, N patches or codes, F frame slots, C = patch * patch * 3 for images and patch * patch for
    sounds), masks are 1 where valid:

    * `inputs/text/tokens`, `/mask`, `/pos_ids`: int32 [L], ending with the end-of-sequence id.
    * `inputs/image/input` float32 [N, C] normalised patches, `/mask` int32 [N], `/pos_ids` int32 [N] index in the grid.
      Hidden patches are absent, so that N is smaller.
    * `inputs/image_history/input` float32 [F, N, C], `/mask`, `/pos_ids` int32 [F, N]; unused slots come last, masked.
    * `inputs/audio/...` and `inputs/audio_history/...`: the same of log-mel spectrograms (paper, section 3.1).
    * `targets/text/targets` int32 [L] ending with end of sequence, `/inputs` the same shifted right by one with begin
      of sequence in front, `/mask`, `/pos_ids`, `/segment_ids` int32 [L]; several answers one after the other, with
      segment ids 1, 2, ..., positions that start over, and an end each.
    * `targets/image/image` float32 [H, W, 3] in [-1, 1] and `targets/audio/audio` float32 [T, M, 1] normalised log-mel,
      as their tokenisers take them, with `/mask`, `/loss_mask` (the same) and `/task_mask` int32 [N]: 1 for codes
      that lie in a part of the input which the encoder is not given, where the example hides patches; otherwise 0.

    Parts that an example does not have are absent.
    """

    def __init__(self, config: ModelConfig, vocabulary: Vocabulary, *, cut_text: bool = True) -> None:
        """Makes a processor.

        Args:
            config: of the network.
            vocabulary: that the network is trained with.
            cut_text: cut text that is longer than the network takes; otherwise it is an error.

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
        self._cut_text = cut_text
        longest = max(config.lengths.encoder_text, config.lengths.decoder_text)
        self._ones, self._places = np.ones(longest, np.int32), np.arange(longest, dtype=np.int32)
        self.__setstate__({})

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._ones.flags.writeable = self._places.flags.writeable = False  # features of all texts are views of them

    def __call__(self, example: Example, rng: np.random.Generator | None = None) -> Features:
        """Turns one example into features.

        Text longer than the model takes is cut, and still ends with end of sequence, unless `cut_text` is off.

        Args:
            example: the example; images of any size, sounds as `Example` says.
            rng: chooses the patches of a model that looks at a part of them (`config.sampling`); not used otherwise.
                Of an input with hidden patches it chooses among the others, and those not chosen count as hidden too.

        Raises:
            ProcessorError: the example has a part that the model was not built for, an image that is not RGB or not in
                range, a sound of a wrong type, length or range, too many history frames, or `rng` is missing.
                The same where a grid of hidden patches has another shape or type than the input's, or hides everything.
            GeometryError: an image so thin that nothing of it is left on the canvas.
            VocabularyError: a prompt that the vocabulary cannot encode.
        """
        self._require_supported(example)
        features = self._text_input(example.text)
        if example.image is not None:
            hidden = self._hidden("image", example.image_hidden)
            features.update(_named("inputs/image", self._image(example.image, "image", "image", rng, hidden)))
        if len(example.image_history):
            parts = self._history("image_history", example.image_history, self._image, rng)
            features.update(_named("inputs/image_history", parts))
        if example.audio is not None or len(example.audio_history):
            features.update(self._sounds(example, rng))
        if example.text_target is not None:
            features.update(self._text_target([example.text_target, *example.other_answers]))
        if example.image_target is not None:
            features.update(self._image_target(example.image_target))
        if example.audio_target is not None:
            features.update(self._audio_target(example.audio_target))
        if example.image_hidden is not None or example.audio_hidden is not None:
            self._mark_hidden(example, features)
        return features

    def _require_supported(self, example: Example) -> None:
        inputs, targets = self.config.input_modalities, self.config.target_modalities
        for name in _INPUT_FIELDS:
            if name not in inputs and _is_given(getattr(example, name)):
                raise ProcessorError(f"{name}: this model has no {name} input, only {inputs}; leave it out")
        for name, modality in _TARGET_FIELDS.items():
            if modality not in targets and getattr(example, name) is not None:
                raise ProcessorError(f"{name}: this model does not write {modality}, only {targets}; leave it out")
        for name in ("image", "audio"):
            if getattr(example, name) is None and getattr(example, f"{name}_hidden") is not None:
                raise ProcessorError(f"{name}_hidden: there is no {name} whose patches it could hide; leave it out")
        if isinstance(example.other_answers, str):
            raise ProcessorError("other_answers: expected a list of answers, found one text")
        if len(example.other_answers) and example.text_target is None:
            raise ProcessorError("other_answers: there is no text_target with them; give the first answer as that")

    def _text_input(self, prompt: Prompt) -> Features:
        tokens = self._tokens("prompt", prompt, self.config.lengths.encoder_text)
        ones, places = self._ones[: len(tokens)], self._places[: len(tokens)]
        return {"inputs/text/tokens": tokens, "inputs/text/mask": ones, "inputs/text/pos_ids": places}

    def _text_target(self, answers: Sequence[Prompt]) -> Features:
        """Packs answers into one row, each a segment with its own positions; an empty one is masked."""
        longest, rows = self.config.lengths.decoder_text, list[Features]()
        for number, answer in enumerate(answers, 1):
            targets = self._tokens("answer", answer, longest)
            inputs, size = np.empty_like(targets), len(targets)
            inputs[0], inputs[1:] = BOS_ID, targets[:-1]
            mask = self._ones[:size] if size > 1 else np.zeros_like(targets)
            segments = self._ones[:size] if number == 1 else np.full_like(targets, number)
            row = {"inputs": inputs, "targets": targets, "mask": mask, "pos_ids": self._places[:size]}
            rows.append(row | {"segment_ids": segments})
        joined = rows[0] if len(rows) == 1 else {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        return {f"targets/text/{name}": values for name, values in joined.items()}

    def _tokens(self, what: str, text: Prompt, longest: int) -> Ints:
        ids = self.vocabulary.encode(text)
        if len(ids) >= longest and not self._cut_text:
            room = f"there is room for {longest}; raise {what}_tokens"
            raise ProcessorError(f"the {what} has {len(ids) + 1} tokens, but {room}")
        return np.array([*ids[: longest - 1], EOS_ID], dtype=np.int32)

    def _hidden(self, modality: str, hidden: Bools | None) -> Bools | None:
        """Checks a grid of hidden patches and flattens it to [N]."""
        if hidden is None:
            return None
        name, grid = f"{modality}_hidden", self.config.patch_grids[modality]
        if not isinstance(hidden, np.ndarray) or hidden.dtype != np.bool_ or hidden.shape != grid:
            found = f"{hidden.dtype} {hidden.shape}" if isinstance(hidden, np.ndarray) else type(hidden).__name__
            raise ProcessorError(f"{name}: expected bool {grid}, one value for each patch, found {found}")
        if hidden.all():
            raise ProcessorError(f"{name}: every patch is hidden; leave out the {modality} instead")
        return hidden.reshape(-1)

    def _mark_hidden(self, example: Example, features: Features) -> None:
        """Marks the target codes in parts of the input that the encoder is not given."""
        config = self.config
        if example.image_hidden is not None and example.image is not None and example.image_target is not None:
            tokeniser = config.image_tokenizer
            if tokeniser is not None:
                source = ImageFit.of((example.image.shape[0], example.image.shape[1]), config.image_size)
                target = ImageFit.of(
                    (example.image_target.shape[0], example.image_target.shape[1]), tokeniser.image_size
                )
                seen = seen_patches(features, "image", config.patch_grids["image"])
                codes = hidden_image_codes(seen, source, target, config.image_patch_size, tokeniser.patch_size[0])
                features["targets/image/task_mask"] = codes.astype(np.int32)
        if example.audio_hidden is not None and example.audio_target is not None:
            sound_tokeniser = config.audio_tokenizer
            if sound_tokeniser is not None:
                bands, time = sound_tokeniser.spectrogram_size
                seen = seen_patches(features, "audio", config.patch_grids["audio"])
                sizes, code = (config.audio_size, (time, bands)), sound_tokeniser.patch_size[::-1]
                codes = hidden_sound_codes(seen, sizes, config.audio_patch_size, (code[0], code[1]))
                features["targets/audio/task_mask"] = codes.astype(np.int32)

    def _image(
        self, image: Image, modality: str, name: str, rng: np.random.Generator | None, hidden: Bools | None = None
    ) -> _Parts:
        """Returns the patches of one image of a modality."""
        _require_image(image, name)
        canvas: Size = getattr(self.config, f"{modality}_size")
        patch = self.config.image_patch_size
        patches = image_to_patches(image, canvas, patch)
        mask = ImageFit.of((image.shape[0], image.shape[1]), canvas).patch_mask(patch)
        return self._sampled(patches, mask, modality, name, rng, hidden)

    def _sound(
        self, sound: Sound, modality: str, name: str, rng: np.random.Generator | None, hidden: Bools | None = None
    ) -> _Parts:
        """Returns the patches of one segment of sound of a modality."""
        size: Size = getattr(self.config, f"{modality}_size")
        try:
            patches, mask = spectrogram_to_patches(
                segment_spectrogram(sound, size, name), size, self.config.audio_patch_size
            )
        except AudioError as error:
            raise ProcessorError(f"{name}: {error}") from error
        return self._sampled(patches, mask, modality, name, rng, hidden)

    def _sampled(
        self,
        patches: Floats,
        mask: Ints,
        modality: str,
        name: str,
        rng: np.random.Generator | None,
        hidden: Bools | None,
    ) -> _Parts:
        """Keeps the patches that the model reads: all that are not hidden, or a random subset, valid ones first."""
        samples: int = getattr(self.config.sampling, f"{modality}_patches")
        order = np.arange(len(mask), dtype=np.int32)
        if hidden is not None:
            order = order[~hidden]
            patches, mask = patches[order], mask[order]
        if samples >= len(mask):
            return patches, mask, order
        if rng is None:
            raise ProcessorError(
                f"{name}: the model looks at {samples} of {len(mask)} patches chosen at random; give an rng, "
                "or raise config.sampling to keep all"
            )
        shuffled = rng.permutation(len(mask)).astype(np.int32)
        chosen = shuffled[np.argsort(1 - mask[shuffled], kind="stable")[:samples]]  # valid patches first
        return patches[chosen], mask[chosen], order[chosen]

    def _history(
        self,
        modality: str,
        frames: Sequence[Image] | Sequence[Sound],
        read: Callable[..., _Parts],
        rng: np.random.Generator | None,
    ) -> _Parts:
        """Returns patches [F, N, C], mask [F, N] and grid positions [F, N]; empty slots are zero and masked."""
        slots = self.config.sampling.num_frames
        if len(frames) > slots:
            raise ProcessorError(
                f"{modality}: {len(frames)} frames, but the model has {slots} slots (config.sampling.num_frames); "
                "give the ones that it should see"
            )
        parts = [read(frame, modality, f"{modality}[{slot}]", rng) for slot, frame in enumerate(frames)]
        count, width = parts[0][0].shape
        patches = np.zeros((slots, count, width), dtype=np.float32)
        mask = np.zeros((slots, count), dtype=np.int32)
        positions = np.tile(np.arange(count, dtype=np.int32), (slots, 1))
        for slot, part in enumerate(parts):
            patches[slot], mask[slot], positions[slot] = part
        return patches, mask, positions

    def _sounds(self, example: Example, rng: np.random.Generator | None) -> Features:
        """Turns the main sound and the earlier ones into features; cuts a long main sound into segments."""
        main, earlier = self.sounds_heard(example)
        features: Features = {}
        if main is not None:
            hidden = self._hidden("audio", example.audio_hidden)
            features.update(_named("inputs/audio", self._sound(main, "audio", "audio", rng, hidden)))
        if len(earlier):
            parts = self._history("audio_history", earlier, self._sound, rng)
            features.update(_named("inputs/audio_history", parts))
        return features

    def sounds_heard(self, example: Example) -> tuple[Sound | None, Sequence[Sound]]:
        """The main sound and the earlier ones, each at most a segment: a longer main sound is cut.

        Raises:
            ProcessorError: it is not mono float samples, or makes more segments than there is room for.
        """
        if isinstance(example.audio, np.ndarray):
            return self._cut(example.audio, example.audio_history)
        return example.audio, example.audio_history

    def _cut(self, main: Floats, earlier: Sequence[Sound]) -> tuple[Floats, Sequence[Sound]]:
        """Splits a main sound longer than a segment: the last segment stays, earlier ones become history."""
        try:
            waveform = require_waveform(main)
        except AudioError as error:
            raise ProcessorError(f"audio: {error}") from error
        longest = segment_samples(self.config.audio_size[0])
        if len(waveform) <= longest:
            return waveform, earlier
        segments = cut_segments(waveform, longest)
        if len(segments) == 1:
            return segments[0], earlier
        slots = self.config.sampling.num_frames if "audio_history" in self.config.input_modalities else 0
        if len(earlier) or len(segments) - 1 > slots:
            raise ProcessorError(
                f"audio: {len(waveform)} samples make {len(segments)} segments of {longest}, but there is room for one "
                f"and {0 if len(earlier) else slots} earlier ones; give the part that the model should hear"
            )
        return segments[-1], segments[:-1]

    def _image_target(self, image: Image) -> Features:
        _require_image(image, "image_target")
        tokeniser = self.config.image_tokenizer
        if tokeniser is None:
            raise ProcessorError(
                "image_target: the model has no image tokeniser (config.image_tokenizer); leave it out"
            )
        pixels, mask = image_to_target(image, tokeniser.image_size, tokeniser.patch_size[0])
        return _code_target("image", pixels, mask)

    def _audio_target(self, sound: Sound) -> Features:
        tokeniser = self.config.audio_tokenizer
        if tokeniser is None:
            raise ProcessorError(
                "audio_target: the model has no audio tokeniser (config.audio_tokenizer); leave it out"
            )
        bands, time = tokeniser.spectrogram_size
        try:
            spectrogram = segment_spectrogram(sound, (time, bands), "audio_target")
            cells, mask = spectrogram_to_target(spectrogram, (time, bands), tokeniser.patch_size[::-1])
        except AudioError as error:
            raise ProcessorError(f"audio_target: {error}") from error
        return _code_target("audio", cells, mask)


def _is_given(part: Image | Sound | Sequence[Image] | Sequence[Sound] | None) -> bool:
    return part is not None and (not isinstance(part, Sequence) or len(part) > 0)


def segment_spectrogram(sound: Sound, size: Size, name: str) -> Spectrogram:
    """The spectrogram of a sound of at most one segment; shorter ones are padded with silence.

    Raises:
        ProcessorError: a waveform is longer than a segment.
        AudioError: it is not mono float samples, or empty.
    """
    if isinstance(sound, Spectrogram):
        return sound
    waveform, longest = require_waveform(sound), segment_samples(size[0])
    if len(waveform) > longest:
        raise ProcessorError(
            f"{name}: {len(waveform)} samples, but one segment has {longest}; cut the sound with cut_segments"
        )
    return Spectrogram(mel_power(fit_length(waveform, longest), size[1]))


def _code_target(modality: str, values: Floats, mask: Ints) -> Features:
    prefix = f"targets/{modality}"
    return {
        f"{prefix}/{modality}": values,
        f"{prefix}/mask": mask,
        f"{prefix}/loss_mask": mask.copy(),
        f"{prefix}/task_mask": np.zeros_like(mask),
    }


def _named(prefix: str, parts: _Parts) -> Features:
    patches, mask, positions = parts
    return {f"{prefix}/input": patches, f"{prefix}/mask": mask, f"{prefix}/pos_ids": positions}


def _require_image(image: Image, name: str) -> None:
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != CHANNELS or not image.size:
        found, hint = type(image).__name__, "; give it as a NumPy array"
        if isinstance(image, np.ndarray):
            found, hint = f"shape {image.shape}", _HINTS.get(image.shape[-1] if image.ndim == 3 else 0, "")
            hint = "; repeat grey three times" if image.ndim == 2 else hint
            hint = "; transpose it" if image.ndim == 3 and image.shape[0] == CHANNELS else hint
        raise ProcessorError(f"{name}: expected an RGB array [height, width, 3], found {found}{hint}")
    if image.dtype == np.uint8:
        return
    if not np.issubdtype(image.dtype, np.floating):
        raise ProcessorError(f"{name}: expected uint8 or float pixels, found {image.dtype}")
    if not (image.min() >= 0 and image.max() <= 1):  # also false for NaN
        raise ProcessorError(f"{name}: float pixels must lie in [0, 1]; divide by 255 or give uint8")
