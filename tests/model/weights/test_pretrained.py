"""Folders in our layout and the reference's load strictly, by name or path, and are written back."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from embodio.model import ConfigError, DtypePolicy, WeightsError, load, save_reference, save_weights
from embodio.model.network.network import UnifiedIO2
from embodio.model.weights.reference_config import from_reference_config
from tests.support.model.golden_network import OWN_FOLDER, load_network, worst


@pytest.fixture(scope="module")
def reference_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden network as the reference's own code saves it."""
    folder = tmp_path_factory.mktemp("reference")
    shutil.copy(OWN_FOLDER / "tiny_config.json", folder / "config.json")
    shutil.copy(OWN_FOLDER / "tiny_state.safetensors", folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def golden() -> UnifiedIO2:
    return load_network(OWN_FOLDER, tokenizers=True).model


def same(first: UnifiedIO2, second: UnifiedIO2) -> bool:
    mine, other = first.state_dict(), second.state_dict()
    return mine.keys() == other.keys() and all(torch.equal(mine[name], other[name]) for name in mine)


def test_reference_folder_loads_and_answers_alike(reference_folder: Path) -> None:
    model = load(reference_folder, resampler_gelu="erf")
    golden = load_network(OWN_FOLDER, tokenizers=True)
    assert not model.training
    assert same(model, golden.model)
    assert {name: value.requires_grad for name, value in model.named_parameters()} == {
        name: value.requires_grad for name, value in golden.model.named_parameters()
    }
    with torch.no_grad():
        outputs = model(golden.batch)
    for name, output in outputs.items():
        mask = golden.outputs[f"all/target/{name}/mask"]
        assert worst(output.logits, golden.outputs[f"all/logits/{name}"], mask) < 1e-4


def test_torch_file_loads_alike(reference_folder: Path, golden: UnifiedIO2, tmp_path: Path) -> None:
    shutil.copy(reference_folder / "config.json", tmp_path)
    torch.save(load_file(reference_folder / "model.safetensors"), tmp_path / "pytorch_model.bin")
    assert same(load(tmp_path), golden)


@pytest.mark.parametrize("max_shard_bytes", [None, 1_000_000])
def test_reference_layout_is_written_back(
    reference_folder: Path, golden: UnifiedIO2, max_shard_bytes: int | None, tmp_path: Path
) -> None:
    save_reference(golden, tmp_path, max_shard_bytes)
    original = load_file(reference_folder / "model.safetensors")
    written = {name: tensor for path in tmp_path.glob("*.safetensors") for name, tensor in load_file(path).items()}
    assert written.keys() == original.keys()
    assert all(torch.equal(written[name], original[name]) for name in original)
    assert json.loads((tmp_path / "config.json").read_text()) == json.loads(
        (reference_folder / "config.json").read_text()
    )
    assert (len(list(tmp_path.glob("*.safetensors"))) > 3) == (max_shard_bytes is not None)
    assert same(load(tmp_path), golden)


def test_own_folder_keeps_or_leaves_out_the_tokenisers(golden: UnifiedIO2, tmp_path: Path) -> None:
    save_weights(golden, tmp_path / "full")
    assert same(load(tmp_path / "full"), golden)
    plain = load(tmp_path / "full", tokenizers=False)
    assert not len(plain.tokenizers)
    save_weights(plain, tmp_path / "plain")
    assert same(load(tmp_path / "plain"), plain)
    with pytest.raises(WeightsError, match=r"missing: \['tokenizers"):
        load(tmp_path / "plain", tokenizers=True)


def test_fewer_modalities_leave_their_weights_on_disk(reference_folder: Path, golden: UnifiedIO2) -> None:
    model = load(
        reference_folder, input_modalities=("text", "image_history"), target_modalities=("text",), tokenizers=False
    )
    state, full = model.state_dict(), golden.state_dict()
    assert 0 < len(state) < len(full) / 2
    assert "towers.image.positions" in state
    assert all(torch.equal(state[name], full[name]) for name in state)


def test_dtypes_by_name(reference_folder: Path) -> None:
    model = load(reference_folder, dtypes=DtypePolicy(main=torch.bfloat16), resampler_gelu="erf")
    for name, tensor in model.state_dict().items():
        fixed = name.startswith(("towers.", "tokenizers."))
        assert tensor.dtype == (torch.float32 if fixed else torch.bfloat16), name
    golden = load_network(OWN_FOLDER, tokenizers=True)
    with torch.no_grad():
        outputs = model(golden.batch)
    for name, output in outputs.items():
        mask = golden.outputs[f"all/target/{name}/mask"]
        # The reference itself moves by up to 0.012 from float32 to bfloat16.
        assert worst(output.logits.float(), golden.outputs[f"all/logits/{name}"], mask) < 0.04
    swapped = DtypePolicy(main=torch.float32, towers=torch.float16, tokenizers=torch.bfloat16)
    assert swapped.of("towers.image.positions") == torch.float16
    assert swapped.of("tokenizers.audio.codebook") == torch.bfloat16
    assert swapped.of("text_embedding.weight") == torch.float32


def test_misfits_are_named(reference_folder: Path, golden: UnifiedIO2, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'resampler_gelu'"):
        load(reference_folder, resampler_gel="erf")
    with pytest.raises(ConfigError, match=r"config\.json does not exist"):
        load(tmp_path)
    shutil.copy(reference_folder / "config.json", tmp_path)
    with pytest.raises(WeightsError, match="holds no weights"):
        load(tmp_path)
    state = load_file(reference_folder / "model.safetensors")
    state["extra"] = state.pop("decoder.decoder_norm.scale")
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"missing \['decoder.decoder_norm.scale'\], unexpected \['extra'\]"):
        load(tmp_path)
    state["decoder.decoder_norm.scale"] = state.pop("extra")[:3].clone()
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"decoder.norm.scale has shape \(3,\)"):
        load(tmp_path)
    with pytest.raises(WeightsError, match="mistaken for the new weights"):
        save_reference(golden, tmp_path)
    with pytest.raises(WeightsError, match="includes the tokenisers"):
        save_reference(load_network(OWN_FOLDER).model, tmp_path / "new")


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("max_shard_size", ["5GB", "1MB"])
def test_folders_that_the_hub_writes(golden: UnifiedIO2, safe: bool, max_shard_size: str, tmp_path: Path) -> None:
    """The function with which `save_pretrained` of the reference writes weights, whole and in shards."""
    hub = pytest.importorskip("huggingface_hub")
    shutil.copy(OWN_FOLDER / "tiny_config.json", tmp_path / "config.json")
    state = load_file(OWN_FOLDER / "tiny_state.safetensors")
    hub.save_torch_state_dict(state, tmp_path, safe_serialization=safe, max_shard_size=max_shard_size)
    assert (len(list(tmp_path.iterdir())) > 3) == (max_shard_size == "1MB")
    assert same(load(tmp_path), golden)


