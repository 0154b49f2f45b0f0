"""Acting and training, written plainly: what `Agent.act` and a step of `embodio-train` compute, and nothing else.

A test demands the same bits of both. Left out is what makes the real ones fast (caches, rows of robots, workers) and
safe (checks, checkpoints, signals), and what is off here: augmentation, history, goals, dropout, averaged weights.
"""

import math

import numpy as np
import torch

from embodio.agent import load_checkpoint
from embodio.datasets import open_source
from embodio.datasets.stream.order import record_at
from embodio.model import Processor, collate


class PlainAgent:
    """From observations to actions.

    An observation is a dict: uint8 [H, W, 3] for each camera, float [S] for "state". An action is float32 [A].
    """

    def __init__(self, path, replan):
        """Take network and robot format from a checkpoint; play `replan` actions of each chunk that is predicted."""
        checkpoint = load_checkpoint(path)
        self.model, self.format = checkpoint.model, checkpoint.format
        self.processor = Processor(self.model.config, self.format.vocabulary)
        # What may stand at each place of an answer: for every action and dimension the token ids of its bins.
        self.legal = [torch.as_tensor(choice.ids) for choice in self.format.grammar(replan).choices]

    def reset(self, instruction):
        """Begin an episode."""
        self.instruction, self.window, self.queue = instruction, [], []

    def act(self, observation):
        """The next action; a new chunk is predicted when the last one is used up."""
        self.window = [*self.window, self.format.seen(observation)][-self.format.window :]
        if not self.queue:
            self.queue = list(self.plan())
        return self.queue.pop(0)

    def plan(self):
        """Observation -> example -> patches and token ids -> encoder -> tokens one by one -> actions [replan, A]."""
        example = self.format.example(self.window, self.instruction)  # a prompt in words and ids, and one image
        batch = collate([self.processor(example)])  # tensors "inputs/text/tokens", "inputs/image/input", ...
        tokens = [torch.zeros((1, 1), dtype=torch.long)]  # the id that begins every answer
        with torch.inference_mode():
            state = self.model.start_decoding(self.model.encode(batch), len(self.legal))
            for ids in self.legal:
                logits = self.model.decode_step(state, tokens[-1])[:, -1]  # [1, V]
                tokens.append(ids[logits[:, ids].argmax(dim=-1)][:, None])
        return self.format.actions(torch.cat(tokens[1:], dim=1)[0].numpy())


class PlainTrainer:
    """Behaviour cloning: every step of every episode is one example, its answer the next K actions."""

    def __init__(self, model, policy_format, data, episodes, seed, batch_size):
        """Train `model`, which reads and writes as `policy_format` says, on some episodes of a data set."""
        self.model, self.format, self.source = model, policy_format, open_source(data)
        self.processor = Processor(model.config, policy_format.vocabulary)
        self.moments = [(episode, t) for episode in episodes for t in range(len(self.source.episode(episode)))]
        self.seed, self.batch_size, self.done = seed, batch_size, 0

    def example(self, episode_number, t):
        """Observation and instruction of one moment, and the K actions from there on; the last one is repeated."""
        episode = self.source.episode(episode_number)
        observation = {camera: episode.frame(camera, t) for camera in self.format.camera_names}
        observation["state"] = episode.array("observation/state")[t]
        actions = episode.array("action")
        chunk = actions[np.minimum(np.arange(t, t + self.format.chunk), len(actions) - 1)]  # [K, A]
        return self.format.example([observation], episode.instruction, chunk)

    def batch(self, step):
        """Batch number `step`: the stream visits all moments in one shuffled order after another."""
        positions = range(step * self.batch_size, (step + 1) * self.batch_size)
        moments = [self.moments[record_at(self.seed, position, len(self.moments))] for position in positions]
        return collate([self.processor(self.example(*moment)) for moment in moments])

    def optimiser(self, weight_decay, betas):
        """AdamW; only the matrices of linear maps are decayed."""
        tables = {id(module.weight) for module in self.model.modules() if isinstance(module, torch.nn.Embedding)}
        named = [(name, weight) for name, weight in self.model.named_parameters() if weight.requires_grad]
        matrices = [w for name, w in named if w.ndim == 2 and id(w) not in tables and name.endswith("weight")]
        chosen = {id(weight) for weight in matrices}
        others = [weight for _, weight in named if id(weight) not in chosen]
        groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, betas=betas, fused=True)

    def train(self, steps, optimiser, peak, warmup, final, clip, z_loss):
        """Warm-up, then half a cosine from the peak rate down to a share of it; the mean loss of each step."""
        losses = []
        self.model.train()
        for step in range(steps):
            cosine = 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
            rate = peak * (step + 1) / warmup if step < warmup else peak * (final + (1 - final) * cosine)
            for group in optimiser.param_groups:
                group["lr"] = rate
            outputs = self.model(self.batch(step))  # logits [B, L, V] of the answer's tokens, given those before
            loss = self.model.loss(outputs, z_loss=z_loss).total  # cross-entropy, and a penalty on the partition
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), clip)
            optimiser.step()
            losses.append(loss.item())
        return losses
