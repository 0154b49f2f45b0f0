"""Training of the image tower: what patches show, its name and box, and the words of captions, by linear heads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.config.parts import ImageTowerConfig, Size
from embodio.model.layers.vit import ImageTower
from embodio.model.network.batch import Batch
from embodio.model.processing.image import PIXEL_MEAN, PIXEL_STD
from embodio.model.tokenizers.files import save_tokenizer
from embodio.train.objective import Figure, Outcome
from embodio.train.towers.labels import NO_WORD
from embodio.train.towers.settings import TowerLossConfig

_CORNERS = 4


class TowerTraining(nn.Module):
    """An image tower and the linear heads that read its features.

    Args:
        config: of the tower.
        grid: rows and columns of patches of the canvas.
        words: how many words are learned.
        loss: weights of the losses.

    Attributes:
        tower: the tower, which is used later.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ImageTowerConfig, grid: Size, words: int, loss: TowerLossConfig) -> None:
        super().__init__()
        self.tower, self.grid, self.weights = ImageTower(config), grid, loss
        self.of_patch = nn.Linear(2 * config.emb_dim, 1 + words + _CORNERS)
        self.of_whole = nn.Linear(2 * config.emb_dim, words)
        self.register_buffer("mean", torch.tensor(PIXEL_MEAN), persistent=False)
        self.register_buffer("std", torch.tensor(PIXEL_STD), persistent=False)

    def forward(self, batch: Batch) -> Outcome:
        """Loss and figures of a batch of `LabelledBatches`."""
        shown = batch["shown"]
        features = self.tower(self._patches(batch["images"]), self.grid, mask=shown).joined()
        found = self.of_patch(features).float()
        thing, words, boxes = found[..., 0], found[..., 1:-_CORNERS], found[..., -_CORNERS:]
        known, there = batch["known"], batch["known"] & (batch["words"] != NO_WORD).any(-1)
        wanted = _many_hot(batch["words"], words.shape[-1])[there]
        parts = {
            "things": _mean(functional.binary_cross_entropy_with_logits(thing, there.float(), reduction="none"), known),
            "words": _mean(_word_loss(words[there], wanted)),
            "boxes": _mean(functional.smooth_l1_loss(boxes[there], batch["boxes"][there], reduction="none").mean(-1)),
            "whole": self._whole(features, shown, batch["whole"]),
        }
        loss = torch.stack([getattr(self.weights, name) * part for name, part in parts.items()]).sum()
        figures = {name: Figure(part.detach(), torch.ones_like(part)) for name, part in parts.items()}
        figures["found"] = Figure((((thing > 0) == there) & known).sum().float(), known.sum().float().clamp(min=1))
        figures["accuracy"] = _named(words[there], wanted)
        return Outcome(loss, known.sum().float().clamp(min=1.0), figures)

    def _whole(self, features: Tensor, shown: Tensor, whole: Tensor) -> Tensor:
        inside = shown.unsqueeze(-1)
        logits = self.of_whole((features * inside).sum(1) / inside.sum(1).clamp(min=1)).float()
        captioned = (whole != NO_WORD).any(-1)
        return _mean(_word_loss(logits[captioned], _many_hot(whole, logits.shape[-1])[captioned]))

    def _patches(self, images: Tensor) -> Tensor:
        """Pictures uint8 [B, H, W, 3] as normalised patches [B, N, values]."""
        pixels = (images.float() / 255 - self.mean) / self.std
        size = self.tower.config.patch_size
        cut = pixels.unflatten(1, (-1, size)).unflatten(3, (-1, size)).permute(0, 1, 3, 2, 4, 5)
        return cut.flatten(1, 2).flatten(2)


class TowerObjective:
    """The loss of a batch of labelled pictures."""

    def __call__(self, model: TowerTraining, batch: Batch) -> Outcome:
        """The outcome of a batch."""
        found: Outcome = model(batch)
        return found


@dataclass(frozen=True)
class TowerBundle:
    """Writes the tower alone, as `load_image_tower` reads it."""

    def write(self, folder: Path, model: TowerTraining) -> None:
        """Writes weights, config and checksums."""
        save_tokenizer(folder, model.tower)


def _many_hot(numbers: Tensor, words: int) -> Tensor:
    """Word numbers int64 [..., K] as float32 [..., words]."""
    hot = torch.zeros(*numbers.shape[:-1], words + 1, device=numbers.device)
    return hot.scatter_(-1, torch.where(numbers == NO_WORD, words, numbers), 1.0)[..., :words]


def _word_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Of rows [n, words]: the summed cross-entropy of all words."""
    return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(-1)


def _mean(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Over what the mask has; 0 with a gradient where there is nothing."""
    if mask is not None:
        values = values[mask]
    return values.sum() / max(1, values.numel())


def _named(logits: Tensor, wanted: Tensor) -> Figure:
    """The share of patches for which the words with the highest logits are those of the name."""
    count = wanted.sum(-1, keepdim=True).long()
    order = logits.argsort(-1, descending=True)
    ranks = torch.empty_like(order).scatter_(
        -1, order, torch.arange(order.shape[-1], device=order.device).expand_as(order)
    )
    right = ((ranks < count) == (wanted > 0)).all(-1)
    return Figure(right.sum().float(), torch.tensor(float(max(1, len(right))), device=logits.device))
