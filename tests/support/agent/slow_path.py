"""Acting as it was done first: one row, nothing reused, the network's own decoding. What the fast path must equal."""

from __future__ import annotations

import numpy as np
import torch

from embodio.agent import Checkpoint, PolicyFormat
from embodio.model.network.batch import collate
from embodio.model.processing.processor import Processor


def legal_ids(policy_format: PolicyFormat, actions: int | None = None) -> list[np.ndarray]:
    """What may stand at each position of an answer in numbers."""
    return [choice.ids for choice in policy_format.grammar(actions).choices]


class SlowAgent:
    """The first version of `Agent`, for one row."""

    def __init__(self, checkpoint: Checkpoint, replan: int) -> None:
        self.model, self.format, self.replan = checkpoint.model, checkpoint.format, replan
        self.processor = Processor(self.model.config, self.format.vocabulary)
        self.legal = legal_ids(self.format, replan)

    def reset(self, instruction: str) -> None:
        self.instruction = instruction
        self.window: list[dict[str, object]] = []
        self.queue: list[np.ndarray] = []

    def act(self, observation: dict[str, object]) -> np.ndarray:
        self.window = [*self.window, observation][-self.format.window :]
        if not self.queue:
            self.queue = list(self.format.actions(self.decode())[0])
        return self.queue.pop(0)

    def decode(self) -> np.ndarray:
        batch = collate([self.processor(self.format.example(self.window, self.instruction))])
        with torch.inference_mode():
            state = self.model.start_decoding(self.model.encode(batch), len(self.legal))
            previous = torch.zeros((1, 1), dtype=torch.long)
            answer = []
            for ids in self.legal:
                allowed = torch.as_tensor(ids)
                logits = self.model.decode_step(state, previous)[:, -1].index_select(-1, allowed)
                previous = allowed[logits.argmax(dim=-1)][:, None]
                answer.append(int(previous))
        return np.array([answer])
