"""`load`: reads a network from a folder or the Hugging Face hub, in this package's or the reference's layout.

The reference's layout is that of the released Unified-IO 2 checkpoints: its own `config.json`, and one state dict in
safetensors or torch files, the VQ tokenisers included.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from embodio.model.config.model import ModelConfig
from embodio.model.errors import ConfigError, WeightsError, listed
from embodio.model.layers.without_memory import without_memory
from embodio.model.network.network import UnifiedIO2
from embodio.model.weights.checksums import SUMS_FILE, check_sums, write_sums
from embodio.model.weights.header_check import build_empty, check_header
from embodio.model.weights.jax_layout import from_jax, read_jax_npz
from embodio.model.weights.reference_config import from_reference_config, to_reference_config
from embodio.model.weights.reference_layout import Shapes, iterate_reference_state, reference_names, to_reference_state
from embodio.model.weights.weight_files import (
    WEIGHT_FILES,
    open_weights,
    shapes_of,
    weight_file_names,
    write_tensors,
)
from embodio.model.weights.weights import CONFIG_FILE, WEIGHTS_FILE, load_state, read_json, widened
from embodio.model.writing import write_json

SAFE_FILES = (CONFIG_FILE, SUMS_FILE, "model.safetensors", "model-*.safetensors", "model.safetensors.index.json")
TORCH_FILES = (CONFIG_FILE, SUMS_FILE, "pytorch_model.bin", "pytorch_model-*.bin", "pytorch_model.bin.index.json")
"""Files fetched from the hub: weights in safetensors, or torch files if there are none."""

REFERENCE_SECTION = "t5_config"
"""A section that every configuration of the reference has, and ours never."""


@dataclasses.dataclass(frozen=True)
class DtypePolicy:
    """The dtype of each part of a network; parts are told apart by the beginning of their tensors' names.

    The paper's recipe for 16 bits is `DtypePolicy(main=torch.bfloat16)`: towers and tokenisers stay in float32.

    Attributes:
        main: encoder, decoder, embeddings, projections and resamplers.
        towers: the image ViT and the audio transformer ("towers.").
        tokenizers: the VQ tokenisers ("tokenizers.").
    """

    main: torch.dtype = torch.float32
    towers: torch.dtype = torch.float32
    tokenizers: torch.dtype = torch.float32

    def of(self, name: str) -> torch.dtype:
        """The dtype of the tensor with one of our names."""
        if name.startswith("towers."):
            return self.towers
        return self.tokenizers if name.startswith("tokenizers.") else self.main


def load(
    source: Path | str,
    *,
    tokenizers: bool | None = None,
    dtypes: DtypePolicy | None = None,
    device: torch.device | str = "cpu",
    **changes: Any,
) -> UnifiedIO2:
    """Load a network: every tensor of the files is accounted for, and every tensor of the network is given.

    Args:
        source: a folder, or a name on the hub such as "allenai/uio2-large". The folder has `config.json` and weights in
            our layout (`save_weights`) or the reference's.
        tokenizers: whether to load the VQ tokenisers, which raw image and audio targets and `UnifiedIO2.render` need.
            None loads those that are there; the reference's layout always has them.
        dtypes: what to convert the weights to; None keeps the files' dtypes, but for float16 in our layout, which
            `save_weights(half=True)` writes and which becomes float32.
        device: where the network goes.
        changes: fields of `ModelConfig` to replace, such as `resampler_gelu="erf"` for the numbers of the reference's
            PyTorch code, or fewer `target_modalities`, whose weights are then left on disk.

    Returns:
        The network in evaluation mode.

    Raises:
        ConfigError: the configuration is absent, unreadable or contradictory, or a change names no field.
        ChecksumError: a file differs from its checksum, where the folder has checksums.
        WeightsError: the source is not there, the weights are damaged, or names or shapes differ.
    """
    folder = weights_folder(source)
    data = read_json(folder / CONFIG_FILE)
    check_sums(folder, (CONFIG_FILE, *weight_file_names(folder)))
    config, weights = _config(data), open_weights(folder)
    check_header(config, shapes_of(weights), str(folder))
    pairs = _from_reference if REFERENCE_SECTION in data else _from_ours
    if tokenizers is None:
        tokenizers = REFERENCE_SECTION in data or any(name.startswith("tokenizers.") for name in weights)
    built = _changed(config, changes)
    model = build_empty(lambda: UnifiedIO2(built, tokenizers=tokenizers), str(folder / CONFIG_FILE))
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    ours = pairs is _from_ours
    state = {
        name: (widened(tensor) if ours else tensor).to(device=device, dtype=dtypes.of(name) if dtypes else None)
        for name, tensor in pairs(config, weights, tokenizers, wanted)
    }
    load_state(model, state, assign=True)
    return model.to(device).eval()


def read_model_config(path: Path | str) -> ModelConfig:
    """Read a `config.json`, ours or the reference's; raises ConfigError if it is absent, unreadable or incomplete."""
    return _config(read_json(Path(path)))


