"""The names and array layouts of the JAX (T5X) checkpoints, mapped to the reference's state dict and back, strictly.

JAX stores the kernel of a linear map as [in, out] and that of a convolution as [height, width, in, out]; torch stores
[out, in] and [out, in, height, width]. Which change a tensor needs follows from its name alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from embodio.model.config.model import ModelConfig
from embodio.model.errors import WeightsError, listed
from embodio.model.weights.npz_files import read_npz
from embodio.model.weights.reference_layout import reference_names

Array = npt.NDArray[Any]

JAX_PREFIXES = (
    "encoder",
    "decoder",
    "text_token_embedder",
    "image_token_embedder",
    "audio_token_embedder",
    "input_text_encoder",
    "input_image_encoder",
    "input_audio_encoder",
    "input_encoders_image_history",
    "input_encoders_audio_history",
    "target_encoders_text",
    "target_encoders_image",
    "target_encoders_audio",
)
"""First parts of the names of parameters; anything else in a file, such as the optimiser's state, is not read."""


@dataclass(frozen=True)
class _Change:
    """How an array becomes a tensor, and the inverse."""

    to_torch: Callable[[Array], Array]
    to_jax: Callable[[Array], Array]


_SAME = _Change(lambda array: array, lambda array: array)
_TRANSPOSE = _Change(np.transpose, np.transpose)
_CONVOLUTION = _Change(lambda array: array.transpose(3, 2, 0, 1), lambda array: array.transpose(2, 3, 1, 0))
# JAX applies the kernel of a transposed convolution mirrored in height and width.
_TRANSPOSED_CONVOLUTION = _Change(
    lambda array: np.flip(array.transpose(2, 3, 0, 1), (2, 3)),
    lambda array: np.flip(array, (2, 3)).transpose(2, 3, 0, 1),
)

# Applied one after the other to a name of the reference; the rules that come first may make names for later ones.
_RENAMES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^input_embedders\.text\.", "input_text_encoder."),
        (r"^input_embedders\.(image|audio)_history\.", r"input_encoders_\1_history."),
        (r"^input_embedders\.(image|audio)\.", r"input_\1_encoder."),
        (r"^target_embedders\.(\w+)\.", r"target_encoders_\1."),
        (r"\.resampler\.perceiver\.latents$", ".resampler.PerceiverResampler_0.resampler_latents"),
        (r"\.resampler\.perceiver\.", ".resampler.PerceiverResampler_0."),
        (r"\.(pre_(?:x?attention|mlp|self_attention|cross_attention))_norm\.", r".\1_layer_norm."),
        # The towers.
        (r"\.vision_transformer\.transformer\.resblocks\.(\d+)\.", r".TOWER.Transformer_0.ResidualAttentionBlock_\1."),
        (r"\.attn\.(query|key|value)_in_proj_(weight|bias)$", r".MultiHeadDotProductAttention_0.\1.\2"),
        (r"\.attn\.out_proj\.", ".MultiHeadDotProductAttention_0.out."),
        (r"(^input_image_encoder\..*)\.mlp\.fc1\.", r"\1.MLP_0.c_fc."),
        (r"(^input_image_encoder\..*)\.mlp\.fc2\.", r"\1.MLP_0.c_proj."),
        (r"(^input_audio_encoder\..*)\.mlp\.(fc[12])\.", r"\1.MLP_0.\2."),
        (r"(^input_audio_encoder\..*)\.ln_([12])\.weight$", r"\1.norm\2.scale"),
        (r"(^input_audio_encoder\..*)\.ln_([12])\.", r"\1.norm\2."),
        (r"(^input_audio_encoder\..*)\.positional_embedding$", r"\1.pos_embed"),
        (r"\.TOWER\.", ".vision_transformer."),
        # The tokenisers.
        (r"^(target_encoders_(?:image|audio))\.vqgan\.", r"\1.discrete_vae."),
        (r"\.quantize\.embedding\.weight$", ".quantize.embedding"),
        (r"(\.discrete_vae\.(?:en|de)coder)\.transformer\.", r"\1.Transformer_0."),
        (r"\.(encoderblock_\d+)\.ln_1\.", r".\1.LayerNormWithBias_0."),
        (r"\.(encoderblock_\d+)\.ln_2\.", r".\1.LayerNormWithBias_1."),
        (r"\.(encoderblock_\d+)\.attn\.", r".\1.MultiHeadDotProductAttention_0."),
        (r"\.(encoderblock_\d+)\.mlp\.fc1\.", r".\1.MlpBlock_0.DenseGeneral_0."),
        (r"\.(encoderblock_\d+)\.mlp\.fc2\.", r".\1.MlpBlock_0.DenseGeneral_1."),
        (r"\.decoder\.conv_transpose\.weight$", ".decoder.ConvTranspose_0.kernel"),
        # What is left of torch's word for kernels, scales and tables.
        (r"_token_embedder\.weight$", "_token_embedder.embedding"),
        (r"(ln_[12]|pre_ln|LayerNormWithBias_\d|[._]norm|norm[12]|norm_out)\.weight$", r"\1.scale"),
        (r"\.weight$", ".kernel"),
    )
)


