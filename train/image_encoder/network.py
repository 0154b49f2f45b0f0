"""Training of the image encoder: each patch says what it shows and where that is, in the tokens of the network.

A network learns slowly where things are if every example asks for one box: here each patch that shows a thing has the
answer, and gives it by the tables with which the decoder will write it. Linear heads are all there is between.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.layers.token_sequence import concatenate
from embodio.model.network.batch import Batch
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.vocabulary import VALUE_BINS, Vocabulary
from embodio.train.image_encoder.labels import NO_WORD
from embodio.train.image_encoder.settings import SightLossConfig
from embodio.train.objective import Figure, Outcome

_CORNERS = 4
_BLUR = 3.0
"""Value tokens: the standard deviation of the targets around a corner."""
_FIRST_BIAS = -4.0
"""Of words: most of them are not shown."""


class ImageEncoderTraining(nn.Module):
    """A network, of which the image tower and the encoder are trained, and the heads that read them.

    Both are read, what the tower gives and what the encoder makes of it: an encoder learns little from a tower that
    does not see yet.

    Args:
        network: the network; its decoder is not used.
        vocabulary: of the network.
        words: the words that are learned; each is written as its first piece.
        loss: weights of the losses.

    Attributes:
        network: the network, which is used later.
    """

    values: Tensor
    pieces: Tensor

    def __init__(
        self, network: UnifiedIO2, vocabulary: Vocabulary, words: Sequence[str], loss: SightLossConfig
    ) -> None:
        super().__init__()
        self.network, self.loss = network, loss
        dim = network.config.transformer.emb_dim
        self.of_tower, self.of_encoder = PatchHeads(dim, len(words), loss), PatchHeads(dim, len(words), loss)
        self.meant = nn.Linear(dim, 1)
        self.register_buffer("values", torch.as_tensor(vocabulary.value_ids.copy()), persistent=False)
        self.register_buffer("pieces", torch.tensor([vocabulary.encode(word)[0] for word in words]), persistent=False)

    def forward(self, batch: Batch) -> Outcome:
        """Loss of a batch of `LabelledBatches`, of tower and encoder, and the figures of the encoder."""
        inputs = {name: value for name, value in batch.items() if name.startswith("inputs/")}
        embedded = self.network.embed_inputs(inputs)
        asked, seen = embedded["text"], embedded["image"]
        encoded = self.network.encoder(concatenate([asked, seen])).embeddings
        table = self.network.text_embedding.weight
        rows, values = table[self.pieces], table[self.values]
        patches = encoded[:, asked.length :]
        first, _ = self.of_tower(seen.embeddings, batch, rows, values)
        last, figures = self.of_encoder(patches, batch, rows, values)
        answers, more = self._answers(encoded[:, : asked.length], patches, batch, values)
        return Outcome(first + last + answers, batch["known"].sum().float().clamp(min=1.0), figures | more)

    def _answers(
        self, words: Tensor, patches: Tensor, batch: Batch, values: Tensor
    ) -> tuple[Tensor, dict[str, Figure]]:
        """What is asked for: each patch says whether it shows that, and each word of the query where it is."""
        asked = batch["known"] & batch["asked"].unsqueeze(1)
        found = self.meant(patches).squeeze(-1).float()
        meant = _mean(
            functional.binary_cross_entropy_with_logits(found, batch["meant"].float(), reduction="none"), asked
        )
        told = batch["inputs/text/mask"] & batch["one"].unsqueeze(1)
        boxes = batch["box"].unsqueeze(1).expand(-1, told.shape[1], -1)
        losses, off = self.of_encoder.corners_of(words[told], values, boxes[told])
        loss = self.loss.meant * meant + self.loss.answer * _mean(losses)
        right = ((found > 0) == batch["meant"]) & asked
        return loss, {
            "meant": Figure(right.sum().float(), asked.sum().float().clamp(min=1)),
            "answer_off": Figure(off.sum(), torch.tensor(float(max(1, off.numel())), device=off.device)),
        }


class PatchHeads(nn.Module):
    """What patches show, where that is, and the words of whole pictures, read off features by linear maps.

    Args:
        dim: of the features.
        words: how many are learned.
        loss: weights of the losses.
    """

    def __init__(self, dim: int, words: int, loss: SightLossConfig) -> None:
        super().__init__()
        self.weights = loss
        self.thing = nn.Linear(dim, 1)
        self.word, self.whole = _TiedWords(dim, words), _TiedWords(dim, words)
        self.corners = nn.ModuleList(nn.Linear(dim, dim) for _ in range(_CORNERS))

    def forward(self, patches: Tensor, batch: Batch, rows: Tensor, values: Tensor) -> tuple[Tensor, dict[str, Figure]]:
        """Loss and figures.

        Args:
            patches: features [B, P, D].
            batch: their labels.
            rows: embeddings of the words, [words, D].
            values: embeddings of the value tokens, [1000, D].
        """
        known, there = batch["known"], batch["thing"]
        named = there & (batch["words"] != NO_WORD).any(-1)
        thing = self.thing(patches).squeeze(-1).float()
        words, wanted = self.word(patches[named], rows), _many_hot(batch["words"], len(rows))[named]
        corners, off = self.corners_of(patches[there], values, batch["corners"][there])
        parts = {
            "things": _mean(functional.binary_cross_entropy_with_logits(thing, there.float(), reduction="none"), known),
            "words": _mean(_word_loss(words, wanted)),
            "corners": _mean(corners),
            "whole": self._whole(patches, batch["inputs/image/mask"], batch["whole"], rows),
        }
        loss = torch.stack([getattr(self.weights, name) * part for name, part in parts.items()]).sum()
        figures = {name: Figure(part.detach(), torch.ones_like(part)) for name, part in parts.items()}
        figures["found"] = Figure((((thing > 0) == there) & known).sum().float(), known.sum().float().clamp(min=1))
        figures["off"] = Figure(off.sum(), torch.tensor(float(max(1, off.numel())), device=off.device))
        figures["accuracy"] = _named(words, wanted)
        return loss, figures

    def corners_of(self, shown: Tensor, table: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy [n, 4] of the corners [n, 4] of the things in patches, and how many tokens they are off."""
        scale, bins = shown.shape[-1] ** -0.5, torch.arange(VALUE_BINS, device=shown.device)
        right = corners.clamp(0, 1) * (VALUE_BINS - 1)
        losses, off = [], []
        for number, head in enumerate(self.corners):
            logits = functional.linear(head(shown) * scale, table).float()
            away = bins - right[:, number : number + 1]
            wanted = torch.softmax(-0.5 * (away / _BLUR).square(), dim=-1)
            losses.append(-(wanted * logits.log_softmax(dim=-1)).sum(-1))
            off.append((logits.detach().argmax(dim=-1) - right[:, number]).abs())
        return torch.stack(losses, dim=1), torch.stack(off, dim=1)

    def _whole(self, patches: Tensor, mask: Tensor, whole: Tensor, rows: Tensor) -> Tensor:
        inside = mask.unsqueeze(-1)
        captioned = (whole != NO_WORD).any(-1)
        pooled = (patches * inside).sum(1) / inside.sum(1)
        return _mean(_word_loss(self.whole(pooled[captioned], rows), _many_hot(whole, len(rows))[captioned]))


class _TiedWords(nn.Module):
    """Logits of words by rows of the network's table."""

    def __init__(self, dim: int, words: int) -> None:
        super().__init__()
        self.head = nn.Linear(dim, dim)
        self.bias = nn.Parameter(torch.full((words,), _FIRST_BIAS))

    def forward(self, features: Tensor, rows: Tensor) -> Tensor:
        """Features [n, D] to logits float32 [n, words]; `rows` [words, D]."""
        return (functional.linear(self.head(features) * features.shape[-1] ** -0.5, rows) + self.bias).float()


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
