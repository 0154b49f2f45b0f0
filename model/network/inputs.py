"""Input modalities: each turns its part of a batch into a TokenSequence for the encoder (section 3.1 of the paper)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from embodio.model.config.model import ModelConfig
from embodio.model.config.parts import ResamplerConfig, Size
from embodio.model.errors import BatchError
from embodio.model.layers.layers import Linear, modality_vector
from embodio.model.layers.resampler import Resampler
from embodio.model.layers.rotary import grid_rotary, text_rotary
from embodio.model.layers.token_sequence import TokenSequence
from embodio.model.layers.vit import TowerFeatures

Rows = tuple[Tensor, Tensor | None, Tensor | None]
"""Content [B, N, ...], positions [B, N] and mask bool [B, N] of patches, the last two optional."""


def on_present_rows(run: Callable[[Tensor, Tensor | None, Tensor | None], Tensor], rows: Rows, *, skip: bool) -> Tensor:
    """Call `run(content, positions, mask)`.

    Args:
        run: gives [B, ...] with the rows of what it is given, each of them independent of the others.
        rows: what to give it.
        skip: leave out rows that are masked everywhere. Their results are zeros. One is always kept, so that the shape
            of a result and the flow of gradients exist.

    Returns:
        [B, ...].
    """
    content, positions, mask = rows
    if not skip or mask is None:
        return run(content, positions, mask)
    present = mask.any(dim=1)
    if bool(present.all()):
        return run(content, positions, mask)
    if not bool(present.any()):
        present[0] = True
    found = run(content[present], None if positions is None else positions[present], mask[present])
    result = found.new_zeros(content.shape[0], *found.shape[1:])
    result[present] = found
    return result


Fields = dict[str, Tensor]
"""The part of a batch that belongs to one modality, keyed by the end of the name, such as "tokens" or "mask"."""

Tower = Callable[..., TowerFeatures]


def bool_mask(fields: Fields, name: str = "mask") -> Tensor | None:
    """A mask of a batch as bool, or None where it was left out because everything is valid."""
    mask = fields.get(name)
    return None if mask is None else mask.bool()


def require(fields: Fields, name: str, where: str, dimensions: int) -> Tensor:
    """The tensor `name` of a modality; raises BatchError naming the key if it is absent or of another rank."""
    value = fields.get(name)
    if value is None:
        raise BatchError(f"the batch has no {where}/{name!s}, which the modality needs")
    if value.dim() != dimensions:
        raise BatchError(f"{where}/{name} has shape {tuple(value.shape)}; expected {dimensions} dimensions")
    return value


def pick_rotary(table: Tensor, positions: Tensor | None, length: int, where: str) -> Tensor:
    """Rows of a rotary table: the first `length` [1, L, Dh / 2], or [B, L, Dh / 2] at `positions` int [B, L]."""
    if positions is not None:
        return table[positions]
    if length > table.shape[0]:
        raise BatchError(
            f"{where} has {length} tokens but the model has positions for {table.shape[0]}; shorten the sequence"
        )
    return table[None, :length]


class TextInput(nn.Module):
    """Text tokens: rows of the shared table plus the modality vector."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.length, self.head_dim = config.lengths.encoder_text, config.transformer.head_dim
        self.modality_vector = modality_vector(config.transformer.emb_dim)

    def forward(self, fields: Fields, table: Tensor) -> TokenSequence:
        """Embed tokens.

        Args:
            fields: "tokens" int [B, L]; "mask" [B, L] and "pos_ids" int [B, L] are optional (all valid; 0..L-1).
            table: the shared embedding table [V, D].
        """
        tokens = require(fields, "tokens", "inputs/text", 2)
        rotary = text_rotary(self.length, self.head_dim, tokens.device)
        rotary = pick_rotary(rotary, fields.get("pos_ids"), tokens.shape[1], "inputs/text")
        return TokenSequence(functional.embedding(tokens, table) + self.modality_vector, rotary, bool_mask(fields))


