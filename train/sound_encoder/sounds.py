"""Batches of sounds in which something is said, and what that is, for the sound encoder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import ExampleError, UnusableRecord
from embodio.datasets.stream.numbered_batches import NumberedBatches
from embodio.datasets.stream.order import generator_at
from embodio.model.config.parts import Size
from embodio.model.network.batch import Allocate, Batch, collate
from embodio.model.processing.audio import spectrogram_to_patches
from embodio.model.processing.audio_features import segment_samples
from embodio.model.processing.processor import segment_spectrogram
from embodio.model.tokens.vocabulary import VocabularyError
from embodio.train.sound_encoder.transcripts import Pieces
from embodio.train.tokenizers.media import CorpusMedia, held_out_in_batches
from embodio.train.validation import HeldOutBatches

_Change = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]

_LOUDNESS = 0.7
"""Natural logarithm: the largest change of the amplitude."""
_NOISE = (-11.0, -4.5)
"""Natural logarithms of the amplitudes between which that of white noise is drawn."""
_CLEAN, _AT_ONCE = 0.5, 0.3
"""Shares of sounds without noise, whose silence is digital as that of synthesised speech is, and of those not moved."""


class TranscribedBatches(NumberedBatches[CorpusMedia]):
    """Batches of sounds as inputs of the network, with "pieces" int64 [B, L], numbers of what is said in them.

    Args:
        media: sounds of the training split.
        pieces: in which transcripts are written.
        seed: of the order and of all draws.
        batch_size: sounds in a batch.
        size: (time, mel) cells of a segment.
        patch: side of a patch in cells.
    """

    def __init__(self, media: CorpusMedia, pieces: Pieces, seed: int, batch_size: int, size: Size, patch: int) -> None:
        super().__init__(media, seed, batch_size)
        self._pieces, self._size, self._patch = pieces, size, patch

    def make(self, step: int, allocate: Allocate = np.empty) -> tuple[Batch, tuple[ExampleError, ...]]:
        """Batch number `step`, and what was wrong with the sounds that were replaced in it."""
        rows, damage = self._all_whole(step, self._row)
        return collate(rows, drop_full_masks=False, allocate=allocate), damage

    def _row(self, media: CorpusMedia, record: int, position: int) -> dict[str, np.ndarray]:
        segment, generator = segment_samples(self._size[0]), generator_at(self._seed, position)
        return _heard(media, record, self._pieces, self._size, self._patch, lambda one: drawn(one, segment, generator))


def drawn(sound: npt.NDArray[np.float32], segment: int, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """The same words louder or quieter, mostly later in a segment, and half the time with a little noise.

    Args:
        sound: float32 [samples], at most a segment.
        segment: samples of one.
        generator: of the draw.
    """
    before = 0 if generator.random() < _AT_ONCE else int(generator.integers(segment - len(sound) + 1))
    gain = np.exp(generator.uniform(-_LOUDNESS, _LOUDNESS)) / max(1.0, 2 * float(np.abs(sound).max()))
    heard = np.pad(sound * np.float32(gain), (before, 0))
    if generator.random() >= _CLEAN:
        heard += np.exp(generator.uniform(*_NOISE)) * generator.standard_normal(len(heard), np.float32)
    return heard.clip(-1, 1).astype(np.float32)


def held_out_sounds(
    media: CorpusMedia, pieces: Pieces, size: Size, patch: int, batch_size: int, count: int
) -> HeldOutBatches:
    """Maker of the held-out batches: `count` sounds spread evenly over the split, as they are."""

    def load(index: int) -> dict[str, np.ndarray]:
        return _heard(media, index, pieces, size, patch)

    return held_out_in_batches(media, count, batch_size, load, partial(collate, drop_full_masks=False))


def _heard(
    media: CorpusMedia, index: int, pieces: Pieces, size: Size, patch: int, change: _Change = lambda sound: sound
) -> dict[str, np.ndarray]:
    """The fields of a record, its sound changed; UnusableRecord if what is said cannot be heard in it."""
    record, sound = media.with_sound(index)
    longest, why = segment_samples(size[0]), ""
    try:
        said = pieces.numbers(record.transcript)
    except VocabularyError as error:
        raise UnusableRecord(*media.place(index)[:2], f"its transcript: {error}") from error
    if not said:
        why = "it has no transcript"
    elif len(sound) > longest:
        why = f"its sound is longer than a segment of {longest} samples"
    elif not sound.any():
        why = "its sound is silent"
    if why:
        raise UnusableRecord(*media.place(index)[:2], why)
    patches, mask = spectrogram_to_patches(segment_spectrogram(change(sound), size, "audio"), size, patch)
    needed = len(said) + sum(one == other for one, other in pairwise(said))  # nothing is said between equal ones
    if needed > (room := int(mask.sum())):
        why = f"its transcript needs {needed} patches, and {room} have sound"
        raise UnusableRecord(*media.place(index)[:2], why)
    return {"inputs/audio/input": patches, "inputs/audio/mask": mask != 0, "pieces": np.array(said, np.int64)}
