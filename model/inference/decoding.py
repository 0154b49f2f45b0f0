"""Decoding token by token: keys and values are computed once per observation (encoder) and once per token (decoder)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.errors import BatchError, DecodingError
from embodio.model.layers.fused import norm_rotate_, rms_norm_of_few, swiglu
from embodio.model.layers.layers import Linear
from embodio.model.layers.products import is_turned, linear
from embodio.model.layers.sparse_masks import Placement, layer_masks
from embodio.model.layers.token_sequence import TokenSequence, cross_attention_mask
from embodio.model.network.transformer import DecoderLayer, head_rotary
from embodio.model.pauses import pause

if TYPE_CHECKING:
    from embodio.model.network.network import UnifiedIO2
    from embodio.model.network.targets import CodeTarget, TextTarget


LinearMap = Tensor | nn.Module
"""A float weight [out, in], or a module that maps [N, in] to [N, out], such as one with int8 weights."""


@dataclass(frozen=True, slots=True)
class LayerState:
    """What one decoder layer reads at every step: its weights, looked up once, and its keys and values.

    Attributes:
        self_out: a float weight of these three is transposed, [in, out]; as are `cross_out` and `down`.
        cross_key: [B, H, L, Dh] of the encoder's tokens, as is `cross_value`, which may lie in memory as [B, H, Dh, L],
            the order in which a single query reads it fastest.
        cache: [B * copies, 2, H, T, Dh], keys and values of the tokens fed so far and room for more; head by head, so
            that a head reads its own front to back.
    """

    self_norm: Tensor
    query_key_value: LinearMap
    query_key_norm: Tensor
    self_out: LinearMap
    cross_norm: Tensor
    query: LinearMap
    query_norm: Tensor
    cross_out: LinearMap
    mlp_norm: Tensor
    gate_up: LinearMap
    down: LinearMap
    cross_key: Tensor
    cross_value: Tensor
    cache: Tensor


@dataclass(slots=True)
class DecoderState:
    """All that decoding remembers between steps; `decode_step` changes `length` and the caches in place.

    Attributes:
        modality: the target modality being decoded.
        length: tokens fed so far.
        rotary: complex64 [1, T, H, Dh / 2], factors of the positions along the target.
        cross_mask: bool [B, 1, 1, L], which tokens of the encoder are valid; None when all are.
        layers: one per decoder layer.
        placement: of the positions, if the masks of the paper are in force.
    """

    modality: str
    length: int
    rotary: Tensor
    cross_mask: Tensor | None
    layers: list[LayerState]
    placement: Placement | None = None

    @property
    def max_length(self) -> int:
        """Number of tokens T for which there is room."""
        return self.rotary.shape[1]

    @property
    def copies(self) -> int:
        """How many target rows read each row of the encoder: 1, unless the state was forked."""
        return self.layers[0].cache.shape[0] // self.layers[0].cross_key.shape[0]

    def select(self, rows: Tensor) -> DecoderState:
        """The state of some rows int64 [B'] of the encoder with all their copies, in any order, with repeats."""
        copies = self.copies
        layers = [
            replace(
                layer,
                cross_key=layer.cross_key[rows],
                cross_value=layer.cross_value[rows],
                cache=layer.cache.unflatten(0, (-1, copies))[rows].flatten(0, 1),
            )
            for layer in self.layers
        ]
        mask = None if self.cross_mask is None else self.cross_mask[rows]
        placement = None if self.placement is None else self.placement.rows(rows)
        return DecoderState(self.modality, self.length, self.rotary, mask, layers, placement)

    def fork(self, copies: int) -> DecoderState:
        """A state with `copies` target rows in place of each, side by side, for beams or several answers to a prompt.

        What was computed from the encoder is shared between the copies, not repeated. From then on, tokens and logits
        have B * copies rows.
        """
        layers = []
        for layer in self.layers:
            cache = layer.cache.new_empty(layer.cache.shape[0] * copies, *layer.cache.shape[1:])
            cache[..., : self.length, :] = layer.cache[..., : self.length, :].repeat_interleave(copies, dim=0)
            layers.append(replace(layer, cache=cache, cross_value=layer.cross_value.contiguous()))
        return DecoderState(self.modality, self.length, self.rotary, self.cross_mask, layers, self.placement)

    def reorder(self, rows: Tensor) -> None:
        """Let target row i go on from what target row `rows[i]` has read so far, in place.

        Args:
            rows: int64 [B * copies]; row i and row `rows[i]` must be copies of the same row of the encoder.
        """
        for layer in self.layers:
            past = layer.cache[..., : self.length, :]
            past.copy_(past[rows])


def decodable(model: UnifiedIO2, modality: str) -> TextTarget | CodeTarget:
    """The module of a target modality. Raises BatchError where the model was built without it."""
    if modality not in model.targets:
        raise BatchError(
            f"this model cannot decode {modality!r}; it was built with the targets {model.config.target_modalities}"
        )
    return model.target(modality)


def start_decoding(
    model: UnifiedIO2,
    encoded: TokenSequence,
    max_length: int | None = None,
    modality: str = "text",
    task_mask: Tensor | None = None,
) -> DecoderState:
    """Prepare decoding: cross-attention keys and values are computed here, room for the target's own is reserved.

    Args:
        model: the network that encoded the inputs.
        encoded: from `UnifiedIO2.encode`.
        max_length: most tokens that will be fed; the longest target of the modality by default.
        modality: text, image or audio; must be a target of the model.
        task_mask: [B, max_length], 1 for tokens that are hidden in the input, for `ModelConfig.dynamic_masking`.

    Raises:
        BatchError: the model has no such target.
        DecodingError: `max_length` exceeds the model's positions, or `task_mask` has another shape.
    """
    target = decodable(model, modality)
    table = target.rotary(encoded.embeddings.device)
    longest = table.shape[0]
    max_length = longest if max_length is None else max_length
    if not 1 <= max_length <= longest:
        raise DecodingError(f"max_length {max_length} is outside 1..{longest}, the positions of {modality} targets")
    if task_mask is not None and task_mask.shape != (encoded.embeddings.shape[0], max_length):
        raise DecodingError(
            f"task_mask has the shape {tuple(task_mask.shape)}; expected one row per example of length {max_length}"
        )
    heads = model.config.transformer.num_heads
    source_rotary = head_rotary(encoded.rotary, heads)
    mask = cross_attention_mask(encoded.mask)
    layers = [
        _layer_state(layer, encoded, source_rotary, max_length, turned=mask is None)
        for layer in model.decoder.layer_list()
    ]
    rotary = head_rotary(table[None, :max_length], heads)
    placement = target.placement(max_length, encoded.embeddings.device, task_mask)
    return DecoderState(modality, 0, rotary, mask, layers, placement)


def _layer_state(
    layer: DecoderLayer, encoded: TokenSequence, source_rotary: Tensor, max_length: int, *, turned: bool
) -> LayerState:
    own, cross = layer.self_attention, layer.cross_attention
    key, value = cross.keys_values(encoded.embeddings, source_rotary)
    value = value.permute(0, 2, 3, 1).contiguous().mT if turned else value.transpose(1, 2).contiguous()
    return LayerState(
        self_norm=layer.self_attention_norm.scale,
        query_key_value=_linear_map(own.query_key_value),
        query_key_norm=own.query_key_norm,
        self_out=_linear_map(own.out, transposed=True),
        cross_norm=layer.cross_attention_norm.scale,
        query=_linear_map(cross.query),
        query_norm=cross.query_norm,
        cross_out=_linear_map(cross.out, transposed=True),
        mlp_norm=layer.mlp_norm.scale,
        gate_up=_linear_map(layer.mlp.gate_up),
        down=_linear_map(layer.mlp.down, transposed=True),
        cross_key=key.transpose(1, 2).contiguous(),
        cross_value=value,
        cache=key.new_empty(key.shape[0], 2, key.shape[2], max_length, key.shape[3]),
    )


def _linear_map(module: nn.Module, *, transposed: bool = False) -> LinearMap:
    """The weight of a float map, which saves a call per step; any other map as it is."""
    if not isinstance(module, Linear):
        return module
    return module.weight.t() if transposed else module.weight


def _apply(linear_map: LinearMap, x: Tensor) -> Tensor:
    """The map of x [N, in]."""
    return linear(x, linear_map) if isinstance(linear_map, Tensor) else linear_map(x)


def _add_applied(x: Tensor, linear_map: LinearMap, y: Tensor) -> Tensor:
    """Add the map of y [N, in] to x [N, out]; a float weight is given transposed."""
    if not isinstance(linear_map, Tensor):
        return x + linear_map(y)
    if len(x) > 1 and is_turned(linear_map.t()):
        return x + linear(y, linear_map.t())
    return torch.addmm(x, y, linear_map)


def decode_step(model: UnifiedIO2, state: DecoderState, tokens: Tensor) -> Tensor:
    """Feed the next decoder inputs and advance the state.

    Args:
        model: the network that the state belongs to.
        state: from `start_decoding`; changed in place.
        tokens: int [B, t], t >= 1 (B * copies rows for a forked state); the first token ever fed is the start id 0.
            Several at once give the same as one by one.

    Returns:
        Logits [B, t, V]: what follows each of them.

    Raises:
        DecodingError: more tokens than were reserved.
    """
    batch, count = tokens.shape
    begin, end = state.length, state.length + count
    if end > state.max_length:
        raise DecodingError(f"{end} tokens were fed but room was reserved for {state.max_length}; raise max_length")
    rotary = state.rotary[:, begin:end]
    masks = _step_masks(state, count, tokens.device)
    x = model.target(state.modality).embed(tokens.flatten(), model.table(state.modality))
    for layer, mask in zip(state.layers, masks, strict=True):
        pause()
        x = _layer_step(layer, x, (batch, count), begin, rotary, mask, state.cross_mask)
    state.length = end
    hidden = rms_norm_of_few(x, model.decoder.norm.scale)
    return model.logits(hidden, state.modality).view(batch, count, -1)


def _step_masks(state: DecoderState, count: int, device: torch.device) -> list[Tensor | None]:
    """What the next `count` tokens may see of all fed by then, per layer; None for everything."""
    begin, end = state.length, state.length + count
    mask = None
    if count > 1:
        mask = torch.ones(count, end, dtype=torch.bool, device=device).tril(begin)
    if state.placement is None:
        return [mask] * len(state.layers)
    place = state.placement.repeat(state.copies)
    return layer_masks(place.part(begin, end), place.part(0, end), len(state.layers), mask)


def _layer_step(
    layer: LayerState,
    x: Tensor,
    shape: tuple[int, int],
    begin: int,
    rotary: Tensor,
    mask: Tensor | None,
    cross_mask: Tensor | None,
) -> Tensor:
    """One decoder layer on x [B * t, D], `shape` being (B, t); what `DecoderLayer.forward` does, without dropout."""
    heads, width = layer.cross_key.shape[1], layer.cross_key.shape[3]
    end = begin + shape[1]
    fused = _apply(layer.query_key_value, rms_norm_of_few(x, layer.self_norm)).view(*shape, 3, heads, width)
    norm_rotate_(fused, layer.query_key_norm, rotary)
    layer.cache[:, :, :, begin:end] = fused[:, :, 1:].permute(0, 2, 3, 1, 4)
    keys, values = layer.cache[:, :, :, :end].unbind(1)
    mixed = functional.scaled_dot_product_attention(fused[:, :, 0].transpose(1, 2), keys, values, attn_mask=mask)
    x = _add_applied(x, layer.self_out, mixed.transpose(1, 2).reshape(x.shape[0], -1))

    query = _apply(layer.query, rms_norm_of_few(x, layer.cross_norm)).view(*shape, 1, heads, width)
    norm_rotate_(query, layer.query_norm, rotary)
    # Copies of a row ask the same keys, so they line up as if they were further tokens of that row.
    query = query.view(layer.cross_key.shape[0], -1, heads, width).transpose(1, 2)
    mixed = _attend(query, layer.cross_key, layer.cross_value, cross_mask)
    x = _add_applied(x, layer.cross_out, mixed.transpose(1, 2).reshape(x.shape[0], -1))

    return _add_applied(x, layer.down, swiglu(_apply(layer.gate_up, rms_norm_of_few(x, layer.mlp_norm))))


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax attention of [B, H, Lq, Dh]; one query reads keys, and values that lie turned, once and in order."""
    if query.shape[2] > 1 or mask is not None or value.stride(-1) == 1:
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    # Columns are the transposes of rows, which torch's product takes as they are; others it would multiply slowly.
    row = query * query.shape[-1] ** -0.5
    weights = torch.matmul(key, row.mT).mT.softmax(dim=-1)
    return torch.matmul(value.mT, weights.mT).mT