class PatchInput(nn.Module):
    """One image or one spectrogram: two features of its tower, projected to a token per patch."""

    def __init__(self, config: ModelConfig, modality: str, tower_dim: int) -> None:
        super().__init__()
        self.where, self.grid = f"inputs/{modality}", config.patch_grids[modality]
        self.scale, self.head_dim = config.lengths.input_coordinate_scale, config.transformer.head_dim
        self.skip = config.absent_rows == "skipped"
        self.modality_vector = modality_vector(config.transformer.emb_dim)
        self.projection = Linear(2 * tower_dim, config.transformer.emb_dim)

    def forward(self, fields: Fields, tower: Tower) -> TokenSequence:
        """Embed patches.

        Args:
            fields: "input" [B, N, patch values]; "mask" [B, N] and "pos_ids" int [B, N] (indices into the grid of
                patches) are
                optional: all valid; the whole grid in order.
            tower: the module that gives the features.
        """
        patches = require(fields, "input", self.where, 3)
        positions = grid_positions(fields.get("pos_ids"), patches.shape[1], self.grid, self.where)
        mask = bool_mask(fields)
        joined = on_present_rows(
            lambda patches, positions, mask: tower(patches, self.grid, positions, mask).joined(),
            (patches, positions, mask),
            skip=self.skip,
        ).to(self.modality_vector.dtype)
        rotary = grid_rotary(*self.grid, self.head_dim, self.scale, patches.device)
        return TokenSequence(
            self.projection(joined) + self.modality_vector,
            pick_rotary(rotary, positions, patches.shape[1], self.where),
            mask,
        )


class HistoryInput(nn.Module):
    """Several earlier images or sounds: each frame becomes a few tokens; frames share the main input's tower."""

    def __init__(self, config: ModelConfig, modality: str, tower_dim: int, resampler: ResamplerConfig) -> None:
        super().__init__()
        self.where, self.grid = f"inputs/{modality}", config.patch_grids[modality]
        self.table_size: Size = (resampler.max_frames, resampler.num_latents)
        self.head_dim = config.transformer.head_dim
        self.skip = config.absent_rows == "skipped"
        self.modality_vector = modality_vector(config.transformer.emb_dim)
        self.pre_projection = Linear(tower_dim, resampler.emb_dim)
        self.resampler = Resampler(resampler, config.resampler_gelu)
        self.post_projection = Linear(resampler.emb_dim, config.transformer.emb_dim)

    def forward(self, fields: Fields, tower: Tower) -> TokenSequence:
        """Embed frames.

        Args:
            fields: "input" [B, F, N, patch values]; "mask" [B, F, N] and "pos_ids" int [B, F, N] are optional, as in
                `PatchInput`. The tokens of a frame are valid if any of its patches is.
            tower: the module that gives the features.
        """
        patches = require(fields, "input", self.where, 4)
        batch, frames, count = patches.shape[:3]
        if frames > self.table_size[0]:
            raise BatchError(f"{self.where}/input has {frames} frames; the model takes at most {self.table_size[0]}")
        positions = fields.get("pos_ids")
        positions = grid_positions(None if positions is None else positions.flatten(0, 1), count, self.grid, self.where)
        mask = bool_mask(fields)
        flat_mask = None if mask is None else mask.flatten(0, 1)

        def read(patches: Tensor, positions: Tensor | None, mask: Tensor | None) -> Tensor:
            features = tower(patches, self.grid, positions, mask, with_second=False).last
            features = features.to(self.modality_vector.dtype)
            latents: Tensor = self.post_projection(self.resampler(self.pre_projection(features), mask))
            return latents

        rows = (patches.flatten(0, 1), positions, flat_mask)
        latents = on_present_rows(read, rows, skip=self.skip) + self.modality_vector
        rotary = grid_rotary(*self.table_size, self.head_dim, 1.0, patches.device)
        per_frame = self.table_size[1]
        valid = None if mask is None else mask.any(dim=-1).repeat_interleave(per_frame, dim=1)
        return TokenSequence(latents.reshape(batch, frames * per_frame, -1), rotary[None, : frames * per_frame], valid)


def grid_positions(positions: Tensor | None, count: int, grid: Size, where: str) -> Tensor | None:
    """Check that patches without positions are the whole grid; raises BatchError otherwise."""
    if positions is None and count != grid[0] * grid[1]:
        raise BatchError(
            f"{where}/input has {count} patches of the grid {grid[0]} x {grid[1]} "
            f"but no {where}/pos_ids; say which patches they are"
        )
    return positions