def test_the_bfloat16_variant_is_as_near_as_that_of_the_reference(tmp_path: Path) -> None:
    """Towers and tokenisers in float32, all else in bfloat16; targets keep their ids."""
    golden = load_network(OWN_FOLDER, tokenizers=True)
    state = load_file(OWN_FOLDER / "tiny_state.safetensors")
    kept = ("vqgan", "vision_transformer")
    half = {name: tensor if any(part in name for part in kept) else tensor.bfloat16() for name, tensor in state.items()}
    shutil.copy(OWN_FOLDER / "tiny_config.json", tmp_path / "config.json")
    save_file(half, tmp_path / "model.safetensors")
    model = load(tmp_path, resampler_gelu="erf", logits_dtype="parameter")
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float32, torch.bfloat16}
    with torch.no_grad():
        outputs = model(golden.batch)
    for name, output in outputs.items():
        mask, theirs = (golden.outputs[f"all_bf16/{field}/{name}"] for field in ("loss_mask", "logits"))
        assert output.logits.dtype == torch.bfloat16
        assert torch.equal(output.targets, golden.outputs[f"all_bf16/targets/{name}"].long())
        # The reference's own numbers in bfloat16 are up to 0.012 from those in float32.
        for expected in (theirs, golden.outputs[f"all/logits/{name}"]):
            assert worst(output.logits.float(), expected, mask) < 0.015
    full = load(tmp_path, resampler_gelu="erf", dtypes=DtypePolicy())
    assert {tensor.dtype for tensor in full.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query.weight": (64, 60)}, r"attention.query.weight has shape \(64, 60\), the model needs \(64, 64\)"),
        ({"query.weight": (32, 64), "key.weight": (96, 64)}, r"query.weight has .*; .*key.weight has shape \(96, 64\)"),
        ({"query_norm.scale": (15,)}, r"query_norm.scale has shape \(15,\), the model needs \(16,\)"),
        ({"out.weight": None}, r"out.weight is torch.int64, the model needs floating"),
    ],
)
def test_every_tensor_of_the_files_has_its_own_shape(
    changes: dict[str, tuple[int, ...] | None], message: str, tmp_path: Path
) -> None:
    """Also those that are parts of one of ours, even where all together have its size."""
    state = load_file(OWN_FOLDER / "tiny_state.safetensors")
    for name, shape in changes.items():
        full = f"encoder.layers_0.attention.{name}"
        state[full] = torch.zeros(shape) if shape else state[full].long()
    shutil.copy(OWN_FOLDER / "tiny_config.json", tmp_path / "config.json")
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=message):
        load(tmp_path)