def in_reference_layout(folder: Path) -> bool:
    """Whether the network in a folder is in the reference's layout; raises ConfigError if its config is unreadable."""
    return REFERENCE_SECTION in read_json(folder / CONFIG_FILE)


def written_weights(folder: Path) -> list[Path]:
    """The files of a network that are in a folder, of either layout, the configuration first; none if it is absent."""
    patterns = dict.fromkeys((*SAFE_FILES, *TORCH_FILES))
    return [path for pattern in patterns for path in sorted(folder.glob(pattern))]


def load_jax(
    path: Path | str,
    config: ModelConfig,
    *,
    tokenizers: bool = True,
    dtypes: DtypePolicy | None = None,
    device: torch.device | str = "cpu",
) -> UnifiedIO2:
    """Load a network from the parameters of the JAX original.

    Args:
        path: an npz file of the parameters, flat or as nested dictionaries; see `embodio.model.weights.jax_layout`.
        config: which network it is, such as `ModelConfig.named("large")`; the file does not say.
        tokenizers: whether to load the VQ tokenisers too.
        dtypes: what to convert the weights to; None keeps the file's dtypes.
        device: where the network goes.

    Returns:
        The network in evaluation mode.

    Raises:
        WeightsError: the file is absent, damaged or pickled, or names or shapes differ from the configuration.
    """
    state = from_jax(config, read_jax_npz(path), tokenizers=tokenizers)
    with without_memory():
        model = UnifiedIO2(config, tokenizers=tokenizers)
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    pairs = iterate_reference_state(config, state, tokenizers=tokenizers, shapes=wanted)
    load_state(
        model, {name: tensor.to(dtype=dtypes.of(name) if dtypes else None) for name, tensor in pairs}, assign=True
    )
    return model.to(device).eval()


def save_reference(model: UnifiedIO2, folder: Path | str, max_shard_bytes: int | None = None) -> None:
    """Write a network in the reference's layout, which the reference's own code loads.

    Args:
        model: a network with its tokenisers, as the layout includes them.
        folder: made if needed; must not hold weights of another form.
        max_shard_bytes: spread the weights over files of at most this size, with an index; None writes one file.

    Raises:
        ConfigError: the reference cannot express the configuration.
        WeightsError: the network has no tokenisers, or the folder holds weights already.
    """
    config = to_reference_config(model.config)
    state = to_reference_state(model.config, model.state_dict())
    if missing := [name for name in reference_names(model.config) if name not in state]:
        raise WeightsError(
            f"the reference's layout includes the tokenisers, which this network lacks ({len(missing)} tensors); "
            "load it with tokenizers=True"
        )
    shards = _shards(state, max_shard_bytes)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = WEIGHTS_FILE if len(shards) == 1 else f"{WEIGHTS_FILE}.index.json"
    if other := [name for name in WEIGHT_FILES if name != written and (folder / name).exists()]:
        raise WeightsError(f"{folder} holds {other} already, which would be mistaken for the new weights; remove it")
    names = [WEIGHTS_FILE] if len(shards) == 1 else [_shard_name(i, len(shards)) for i in range(len(shards))]
    for name, shard in zip(names, shards, strict=True):
        write_tensors(folder / name, {key: _own_memory(state[key]) for key in shard}, {"format": "pt"})
    if len(shards) > 1:
        homes = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
        size = sum(tensor.nbytes for tensor in state.values())
        write_json(folder / written, {"metadata": {"total_size": size}, "weight_map": homes}, indent=2)
    write_json(folder / CONFIG_FILE, config, indent=2)
    index = [] if len(shards) == 1 else [written]
    write_sums(folder, (CONFIG_FILE, *index, *names))


