"""Runtime: plans the next actions of many sessions at once."""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from embodio.agent.errors import CheckpointError
from embodio.agent.format.policy_format import PolicyFormat
from embodio.agent.options import AgentOptions
from embodio.agent.planning.constrained import Answer, ConstrainedDecoder
from embodio.agent.planning.embedding import Embedder, RowInputs
from embodio.agent.planning.precision import convert
from embodio.agent.planning.result import ActionPlan
from embodio.agent.planning.session import Session
from embodio.model.example import Example
from embodio.model.inference.answer_reader import DecoderWeights
from embodio.model.layers.token_sequence import TokenSequence
from embodio.model.memory import keep_freed_memory
from embodio.model.network.network import UnifiedIO2
from embodio.model.processing.processor import Features, Processor

REMEMBERED = 4096
"""Number of times kept for each stage."""


class _Recent:
    """The last times of one stage, in a fixed buffer."""

    def __init__(self) -> None:
        self._times, self._seen = np.zeros(REMEMBERED), 0

    def add(self, milliseconds: float) -> None:
        """Adds a time; replaces the oldest if the buffer is full."""
        self._times[self._seen % REMEMBERED] = milliseconds
        self._seen += 1

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """All kept times, unordered."""
        return self._times[: self._seen]


class StageTimes:
    """Times of named stages in milliseconds, in constant memory."""

    def __init__(self) -> None:
        self._times: dict[str, _Recent] = {}
        self._current: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block inside."""
        start = time.perf_counter()
        try:
            yield
        finally:
            milliseconds = (time.perf_counter() - start) * 1e3
            if name not in self._times:
                self._times[name] = _Recent()
            self._times[name].add(milliseconds)
            self._current[name] = self._current.get(name, 0.0) + milliseconds

    def collect(self) -> dict[str, float]:
        """Milliseconds of each stage since the last call."""
        current, self._current = self._current, {}
        return current

    def forget(self) -> None:
        """Forgets all times, such as those of a warm-up."""
        self._times.clear()
        self._current.clear()

    def percentiles(self) -> dict[str, dict[str, float]]:
        """For each stage "p50", "p95" and "p99" in milliseconds, and "count", the number of times."""
        summary = {}
        for name, recent in self._times.items():
            p50, p95, p99 = (float(value) for value in np.percentile(recent.times, (50, 95, 99)))
            summary[name] = {"p50": p50, "p95": p95, "p99": p99, "count": float(len(recent.times))}
        return summary


@dataclass(eq=False)
class _Row:
    """One row to plan: its inputs, text and noise, and its inputs and text with the neutral instruction."""

    inputs: RowInputs
    text: Features
    noise: npt.NDArray[np.float64] | None
    neutral: tuple[RowInputs, Features] | None

    @property
    def signature(self) -> tuple[Any, ...]:
        """Equal for rows that can be batched without changing any row's shapes or masks."""
        parts: list[Any] = []
        for inputs, text in ((self.inputs, self.text), *((self.neutral,) if self.neutral else ())):
            parts += inputs.signature
            for key, array in text.items():
                parts.append(repr((key, array.shape, array.tobytes() if key.endswith("/mask") else b"")))
        return tuple(parts)


