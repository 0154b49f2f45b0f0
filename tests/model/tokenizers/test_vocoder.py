"""The vocoder equals a plain composition of torch's weight-normed layers, and reads the published layout."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from embodio.model import BatchError, ConfigError, Vocoder, VocoderConfig, WeightsError, load_vocoder
from embodio.model.tokenizers.vocoder import from_reference_vocoder, spectrogram_to_waveform

SMALL = {
    "1": VocoderConfig(
        num_mels=10,
        block="1",
        upsample_rates=(4, 2),
        upsample_kernels=(8, 4),
        channels=8,
        block_kernels=(3, 7),
        block_dilations=((1, 3, 5), (1, 2)),
    ),
    "2": VocoderConfig(
        num_mels=10,
        block="2",
        upsample_rates=(3, 2),
        upsample_kernels=(5, 4),
        channels=8,
        block_kernels=(3, 5),
        block_dilations=((1, 2), (2, 6)),
    ),
}


class Published(nn.Module):
    """The published generator's layers, weight norm and names."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        self.conv_pre = weight_norm(nn.Conv1d(config.num_mels, config.channels, 7, padding=3))
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        width = config.channels
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernels, strict=True):
            layer = nn.ConvTranspose1d(width, width // 2, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(weight_norm(layer))
            width //= 2
            for size, dilations in zip(config.block_kernels, config.block_dilations, strict=True):
                self.resblocks.append(self.block(width, size, dilations))
        self.conv_post = weight_norm(nn.Conv1d(width, 1, 7, padding=3))

    def block(self, width: int, size: int, dilations: tuple[int, ...]) -> nn.Module:
        def layers(steps: tuple[int, ...]) -> nn.ModuleList:
            return nn.ModuleList(
                weight_norm(nn.Conv1d(width, width, size, dilation=step, padding=(size * step - step) // 2))
                for step in steps
            )

        block = nn.Module()
        if self.config.block == "1":
            block.convs1, block.convs2 = layers(dilations), layers((1,) * len(dilations))
        else:
            block.convs = layers(dilations)
        return block

    def forward(self, mel_first: Tensor) -> Tensor:
        x, count = self.conv_pre(mel_first), len(self.config.block_kernels)
        for step, up in enumerate(self.ups):
            x = up(functional.leaky_relu(x, 0.1))
            total = 0.0
            for block in list(self.resblocks)[step * count : (step + 1) * count]:
                y = x
                if self.config.block == "1":
                    for one, two in zip(block.convs1, block.convs2, strict=True):
                        y = two(functional.leaky_relu(one(functional.leaky_relu(y, 0.1)), 0.1)) + y
                else:
                    for one in block.convs:
                        y = one(functional.leaky_relu(y, 0.1)) + y
                total = total + y
            x = total / count
        return torch.tanh(self.conv_post(functional.leaky_relu(x, 0.01)))[:, 0]


def published(config: VocoderConfig) -> Published:
    torch.manual_seed(1)
    module = Published(config)
    for name, parameter in module.named_parameters():
        if name.endswith("original0"):  # a length that differs from that of the direction
            parameter.data *= 2.0 + torch.rand_like(parameter)
    return module.eval()


def older_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    old = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    return {name.replace(new, old[new]): value for name, value in state.items() for new in old if new in name} | {
        name: value for name, value in state.items() if "parametrizations" not in name
    }


@pytest.mark.parametrize("block", ["1", "2"])
def test_equals_the_published_generator(block: str, tmp_path: Path) -> None:
    reference = published(SMALL[block])
    state = older_names(reference.state_dict())
    assert any(name.endswith("weight_g") for name in state)
    torch.save({"generator": state}, tmp_path / "g_00000001")
    vocoder = load_vocoder(tmp_path / "g_00000001", SMALL[block])
    spectrograms = torch.randn(2, 9, 10)
    with torch.no_grad():
        expected = reference(spectrograms.transpose(1, 2))
    found = vocoder(spectrograms)
    assert found.shape == (2, 9 * SMALL[block].hop)
    assert expected.std() > 0.1
    assert torch.allclose(found, expected, atol=2e-6)
    assert not any("weight_g" in name or "original" in name for name in vocoder.state_dict())


def test_newer_weight_norm_and_folded_weights_read_alike(tmp_path: Path) -> None:
    reference = published(SMALL["2"])
    newer = from_reference_vocoder(reference.state_dict())
    older = from_reference_vocoder(older_names(reference.state_dict()))
    assert newer.keys() == older.keys() == Vocoder(SMALL["2"]).state_dict().keys()
    assert all(torch.equal(newer[name], older[name]) for name in newer)
    for module in reference.modules():
        if hasattr(module, "parametrizations"):
            nn.utils.parametrize.remove_parametrizations(module, "weight")
    save_file(reference.state_dict(), tmp_path / "model.safetensors")
    plain = load_vocoder(tmp_path / "model.safetensors", SMALL["2"])
    assert all(torch.allclose(tensor, newer[name], atol=1e-6) for name, tensor in plain.state_dict().items())


@pytest.mark.parametrize(("name", "millions", "hop"), [("v1", 13.92, 256), ("v2", 0.92, 256), ("v3", 1.46, 256)])
def test_sizes_of_the_paper(name: str, millions: float, hop: int) -> None:
    config = VocoderConfig.named(name)
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in Vocoder(config).parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.02)
    assert config.hop == hop


def test_the_16_khz_generator_makes_4_096_seconds() -> None:
    config = VocoderConfig.named("uio2")
    data = {
        "resblock": "2",
        "num_mels": 128,
        "upsample_rates": [8, 8, 4],
        "upsample_kernel_sizes": [16, 16, 8],
        "upsample_initial_channel": 256,
        "resblock_kernel_sizes": [3, 5, 7],
        "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]],
        "sampling_rate": 16000,
        "segment_size": 8192,
    }
    assert VocoderConfig.from_reference(data) == config
    with torch.device("meta"):
        sound = Vocoder(config)(torch.empty(1, 256, 128))
    assert sound.shape == (1, 65_536)
    with pytest.raises(ConfigError, match="lacks 'num_mels'"):
        VocoderConfig.from_reference({})


def test_misfits_are_named(tmp_path: Path) -> None:
    state = published(SMALL["1"]).state_dict()
    state.pop("conv_pre.parametrizations.weight.original1")
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"missing: \['first.weight'\]; unexpected: \['first.param"):
        load_vocoder(tmp_path / "model.safetensors", SMALL["1"])
    with pytest.raises(ConfigError, match=r"config\.json does not exist"):
        load_vocoder(tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"num_mels": 3}))
    with pytest.raises(ConfigError, match="lacks 'resblock'"):
        load_vocoder(tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="does not exist"):
        load_vocoder(tmp_path / "none.safetensors", SMALL["1"])
    with pytest.raises(BatchError, match=r"\(batch, time, 10\)"):
        Vocoder(SMALL["1"])(torch.zeros(1, 10, 4))
    with pytest.raises(ConfigError, match="no vocoder 'v4'"):
        VocoderConfig.named("v4")
    for changes in ({"upsample_kernels": (16, 16)}, {"upsample_kernels": (16, 16, 7)}, {"channels": 12}):
        with pytest.raises(ConfigError, match="vocoder"):
            VocoderConfig(**changes)


def test_normalised_spectrograms_become_sound() -> None:
    vocoder = Vocoder(VocoderConfig(**{**vars(SMALL["2"]), "num_mels": 128})).eval()
    spectrograms = torch.randn(2, 6, 128, 1)
    expected = vocoder(spectrograms[..., 0] * 3.8312 - 5.0945)
    assert torch.allclose(spectrogram_to_waveform(spectrograms, vocoder), expected, atol=1e-6)
    assert spectrogram_to_waveform(spectrograms).shape == (2, 5 * 256)
    with pytest.raises(BatchError, match=r"\(batch, time, mel, 1\)"):
        spectrogram_to_waveform(spectrograms[..., 0])