def _config(data: Mapping[str, Any]) -> ModelConfig:
    return from_reference_config(data) if REFERENCE_SECTION in data else ModelConfig.from_dict(data)


def _from_reference(
    config: ModelConfig, weights: Mapping[str, Tensor], tokenizers: bool, wanted: Shapes
) -> Iterator[tuple[str, Tensor]]:
    return iterate_reference_state(config, weights, tokenizers=tokenizers, shapes=wanted)


def _from_ours(
    config: ModelConfig, weights: Mapping[str, Tensor], tokenizers: bool, wanted: Shapes
) -> Iterator[tuple[str, Tensor]]:
    """Those tensors of a folder of ours that are wanted; unknown ones are errors, missing ones are found later."""
    known = set(build_empty(lambda: UnifiedIO2(config, tokenizers=True), CONFIG_FILE).state_dict())
    if unexpected := sorted(set(weights) - known):
        raise WeightsError(f"the weights do not fit the model's configuration: unexpected {listed(unexpected)}")
    return ((name, weights[name]) for name in weights if name in wanted)


def _changed(config: ModelConfig, changes: Mapping[str, Any]) -> ModelConfig:
    fields = [field.name for field in dataclasses.fields(config)]
    for name in changes:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            raise ConfigError(
                f"ModelConfig has no field {name!r}" + (f"; did you mean {near[0]!r}?" if near else f", only {fields}")
            )
    return config.replace(**changes)


def weights_folder(source: Path | str) -> Path:
    """A folder as it is, or the local copy of what is on the hub under this name; raises WeightsError."""
    folder = Path(source)
    if folder.is_dir():
        return folder
    owner, _, name = str(source).partition("/")
    if not owner or not name or "/" in name or folder.is_absolute() or owner.startswith("."):
        raise WeightsError(f"{source} is neither a folder nor a name on the hub like 'allenai/uio2-large'")
    try:
        hub = importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise WeightsError(
            f"{source} is not a folder here, and fetching it from the hub needs the package huggingface_hub: "
            "`pip install huggingface_hub`, or download config.json and the weights yourself and give their folder"
        ) from error
    try:
        found = Path(hub.snapshot_download(str(source), allow_patterns=list(SAFE_FILES)))
        if any((found / name).exists() for name in SAFE_FILES[2:]):
            return found
        return Path(hub.snapshot_download(str(source), allow_patterns=list(TORCH_FILES)))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{source} could not be fetched from the hub: {error}") from error


def _shards(state: Mapping[str, Tensor], max_bytes: int | None) -> list[list[str]]:
    """Names in the order of the file, in groups of at most `max_bytes` (or one tensor, if it is larger)."""
    shards: list[list[str]] = [[]]
    size = 0
    for name, tensor in sorted(state.items()):
        if max_bytes is not None and shards[-1] and size + tensor.nbytes > max_bytes:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += tensor.nbytes
    return shards


def _shard_name(index: int, count: int) -> str:
    return f"model-{index + 1:05d}-of-{count:05d}.safetensors"


def _own_memory(tensor: Tensor) -> Tensor:
    """The tensor itself, or a copy where it is a piece of a larger one (safetensors refuses shared memory)."""
    whole = tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes
    return tensor if whole else tensor.clone(memory_format=torch.contiguous_format)
