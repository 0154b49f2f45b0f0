"""HiFi-GAN: a convolutional generator that turns log-mel spectrograms into waveforms (Kong et al., arXiv 2010.05646).

`Vocoder` is the generator with weight norm already folded into its weights; `load_vocoder` reads the published
checkpoints. `spectrogram_to_waveform` is what turns audio that the network made into sound, with or without a vocoder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.errors import BatchError, ConfigError
from embodio.model.layers.without_memory import without_memory
from embodio.model.processing.audio import TARGET_MEAN, TARGET_STD
from embodio.model.tokenizers.griffin_lim import griffin_lim
from embodio.model.weights.weight_files import open_weight_file, read_torch_file
from embodio.model.weights.weights import load_state, read_json

SLOPE = 0.1
"""Slope of the leaky rectifiers for negative values, except the last one, which has the usual 0.01."""
EDGE_KERNEL = 7


@dataclass(frozen=True, kw_only=True)
class VocoderConfig:
    """Sizes of the generator.

    Attributes:
        num_mels: mel bands M of a spectrogram.
        block: "1" with two convolutions a step (v1 and v2 of the paper), "2" with one (v3).
        upsample_rates: factors from frames to samples; their product is the hop length.
        upsample_kernels: widths of the transposed convolutions, each at least its rate and of the same parity.
        channels: after the first convolution; halved by every upsampling.
        block_kernels: widths of the residual blocks that follow each upsampling, side by side.
        block_dilations: the dilations inside of each of them.
        sample_rate: samples per second of the waveform.
    """

    num_mels: int = 128
    block: Literal["1", "2"] = "2"
    upsample_rates: tuple[int, ...] = (8, 8, 4)
    upsample_kernels: tuple[int, ...] = (16, 16, 8)
    channels: int = 256
    block_kernels: tuple[int, ...] = (3, 5, 7)
    block_dilations: tuple[tuple[int, ...], ...] = ((1, 2), (2, 6), (3, 12))
    sample_rate: int = 16_000

    def __post_init__(self) -> None:
        if self.block not in ("1", "2"):
            raise ConfigError(f"vocoder: block is {self.block!r}; choose '1' or '2'")
        if len(self.upsample_rates) != len(self.upsample_kernels):
            raise ConfigError("vocoder: upsample_rates and upsample_kernels must have the same length")
        if len(self.block_kernels) != len(self.block_dilations):
            raise ConfigError("vocoder: block_kernels and block_dilations must have the same length")
        for rate, kernel in zip(self.upsample_rates, self.upsample_kernels, strict=True):
            if kernel < rate or (kernel - rate) % 2:
                raise ConfigError(f"vocoder: an upsampling by {rate} cannot have the kernel {kernel}")
        if self.channels % 2 ** len(self.upsample_rates):
            raise ConfigError(f"vocoder: channels {self.channels} cannot be halved {len(self.upsample_rates)} times")

    @property
    def hop(self) -> int:
        """Samples of a frame."""
        product = 1
        for rate in self.upsample_rates:
            product *= rate
        return product

    @classmethod
    def named(cls, name: str) -> Self:
        """A known generator: "uio2" and "nano" (16 kHz, 128 bands), or "v1" to "v3" of the paper (22.05 kHz, 80)."""
        wide: dict[str, Any] = {
            "num_mels": 80,
            "block": "1",
            "upsample_rates": (8, 8, 2, 2),
            "upsample_kernels": (16, 16, 4, 4),
            "block_kernels": (3, 7, 11),
            "block_dilations": ((1, 3, 5),) * 3,
            "sample_rate": 22_050,
        }
        known: dict[str, dict[str, Any]] = {
            "uio2": {},
            "nano": {"channels": 128},
            "v1": {**wide, "channels": 512},
            "v2": {**wide, "channels": 128},
            "v3": {"num_mels": 80, "sample_rate": 22_050},
        }
        if name not in known:
            raise ConfigError(f"no vocoder {name!r}; there are {list(known)}")
        return cls(**known[name])

    @classmethod
    def from_reference(cls, data: Mapping[str, Any]) -> Self:
        """Read the `config.json` of a published generator; raises ConfigError naming a field that is missing."""
        values: dict[str, Any] = {}
        for ours, theirs in zip((field.name for field in fields(cls)), _THEIR_FIELDS, strict=True):
            if theirs not in data:
                raise ConfigError(f"vocoder: the configuration lacks {theirs!r}")
            values[ours] = _tuples(data[theirs])
        return cls(**values)


_THEIR_FIELDS = (
    "num_mels",
    "resblock",
    "upsample_rates",
    "upsample_kernel_sizes",
    "upsample_initial_channel",
    "resblock_kernel_sizes",
    "resblock_dilation_sizes",
    "sampling_rate",
)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


class Vocoder(nn.Module):
    """The generator: frames are upsampled to samples step by step, each step refined by residual blocks."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Conv1d(config.num_mels, config.channels, EDGE_KERNEL, padding=EDGE_KERNEL // 2)
        self.upsamples = nn.ModuleList()
        self.blocks = nn.ModuleList()
        channels = config.channels
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernels, strict=True):
            padding = (kernel - rate) // 2
            self.upsamples.append(nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=padding))
            channels //= 2
            for size, dilations in zip(config.block_kernels, config.block_dilations, strict=True):
                self.blocks.append(_Block(channels, size, dilations, config.block == "1"))
        self.last = nn.Conv1d(channels, 1, EDGE_KERNEL, padding=EDGE_KERNEL // 2)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Make sound.

        Args:
            log_mel: floating point [B, T, M], natural logarithms of mel power, not normalised.

        Returns:
            Waveforms [B, T * hop] in [-1, 1].

        Raises:
            BatchError: the spectrograms have another shape.
        """
        if log_mel.dim() != 3 or log_mel.shape[2] != self.config.num_mels:
            raise BatchError(
                f"the vocoder needs spectrograms (batch, time, {self.config.num_mels}), found {tuple(log_mel.shape)}"
            )
        x = self.first(log_mel.transpose(1, 2).to(self.first.weight.dtype))
        side_by_side = len(self.config.block_kernels)
        for index, upsample in enumerate(self.upsamples):
            x = upsample(functional.leaky_relu(x, SLOPE))
            outputs = [block(x) for block in self.blocks[index * side_by_side : (index + 1) * side_by_side]]
            x = torch.stack(outputs).mean(dim=0)
        return torch.tanh(self.last(functional.leaky_relu(x))).squeeze(1)


class _Block(nn.Module):
    """Dilated convolutions of [B, C, L], each added to its input; with `double`, each followed by an undilated one."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], double: bool) -> None:
        super().__init__()

        def convolution(dilation: int) -> nn.Conv1d:
            return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)

        self.dilated = nn.ModuleList(convolution(dilation) for dilation in dilations)
        self.plain = nn.ModuleList(convolution(1) for _ in (dilations if double else ()))

    def forward(self, x: Tensor) -> Tensor:
        for index, dilated in enumerate(self.dilated):
            hidden = dilated(functional.leaky_relu(x, SLOPE))
            if len(self.plain):
                hidden = self.plain[index](functional.leaky_relu(hidden, SLOPE))
            x = x + hidden
        return x


