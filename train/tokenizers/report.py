"""The report of a tokeniser: originals next to reconstructions, figures, and sounds to play, in one offline page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from embodio.datasets.codecs.image_codec import encode_image
from embodio.datasets.errors import ExampleError
from embodio.datasets.metrics.codebook_use import codebook_use
from embodio.datasets.metrics.log_spectral_distance import log_spectral_distance
from embodio.datasets.metrics.psnr import psnr
from embodio.datasets.metrics.ssim import ssim
from embodio.datasets.pages.html_page import html_page
from embodio.datasets.pages.pictures import sound as sound_medium
from embodio.model.processing.audio import fit_length
from embodio.model.processing.audio_features import SAMPLE_RATE, segment_samples
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.griffin_lim import griffin_lim
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.model.tokenizers.vocoder import Vocoder, log_mel_of, spectrogram_to_waveform
from embodio.model.writing import write_bytes
from embodio.train.observers.observer import Observer
from embodio.train.tokenizers.media import CorpusMedia
from embodio.train.tokenizers.pictures import held_out_pictures
from embodio.train.tokenizers.sounds import decoded_log_mel, held_out_sounds, silent_log_mel, spectrogram_batch
from embodio.train.validation import Line

if TYPE_CHECKING:
    from embodio.train.loop import Trainer

Floats = npt.NDArray[np.float32]
REPORT = "reconstructions.html"
_FRAMES = 256  # of a held-out sound, where no tokeniser says how many
_LOUDEST, _QUIETEST = 5.0, -11.5
"""Range of log-mel energies that is shown from white to black."""


@dataclass(frozen=True)
class Item:
    """One held-out item.

    Attributes:
        caption: where it comes from, and its figures.
        pictures: PNG files, the original next to the reconstruction.
        sounds: what it is -> WAV file.
    """

    caption: str
    pictures: Sequence[bytes] = ()
    sounds: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Findings:
    """The content of a report.

    Attributes:
        title: heading.
        note: what is shown, in a sentence or two.
        figures: name -> value, over all held-out items that were measured.
        items: some of them.
    """

    title: str
    note: str
    figures: Mapping[str, str]
    items: Sequence[Item]

    def page(self) -> bytes:
        """The page in UTF-8."""
        values: dict[str, Any] = {"title": self.title, "note": self.note, "figures": self.figures}
        return html_page("embodio.train.tokenizers", "tokenizer.html", items=self.items, **values)


class TokenizerReport(Observer):
    """Writes `reconstructions.html` into the folder of a run whenever held-out items are measured.

    Args:
        find: makes the content from the tokeniser or vocoder, with averaged weights and in evaluation mode.
    """

    def __init__(self, find: Callable[[Any], Findings]) -> None:
        self._find = find

    def on_start(self, trainer: Trainer[Any]) -> None:
        """Training begins."""
        self._trainer = trainer

    def on_validation(self, step: int, lines: Mapping[str, Line]) -> None:
        """Writes the report of the weights after `step` steps, if anything could be measured."""
        if not lines:
            return
        run = self._trainer.run
        run.model.eval()
        with run.averaged():
            found = self._find(run.model.tokenizer)
        figures = {"step": str(step), **found.figures}
        write_bytes(Path(self._trainer.config.out) / REPORT, replace(found, figures=figures).page())


@torch.no_grad()
def image_findings(tokenizer: ImageTokenizer, media: CorpusMedia, measured: int, shown: int = 24) -> Findings:
    """Reconstructions of `measured` held-out pictures, of which `shown` are on the page."""
    quality: list[tuple[float, float]] = []
    codes: list[Tensor] = []
    items: list[Item] = []
    device = device_of(tokenizer)
    for number, picture in held_out_pictures(media, tokenizer.config.image_size, measured):
        if isinstance(picture, ExampleError):
            continue
        original = torch.from_numpy(picture)[None].float() / 255.0
        found_codes = tokenizer.encode(original.to(device) * 2.0 - 1.0)
        found = (tokenizer.decode(found_codes).cpu() + 1.0).clamp(0, 2) / 2.0
        quality.append((float(psnr(original, found)), float(ssim(original, found))))
        codes.append(found_codes)
        if len(items) < shown:
            pair = torch.cat((original[0], found[0]), dim=1).mul(255).round().byte().numpy()
            items.append(Item(f"{media.name(number)}: {quality[-1][0]:.1f} dB", [encode_image(pair, "png")]))
    use, perplexity = codebook_use(torch.cat(codes), tokenizer.config.num_codes)
    means = np.mean(quality, axis=0)
    figures = {
        "pictures": str(len(quality)),
        "PSNR": f"{means[0]:.2f} dB",
        "SSIM": f"{means[1]:.3f}",
        "codes in use": f"{use:.1%} of {tokenizer.config.num_codes}",
        "perplexity of the codes": f"{perplexity:.0f}",
    }
    return Findings(
        "Image tokeniser", "Originals on the left, reconstructions from codes on the right.", figures, items
    )


@torch.no_grad()
def audio_findings(
    tokenizer: AudioTokenizer, vocoder: Vocoder | None, media: CorpusMedia, measured: int, shown: int = 8
) -> Findings:
    """Reconstructions of `measured` held-out sounds, of which `shown` are on the page; `vocoder` makes them audible."""
    bands, frames = tokenizer.config.spectrogram_size
    device = device_of(tokenizer)
    distances: list[float] = []
    codes: list[Tensor] = []
    items: list[Item] = []
    for number, wave_form in enumerate(held_out_sounds(media, segment_samples(frames), measured)):
        if isinstance(wave_form, ExampleError):
            continue
        batch = spectrogram_batch([wave_form], bands)
        found_codes = tokenizer.encode(batch["spectrograms"].to(device))
        found = tokenizer.decode(found_codes).cpu()
        wanted_log, found_log = (log_mel_of(cells) for cells in (batch["targets"], found))
        distances.append(float(log_spectral_distance(wanted_log, found_log)))
        codes.append(found_codes)
        if len(items) < shown:
            sounds = {"original": wav_file(wave_form), "codes, Griffin-Lim": _spoken(found, None)}
            if vocoder is not None:
                sounds["codes, vocoder"] = _spoken(found, vocoder)
            pictures = [spectrogram_png(one[0].numpy()) for one in (wanted_log, found_log)]
            items.append(Item(f"sound {number}: {distances[-1]:.1f} dB", pictures, sounds))
    use, perplexity = codebook_use(torch.cat(codes), tokenizer.config.num_codes)
    figures = {
        "sounds": str(len(distances)),
        "log-spectral distance": f"{np.mean(distances):.2f} dB",
        "codes in use": f"{use:.1%} of {tokenizer.config.num_codes}",
        "perplexity of the codes": f"{perplexity:.0f}",
    }
    note = "Spectrograms (time to the right, low bands below): the original above, the reconstruction from codes below."
    return Findings("Audio tokeniser", note, figures, items)


@torch.no_grad()
def vocoder_findings(
    vocoder: Vocoder, media: CorpusMedia, measured: int, shown: int = 8, tokenizer: AudioTokenizer | None = None
) -> Findings:
    """Sounds made again from the spectrograms of `measured` held-out ones, by the vocoder and by Griffin-Lim.

    With a tokeniser the spectrograms are those that come out of its codes, and its own distance is told, too.
    """
    bands, device = vocoder.config.num_mels, device_of(vocoder)
    frames = _FRAMES if tokenizer is None else tokenizer.config.spectrogram_size[1]
    distances: dict[str, list[float]] = {"vocoder": [], "Griffin-Lim": []}
    if tokenizer is not None:
        distances = {"codes": [], **distances}
    items: list[Item] = []
    for number, wave_form in enumerate(held_out_sounds(media, segment_samples(frames), measured)):
        if isinstance(wave_form, ExampleError):
            continue
        wanted = torch.from_numpy(silent_log_mel(wave_form, bands))[None]
        given, pictures = wanted, [spectrogram_png(wanted[0].numpy())]
        if tokenizer is not None:
            given = decoded_log_mel(tokenizer, spectrogram_batch([wave_form], bands)["spectrograms"])
            wanted = wanted[:, : given.shape[1]]
            pictures.append(spectrogram_png(given[0].numpy()))
            distances["codes"].append(float(log_spectral_distance(wanted, given)))
        made = {"vocoder": vocoder(given.to(device))[0].cpu().numpy(), "Griffin-Lim": griffin_lim(given)[0].numpy()}
        for name, sound in made.items():
            again = silent_log_mel(fit_length(sound, len(wave_form)), bands)[: wanted.shape[1]]
            distances[name].append(float(log_spectral_distance(wanted, torch.from_numpy(again)[None])))
            pictures.append(spectrogram_png(again))
        if len(items) < shown:
            sounds = {"original": wav_file(wave_form)} | {name: wav_file(sound) for name, sound in made.items()}
            told = ", ".join(f"{name} {values[-1]:.1f} dB" for name, values in distances.items())
            items.append(Item(f"sound {number}: {told}", pictures, sounds))
    figures = {f"log-spectral distance, {name}": f"{np.mean(values):.2f} dB" for name, values in distances.items()}
    codes = "" if tokenizer is None else "what comes out of the codes, "
    note = f"Spectrograms from the top: the original, {codes}the vocoder's sound, Griffin-Lim's sound."
    return Findings("Vocoder", note, {"sounds": str(len(distances["vocoder"])), **figures}, items)


def wav_file(samples: Floats) -> bytes:
    """A WAV file of mono samples at 16 kHz in 16 bits, clipped."""
    return sound_medium(samples, SAMPLE_RATE).data


def spectrogram_png(log_mel: Floats) -> bytes:
    """A PNG of log-mel energies [T, M]: time to the right, low bands below, loud cells dark."""
    shade = np.clip((_LOUDEST - log_mel.T[::-1]) / (_LOUDEST - _QUIETEST), 0, 1)
    return encode_image(np.repeat((shade * 255).astype(np.uint8)[..., None], 3, axis=2), "png")


def device_of(network: nn.Module) -> torch.device:
    """Where a network computes."""
    return next(network.parameters()).device


def _spoken(found: Tensor, vocoder: Vocoder | None) -> bytes:
    return wav_file(spectrogram_to_waveform(found, vocoder)[0].numpy())
