"""Target modalities: each turns its part of a batch into decoder tokens, target ids and a loss mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.config.model import ModelConfig
from embodio.model.config.parts import Size
from embodio.model.errors import BatchError
from embodio.model.layers.layers import modality_vector
from embodio.model.layers.rotary import grid_rotary, text_rotary
from embodio.model.layers.sparse_masks import Placement
from embodio.model.layers.token_sequence import TokenSequence
from embodio.model.network.inputs import Fields, bool_mask, pick_rotary, require
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer

START_ID = 0
"""Id fed to the decoder before the first target, in every modality."""

CODE_OFFSET = 2
"""Image and audio target ids are codebook indices plus this; 0 starts a sequence and 1 is reserved."""

_ROUND = 128

Tokenizer = ImageTokenizer | AudioTokenizer


def code_rows(num_codes: int) -> int:
    """Rows of a table of codes and the ids before them: a multiple of 128, as in the released sizes."""
    return -(-(num_codes + CODE_OFFSET) // _ROUND) * _ROUND


@dataclass(frozen=True)
class Target:
    """One modality's side of the decoder.

    Attributes:
        tokens: what the decoder reads, [B, L].
        ids: int64 [B, L], the id to predict at each position.
        loss_mask: bool [B, L], or None when every position counts.
    """

    tokens: TokenSequence
    ids: Tensor
    loss_mask: Tensor | None


def shift_right(ids: Tensor) -> Tensor:
    """Decoder inputs of target ids [B, L]: the start id, then all but the last."""
    return functional.pad(ids[:, :-1], (1, 0), value=START_ID)


class TextTarget(nn.Module):
    """Text targets: rows of the shared table plus the modality vector of the target side."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.max_length, self.head_dim = config.lengths.decoder_text, config.transformer.head_dim
        self.modality_vector = modality_vector(config.transformer.emb_dim)

    def placement(self, length: int, device: torch.device, task_mask: Tensor | None = None) -> Placement | None:
        """None: the masks of the paper are for images and sounds."""
        return None

    def rotary(self, device: torch.device) -> Tensor:
        """Rotary factors complex64 [max length, Dh / 2] of the positions along the target."""
        return text_rotary(self.max_length, self.head_dim, device)

    def embed(self, tokens: Tensor, table: Tensor) -> Tensor:
        """Embeddings [B, L, D] of decoder inputs int [B, L] from a table [V, D]."""
        return functional.embedding(tokens, table) + self.modality_vector

    def forward(self, fields: Fields, table: Tensor) -> Target:
        """Read text targets.

        Args:
            fields: "targets" int [B, L]. Optional: "inputs" int [B, L] (default: targets shifted right), "mask" [B, L]
                (valid and trained; default all), "loss_mask" [B, L] (trained; default the mask), "pos_ids" int [B, L]
                (default 0..L-1), and "segment_ids" int [B, L], which keep several answers in one row apart.
            table: the shared embedding table [V, D].
        """
        ids = require(fields, "targets", "targets/text", 2)
        inputs = fields.get("inputs")
        inputs = shift_right(ids) if inputs is None else inputs
        rotary = pick_rotary(self.rotary(ids.device), fields.get("pos_ids"), ids.shape[1], "targets/text")
        mask, segments = bool_mask(fields), fields.get("segment_ids")
        tokens = TokenSequence(self.embed(inputs, table), rotary, mask, None if segments is None else segments.long())
        return Target(tokens, ids.long(), bool_mask(fields, "loss_mask") if "loss_mask" in fields else mask)