def load_vocoder(path: Path | str, config: VocoderConfig | None = None, device: torch.device | str = "cpu") -> Vocoder:
    """Load a published generator.

    Args:
        path: a torch file with the entry "generator", or a safetensors file, with weight norm or without.
        config: its sizes; by default read from `config.json` next to the file.
        device: where the generator goes.

    Returns:
        The generator in evaluation mode.

    Raises:
        ConfigError: the configuration is absent or incomplete.
        WeightsError: the file is absent, damaged or unsafe, or its names and shapes differ from the configuration.
    """
    path = Path(path)
    if config is None:
        config = VocoderConfig.from_reference(read_json(path.parent / "config.json"))
    is_torch = path.exists() and path.suffix != ".safetensors"
    state = read_torch_file(path, "generator") if is_torch else open_weight_file(path)
    with without_memory():
        vocoder = Vocoder(config)
    load_state(vocoder, from_reference_vocoder(state), assign=True)
    return vocoder.to(device).eval().requires_grad_(False)


_OUR_NAMES = (
    (r"^conv_pre\.", "first."),
    (r"^conv_post\.", "last."),
    (r"^ups\.", "upsamples."),
    (r"^resblocks\.(\d+)\.convs1?\.", r"blocks.\1.dilated."),
    (r"^resblocks\.(\d+)\.convs2\.", r"blocks.\1.plain."),
)
_NORMED = {"weight_g": "weight_v", "parametrizations.weight.original0": "parametrizations.weight.original1"}
"""Names of the length of a normed weight, and of its direction: of torch's older and newer weight norm."""


def from_reference_vocoder(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a published generator's tensors and fold its weight norm: weight = length * direction / |direction|.

    A length without its direction is passed on under its name, so that loading reports it.
    """
    folded = dict(state)
    for name in state:
        for length, direction in _NORMED.items():
            other = name.removesuffix(length) + direction
            if name.endswith(f".{length}") and other in folded:
                weight = folded.pop(other)
                norm = torch.linalg.vector_norm(weight, dim=tuple(range(1, weight.dim())), keepdim=True)
                folded[name.removesuffix(length) + "weight"] = weight * (folded.pop(name) / norm)
    result = {}
    for name, tensor in folded.items():
        for pattern, ours in _OUR_NAMES:
            name = re.sub(pattern, ours, name)
        result[name] = tensor
    return result


@torch.no_grad()
def log_mel_of(spectrograms: Tensor) -> Tensor:
    """Log-mel energies [B, T, M] of spectrograms that are normalised as targets, [B, T, M, 1]."""
    return spectrograms.squeeze(3) * float(TARGET_STD) + float(TARGET_MEAN)


def spectrogram_to_waveform(spectrograms: Tensor, vocoder: Vocoder | None = None) -> Tensor:
    """Sound of the spectrograms that `UnifiedIO2.render` gives.

    Args:
        spectrograms: normalised log-mel [B, T, M, 1].
        vocoder: makes the sound; without one, `griffin_lim` does, which needs no weights and sounds rougher.

    Returns:
        Waveforms at 16 kHz: [B, T * 256] from the vocoder, [B, (T - 1) * 256] from Griffin-Lim.

    Raises:
        BatchError: the spectrograms have another shape.
    """
    if spectrograms.dim() != 4 or spectrograms.shape[3] != 1:
        raise BatchError(f"spectrograms must have shape (batch, time, mel, 1), found {tuple(spectrograms.shape)}")
    log_mel = log_mel_of(spectrograms)
    return griffin_lim(log_mel) if vocoder is None else vocoder(log_mel)
