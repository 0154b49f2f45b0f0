"""The names and shapes of the reference's state dict, mapped to ours and back, strictly.

Ours differ in three ways: clean names, towers and tokenisers owned once by the model, and projections of one input
fused into one matrix (query, key and value; gate and up).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from embodio.model.config.model import ModelConfig
from embodio.model.errors import WeightsError, listed
from embodio.model.weights.tokenizer_layout import TOKENIZER_PREFIXES, audio_tokenizer_entries, image_tokenizer_entries

MOST_MISFITS = 8
"""Tensors of a wrong shape that a message names."""

Shapes = Mapping[str, torch.Size]
"""Shapes of tensors under our names."""


@dataclass(frozen=True)
class _Entry:
    """One of our tensors and the reference tensors it is made of: stacked as rows, or joined along the first axis."""

    ours: str
    theirs: tuple[str, ...]
    stack: bool = False


@dataclass(frozen=True)
class FromReference:
    """Tensors under our names, and those of tokenisers that were set aside, under the reference's names."""

    state: dict[str, Tensor]
    tokenizers: dict[str, Tensor]


def from_reference_state(
    config: ModelConfig, state: Mapping[str, Tensor], *, tokenizers: bool = False, shapes: Shapes | None = None
) -> FromReference:
    """Rename and fuse a reference state dict.

    Args:
        config: the network that the tensors belong to.
        state: every tensor of the reference.
        tokenizers: True takes the VQ tokenisers' tensors, which must be there; False sets aside those that are there.
        shapes: see `iterate_reference_state`.

    Raises:
        WeightsError: lists names that are missing or not known, and tensors of a wrong shape.
    """
    ours = dict(iterate_reference_state(config, state, tokenizers=tokenizers, shapes=shapes))
    aside = [] if tokenizers else [name for name in state if name.startswith(TOKENIZER_PREFIXES)]
    return FromReference(ours, {name: state[name] for name in aside})


