"""Encoder inputs of several rows; reuses the features and tokens of frames that were already computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from embodio.model.example import Example
from embodio.model.layers.rotary import grid_rotary
from embodio.model.layers.token_sequence import TokenSequence, concatenate
from embodio.model.network.batch import collate
from embodio.model.network.network import UnifiedIO2
from embodio.model.processing.processor import Features, Processor


@dataclass(eq=False)
class SeenFrame:
    """One image, uint8 [H, W, 3], or one sound segment, float32 [samples], with its cached features and tokens.

    Attributes:
        content: the pixels or samples; must not be changed.
        main: features and tokens as the main image or sound, computed when first needed.
        history: the same as a frame of the history.
    """

    content: npt.NDArray[Any]
    main: Encoded = field(default_factory=lambda: Encoded())
    history: Encoded = field(default_factory=lambda: Encoded())

    def same_as(self, content: npt.NDArray[Any]) -> bool:
        """Whether these are the same pixels or samples."""
        return np.array_equal(self.content, content)


@dataclass(eq=False)
class Encoded:
    """Features of a frame in one role, and its tokens [N, D] inside the network."""

    features: Features | None = None
    tokens: Tensor | None = None


def reuse(frame: SeenFrame | None, content: npt.NDArray[Any]) -> SeenFrame:
    """`frame` if it has the same content, otherwise a new frame."""
    return frame if frame is not None and frame.same_as(content) else SeenFrame(content)


_NOTHING: Any = Example(text="")


@dataclass(eq=False)
class RowInputs:
    """The inputs of one row besides its text.

    Attributes:
        main: "image" and "audio", where present.
        history: "image" and "audio", the frames in the order of their slots; may be empty.
    """

    main: dict[str, SeenFrame]
    history: dict[str, list[SeenFrame]]

    @property
    def signature(self) -> tuple[Any, ...]:
        """Equal for rows that can be batched without changing any row's shapes or masks."""
        parts: list[Any] = [sorted(self.main), [(kind, len(frames)) for kind, frames in self.history.items()]]
        for _, encoded in self.encoded():
            known = encoded.features or {}
            parts.append([array.tobytes() for key, array in known.items() if key.endswith("/mask")])
        return tuple(map(repr, parts))

    def encoded(self) -> Iterator[tuple[str, Encoded]]:
        """Every frame in its role, with the name of the modality."""
        for kind, frame in self.main.items():
            yield kind, frame.main
        for kind, frames in self.history.items():
            for frame in frames:
                yield f"{kind}_history", frame.history


class Embedder:
    """Turns rows into encoder inputs; each frame goes through its tower once, whatever rows and slots it is in.

    Args:
        model: the network.
        processor: computes the features of new frames.
    """

    def __init__(self, model: UnifiedIO2, processor: Processor) -> None:
        self._model, self._processor = model, processor
        self._device = model.table("text").device
        self._scale = model.config.lengths.input_coordinate_scale

    def prepare(self, inputs: RowInputs) -> None:
        """Computes the features of frames that have none yet."""
        for kind, frame in inputs.main.items():
            if frame.main.features is None:
                example = replace(_NOTHING, **{kind: frame.content})
                frame.main.features = _part(self._processor(example), f"inputs/{kind}/")
        for kind, frames in inputs.history.items():
            name = f"{kind}_history"
            for frame in frames:
                if frame.history.features is None:
                    example = replace(_NOTHING, **{name: (frame.content,)})
                    part = _part(self._processor(example), f"inputs/{name}/")
                    frame.history.features = {key: array[:1] for key, array in part.items()}

    def __call__(self, rows: Sequence[RowInputs], texts: Sequence[Features]) -> TokenSequence:
        """The encoder input of rows of one signature; `texts` have equal shapes and masks."""
        batch = {key: value.to(self._device) for key, value in collate(texts).items()}
        parts = self._model.embed_inputs(batch)
        for kind in rows[0].main:
            parts[kind] = self._main(rows, kind)
        for kind, frames in rows[0].history.items():
            if frames:
                parts[f"{kind}_history"] = self._history(rows, kind)
        order = [name for name in self._model.config.input_modalities if name in parts]
        return concatenate([parts[name] for name in order])

    def _main(self, rows: Sequence[RowInputs], kind: str) -> TokenSequence:
        """Tokens of the main images or sounds."""
        found = [row.main[kind].main for row in rows]
        tokens = self._run(found, kind)
        config = self._model.config
        rotary = grid_rotary(*config.patch_grids[kind], config.transformer.head_dim, self._scale, self._device)
        positions = np.stack([(encoded.features or {})[f"inputs/{kind}/pos_ids"] for encoded in found])
        if (positions == np.arange(positions.shape[1])).all():
            taken = rotary[None, : positions.shape[1]]
        else:
            taken = rotary[torch.as_tensor(positions, device=self._device).long()]
        mask = np.stack([(encoded.features or {})[f"inputs/{kind}/mask"] for encoded in found]) != 0
        return TokenSequence(
            torch.stack(tokens), taken, None if mask.all() else torch.as_tensor(mask, device=self._device)
        )

    def _run(self, frames: Sequence[Encoded], modality: str) -> list[torch.Tensor]:
        """The tokens of frames, computed for those that have none yet."""
        fresh = list({id(frame): frame for frame in frames if frame.tokens is None}.values())
        if fresh:
            batch = collate([frame.features or {} for frame in fresh])
            tokens = self._model.embed_inputs({k: v.to(self._device) for k, v in batch.items()})[modality]
            for frame, row in zip(fresh, tokens.embeddings.unbind(0), strict=True):
                frame.tokens = row
        return [frame.tokens for frame in frames if frame.tokens is not None]

    def _history(self, rows: Sequence[RowInputs], kind: str) -> TokenSequence:
        """Tokens of the history; each frame is encoded once, whatever slot it is in."""
        name, config = f"{kind}_history", self._model.config
        resampler = config.image_history if kind == "image" else config.audio_history
        slots = config.sampling.num_frames
        self._run([frame.history for row in rows for frame in row.history[kind]], name)
        per_row = []
        for row in rows:
            tokens = [frame.history.tokens for frame in row.history[kind] if frame.history.tokens is not None]
            empty = [torch.zeros_like(tokens[0])] * (slots - len(tokens))
            per_row.append(torch.cat(tokens + empty))
        latents = per_row[0].shape[0] // slots
        rows_of_table = resampler.max_frames if resampler is not None else slots
        rotary = grid_rotary(rows_of_table, latents, config.transformer.head_dim, 1.0, self._device)
        valid = torch.zeros((len(rows), slots), dtype=torch.bool)
        for index, row in enumerate(rows):
            for slot, frame in enumerate(row.history[kind]):
                valid[index, slot] = bool((frame.history.features or {})[f"inputs/{name}/mask"].any())
        mask = None if bool(valid.all()) else valid.repeat_interleave(latents, dim=1).to(self._device)
        return TokenSequence(torch.stack(per_row), rotary[None, : slots * latents], mask)


def _part(features: Features, prefix: str) -> Features:
    return {key: array for key, array in features.items() if key.startswith(prefix)}