class CodeTarget(nn.Module):
    """Image or audio targets as ids of codes (index + 2), in the order in which their tokeniser gives them.

    The audio ids run time-first while the rotary grid is the tokeniser's (mel, time); the released weights were trained
    so.
    """

    def __init__(self, config: ModelConfig, modality: str, grid: Size) -> None:
        super().__init__()
        self.modality, self.where = modality, f"targets/{modality}"
        self.grid, self.head_dim = grid, config.transformer.head_dim
        self.dropout = config.code_dropout
        self.scale = config.image_target_scale if modality == "image" else 1.0
        self.max_length = grid[0] * grid[1]
        self.sparse, self.dynamic = config.sparse_decoding, config.dynamic_masking
        self.modality_vector = modality_vector(config.transformer.emb_dim)

    def rotary(self, device: torch.device) -> Tensor:
        """Rotary factors complex64 [rows * columns, Dh / 2] of the positions along the target."""
        return grid_rotary(*self.grid, self.head_dim, self.scale, device)

    def embed(self, tokens: Tensor, table: Tensor) -> Tensor:
        """Embeddings [B, L, D] of decoder inputs int [B, L] from a table [V, D]; of some nothing, in training."""
        found = functional.embedding(tokens, table)
        if self.training and self.dropout > 0:
            rates = self.dropout * torch.rand(len(found), 1, 1, device=found.device)
            found = found * (torch.rand(*tokens.shape, 1, device=found.device) >= rates)
        return found + self.modality_vector

    def forward(self, fields: Fields, table: Tensor, tokenizer: Tokenizer | None = None) -> Target:
        """Read code targets.

        Args:
            fields: "tokens" int [B, L], codes plus 2; or, for a model with tokenisers, the raw target in its place:
                "image" [B, H, W, 3] in [-1, 1], or "audio" [B, T, M, 1]. If both are given the tokens count, but in
                rows where all are 0, which stand for no codes. Optional: "mask" [B, L] (valid; default all),
                "loss_mask" [B, L] (trained; default the mask), "task_mask" [B, L] (which parts were hidden in the
                input; matters only with `ModelConfig.dynamic_masking`).
            table: the embedding table [V, D] of the codes.
            tokenizer: turns raw targets into codes, without gradients.

        Raises:
            BatchError: no tokens, and no raw target or no tokeniser for it.
        """
        mask = bool_mask(fields)
        loss_mask = bool_mask(fields, "loss_mask") if "loss_mask" in fields else mask
        raw = fields.get(self.modality)
        known = require(fields, "tokens", self.where, 2).long() if "tokens" in fields or raw is None else None
        if raw is None or (known is not None and tokenizer is None):
            ids = cast(Tensor, known)
        elif tokenizer is None:
            raise BatchError(
                f"{self.where} was given raw but this model has no tokeniser; load it with tokenizers=True, "
                f"or give {self.where}/tokens (codes + 2)"
            )
        else:
            ids = _tokenise(tokenizer, raw, mask, loss_mask, known)
        rotary = pick_rotary(self.rotary(ids.device), None, ids.shape[1], self.where)
        placement = self.placement(ids.shape[1], ids.device, fields.get("task_mask"))
        tokens = TokenSequence(self.embed(shift_right(ids), table), rotary, mask, placement=placement)
        return Target(tokens, ids, loss_mask)

    def placement(self, length: int, device: torch.device, task_mask: Tensor | None = None) -> Placement | None:
        """What the masks of the paper need to know of the first `length` tokens; None where none is in force.

        Args:
            length: tokens L.
            device: where to put it.
            task_mask: [B, L], 1 for target tokens that were hidden in the input.
        """
        hidden = task_mask if self.dynamic else None
        if not self.sparse and hidden is None:
            return None
        return Placement.of_grid(length, self.grid[1] if self.sparse else 0, device, hidden)


@torch.no_grad()
def _tokenise(
    tokenizer: Tokenizer, raw: Tensor, mask: Tensor | None, loss_mask: Tensor | None, known: Tensor | None = None
) -> Tensor:
    """Target ids int64 [B, L] of raw targets; known ones are kept, fully masked rows are not encoded and get zeros."""
    if known is None and (mask is None or loss_mask is None):
        return tokenizer.encode(raw) + CODE_OFFSET
    used = torch.ones(raw.shape[0], dtype=torch.bool, device=raw.device)
    if mask is not None and loss_mask is not None:
        used = (mask | loss_mask).any(dim=1)
    ids = raw.new_zeros(raw.shape[0], tokenizer.num_tokens, dtype=torch.int64) if known is None else known.clone()
    used &= ~ids.any(dim=1)
    if bool(used.any()):
        ids[used] = tokenizer.encode(raw[used]) + CODE_OFFSET
    return ids
