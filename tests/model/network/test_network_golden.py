"""The network equals the reference at every stage, on golden weights and batches."""

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from embodio.model.layers.rotary import interleave
from embodio.model.network.network import UnifiedIO2
from embodio.model.weights.reference_layout import to_reference_state
from tests.support.model.golden_network import GoldenNetwork, golden_folders, load_network, worst

TOLERANCE = 1e-4
INPUTS = ("text", "image", "image_history", "audio", "audio_history")
TARGETS = ("text", "image", "audio")
SUBSETS = {
    "t": ("text",),
    "ti": ("text", "image"),
    "ta": ("text", "audio"),
    "tih": ("text", "image", "image_history"),
    "tah": ("text", "audio", "audio_history"),
}


@functools.lru_cache
def cached_network(folder: Path) -> GoldenNetwork:
    return load_network(folder)


@pytest.fixture(params=golden_folders(), ids=lambda folder: folder.name)
def golden(request: pytest.FixtureRequest) -> GoldenNetwork:
    return cached_network(request.param)


@pytest.fixture
def stages(golden: GoldenNetwork) -> Iterator[dict[str, Tensor]]:
    """Outputs of the inner modules during one forward pass on the whole batch, under the golden files' names."""
    model, found, handles = golden.model, {}, []

    def keep(name: str, module: torch.nn.Module) -> None:
        handles.append(module.register_forward_hook(lambda _module, _inputs, output: found.__setitem__(name, output)))

    for side in ("encoder", "decoder"):
        for index, layer in enumerate(getattr(model, side).layers):
            keep(f"{side}/layer_{index}", layer)
    for name in ("image_history", "audio_history"):
        keep(f"resampler/{name}", model.inputs[name].resampler)
    keep("decoder/out", model.decoder)
    with torch.no_grad():
        for name, output in model(golden.batch).items():
            found[f"logits/{name}"] = output.logits
    yield found
    for handle in handles:
        handle.remove()


def decoder_mask(golden: GoldenNetwork) -> Tensor:
    return torch.cat([golden.outputs[f"all/target/{name}/mask"] for name in TARGETS], dim=1)


def test_input_embeddings_masks_and_positions(golden: GoldenNetwork) -> None:
    with torch.no_grad():
        parts = golden.model.embed_inputs(golden.batch)
    assert tuple(parts) == INPUTS
    for name, tokens in parts.items():
        mask = golden.outputs[f"all/input/{name}/mask"]
        assert torch.equal(tokens.full_mask(), mask.bool())
        assert worst(tokens.embeddings, golden.outputs[f"all/input/{name}/embed"], mask) < TOLERANCE
        positions = interleave(tokens.rotary).expand(mask.shape[0], -1, -1)
        assert worst(positions, golden.outputs[f"all/input/{name}/position_embed"]) < 1e-6


@pytest.mark.parametrize("modality", ["image", "image_history", "audio", "audio_history"])
def test_tower_features(golden: GoldenNetwork, modality: str) -> None:
    kind = modality.split("_")[0]
    patches, positions, mask = (golden.batch[f"inputs/{modality}/{name}"] for name in ("input", "pos_ids", "mask"))
    if modality.endswith("history"):
        patches, positions, mask = patches.flatten(0, 1), positions.flatten(0, 1), mask.flatten(0, 1)
    grid = golden.model.config.patch_grids[modality]
    with torch.no_grad():
        features = golden.model.towers[kind](patches, grid, positions, mask.bool())
    prefix = f"all/{kind}_vit/{modality}"
    assert worst(features.last, golden.outputs[f"{prefix}/last"], mask) < TOLERANCE
    assert worst(features.second, golden.outputs[f"{prefix}/second"], mask) < TOLERANCE


@pytest.mark.parametrize("modality", ["image_history", "audio_history"])
def test_resampler(golden: GoldenNetwork, stages: dict[str, Tensor], modality: str) -> None:
    valid = golden.batch[f"inputs/{modality}/mask"].flatten(0, 1).any(dim=-1)
    name = f"resampler/{modality}"
    assert worst(stages[name], golden.outputs[f"all/{name}"], valid) < TOLERANCE