def iterate_reference_state(
    config: ModelConfig, state: Mapping[str, Tensor], *, tokenizers: bool, shapes: Shapes | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Our tensors one after the other, for a `state` that reads its tensors from disk when asked.

    Args:
        config: the network that all the tensors belong to.
        state: every tensor of the reference; each is asked for at most once, and let go before the next one of ours.
        tokenizers: as in `from_reference_state`.
        shapes: of those of our tensors that are wanted, to check each of theirs by; the others must be there, but are
            not read. None takes all as they are.

    Yields:
        Our name and the tensor.

    Raises:
        WeightsError: lists names that are missing or not known, or tensors that are not numbers of the right shape.
    """
    entries = _entries(config, tokenizers)
    needed = {name for entry in entries for name in entry.theirs}
    aside: set[str] = set() if tokenizers else {name for name in state if name.startswith(TOKENIZER_PREFIXES)}
    missing, unexpected = sorted(needed - set(state)), sorted(set(state) - needed - aside)
    if missing or unexpected:
        raise WeightsError(
            f"the weights are not those of this configuration in the reference's layout: missing {listed(missing)}, "
            f"unexpected {listed(unexpected)}; fetch them again, or give the config.json that belongs to them"
        )
    misfits: list[str] = []
    for entry in entries:
        if shapes is not None and entry.ours not in shapes:
            continue
        pieces = {name: state[name] for name in entry.theirs}
        if shapes is not None:
            misfits += _misfits(entry, pieces, shapes[entry.ours])
        if not misfits:
            yield entry.ours, _join(entry, list(pieces.values()))
    if misfits:
        raise WeightsError(
            f"the weights do not fit the model's configuration: {'; '.join(misfits[:MOST_MISFITS])}; "
            "give the config.json that belongs to them"
        )


def _misfits(entry: _Entry, pieces: Mapping[str, Tensor], shape: torch.Size) -> list[str]:
    """What is wrong with the reference's tensors for one of ours of this shape."""
    wanted = tuple(shape[1:]) if entry.stack else (shape[0] // len(pieces), *shape[1:])
    problems = []
    for name, piece in pieces.items():
        if tuple(piece.shape) != wanted:
            problems.append(f"{name} has shape {tuple(piece.shape)}, the model needs {wanted}")
        elif not piece.is_floating_point():
            problems.append(f"{name} is {piece.dtype}, the model needs floating-point numbers")
    return problems


def to_reference_state(config: ModelConfig, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Split and rename our tensors; also usable for gradients, as every piece is a view of its source.

    Args:
        config: the network that the tensors belong to.
        state: our names; all of the model's, or some of them (then the result has some).

    Raises:
        WeightsError: a name is not one of ours.
    """
    entries = {entry.ours: entry for entry in _entries(config, tokenizers=True)}
    unknown = sorted(set(state) - set(entries))
    if unknown:
        raise WeightsError(f"these tensors have no place in the reference's layout: {listed(unknown)}")
    result: dict[str, Tensor] = {}
    for name, tensor in state.items():
        entry = entries[name]
        pieces = tensor.unbind(0) if entry.stack else tensor.chunk(len(entry.theirs), dim=0)
        result.update(zip(entry.theirs, pieces, strict=True))
    return result


def reference_names(config: ModelConfig, *, tokenizers: bool = True) -> tuple[str, ...]:
    """Every name of the reference's state dict of a network."""
    return tuple(name for entry in _entries(config, tokenizers) for name in entry.theirs)


def _join(entry: _Entry, tensors: list[Tensor]) -> Tensor:
    if entry.stack:
        return torch.stack(tensors)
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)


def _entries(config: ModelConfig, tokenizers: bool) -> list[_Entry]:
    entries = [_Entry("text_embedding.weight", ("text_token_embedder.weight",))]
    for name in config.target_modalities:
        if name != "text":
            entries.append(_Entry(f"{name}_code_embedding.weight", (f"{name}_token_embedder.weight",)))
        entries.append(_Entry(f"targets.{name}.modality_vector", (f"target_embedders.{name}.modality_embedding",)))
    for name in config.input_modalities:
        entries.extend(_input_entries(config, name))
    entries.extend(_tower_entries(config))
    for index in range(config.transformer.num_encoder_layers):
        ours, theirs = f"encoder.layers.{index}", f"encoder.layers_{index}"
        entries.extend(_norms(ours, theirs, {"attention_norm": "pre_attention_norm", "mlp_norm": "pre_mlp_norm"}))
        entries.extend(_self_attention(f"{ours}.attention", f"{theirs}.attention"))
        entries.extend(_gated_mlp(f"{ours}.mlp", f"{theirs}.mlp"))
    for index in range(config.transformer.num_decoder_layers):
        ours, theirs = f"decoder.layers.{index}", f"decoder.layers_{index}"
        names = ("self_attention_norm", "cross_attention_norm", "mlp_norm")
        entries.extend(_norms(ours, theirs, {name: f"pre_{name}" for name in names}))
        entries.extend(_self_attention(f"{ours}.self_attention", f"{theirs}.self_attention"))
        entries.extend(_cross_attention(f"{ours}.cross_attention", f"{theirs}.encoder_decoder_attention", "qk_norm"))
        entries.extend(_gated_mlp(f"{ours}.mlp", f"{theirs}.mlp"))
    entries.append(_Entry("encoder.norm.scale", ("encoder.encoder_norm.scale",)))
    entries.append(_Entry("decoder.norm.scale", ("decoder.decoder_norm.scale",)))
    if tokenizers:
        entries.extend(_tokenizer_entries(config))
    return entries


def _tokenizer_entries(config: ModelConfig) -> list[_Entry]:
    entries: list[tuple[str, tuple[str, ...]]] = []
    if config.image_tokenizer is not None and "image" in config.target_modalities:
        prefix = "target_embedders.image.vqgan"
        entries.extend(image_tokenizer_entries(config.image_tokenizer, "tokenizers.image", prefix))
    if config.audio_tokenizer is not None and "audio" in config.target_modalities:
        prefix = "target_embedders.audio.vqgan"
        entries.extend(audio_tokenizer_entries(config.audio_tokenizer, "tokenizers.audio", prefix))
    return [_Entry(ours, theirs) for ours, theirs in entries]


def _norms(ours: str, theirs: str, names: Mapping[str, str]) -> Iterable[_Entry]:
    return [_Entry(f"{ours}.{mine}.scale", (f"{theirs}.{other}.scale",)) for mine, other in names.items()]


def _linear(ours: str, *theirs: str) -> _Entry:
    return _Entry(f"{ours}.weight", tuple(f"{name}.weight" for name in theirs))


def _self_attention(ours: str, theirs: str) -> list[_Entry]:
    return [
        _linear(f"{ours}.query_key_value", f"{theirs}.query", f"{theirs}.key", f"{theirs}.value"),
        _Entry(f"{ours}.query_key_norm", (f"{theirs}.query_norm.scale", f"{theirs}.key_norm.scale"), stack=True),
        _linear(f"{ours}.out", f"{theirs}.out"),
    ]


def _cross_attention(ours: str, theirs: str, kind: str) -> list[_Entry]:
    entries = [
        _linear(f"{ours}.query", f"{theirs}.query"),
        _linear(f"{ours}.key_value", f"{theirs}.key", f"{theirs}.value"),
        _linear(f"{ours}.out", f"{theirs}.out"),
    ]
    if kind == "qk_norm":
        entries.append(_Entry(f"{ours}.query_norm", (f"{theirs}.query_norm.scale",), stack=True))
        entries.append(_Entry(f"{ours}.key_norm", (f"{theirs}.key_norm.scale",), stack=True))
    elif kind == "cosine":
        entries.append(_Entry(f"{ours}.logit_scale", (f"{theirs}.logit_scale",)))
    return entries


def _gated_mlp(ours: str, theirs: str) -> list[_Entry]:
    return [_linear(f"{ours}.gate_up", f"{theirs}.wi_0", f"{theirs}.wi_1"), _linear(f"{ours}.down", f"{theirs}.wo")]


def _input_entries(config: ModelConfig, name: str) -> list[_Entry]:
    ours, theirs = f"inputs.{name}", f"input_embedders.{name}"
    entries = [_Entry(f"{ours}.modality_vector", (f"{theirs}.modality_embedding",))]
    if name in ("image", "audio"):
        entries.append(_linear(f"{ours}.projection", f"{theirs}.projection"))
    resampler = {"image_history": config.image_history, "audio_history": config.audio_history}.get(name)
    if resampler is None:
        return entries
    entries += [_linear(f"{ours}.{part}", f"{theirs}.{part}") for part in ("pre_projection", "post_projection")]
    ours, theirs = f"{ours}.resampler", f"{theirs}.resampler.perceiver"
    entries.append(_Entry(f"{ours}.latents", (f"{theirs}.latents",)))
    entries.extend(_norms(ours, theirs, {"context_norm": "context_norm", "norm": "perceiver_norm"}))
    for index in range(resampler.num_layers):
        mine, other = f"{ours}.layers.{index}", f"{theirs}.layers_{index}"
        entries.extend(_norms(mine, other, {"attention_norm": "pre_xattention_norm", "mlp_norm": "pre_mlp_norm"}))
        entries.extend(_cross_attention(f"{mine}.attention", f"{other}.xattention", resampler.attention))
        entries += [_linear(f"{mine}.mlp.up", f"{other}.mlp.wi"), _linear(f"{mine}.mlp.down", f"{other}.mlp.wo")]
    return entries


def _tower_entries(config: ModelConfig) -> list[_Entry]:
    entries: list[_Entry] = []
    for name, tower in (("image", config.image_tower), ("audio", config.audio_tower)):
        users = [modality for modality in (name, f"{name}_history") if modality in config.input_modalities]
        if tower is None or not users:
            continue
        owner = "image_encoder" if users[0] == name else f"vit_{name}_encoder"
        ours, theirs = f"towers.{name}", f"input_embedders.{users[0]}.{owner}.vision_transformer"
        if name == "image":
            entries.append(_Entry(f"{ours}.class_token", (f"{theirs}.class_embedding",)))
            entries += [_Entry(f"{ours}.pre_norm.{kind}", (f"{theirs}.pre_ln.{kind}",)) for kind in ("weight", "bias")]
        else:
            entries.append(_Entry(f"{ours}.class_token", (f"{theirs}.cls_token",)))
            entries.append(_Entry(f"{ours}.distillation_token", (f"{theirs}.dist_token",)))
            entries.append(_Entry(f"{ours}.embedding.bias", (f"{theirs}.embedding.bias",)))
        entries.append(_Entry(f"{ours}.positions", (f"{theirs}.positional_embedding",)))
        entries.append(_linear(f"{ours}.embedding", f"{theirs}.embedding"))
        for index in range(tower.num_layers):
            entries.extend(_tower_block(f"{ours}.blocks.{index}", f"{theirs}.transformer.resblocks.{index}"))
    return entries


def _tower_block(ours: str, theirs: str) -> list[_Entry]:
    names = {
        "attention_norm": ("ln_1",),
        "mlp_norm": ("ln_2",),
        "out": ("attn.out_proj",),
        "up": ("mlp.fc1",),
        "down": ("mlp.fc2",),
    }
    entries = []
    for kind in ("weight", "bias"):
        entries += [_Entry(f"{ours}.{mine}.{kind}", (f"{theirs}.{other[0]}.{kind}",)) for mine, other in names.items()]
        fused = tuple(f"{theirs}.attn.{part}_in_proj_{kind}" for part in ("query", "key", "value"))
        entries.append(_Entry(f"{ours}.query_key_value.{kind}", fused))
    return entries