def jax_name(name: str) -> str:
    """The JAX name, with dots between its parts, of a tensor of the reference's state dict."""
    for pattern, replacement in _RENAMES:
        name = pattern.sub(replacement, name)
    return name


def from_jax(config: ModelConfig, tree: Mapping[str, Any], *, tokenizers: bool = True) -> dict[str, Tensor]:
    """The reference's state dict of a JAX parameter tree; `from_reference_state` makes it ours.

    Args:
        config: the network that the arrays belong to.
        tree: nested dictionaries of arrays, or a flat one whose names have dots or slashes between their parts; they
            may be under "target", as T5X puts them, or "params".
        tokenizers: whether the VQ tokenisers' arrays are wanted; if not, they are not read.

    Raises:
        WeightsError: lists names that are missing or not known.
    """
    arrays = {}
    for name, array in _flatten(tree):
        bare = name.removeprefix("target.").removeprefix("params.")
        if bare.partition(".")[0] in JAX_PREFIXES:
            arrays[bare] = array
    wanted = {jax_name(name): name for name in reference_names(config, tokenizers=tokenizers)}
    known = {jax_name(name) for name in reference_names(config)}
    missing, unexpected = sorted(set(wanted) - set(arrays)), sorted(set(arrays) - known)
    if missing or unexpected:
        raise WeightsError(
            f"the arrays are not those of this configuration in the JAX layout: missing {listed(missing)}, "
            f"unexpected {listed(unexpected)}; give the size that belongs to them"
        )
    if other := sorted(name for name in wanted if arrays[name].dtype.kind != "f"):
        raise WeightsError(
            f"these arrays are not floating point as NumPy knows it; convert them to float32: {listed(other)}"
        )
    return {
        ours: torch.from_numpy(np.array(_change(name).to_torch(arrays[name]), order="C"))
        for name, ours in wanted.items()
    }


def to_jax(state: Mapping[str, Tensor]) -> dict[str, Array]:
    """The flat JAX tree, names with dots, of tensors under the reference's names."""
    result = {}
    for name, tensor in state.items():
        theirs = jax_name(name)
        result[theirs] = np.array(_change(theirs).to_jax(tensor.detach().cpu().numpy()), order="C")
    return result


def read_jax_npz(path: Path | str) -> dict[str, Any]:
    """The parameters in an npz file: flat under names with dots or slashes, or as nested dictionaries.

    Nothing in the file is run; see `embodio.model.weights.npz_files`.

    Raises:
        WeightsError: the file is absent or damaged, or holds more than arrays.
    """
    return read_npz(Path(path))


def _change(name: str) -> _Change:
    """What happens to the array with this JAX name."""
    if not name.endswith(".kernel"):
        return _SAME
    if name.startswith("target_encoders_image."):
        return _CONVOLUTION
    return _TRANSPOSED_CONVOLUTION if ".ConvTranspose_0." in name else _TRANSPOSE


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Array]]:
    for name, value in tree.items():
        full = prefix + str(name).replace("/", ".")
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{full}.")
        else:
            yield full, value
