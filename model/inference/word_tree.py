"""WordTree: all words of a choice as one tree of tokens, which the network reads at once to weigh every word."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

UNDEFINED = -1e30
"""The score of what the network gives no number for."""


class WordTree:
    """The beginnings of words, each once; what follows a beginning is weighed by the network's state there.

    Args:
        spellings: the tokens of each word.
        device: of the network.

    Attributes:
        tokens: int64 [m], the last token of each beginning.
        depth: int64 [m], tokens of each beginning, less one.
        sees: bool [m, m], which beginnings lie on the way to which.
        padded: int64 [n, w], the words, filled up with 0.
        valid: bool [n, w], where they are not filled up.
    """

    def __init__(self, spellings: Sequence[tuple[int, ...]], device: torch.device) -> None:
        beginnings = list(dict.fromkeys(word[:end] for word in spellings for end in range(1, len(word))))
        node = {beginning: index for index, beginning in enumerate(beginnings)}
        width = max(map(len, spellings))
        self.tokens = torch.tensor([b[-1] for b in beginnings], dtype=torch.long, device=device)
        self.depth = torch.tensor([len(b) - 1 for b in beginnings], dtype=torch.long, device=device)
        sees = [[other == b[: len(other)] for other in beginnings] for b in beginnings]
        self.sees = torch.tensor(sees, dtype=torch.bool, device=device).view(len(beginnings), len(beginnings))
        filled = [[*word, *[0] * (width - len(word))] for word in spellings]
        self.padded = torch.tensor(filled, dtype=torch.long, device=device)
        self.valid = torch.tensor([[i < len(word) for i in range(width)] for word in spellings], device=device)
        # State 0 is the token before the word, state 1 + k the beginning k.
        states = [[1 + node[word[:i]] if 0 < i < len(word) else 0 for i in range(width)] for word in spellings]
        self._states = torch.tensor(states, dtype=torch.long, device=device)

    def scores(self, logits: Tensor) -> Tensor:
        """Log-probabilities [B, n] of the words among all texts, from logits [B, 1 + m, V] of the states."""
        steps = logits.log_softmax(dim=-1)[:, self._states, self.padded]
        steps = torch.where(self.valid, steps, torch.zeros_like(steps))
        return torch.nan_to_num(steps.sum(dim=-1), nan=UNDEFINED, neginf=UNDEFINED)
