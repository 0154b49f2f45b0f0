"""Networks of any size equal the plain network: other heads, grids, layers, resamplers, tables, orders and codes."""

import functools
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from embodio.model import UnifiedIO2, load
from embodio.model.generation import Beam, GenerationOptions, Guidance, allow, generate
from embodio.model.weights.reference_config import from_reference_config, to_reference_config
from tests.support.model.golden_network import OWN_FOLDER, load_network, read_arrays, worst
from tests.support.model.other_networks import SIZES, OtherNetwork, other_network
from tests.support.model.plain_search import plain_search
from tests.support.model.plain_tokenizers import PlainTokenizers

TOLERANCE = 1e-4
TARGETS = ("text", "image", "audio")
Encoded = tuple[Tensor, Tensor, Tensor]


@functools.lru_cache
def network(size: str) -> tuple[OtherNetwork, PlainTokenizers]:
    given = other_network(size, seed=len(size))
    return given, PlainTokenizers(given.config, given.state)


@functools.lru_cache
def encoded(size: str) -> Encoded:
    given, plain = network(size)
    return plain.encode(given.batch)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, UnifiedIO2]:
    """The networks as they load from folders that are written as the reference's own code writes them."""
    return {size: load(network(size)[0].save(tmp_path_factory.mktemp(size))) for size in SIZES}


def test_the_plain_network_is_the_reference() -> None:
    config: Path = OWN_FOLDER / "tiny_config.json"
    state = load_file(OWN_FOLDER / "tiny_state.safetensors")
    plain = PlainTokenizers(json.loads(config.read_text(encoding="utf-8")), state, gelu="none")
    inputs, expected = read_arrays(OWN_FOLDER / "tiny_inputs.npz"), load_network(OWN_FOLDER).outputs
    whole = plain.encode(inputs)
    assert worst(whole[0], expected["all/encoder/out"], whole[1]) < 1e-5
    for name in TARGETS:
        ids, mask = (expected[f"all/target/{name}/{field}"] for field in ("target_tokens", "mask"))
        assert worst(plain.logits(whole, name, ids, mask), expected[f"all/logits/{name}"], mask) < 1e-5
    latents = plain.image_latents(inputs["targets/image/image"].permute(0, 3, 1, 2))
    codes = plain.image_codes(latents)
    assert torch.equal(codes, expected["vqgan/ids"].long())
    assert worst(plain.image_of(codes, 8), expected["vqgan/decoded"]) < 1e-5
    latents = plain.sound_latents(inputs["targets/audio/audio"].permute(0, 3, 2, 1))
    codes = plain.sound_codes(latents)
    assert torch.equal(codes, expected["vitvqgan/ids"].long())
    assert worst(plain.sound_of(codes), expected["vitvqgan/decoded"]) < 1e-5


@pytest.mark.parametrize("size", SIZES)
def test_configurations_are_written_as_they_were_read(size: str) -> None:
    config = network(size)[0].config
    assert to_reference_config(from_reference_config(config)) == config


@pytest.mark.parametrize("size", SIZES)
def test_encoder_and_logits_of_all_targets(loaded: dict[str, UnifiedIO2], size: str) -> None:
    given, plain = network(size)
    with torch.no_grad():
        found, outputs = loaded[size].encode(given.batch), loaded[size](given.batch)
    expected = encoded(size)
    assert torch.equal(found.full_mask(), expected[1])
    assert worst(found.embeddings, expected[0], expected[1]) < TOLERANCE
    assert list(outputs) == list(TARGETS)
    for name in TARGETS:
        ids = given.batch["targets/text/targets" if name == "text" else f"targets/{name}/tokens"]
        mask = given.batch[f"targets/{name}/mask"]
        assert worst(outputs[name].logits, plain.logits(expected, name, ids, mask), mask) < TOLERANCE


@pytest.mark.parametrize("size", SIZES)
def test_tokenisers(loaded: dict[str, UnifiedIO2], size: str) -> None:
    plain, model = network(size)[1], loaded[size]
    generator = torch.Generator().manual_seed(3)
    height, width = plain.t5["default_image_size"]
    images = torch.rand(2, height, width, 3, generator=generator) * 2 - 1
    codes = plain.image_codes(plain.image_latents(images.permute(0, 3, 1, 2)))
    rows = height // plain.config["image_vqgan"]["patch_size"][0]
    assert torch.equal(model.tokenizers["image"].encode(images), codes)
    drawn = (plain.image_of(codes, rows).permute(0, 2, 3, 1) + 1) / 2
    assert worst(model.render(codes + 2, "image"), drawn.clamp(0, 1)) < TOLERANCE
    time, mel = plain.t5["default_audio_size"]
    sounds = torch.randn(2, time, mel, 1, generator=generator)
    codes = plain.sound_codes(plain.sound_latents(sounds.permute(0, 3, 2, 1)))
    time_first = codes.unflatten(1, plain.sound_grid()).transpose(1, 2).flatten(1)
    assert torch.equal(model.tokenizers["audio"].encode(sounds), time_first)
    assert worst(model.render(time_first + 2, "audio"), plain.sound_of(codes).permute(0, 3, 2, 1)) < TOLERANCE


def scores_after(plain: PlainTokenizers, source: Encoded, modality: str, written: list[int]) -> Tensor:
    """Log-probabilities [V] of what follows, from one row of the encoder's output, everything computed again."""
    ids = torch.tensor([[*written, 0]])
    return plain.logits(source, modality, ids, torch.ones_like(ids))[0, -1].log_softmax(dim=-1)


@pytest.mark.parametrize("modality", TARGETS)
@pytest.mark.parametrize("scale", [0.0, 2.0])
@pytest.mark.parametrize("width", [0, 3])
def test_generation(loaded: dict[str, UnifiedIO2], modality: str, scale: float, width: int) -> None:
    """Greedily and by beams, with and without guidance, with a constraint: id for id what the plain one writes."""
    size, count = "three_heads", 5
    plain, model = network(size)[1], loaded[size]
    rows = encoded(size)
    neutral_batch = {"inputs/text/tokens": torch.tensor([[9, 8, 7]])}
    words = {"inputs/text/mask": torch.ones(1, 3), "inputs/text/pos_ids": torch.arange(3).unsqueeze(0)}
    neutral = plain.encode(neutral_batch | words)
    legal = set(range(2, 28)) if modality != "text" else {1, *range(30, 60)}
    options = GenerationOptions(
        max_tokens=count,
        beam=Beam(width=width, length_penalty=1.0) if width else None,
        constraint=allow(legal),
    )
    guidance = Guidance.encode(model, neutral_batch, scale) if scale else None
    batch = {key: value for key, value in network(size)[0].batch.items() if key.startswith("inputs/")}
    made = generate(model, batch, modality, options, guidance=guidance)
    for row in range(3):
        source = tuple(part[row : row + 1] for part in rows)

        def scores(written: tuple[int, ...], source: Encoded = source) -> list[float]:  # type: ignore[assignment]
            found = scores_after(plain, source, modality, list(written))
            if scale:
                found = (1 + scale) * found - scale * scores_after(plain, neutral, modality, list(written))
            return found.tolist()

        expected: tuple[int, ...] = ()
        if width:
            end = None if modality != "text" else 1
            expected = plain_search(scores, legal, count, Beam(width=width, length_penalty=1.0), end)[1]
        while not width and len(expected) < count and (modality != "text" or 1 not in expected):
            found = scores(expected)
            expected = (*expected, max(legal, key=found.__getitem__))
        assert made.tokens[row, : int(made.lengths[row])].tolist() == list(expected)
