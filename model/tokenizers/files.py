"""Folders of tokenisers and vocoders: `config.json` and `model.safetensors` with checksums, and those that ship."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from embodio.model.config.parts import AudioTokenizerConfig, ImageTokenizerConfig
from embodio.model.config.reading import from_plain, to_plain
from embodio.model.errors import ConfigError
from embodio.model.layers.without_memory import without_memory
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.model.tokenizers.vocoder import Vocoder, VocoderConfig
from embodio.model.weights.checksums import check_sums, write_sums
from embodio.model.weights.weight_files import open_weight_file, write_tensors
from embodio.model.weights.weights import halved, load_state, read_json
from embodio.model.writing import write_json

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
SHIPPED = Path(__file__).parent / "shipped"
"""Folder of those that ship with the package, one sub-folder each."""

Network = TypeVar("Network", ImageTokenizer, AudioTokenizer, Vocoder)

_KINDS: Mapping[type[nn.Module], tuple[str, type]] = {
    ImageTokenizer: ("image_tokenizer", ImageTokenizerConfig),
    AudioTokenizer: ("audio_tokenizer", AudioTokenizerConfig),
    Vocoder: ("vocoder", VocoderConfig),
}
"""Class of a network -> the kind that its `config.json` names, and the class of its configuration."""
_LEARNED_FROM = {"vocoder-nano": "audio-nano"}
"""A vocoder that ships -> the audio tokeniser that ships through whose codes it learned to speak."""


def shipped_names() -> tuple[str, ...]:
    """Names of the tokenisers and vocoders that ship with the package."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG}")))


def save_tokenizer(folder: Path, network: ImageTokenizer | AudioTokenizer | Vocoder, *, half: bool = False) -> None:
    """Writes a tokeniser or vocoder into an existing folder.

    Args:
        folder: where.
        network: what.
        half: store float16 numbers, rounded to the nearest. Loading widens them to float32, which is exact, so that
            every load gives the same numbers.

    Raises:
        WriteError: the disk is full, or the folder cannot be written.
        WeightsError: a number is not finite in float16.
    """
    kind, _ = _KINDS[type(network)]
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_tensors(folder / WEIGHTS, halved(tensors) if half else tensors)
    write_json(folder / CONFIG, {"kind": kind, "config": to_plain(network.config)}, indent=2)
    write_sums(folder, (WEIGHTS, CONFIG))


def fingerprint(network: nn.Module) -> str:
    """SHA-256 of the weights of a tokeniser, in hex."""
    total = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        total.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def load_image_tokenizer(place: str | Path) -> ImageTokenizer:
    """An image tokeniser in evaluation mode, float32, on the CPU.

    Args:
        place: its folder, or the name of one that ships.

    Raises:
        ConfigError: nothing of that name ships and there is no such folder, or it holds another kind.
        WeightsError: a file is absent or damaged, or does not match its checksum.
    """
    return _load(place, ImageTokenizer)


def load_audio_tokenizer(place: str | Path) -> AudioTokenizer:
    """An audio tokeniser; argument and errors as those of `load_image_tokenizer`."""
    return _load(place, AudioTokenizer)


def load_saved_vocoder(place: str | Path, *, bands: int | None = None) -> Vocoder:
    """A vocoder that `save_tokenizer` wrote.

    Args:
        place: as of `load_image_tokenizer`.
        bands: mel bands of the spectrograms that it is for; None for any.

    Raises:
        ConfigError, WeightsError: as `load_image_tokenizer`; or it reads other spectrograms.
    """
    vocoder = _load(place, Vocoder)
    if bands is not None and vocoder.config.num_mels != bands:
        raise ConfigError(f"vocoder: {place} reads {vocoder.config.num_mels} mel bands; the spectrograms have {bands}")
    return vocoder


def shipped_vocoder(tokenizer: nn.Module) -> Vocoder | None:
    """The vocoder that ships for an audio tokeniser, because it learned from its codes; None if there is none.

    It is the tokeniser's weights that decide, so that any network with the one that ships speaks with its vocoder.
    """
    if not isinstance(tokenizer, AudioTokenizer):
        return None
    weights = tokenizer.state_dict()
    for vocoder, name in _LEARNED_FROM.items():
        known = load_audio_tokenizer(name)
        if known.config == tokenizer.config and all(
            torch.equal(weights[key].float().cpu(), value) for key, value in known.state_dict().items()
        ):
            return load_saved_vocoder(vocoder)
    return None


def _load(place: str | Path, network: type[Network]) -> Network:
    kind, config_class = _KINDS[network]
    folder = SHIPPED / place if str(place) in shipped_names() else Path(place)
    if not (folder / CONFIG).is_file():
        known = ", ".join(shipped_names()) or "none"
        raise ConfigError(f"{place}: no folder with a {CONFIG}, and nothing of that name ships ({known})")
    check_sums(folder, (CONFIG, WEIGHTS))
    written = read_json(folder / CONFIG)
    if written.get("kind") != kind:
        raise ConfigError(f"{folder} holds a {written.get('kind')!r}; expected a {kind!r}")
    config: Any = from_plain(config_class, written.get("config"), kind)
    with without_memory():
        found = network(config)
    weights = open_weight_file(folder / WEIGHTS)
    widened: dict[str, Tensor] = {name: weights[name].float() for name in weights}
    load_state(found, widened, assign=True)
    return found.eval().requires_grad_(False)