@pytest.mark.parametrize(
    ("section", "field", "value", "message"),
    [
        ("t5_config", "num_heads", None, "t5_config.num_heads is None; expected int"),
        ("t5_config", "emb_dim", "64", "t5_config.emb_dim is '64'"),
        ("t5_config", "default_image_vit_size", [96], "t5_config.default_image_vit_size is"),
        ("image_vit_cfg", "num_pos", 12, "image_vit_cfg.num_pos is 12; it must be a square"),
        ("image_vit_cfg", "num_pos", "17", "image_vit_cfg.num_pos is 17"),
        ("image_history_cfg", "num_layers", 2.5, "image_history_cfg.num_layers is 2.5"),
        ("image_vqgan", "ch_mult", [1, "1"], "image_vqgan.ch_mult is '1'"),
        ("t5_config", "qk_norm", False, "t5_config.qk_norm is False; only True"),
    ],
)
def test_wrong_fields_of_a_configuration_are_named(section: str, field: str, value: object, message: str) -> None:
    data = json.loads((OWN_FOLDER / "tiny_config.json").read_text(encoding="utf-8"))
    data[section][field] = value
    with pytest.raises(ConfigError, match=message):
        from_reference_config(data)


def test_names_on_the_hub(
    reference_folder: Path, golden: UnifiedIO2, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def snapshot_download(name: str, allow_patterns: list[str]) -> str:
        asked.append(name)
        assert not {"*.bin", "pytorch_model.bin"} & set(allow_patterns)  # not both forms of the same weights
        if name != "someone/tiny":
            raise OSError("404")
        return str(reference_folder)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    assert same(load("someone/tiny"), golden)
    with pytest.raises(WeightsError, match="someone/else could not be fetched"):
        load("someone/else")
    assert asked == ["someone/tiny", "someone/else"]
    old = tmp_path / "old"
    old.mkdir()
    shutil.copy(reference_folder / "config.json", old)

    def only_torch(name: str, allow_patterns: list[str]) -> str:
        if "pytorch_model.bin" in allow_patterns:
            torch.save(load_file(reference_folder / "model.safetensors"), old / "pytorch_model.bin")
        return str(old)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=only_torch))
    assert same(load("someone/old"), golden)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(WeightsError, match="needs the package huggingface_hub"):
        load("someone/tiny")
    for source in ("nowhere", "a/b/c", "/no/folder"):
        with pytest.raises(WeightsError, match="neither a folder nor a name"):
            load(source)