class Runtime:
    """Plans the actions of sessions.

    Args:
        model: the network, on its device.
        policy_format: the format of its inputs and outputs.
        options: options of the agent.

    Raises:
        CheckpointError: an answer is longer than the network can write.
        PrecisionError: this machine lacks what an option needs.
    """

    def __init__(self, model: UnifiedIO2, policy_format: PolicyFormat, options: AgentOptions) -> None:
        keep_freed_memory()
        self.options, self.times = options, StageTimes()
        self.format = policy_format
        fast = convert(model, options)
        self.model = fast.model
        self._encoder = fast.encoder
        self._processor = Processor(model.config, policy_format.vocabulary)
        self._embedder = Embedder(self.model, self._processor)
        replan = options.replan_of(policy_format.chunk, policy_format.whole_episode)
        actions = policy_format.chunk if options.ensemble is not None else replan
        self._weights = DecoderWeights(self.model, fast.product)
        _require_capacity(model, policy_format)
        self.decoder = ConstrainedDecoder(self._weights, policy_format.grammar(actions))
        self.whole = self.decoder
        if actions != policy_format.chunk:
            self.whole = ConstrainedDecoder(self._weights, policy_format.grammar())
        self.together = options.batch_rows
        self._checked: set[tuple[int, int, int]] = set()
        self._lock = threading.Lock()

    def plan(self, sessions: Sequence[Session], *, whole_chunk: bool = False) -> list[ActionPlan]:
        """The next plan of each session; a session's plan does not depend on the others."""
        with self._lock, torch.inference_mode():
            with self.times.stage("preprocess"):
                decoder = self.whole if whole_chunk else self.decoder
                rows = [self._row(session, len(decoder.grammar.choices)) for session in sessions]
            groups: dict[tuple[Any, ...], list[int]] = {}
            for index, row in enumerate(rows):
                key = row.signature if self.together and len(rows) > 1 else (index,)
                groups.setdefault(key, []).append(index)
            plans: dict[int, ActionPlan] = {}
            for indices in groups.values():
                plans.update(zip(indices, self._plan_group([rows[i] for i in indices], decoder), strict=True))
            return [plans[index] for index in range(len(rows))]

    def judge(self, session: Session, actions: npt.NDArray[np.float64]) -> ActionPlan:
        """A session's plan with actions [n, A] forced instead of decoded; without guidance."""
        text = self.format.action_text
        decoder = ConstrainedDecoder(self._weights, text.grammar(len(actions)))
        choices = text.choices(actions)[None]
        with self._lock, torch.inference_mode():
            row = self._row(session, choices=0)
            answer = decoder(self._encode([row.inputs], [row.text]), given=choices)
        return ActionPlan(text.actions(answer.choices)[0], answer, 0)

    def _row(self, session: Session, choices: int) -> _Row:
        inputs = session.inputs()
        self._embedder.prepare(inputs)
        moment, instruction = session.window[-1], session.instruction or ""
        noise = None
        if self.options.temperature > 0 and choices:
            noise = session.random.random(choices)
        neutral = None
        if self.options.guidance > 0:
            prompt = self.format.prompt(moment, self.options.neutral)
            neutral = session.inputs(self.options.neutral), self._processor(Example(text=prompt))
            self._embedder.prepare(neutral[0])
        text = self._processor(Example(text=self.format.prompt(moment, instruction)))
        return _Row(inputs, text, noise, neutral)

    def _plan_group(self, rows: list[_Row], decoder: ConstrainedDecoder) -> list[ActionPlan]:
        answer = self._answer(rows, decoder)
        if len(rows) > 1 and not self._same_as_alone(rows, decoder, answer):
            return [plan for row in rows for plan in self._plan_group([row], decoder)]
        with self.times.stage("actions"):
            actions = self.format.action_text.actions(answer.choices)
            self._warn_if_undefined(answer)
            return [ActionPlan(actions[row], answer, row) for row in range(len(rows))]

    def _same_as_alone(self, rows: list[_Row], decoder: ConstrainedDecoder, answer: Answer) -> bool:
        """Whether a batch gives the same bits as single rows; tried once per number of rows, choices and threads."""
        size = (len(rows), len(decoder.grammar.choices), torch.get_num_threads())
        if size in self._checked:
            return True
        for index in (0, len(rows) - 1):
            alone = self._answer([rows[index]], decoder)
            for single, several in zip(alone.hidden, answer.hidden, strict=False):
                if not torch.allclose(single[0], several[index], rtol=0, atol=0, equal_nan=True):
                    self.together = False
                    warnings.warn(
                        f"rows of a batch round differently from single rows here with {size[2]} thread(s), "
                        "so they are run one by one; actions stay exact, but a vector of environments is not faster "
                        "(with OMP_NUM_THREADS=1 it may be)",
                        stacklevel=2,
                    )
                    return False
        self._checked.add(size)
        return True

    def _warn_if_undefined(self, answer: Answer) -> None:
        """Warns if the network's outputs are not finite; the actions are still legal, but meaningless."""
        largest = torch.cat([hidden.flatten() for hidden in answer.hidden]).abs().max()
        if not math.isfinite(float(largest)):
            warnings.warn(
                "the network gave no finite numbers, so its actions mean nothing (their legal mass is 0); set "
                "abstain_below to refuse them, and load other weights",
                stacklevel=2,
            )

    def _answer(self, rows: list[_Row], decoder: ConstrainedDecoder) -> Answer:
        encoded = self._encode([row.inputs for row in rows], [row.text for row in rows])
        others, neutral = [row.neutral for row in rows if row.neutral is not None], None
        if others:
            neutral = self._encode([inputs for inputs, _ in others], [text for _, text in others])
        noise = None
        if self.options.temperature > 0:
            noise = np.stack([row.noise for row in rows if row.noise is not None])
        with self.times.stage("decode"):
            return decoder(encoded, noise, self.options.temperature, neutral, self.options.guidance)

    def _encode(self, inputs: list[RowInputs], texts: list[Features]) -> TokenSequence:
        with self.times.stage("embed"):
            tokens = self._embedder(inputs, texts)
        with self.times.stage("encode"):
            encoded: TokenSequence = self._encoder(tokens)
            return encoded


def _require_capacity(model: UnifiedIO2, policy_format: PolicyFormat) -> None:
    needed, capacity = policy_format.answer_length() + 1, model.config.lengths.decoder_text
    if needed > capacity:
        raise CheckpointError(
            f"chunk: {policy_format.chunk} actions take {needed} tokens with the end, but this network writes "
            f"{capacity}; train with a smaller chunk, or a network with more decoder_text"
        )
