"""Batches of sound: spectrograms for the audio tokeniser, and short pieces with their spectrograms for the vocoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from embodio.datasets.errors import ExampleError
from embodio.datasets.stream.numbered_batches import NumberedBatches
from embodio.datasets.stream.order import generator_at
from embodio.model.network.batch import Allocate, Batch
from embodio.model.processing.audio import TARGET_MEAN, TARGET_STD, fit_length
from embodio.model.processing.audio_features import HOP, SILENCE, filled_log_mel, log_mel, mel_power
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.vocoder import log_mel_of
from embodio.train.tokenizers.media import CorpusMedia, held_out, held_out_in_batches
from embodio.train.validation import HeldOutBatches

Floats = npt.NDArray[np.float32]
_GAIN = (0.3, 1.0)
"""Range of the factor by which training sounds are made quieter."""


class SoundBatches(NumberedBatches[CorpusMedia]):
    """Batches of random pieces of sounds.

    Args:
        media: sounds of the training split.
        seed: of the order and of all draws.
        batch_size: pieces in a batch.
        samples: of a piece.
        collate: makes a batch of them: `spectrogram_batch` or `piece_batch`.
    """

    def __init__(
        self, media: CorpusMedia, seed: int, batch_size: int, samples: int, collate: Callable[..., Batch]
    ) -> None:
        super().__init__(media, seed, batch_size)
        self._samples, self._collate = samples, collate

    def make(self, step: int, allocate: Allocate = np.empty) -> tuple[Batch, tuple[ExampleError, ...]]:
        """Batch number `step`, and what was wrong with the sounds that were replaced in it."""
        pieces, damage = self._all_whole(step, self._piece)
        return self._collate(pieces, allocate=allocate), damage

    def _piece(self, media: CorpusMedia, record: int, position: int) -> Floats:
        return drawn_piece(media.sound(record), self._samples, generator_at(self._seed, position))


def drawn_piece(sound: Floats, samples: int, generator: np.random.Generator) -> Floats:
    """A random piece of a sound, filled up with zeros if it is shorter, and made quieter; float32 [samples]."""
    start = int(generator.integers(max(1, len(sound) - samples + 1)))
    gain = np.float32(generator.uniform(*_GAIN))
    return fit_length(sound[start : start + samples], samples) * gain


def spectrogram_batch(waves: list[Floats], bands: int, allocate: Allocate = np.empty) -> Batch:
    """Segments of sound, float32 [samples] each, as a batch for the audio tokeniser.

    Returns:
        "spectrograms", what it reads, and "targets", what it must give back: float32 [B, T, M, 1], normalised as
        targets of the network. Cells without sound are 0 before they are normalised in the first, as the processor
        makes them, and silent in the second.
    """
    cells = [log_mel(mel_power(wave, bands)) for wave in waves]
    shape = (len(cells), *cells[0][0].shape, 1)
    seen, wanted = (allocate(shape, np.dtype(np.float32)) for _ in range(2))
    for row, (logarithm, present) in enumerate(cells):
        seen[row, ..., 0] = (logarithm - TARGET_MEAN) / TARGET_STD
        wanted[row, ..., 0] = (np.where(present, logarithm, SILENCE) - TARGET_MEAN) / TARGET_STD
    return {"spectrograms": torch.from_numpy(seen), "targets": torch.from_numpy(wanted)}


def piece_batch(waves: list[Floats], frames: int, bands: int, allocate: Allocate = np.empty) -> Batch:
    """Pieces of sound, float32 [T * 256] each, as a batch for the vocoder.

    Returns:
        "log_mel", float32 [B, T, M], and the "waveforms" of those frames, float32 [B, T * 256].
    """
    spectra = allocate((len(waves), frames, bands), np.dtype(np.float32))
    sound = allocate((len(waves), frames * HOP), np.dtype(np.float32))
    for row, wave in enumerate(waves):
        spectra[row], sound[row] = silent_log_mel(wave, bands)[:frames], wave
    return {"log_mel": torch.from_numpy(spectra), "waveforms": torch.from_numpy(sound)}


class DecodedPieces:
    """Makes a batch as `piece_batch` does, of spectrograms as an audio tokeniser gives them back from its codes.

    A vocoder is used on such spectrograms, so it learns from them to make the original sound (HiFi-GAN, arXiv
    2010.05646, section 4.4). Of B segments, segment i gives the piece that begins at a share of i / B of where it may.

    Args:
        tokenizer: whose segments the sounds have.
        frames: of a piece, T.
    """

    def __init__(self, tokenizer: AudioTokenizer, frames: int) -> None:
        self._tokenizer, self._frames = tokenizer, frames
        self._bands = tokenizer.config.spectrogram_size[0]

    def __call__(self, waves: list[Floats], allocate: Allocate = np.empty) -> Batch:
        """The batch of segments of sound, float32 [samples] each; shapes as those of `piece_batch`."""
        spectra = allocate((len(waves), self._frames, self._bands), np.dtype(np.float32))
        sound = allocate((len(waves), self._frames * HOP), np.dtype(np.float32))
        decoded = decoded_log_mel(self._tokenizer, spectrogram_batch(waves, self._bands)["spectrograms"]).numpy()
        for row, wave in enumerate(waves):
            first = row * (decoded.shape[1] - self._frames) // len(waves)
            spectra[row] = decoded[row, first : first + self._frames]
            sound[row] = fit_length(wave[first * HOP : (first + self._frames) * HOP], self._frames * HOP)
        return {"log_mel": torch.from_numpy(spectra), "waveforms": torch.from_numpy(sound)}


@torch.no_grad()
def decoded_log_mel(tokenizer: AudioTokenizer, spectrograms: Tensor) -> Tensor:
    """Log-mel energies [B, T, M] of normalised spectrograms [B, T, M, 1] after they went through codes."""
    return log_mel_of(tokenizer.decode(tokenizer.encode(spectrograms)))


def silent_log_mel(wave: Floats, bands: int) -> Floats:
    """Log-mel energies of a waveform, float32 [1 + samples // 256, M]; cells without sound are silent."""
    return filled_log_mel(mel_power(wave, bands))


def held_out_sounds(media: CorpusMedia, samples: int, count: int) -> Iterator[Floats | ExampleError]:
    """The beginnings of `count` sounds spread evenly over the split, float32 [samples]; errors of damaged ones."""
    return (sound for _, sound in held_out(media, count, lambda number: fit_length(media.sound(number), samples)))


def held_out_batches(
    media: CorpusMedia, samples: int, count: int, batch_size: int, collate: Callable[[list[Floats]], Batch]
) -> HeldOutBatches:
    """Maker of the held-out batches of sounds; `collate` makes one of at most `batch_size` waveforms."""

    def load(number: int) -> Floats:
        return fit_length(media.sound(number), samples)

    return held_out_in_batches(media, count, batch_size, load, collate)