def test_every_encoder_layer(golden: GoldenNetwork, stages: dict[str, Tensor]) -> None:
    mask = golden.outputs["all/encoder_in/mask"]
    for index in range(golden.model.config.transformer.num_encoder_layers):
        name = f"encoder/layer_{index}"
        assert worst(stages[name], golden.outputs[f"all/{name}"], mask) < TOLERANCE
    with torch.no_grad():
        encoded = golden.model.encode(golden.batch)
    assert worst(encoded.embeddings, golden.outputs["all/encoder/out"], mask) < TOLERANCE
    positions = interleave(encoded.rotary).expand(mask.shape[0], -1, -1)
    assert worst(positions, golden.outputs["all/encoder_in/position_embed"]) < 1e-6


def test_target_embeddings(golden: GoldenNetwork) -> None:
    with torch.no_grad():
        targets = golden.model.embed_targets(golden.batch)
    assert tuple(targets) == TARGETS
    for name, target in targets.items():
        prefix = f"all/target/{name}"
        assert worst(target.tokens.embeddings, golden.outputs[f"{prefix}/input_embedding"]) < TOLERANCE
        positions = interleave(target.tokens.rotary).expand(target.ids.shape[0], -1, -1)
        assert worst(positions, golden.outputs[f"{prefix}/position_embed"]) < 1e-6
        assert torch.equal(target.ids, golden.outputs[f"{prefix}/target_tokens"].long())
        assert target.loss_mask is not None
        assert torch.equal(target.loss_mask, golden.outputs[f"{prefix}/loss_mask"].bool())


def test_every_decoder_layer_and_logits(golden: GoldenNetwork, stages: dict[str, Tensor]) -> None:
    mask = decoder_mask(golden)
    layers = [f"decoder/layer_{index}" for index in range(golden.model.config.transformer.num_decoder_layers)]
    for name in [*layers, "decoder/out"]:
        assert worst(stages[name], golden.outputs[f"all/{name}"], mask) < TOLERANCE
    for name in TARGETS:
        own = golden.outputs[f"all/target/{name}/mask"]
        assert worst(stages[f"logits/{name}"], golden.outputs[f"all/logits/{name}"], own) < TOLERANCE


@pytest.mark.parametrize("subset", SUBSETS)
def test_subsets_of_inputs(golden: GoldenNetwork, subset: str) -> None:
    batch = golden.only(SUBSETS[subset], ("text",))
    with torch.no_grad():
        encoded = golden.model.encode(batch)
        output = golden.model(batch)["text"]
    assert worst(encoded.embeddings, golden.outputs[f"{subset}/encoder/out"], encoded.full_mask()) < TOLERANCE
    assert worst(output.logits, golden.outputs[f"{subset}/logits/text"], output.loss_mask) < TOLERANCE


@pytest.mark.parametrize("target", ["image", "audio"])
def test_single_target_is_named_by_its_own_modality(golden: GoldenNetwork, target: str) -> None:
    with torch.no_grad():
        outputs = golden.model(golden.only(INPUTS, (target,)))
    assert list(outputs) == [target]
    mask = golden.batch[f"targets/{target}/mask"]
    assert worst(outputs[target].logits, golden.outputs[f"only_{target}/logits/{target}"], mask) < TOLERANCE


def test_losses_and_all_gradients(golden: GoldenNetwork) -> None:
    model = golden.model
    model.zero_grad(set_to_none=True)
    loss = model.loss(model(golden.batch), z_loss=0.0)
    for name in TARGETS:
        assert abs(loss.modalities[name].cross_entropy.item() - golden.gradients[f"loss/{name}"].item()) < TOLERANCE
    assert abs(loss.total.item() - golden.gradients["loss/total"].item()) < TOLERANCE
    loss.total.backward()
    found = gradients(model)
    expected = {
        name.removeprefix("grad/"): value for name, value in golden.gradients.items() if name.startswith("grad/")
    }
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert worst(found[name], value) < min(TOLERANCE, 1e-4 * float(value.abs().max()) + 1e-7), name
    model.zero_grad(set_to_none=True)


def gradients(model: UnifiedIO2) -> dict[str, Tensor]:
    own = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    return to_reference_state(model.config, own)


@pytest.mark.parametrize(
    "folder",
    [folder for folder in golden_folders() if (folder / "tiny_gen_config.json").exists()],
    ids=lambda folder: folder.name,
)
@pytest.mark.parametrize("target", ["image", "audio"])
def test_full_size_target_grids(folder: Path, target: str) -> None:
    golden = load_network(folder, "tiny_gen")
    with torch.no_grad():
        output = golden.model(golden.only(INPUTS, (target,)))[target]
    mask = golden.batch[f"targets/{target}/mask"]
    assert worst(output.logits, golden.outputs[f"only_{target}/logits/{target}"], mask) < TOLERANCE
