"""GuidedDecoder: scores the next token of every row, with or without guidance."""

from __future__ import annotations

import torch
from torch import Tensor

from embodio.model.generation.guidance import Guidance, guide
from embodio.model.layers.token_sequence import TokenSequence
from embodio.model.network.network import UnifiedIO2


class GuidedDecoder:
    """The cached decoder of B examples, each with `copies` adjacent rows: N = B * copies.

    With guidance, the neutral prompt's rows follow the examples' rows in the same batch, so that both read the weights
    once per step; they are fed the same tokens.
    """

    def __init__(
        self,
        model: UnifiedIO2,
        encoded: TokenSequence,
        modality: str,
        max_tokens: int,
        guidance: Guidance | None = None,
        copies: int = 1,
        task_mask: Tensor | None = None,
    ) -> None:
        self._model = model
        self._scale = 0.0 if guidance is None else guidance.scale
        if guidance is not None and self._scale:
            encoded = guidance.add_to(encoded)
            task_mask = None if task_mask is None else torch.cat((task_mask, task_mask))
        self._state = model.start_decoding(encoded, max_tokens, modality, task_mask)
        if copies > 1:
            self._state = self._state.fork(copies)

    @property
    def device(self) -> torch.device:
        """The device of tokens and scores."""
        return self._state.rotary.device

    def step(self, tokens: Tensor, *, logarithms: bool = False) -> Tensor:
        """Feed the next tokens int64 [N]; returns the scores float32 [N, V] of the tokens after them.

        Scores are logits, or log-probabilities with `logarithms`. With guidance they are always the unnormalised
        results of `guide`.
        """
        if not self._scale:
            scores = self._model.decode_step(self._state, tokens.unsqueeze(1))[:, 0].float()
            return scores.log_softmax(dim=-1) if logarithms else scores
        logits = self._model.decode_step(self._state, tokens.repeat(2).unsqueeze(1))[:, 0].float()
        conditional, neutral = logits.chunk(2)
        return guide(conditional, neutral, self._scale)

    def keep(self, examples: Tensor) -> None:
        """Keep some examples only: int64 [B'] positions among the current ones."""
        if self._scale:
            present = self._state.layers[0].cross_key.shape[0] // 2
            examples = torch.cat((examples, examples + present))
        self._state = self._state.select(examples)

    def reorder(self, rows: Tensor) -> None:
        """Make row i continue from the history of row `rows[i]` int64 [N], a copy of the same example."""
        self._state.reorder(torch.cat((rows, rows + rows.shape[0])) if self._scale else rows)
