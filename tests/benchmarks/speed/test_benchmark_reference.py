"""The plain network that speed is compared with gives the same numbers as ours, so it does the same work."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.speed.reference_like import ReferenceLike, ReferenceLikeDecoder
from embodio.benchmarks.speed.suites.model import quick_size, random_network
from embodio.model import ModelConfig, UnifiedIO2


@pytest.fixture(scope="module")
def model() -> UnifiedIO2:
    torch.manual_seed(0)
    config = ModelConfig.named("nano")
    small = dataclasses.replace(config.transformer, emb_dim=64, num_heads=4, head_dim=16, mlp_dim=96)
    model = UnifiedIO2(config.replace(transformer=small)).eval()
    for name, parameter in model.named_parameters():
        if name.endswith(("norm", "scale", "bias")):
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return model


@pytest.fixture
def batch(model: UnifiedIO2) -> dict[str, torch.Tensor]:
    patches = torch.randn(2, 72, 768)
    return {"inputs/text/tokens": torch.randint(3, 1000, (2, 9)), "inputs/image/input": patches}


def test_it_equals_ours(model: UnifiedIO2, batch: dict[str, torch.Tensor]) -> None:
    plain = ReferenceLike(model)
    encoded, table = plain.encode(batch)
    with torch.no_grad():
        ours = model.encode(batch)
    torch.testing.assert_close(encoded, ours.embeddings, atol=2e-5, rtol=1e-4)
    state, decoder = model.start_decoding(ours, 8), ReferenceLikeDecoder(plain, encoded, table)
    for tokens in torch.randint(3, 1000, (5, 2, 1)):
        torch.testing.assert_close(decoder.step(tokens), model.decode_step(state, tokens), atol=2e-5, rtol=1e-4)


def test_image_codes_equal_ours() -> None:
    model = random_network(quick_size())
    plain = ReferenceLike(model)
    batch = {"inputs/text/tokens": torch.randint(3, 1000, (2, 9))}
    encoded, table = plain.encode(batch)
    with torch.no_grad():
        state = model.start_decoding(model.encode(batch), 8, "image")
    decoder = ReferenceLikeDecoder(plain, encoded, table, "image")
    for tokens in torch.randint(2, 1000, (3, 2, 1)):
        torch.testing.assert_close(decoder.step(tokens), model.decode_step(state, tokens), atol=2e-5, rtol=1e-4)


def test_it_reads_text_and_images_only(model: UnifiedIO2, batch: dict[str, torch.Tensor]) -> None:
    with pytest.raises(BenchmarkError, match="inputs/text/mask"):
        ReferenceLike(model).encode({**batch, "inputs/text/mask": torch.ones(2, 9)})
