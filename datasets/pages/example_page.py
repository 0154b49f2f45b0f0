"""The page that shows examples of records: what the encoder sees, what is hidden, and what is to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from embodio.datasets.pages.episode_page import Medium
from embodio.datasets.pages.html_page import html_page
from embodio.datasets.pages.pictures import on_canvas, picture, sound, spectrogram, with_patches
from embodio.datasets.pages.token_text import Piece, pieces
from embodio.model.example import Example, Image, Sound
from embodio.model.processing.audio import spectrogram_to_patches
from embodio.model.processing.audio_features import SAMPLE_RATE, Spectrogram, filled_log_mel
from embodio.model.processing.hidden_codes import seen_patches
from embodio.model.processing.image import ImageFit
from embodio.model.processing.processor import Features, Processor, segment_spectrogram

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ShownPart:
    """One part of an example.

    Attributes:
        name: such as "prompt" or "image".
        text: its pieces; empty for media.
        media: pictures and sounds.
        note: what is not obvious, such as how many patches are hidden.
    """

    name: str
    text: Sequence[Piece] = ()
    media: Sequence[Medium] = ()
    note: str = ""


@dataclass(frozen=True)
class ExampleCard:
    """One example on the page.

    Attributes:
        title: heading, such as the key of the record.
        facts: name -> value.
        sees: what the encoder gets.
        writes: what the decoder is to write.
    """

    title: str
    facts: Mapping[str, str] = field(default_factory=dict)
    sees: Sequence[ShownPart] = ()
    writes: Sequence[ShownPart] = ()


def examples_html(title: str, facts: Mapping[str, str], cards: Sequence[ExampleCard]) -> bytes:
    """The whole page in UTF-8; texts of records are escaped."""
    return html_page("embodio.datasets.pages", "examples.html", title=title, about=facts, cards=cards)


def example_card(
    title: str, example: Example, processor: Processor, generator: np.random.Generator, facts: Mapping[str, str]
) -> ExampleCard:
    """What a network is given of an example, and what it is to write.

    Args:
        title: heading.
        example: as an objective made it.
        processor: of the network.
        generator: chooses the patches of a network that looks at a part of them.
        facts: name -> value.

    Raises:
        ProcessorError: the example does not fit the network.
    """
    features = processor(example, generator)
    sizes = {key: len(features[key]) for key in ("inputs/text/tokens", "targets/text/targets") if key in features}
    counted = {f"{key.split('/')[0][:-1]} tokens": str(count) for key, count in sizes.items()}
    shown = _Shown(processor, features)
    return ExampleCard(title, {**facts, **counted}, shown.sees(example), shown.writes(example))


class _Shown:
    """Shows the parts of one example."""

    def __init__(self, processor: Processor, features: Features) -> None:
        self._processor, self._config = processor, processor.config
        self._vocabulary, self._features = processor.vocabulary, features

    def sees(self, example: Example) -> list[ShownPart]:
        """The parts that the encoder gets."""
        tokens = np.asarray(self._features["inputs/text/tokens"])
        found = [ShownPart("prompt", pieces(self._vocabulary, tokens))]
        for slot, image in enumerate(example.image_history):
            found.append(self._image(f"image {slot + 1} of the history", image, "image_history", slot, None))
        if example.image is not None:
            found.append(self._image("image", example.image, "image", None, example.image_hidden))
        main, earlier = self._processor.sounds_heard(example)
        for slot, one in enumerate(earlier):
            found.append(self._sound(f"sound {slot + 1} of the history", one, "audio_history", slot, None))
        if main is not None:
            found.append(self._sound("sound", main, "audio", None, example.audio_hidden))
        return found

    def writes(self, example: Example) -> list[ShownPart]:
        """The parts that the decoder is trained on."""
        found = []
        if "targets/text/targets" in self._features:
            ids, segments = (self._features[f"targets/text/{name}"] for name in ("targets", "segment_ids"))
            for number in np.unique(segments):
                name = "text" if number == 1 else f"another answer, {number}"
                found.append(ShownPart(name, pieces(self._vocabulary, ids[segments == number])))
        tokeniser = self._config.image_tokenizer
        if example.image_target is not None and tokeniser is not None:
            drawn = picture(on_canvas(example.image_target, tokeniser.image_size))
            found.append(ShownPart("image", media=[drawn], note=self._masked("image")))
        speaker = self._config.audio_tokenizer
        if example.audio_target is not None and speaker is not None:
            bands, time = speaker.spectrogram_size
            media = _heard(example.audio_target, (time, bands))
            found.append(ShownPart("sound", media=media, note=self._masked("audio")))
        return found

    def _image(self, name: str, image: Image, modality: str, slot: int | None, hidden: Bools | None) -> ShownPart:
        canvas: tuple[int, int] = getattr(self._config, f"{modality}_size")
        fit = ImageFit.of((int(image.shape[0]), int(image.shape[1])), canvas)
        grid = self._config.patch_grids[modality]
        valid = fit.patch_mask(self._config.image_patch_size).reshape(grid) != 0
        covered, left_out, note = self._patches(modality, slot, valid, hidden)
        return ShownPart(name, media=[picture(with_patches(on_canvas(image, canvas), covered, left_out))], note=note)

    def _sound(self, name: str, heard: Sound, modality: str, slot: int | None, hidden: Bools | None) -> ShownPart:
        size: tuple[int, int] = getattr(self._config, f"{modality}_size")
        found = segment_spectrogram(heard, size, name)
        mask = spectrogram_to_patches(found, size, self._config.audio_patch_size)[1]
        valid = mask.reshape(self._config.patch_grids[modality]) != 0
        covered, left_out, note = self._patches(modality, slot, valid, hidden)
        pixels = with_patches(spectrogram(filled_log_mel(found.power)), covered.T[::-1], left_out.T[::-1])
        return ShownPart(name, media=[picture(pixels), *_playable(heard)], note=note)

    def _patches(self, modality: str, slot: int | None, valid: Bools, hidden: Bools | None) -> tuple[Bools, Bools, str]:
        """Hidden patches, those left out by sub-sampling, both bool [rows, columns], and a note with their numbers."""
        seen = seen_patches(self._features, modality, self._config.patch_grids[modality], slot)
        covered = valid & hidden if hidden is not None else np.zeros_like(valid)
        left_out = valid & ~seen & ~covered
        counts = {"seen": seen, "hidden": covered, "left out": left_out}
        told = ", ".join(f"{int(one.sum())} {name}" for name, one in counts.items() if one.any() or name == "seen")
        return covered, left_out, f"{int(valid.sum())} patches: {told}"

    def _masked(self, modality: str) -> str:
        """How many codes are hidden in the decoder as well (paper, section 3.3)."""
        valid, marked = (self._features[f"targets/{modality}/{name}"] != 0 for name in ("mask", "task_mask"))
        count = int((valid & marked).sum())
        return f"{int(valid.sum())} codes" + (f", {count} of them where patches are hidden" if count else "")


def _playable(heard: Sound) -> list[Medium]:
    return [] if isinstance(heard, Spectrogram) else [sound(heard, SAMPLE_RATE)]


def _heard(heard: Sound, size: tuple[int, int]) -> list[Medium]:
    return [
        picture(spectrogram(filled_log_mel(segment_spectrogram(heard, size, "audio_target").power))),
        *_playable(heard),
    ]
