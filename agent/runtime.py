"""Runtime: from what sessions remember to their next plans, many rows at once, with everything reused that can be."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from embodio.agent.constrained import Answer, ConstrainedDecoder
from embodio.agent.decoder import DecoderWeights
from embodio.agent.frames import Encoded, Frame
from embodio.agent.latency import StageTimes
from embodio.agent.options import AgentOptions
from embodio.agent.policy_format import PolicyFormat
from embodio.agent.precision import convert
from embodio.agent.result import Plan
from embodio.agent.session import Session
from embodio.model.collation import collate
from embodio.model.example import Example
from embodio.model.network import UnifiedIO2
from embodio.model.processor import Features, Processor
from embodio.model.rotary import grid_rotary
from embodio.model.token_sequence import TokenSequence, concatenate

_MAIN, _HISTORY = "inputs/image", "inputs/image_history"


@dataclass(eq=False)
class _Row:
    """One row to be planned: its frames, its other features, and what rows must share to be run together."""

    frame: Frame
    history: list[Frame]
    features: Features
    noise: npt.NDArray[np.float64] | None
    neutral: Features | None

    @property
    def signature(self) -> tuple[Any, ...]:
        """Equal for rows whose batch has the form that each of them alone would have."""
        parts: list[Any] = [len(self.history)]
        for name, features in (("", self.features), ("neutral", self.neutral or {})):
            for key, array in features.items():
                parts.append((name, key, array.shape, array.tobytes() if key.endswith("/mask") else b""))
        for encoded in (self.frame.main, *(frame.history for frame in self.history)):
            known = encoded.features or {}
            parts.append([array.tobytes() for key, array in known.items() if key.endswith("/mask")])
        return tuple(map(repr, parts))


class Runtime:
    """Plans for sessions.

    Args:
        model: the network, on its device.
        policy_format: what it reads and writes.
        options: of the agent.
    """

    def __init__(self, model: UnifiedIO2, policy_format: PolicyFormat, options: AgentOptions) -> None:
        self.options, self.times = options, StageTimes()
        self.format = policy_format
        self.device = model.table("text").device
        fast = convert(model, options)
        self.model = fast.model
        self._encoder = fast.encoder
        self._processor = Processor(model.config, policy_format.vocabulary)
        replan = options.replan_of(policy_format.chunk)
        actions = policy_format.chunk if options.ensemble is not None else replan
        self._weights = DecoderWeights(self.model, fast.product)
        self.decoder = ConstrainedDecoder(self._weights, policy_format.grammar(actions))
        self.whole = self.decoder
        if actions != policy_format.chunk:
            self.whole = ConstrainedDecoder(self._weights, policy_format.grammar())
        self.together = options.batch_rows and options.precision != "int8"
        self._checked: set[tuple[int, int]] = set()
        self._lock = threading.Lock()

    def plan(self, sessions: Sequence[Session], *, whole_chunk: bool = False) -> list[Plan]:
        """The next plan of each session; a session's plan does not depend on the others."""
        with self._lock, torch.inference_mode():
            with self.times.stage("preprocess"):
                decoder = self.whole if whole_chunk else self.decoder
                rows = [self._row(session, decoder) for session in sessions]
            groups: dict[tuple[Any, ...], list[int]] = {}
            for index, row in enumerate(rows):
                key = row.signature if self.together else (index,)
                groups.setdefault(key, []).append(index)
            plans: dict[int, Plan] = {}
            for indices in groups.values():
                plans.update(zip(indices, self._plan_group([rows[i] for i in indices], decoder), strict=True))
            return [plans[index] for index in range(len(rows))]

    def _row(self, session: Session, decoder: ConstrainedDecoder) -> _Row:
        window = list(session.window)
        instruction = session.instruction
        example = self.format.example(window, "" if instruction is None else instruction)
        bare = replace(example, image=None, image_history=())
        noise = None
        if self.options.temperature > 0:
            noise = session.random.random(len(decoder.grammar.choices))
        neutral = None
        if self.options.guidance > 0:
            text = self.format.prompt(window[-1], self.options.neutral)
            neutral = self._processor(replace(bare, text=text))
        frame, history = session.frames[-1], session.history_frames()
        self._read(frame.main, Example(text="", image=frame.image), _MAIN)
        for earlier in history:
            self._read(earlier.history, Example(text="", image_history=(earlier.image,)), _HISTORY)
        return _Row(frame, history, self._processor(bare), noise, neutral)

    def _read(self, encoded: Encoded, example: Example, prefix: str) -> None:
        """Fills in the features of a frame in one role."""
        if encoded.features is None:
            features = self._processor(example)
            kept = {key: array for key, array in features.items() if key.startswith(f"{prefix}/")}
            encoded.features = {k: a[:1] for k, a in kept.items()} if prefix == _HISTORY else kept

    def _plan_group(self, rows: list[_Row], decoder: ConstrainedDecoder) -> list[Plan]:
        answer = self._answer(rows, decoder)
        if len(rows) > 1 and not self._same_as_alone(rows, decoder, answer):
            return [plan for row in rows for plan in self._plan_group([row], decoder)]
        with self.times.stage("actions"):
            actions = self.format.actions(answer.ids)
            neutral = answer.neutral
            return [
                Plan(answer.ids[i], actions[i], answer.hidden[i], None if neutral is None else neutral[i])
                for i in range(len(rows))
            ]

    def _same_as_alone(self, rows: list[_Row], decoder: ConstrainedDecoder, answer: Answer) -> bool:
        """Whether this machine gives the same bits for rows together as alone; tried once for each number of rows."""
        size = (len(rows), decoder.grammar.length)
        if size in self._checked:
            return True
        for index in (0, len(rows) - 1):
            alone = self._answer([rows[index]], decoder)
            if not torch.allclose(alone.hidden[0], answer.hidden[index], rtol=0, atol=0, equal_nan=True):
                self.together = False
                warnings.warn(
                    "rows of a batch round differently from single rows on this machine, so they are run one by one; "
                    "actions stay exact, but a vector of environments is not faster",
                    stacklevel=2,
                )
                return False
        self._checked.add(size)
        return True

    def _answer(self, rows: list[_Row], decoder: ConstrainedDecoder) -> Answer:
        encoded = self._encode(rows, [row.features for row in rows])
        neutral = None
        if self.options.guidance > 0:
            neutral = self._encode(rows, [row.neutral or {} for row in rows])
        noise = None
        if self.options.temperature > 0:
            noise = np.stack([row.noise for row in rows if row.noise is not None])
        with self.times.stage("decode"):
            return decoder(encoded, noise, self.options.temperature, neutral, self.options.guidance)

    def _encode(self, rows: list[_Row], features: list[Features]) -> TokenSequence:
        with self.times.stage("embed"):
            batch = {key: value.to(self.device) for key, value in collate(features).items()}
            parts = self.model.embed_inputs(batch)
            parts["image"] = self._image(rows)
            if rows[0].history:
                parts["image_history"] = self._history(rows)
        with self.times.stage("encode"):
            order = [name for name in self.model.config.input_modalities if name in parts]
            encoded: TokenSequence = self._encoder(concatenate([parts[name] for name in order]))
            return encoded

    def _image(self, rows: list[_Row]) -> TokenSequence:
        """Tokens of the main images; the tower runs on those that it has not seen."""
        self._run([row.frame.main for row in rows], "image")
        features = [row.frame.main.features or {} for row in rows]
        tokens = torch.stack([row.frame.main.tokens for row in rows if row.frame.main.tokens is not None])
        config = self.model.config
        grid = config.patch_grid("image")
        rotary = grid_rotary(*grid, config.transformer.head_dim, config.lengths.input_coordinate_scale, self.device)
        positions = np.stack([part[f"{_MAIN}/pos_ids"] for part in features])
        if (positions == np.arange(positions.shape[1])).all():
            turned = rotary[None, : positions.shape[1]]
        else:
            turned = rotary[torch.as_tensor(positions, device=self.device).long()]
        mask = np.stack([part[f"{_MAIN}/mask"] for part in features]) != 0
        return TokenSequence(tokens, turned, None if mask.all() else torch.as_tensor(mask, device=self.device))

    def _run(self, frames: list[Encoded], modality: str) -> None:
        """Fills in the tokens of frames that have none yet."""
        fresh = list({id(frame): frame for frame in frames if frame.tokens is None}.values())
        if fresh:
            batch = collate([frame.features or {} for frame in fresh])
            tokens = self.model.embed_inputs({k: v.to(self.device) for k, v in batch.items()})[modality]
            for frame, row in zip(fresh, tokens.embeddings.unbind(0), strict=True):
                frame.tokens = row

    def _history(self, rows: list[_Row]) -> TokenSequence:
        """Tokens of the image history: each frame is encoded once, whatever slot it is in."""
        resampler, config = self.model.config.image_history, self.model.config
        slots = config.sampling.num_frames
        self._run([frame.history for row in rows for frame in row.history], "image_history")
        per_row = []
        for row in rows:
            tokens = [frame.history.tokens for frame in row.history if frame.history.tokens is not None]
            empty = [torch.zeros_like(tokens[0])] * (slots - len(tokens))
            per_row.append(torch.cat(tokens + empty))
        latents = per_row[0].shape[0] // slots
        rows_of_table = resampler.max_frames if resampler is not None else slots
        rotary = grid_rotary(rows_of_table, latents, config.transformer.head_dim, 1.0, self.device)
        valid = torch.zeros((len(rows), slots), dtype=torch.bool)
        for index, row in enumerate(rows):
            for slot, frame in enumerate(row.history):
                valid[index, slot] = bool((frame.history.features or {})[f"{_HISTORY}/mask"].any())
        mask = None if bool(valid.all()) else valid.repeat_interleave(latents, dim=1).to(self.device)
        return TokenSequence(torch.stack(per_row), rotary[None, : slots * latents], mask)
