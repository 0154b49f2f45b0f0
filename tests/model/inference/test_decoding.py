"""Decoding with cached keys and values equals teacher forcing."""

import functools

import pytest
import torch
from torch import Tensor

from embodio.model import BatchError, DecodingError, ModelConfig, UnifiedIO2
from embodio.model.network.targets import shift_right
from tests.support.model.golden_network import OWN_FOLDER, GoldenNetwork, load_network, worst

INPUTS = ("text", "image", "image_history", "audio", "audio_history")
TOLERANCE = 1e-4


@functools.lru_cache
def golden() -> GoldenNetwork:
    return load_network(OWN_FOLDER)


def decoder_inputs(modality: str) -> Tensor:
    if modality == "text":
        return golden().batch["targets/text/inputs"].long()
    return shift_right(golden().batch[f"targets/{modality}/tokens"].long())


@pytest.mark.parametrize("modality", ["text", "image", "audio"])
@pytest.mark.parametrize("sizes", ["one by one", "in chunks", "all at once"])
def test_cached_decoding_equals_teacher_forcing(modality: str, sizes: str) -> None:
    model, tokens = golden().model, decoder_inputs(modality)
    length = tokens.shape[1]
    chunks = {"one by one": [1] * length, "in chunks": [1, 4, length - 5], "all at once": [length]}[sizes]
    with torch.no_grad():
        expected = model(golden().only(INPUTS, (modality,)))[modality].logits
    state = model.start_decoding(model.encode(golden().batch), length, modality)
    logits = torch.cat([model.decode_step(state, part) for part in tokens.split(chunks, dim=1)], dim=1)
    assert state.length == length
    assert worst(logits, expected, golden().batch[f"targets/{modality}/mask"]) < TOLERANCE


def test_cached_decoding_equals_the_reference() -> None:
    model, tokens = golden().model, decoder_inputs("text")
    state = model.start_decoding(model.encode(golden().batch), tokens.shape[1])
    logits = torch.cat([model.decode_step(state, part) for part in tokens.split(1, dim=1)], dim=1)
    assert worst(logits, golden().outputs["forced/logits"], golden().batch["targets/text/mask"]) < TOLERANCE


@pytest.mark.parametrize("sizes", [[1] * 12, [1, 4, 1, 6]])
def test_nano_without_masks(sizes: list[int]) -> None:
    model = UnifiedIO2(ModelConfig.named("nano", vocab_size=256)).eval()
    generator = torch.Generator().manual_seed(0)
    batch = {
        "inputs/text/tokens": torch.randint(3, 256, (3, 9), generator=generator),
        "inputs/image/input": torch.randn(3, 72, 768, generator=generator),
        "targets/text/targets": torch.randint(3, 256, (3, 12), generator=generator),
    }
    with torch.inference_mode():
        expected = model(batch)["text"].logits
        state = model.start_decoding(model.encode(batch), 12)
        tokens = shift_right(batch["targets/text/targets"])
        logits = torch.cat([model.decode_step(state, part) for part in tokens.split(sizes, dim=1)], dim=1)
    assert worst(logits, expected) < TOLERANCE


def test_rows_can_be_repeated_and_reordered() -> None:
    model, tokens = golden().model, decoder_inputs("text")
    rows = torch.tensor([1, 0, 1])
    encoded = model.encode(golden().batch)
    plain = model.start_decoding(encoded, 9)
    model.decode_step(plain, tokens[:, :3])
    selected = plain.select(rows)
    expected = model.decode_step(plain, tokens[:, 3:5])
    assert worst(model.decode_step(selected, tokens[rows, 3:5]), expected[rows]) < 2e-6


def test_too_many_tokens_and_unknown_targets_are_refused() -> None:
    model = golden().model
    encoded = model.encode(golden().batch)
    state = model.start_decoding(encoded, 2)
    with pytest.raises(DecodingError, match="3 tokens were fed but there is capacity for 2"):
        model.decode_step(state, torch.zeros(2, 3, dtype=torch.int64))
    with pytest.raises(DecodingError, match=r"outside 1\.\.48"):
        model.start_decoding(encoded, 49)
    with pytest.raises(BatchError, match="cannot decode 'smell'"):
        model.start_decoding(encoded, 2, "smell")
