"""Cached decoding: computes keys and values once per input (encoder) and once per token (decoder)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from embodio.model.errors import BatchError, DecodingError
from embodio.model.inference.layer_step import (
    FastestProduct,
    LayerMemory,
    LayerWeights,
    StepInput,
    layer_memory,
    layer_step,
)
from embodio.model.layers.fused import rms_norm_of_few
from embodio.model.layers.sparse_masks import Placement, layer_masks
from embodio.model.layers.token_sequence import TokenSequence, cross_attention_mask
from embodio.model.network.transformer import head_rotary
from embodio.model.pauses import pause

if TYPE_CHECKING:
    from embodio.model.network.network import UnifiedIO2
    from embodio.model.network.targets import CodeTarget, TextTarget


@dataclass(slots=True)
class DecoderState:
    """The state of decoding between steps; `decode_step` changes `length` and the caches in place.

    Attributes:
        modality: the target modality being decoded.
        length: tokens fed so far.
        rotary: complex64 [1, T, H, Dh / 2], factors of the positions along the target.
        cross_mask: bool [B, 1, 1, L], which tokens of the encoder are valid; None when all are.
        layers: keys and values, one per decoder layer.
        weights: one per decoder layer.
        placement: of the positions, if the masks of the paper are in force.
    """

    modality: str
    length: int
    rotary: Tensor
    cross_mask: Tensor | None
    layers: list[LayerMemory]
    weights: list[LayerWeights]
    placement: Placement | None = None

    @property
    def max_length(self) -> int:
        """The capacity T in tokens."""
        return self.rotary.shape[1]

    @property
    def copies(self) -> int:
        """Number of target rows per encoder row: 1, unless the state was forked."""
        return self.layers[0].cache.shape[0] // self.layers[0].cross_key.shape[0]

    def select(self, rows: Tensor) -> DecoderState:
        """The state of encoder rows int64 [B'] with all their copies; any order, repeats allowed."""
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
        return replace(self, cross_mask=mask, layers=layers, placement=placement)

    def fork(self, copies: int) -> DecoderState:
        """A state with `copies` adjacent target rows for each row, for beams or several answers to a prompt.

        Copies share the encoder's keys and values. Tokens and logits then have B * copies rows.
        """
        layers = []
        for layer in self.layers:
            cache = layer.cache.new_empty(layer.cache.shape[0] * copies, *layer.cache.shape[1:])
            cache[..., : self.length, :] = layer.cache[..., : self.length, :].repeat_interleave(copies, dim=0)
            layers.append(replace(layer, cache=cache, cross_value=layer.cross_value.contiguous()))
        return replace(self, layers=layers)

    def reorder(self, rows: Tensor) -> None:
        """Make target row i continue from the history of target row `rows[i]`, in place.

        Args:
            rows: int64 [B * copies]; row i and row `rows[i]` must be copies of the same encoder row.
        """
        for layer in self.layers:
            past = layer.cache[..., : self.length, :]
            past.copy_(past[rows])


def decodable(model: UnifiedIO2, modality: str) -> TextTarget | CodeTarget:
    """The module of a target modality; raises BatchError if the model was built without it."""
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
    """Prepare decoding: compute cross-attention keys and values, and reserve capacity for the target's own.

    Args:
        model: the network that encoded the inputs.
        encoded: from `UnifiedIO2.encode`.
        max_length: largest number of tokens to feed; by default the longest target of the modality.
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
    decoder = model.decoder.layer_list()
    rows, width = encoded.embeddings.shape[0], model.config.transformer.head_dim
    layers = []
    for layer in decoder:
        cache = encoded.embeddings.new_empty(rows, 2, heads, max_length, width)
        layers.append(layer_memory(layer, encoded, source_rotary, cache, transposed=mask is None))
    weights = [LayerWeights.of(layer, FastestProduct) for layer in decoder]
    rotary = head_rotary(table[None, :max_length], heads)
    placement = target.placement(max_length, encoded.embeddings.device, task_mask)
    return DecoderState(modality, 0, rotary, mask, layers, weights, placement)


def decode_step(model: UnifiedIO2, state: DecoderState, tokens: Tensor) -> Tensor:
    """Feed the next decoder inputs and advance the state.

    Args:
        model: the network that the state belongs to.
        state: from `start_decoding`; changed in place.
        tokens: int [B, t], t >= 1 (B * copies rows for a forked state); the first token ever fed is the start id 0.
            Feeding several at once equals feeding one by one.

    Returns:
        Logits [B, t, V] of the token after each of them.

    Raises:
        DecodingError: more tokens than were reserved.
    """
    batch, count = tokens.shape
    begin, end = state.length, state.length + count
    if end > state.max_length:
        raise DecodingError(f"{end} tokens were fed but there is capacity for {state.max_length}; raise max_length")
    step = StepInput(batch, count, begin, state.rotary[:, begin:end], state.cross_mask)
    masks = _step_masks(state, count, tokens.device)
    x = model.target(state.modality).embed(tokens.flatten(), model.table(state.modality))
    for weights, memory, mask in zip(state.weights, state.layers, masks, strict=True):
        pause()
        x = layer_step(weights, memory, step, x, mask)
    state.length = end
    hidden = rms_norm_of_few(x, model.decoder.norm.scale)
    return model.logits(hidden, state.modality).view(batch, count, -1)


def _step_masks(state: DecoderState, count: int, device: torch.device) -> list[Tensor | None]:
    """The self-attention mask of the next `count` tokens per layer; None if nothing is hidden."""
    begin, end = state.length, state.length + count
    mask = None
    if count > 1:
        mask = torch.ones(count, end, dtype=torch.bool, device=device).tril(begin)
    if state.placement is None:
        return [mask] * len(state.layers)
    place = state.placement.repeat(state.copies)
    return layer_masks(place.part(begin, end), place.part(0, end), len(state.layers), mask)
