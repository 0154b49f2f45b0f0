"""Training of the sound encoder: its tokens become those of the words that are said.

Its targets are transcripts without any times, so the loss is that of connectionist temporal classification (Graves et
al., 2006): each patch, in the order of time, says one piece of text or nothing, and all ways to say the transcript so
count. Patches are compared with the rows of the text table themselves, so what the encoder of the network gets of a
spoken sentence is like what it gets of a written one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.network.batch import Batch
from embodio.model.network.network import UnifiedIO2
from embodio.train.objective import Figure, Outcome
from embodio.train.sound_encoder.transcripts import FIRST, NOTHING, Pieces

_FIRST_BIAS = 2.0
"""Of nothing: most patches say no piece."""
_IMPOSSIBLE = -30.0


class SoundEncoderTraining(nn.Module):
    """A network, of which the audio tower and its projection are trained.

    Args:
        network: the network; whatever else is in it stays as it is.
        pieces: that are learned.

    Attributes:
        network: the network, which is used later.
    """

    ids: Tensor

    def __init__(self, network: UnifiedIO2, pieces: Pieces) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        for part in (network.towers["audio"], network.inputs["audio"]):
            part.requires_grad_(True)
        self.rows = nn.Parameter(torch.zeros(FIRST, network.config.transformer.emb_dim))  # of nothing, of other pieces
        self.bias = nn.Parameter(torch.tensor(_FIRST_BIAS))
        self.register_buffer("ids", torch.tensor(pieces.ids), persistent=False)

    def forward(self, batch: Batch) -> Outcome:
        """Loss of a batch of `TranscribedBatches`, and the share of transcripts that are right to the last piece."""
        heard, said = self.said(batch), batch["pieces"]
        counts = (said != NOTHING).sum(1)
        lengths = torch.full_like(counts, heard.shape[1])
        losses = functional.ctc_loss(heard.transpose(0, 1), said, lengths, counts, reduction="none")
        right = sum(
            one == wanted[:count].tolist() for one, wanted, count in zip(read(heard), said, counts, strict=True)
        )
        total = counts.new_tensor(len(said)).float()
        return Outcome((losses / counts).mean(), total, {"accuracy": Figure(total.new_tensor(float(right)), total)})

    def said(self, batch: Batch) -> Tensor:
        """Log-probabilities float32 [B, P, FIRST + pieces] of what each patch says; silence says nothing."""
        inputs = {name: value for name, value in batch.items() if name.startswith("inputs/")}
        patches = self.network.embed_inputs(inputs)["audio"].embeddings
        rows = torch.cat((self.rows, self.network.text_embedding.weight[self.ids]))
        logits = functional.linear(patches * patches.shape[-1] ** -0.5, rows).float()
        logits = torch.cat((logits[..., :1] + self.bias, logits[..., 1:]), dim=-1)
        silent = torch.full_like(logits[0, 0], _IMPOSSIBLE)
        silent[NOTHING] = 0.0
        return torch.where(batch["inputs/audio/mask"].unsqueeze(-1), logits.log_softmax(dim=-1), silent)


def read(heard: Tensor) -> list[list[int]]:
    """What is most likely said in each of B sounds: the best pieces of the patches [B, P, pieces], each run once."""
    best = heard.argmax(dim=-1).cpu()
    return [[piece for piece in torch.unique_consecutive(row).tolist() if piece != NOTHING] for row in best]
