"""WordTree: the words of a choice as a prefix tree of tokens, which the network scores in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

UNDEFINED = -1e30
"""The score of undefined logits."""


class WordTree:
    """The distinct prefixes of words; the network's state at a prefix scores the token after it.

    Args:
        spellings: the tokens of each word.
        device: device of the network.

    Attributes:
        tokens: int64 [m], the last token of each prefix.
        depth: int64 [m], number of tokens of each prefix, minus one.
        sees: bool [m, m], whether prefix j (column) is a prefix of prefix i (row), or the same.
        padded: int64 [n, w], the words, padded with 0.
        valid: bool [n, w], False in the padding.
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
        # State 0 is the token before the word, state 1 + k is prefix k.
        states = [[1 + node[word[:i]] if 0 < i < len(word) else 0 for i in range(width)] for word in spellings]
        self._states = torch.tensor(states, dtype=torch.long, device=device)

    def scores(self, logits: Tensor) -> Tensor:
        """Log-probabilities [B, n] of the words over the whole vocabulary, from logits [B, 1 + m, V] of the states."""
        steps = logits.log_softmax(dim=-1)[:, self._states, self.padded]
        steps = torch.where(self.valid, steps, torch.zeros_like(steps))
        return torch.nan_to_num(steps.sum(dim=-1), nan=UNDEFINED, neginf=UNDEFINED)
