"""Long audio: generates each segment with the earlier ones as audio history (paper, appendix D.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from embodio.model.errors import DecodingError
from embodio.model.example import Example, Sound
from embodio.model.generation.generator import GREEDY, Generation, GenerationOptions, generate
from embodio.model.generation.guidance import Guidance
from embodio.model.generation.sampling import part_seed, row_seeds
from embodio.model.network.batch import collate
from embodio.model.network.network import UnifiedIO2
from embodio.model.processing.audio import target_to_power
from embodio.model.processing.audio_features import Spectrogram
from embodio.model.processing.processor import Processor


@dataclass(frozen=True)
class LongAudio:
    """Sounds of B examples, generated in segments.

    Attributes:
        segments: the codes of each segment, first to last.
        spectrograms: joined normalised log-mel float [B, T, M, 1] of all segments, for `spectrogram_to_waveform`; see
            `join_segments`.
    """

    segments: tuple[Generation, ...]
    spectrograms: Tensor


@torch.no_grad()
def generate_long_audio(
    model: UnifiedIO2,
    processor: Processor,
    examples: Sequence[Example],
    segments: int,
    options: GenerationOptions = GREEDY,
    *,
    guidance: Guidance | None = None,
    seeds: int | Sequence[int] = 0,
) -> LongAudio:
    """Generate sound of any number of segments, each of which is audio history for the next.

    An example's own audio history precedes the generated segments. If there are more segments than history slots, the
    latest are used. Spectrograms are fed back directly, not through a waveform.

    Args:
        model: the network with its audio tokeniser, in eval mode.
        processor: computes the features of the examples and their history.
        examples: one prompt for each of B sounds; their texts begin with the audio prefix.
        segments: number of segments, of 4.08 s each in the released models.
        options: how to choose tokens, for every segment.
        guidance: classifier-free guidance away from a neutral prompt.
        seeds: seeds of sampling, as in `generate`. The first segment uses the row's seed, each further one its
            `part_seed`.

    Raises:
        DecodingError: there is no example or no segment, or the model cannot feed back several segments.
        BatchError: the model cannot generate sound.
        ProcessorError: an example does not fit the model.
    """
    _require_possible(model, len(examples), segments)
    slots = model.config.sampling.num_frames
    device = model.table("audio").device
    heard: list[list[Sound]] = [list(example.audio_history) for example in examples]
    numbers = row_seeds(seeds, len(examples))
    made, pieces = [], []
    for part in range(segments):
        own = [part_seed(number, part) for number in numbers]
        current = examples if part == 0 else _with_history(examples, heard, slots)
        features = [
            processor(example, np.random.default_rng(abs(seed))) for example, seed in zip(current, own, strict=True)
        ]
        batch = {key: value.to(device) for key, value in collate(features).items()}
        made.append(generate(model, batch, "audio", options, guidance=guidance, seeds=own))
        pieces.append(model.render(made[-1].tokens, "audio"))
        for history, piece in zip(heard, pieces[-1][..., 0].float().cpu().numpy(), strict=True):
            history.append(Spectrogram(target_to_power(piece)))
    return LongAudio(tuple(made), join_segments(pieces))


def join_segments(spectrograms: Sequence[Tensor]) -> Tensor:
    """Concatenate segments.

    Frames are centred on their samples, so the last frame of a segment coincides with the first of the next, and their
    mean is taken. N segments of T frames have N * (T - 1) + 1 frames.

    Args:
        spectrograms: N tensors of floating point [B, T, M, 1].

    Returns:
        [B, N * (T - 1) + 1, M, 1].
    """
    joined = spectrograms[0]
    for piece in spectrograms[1:]:
        shared = (joined[:, -1:] + piece[:, :1]) / 2
        joined = torch.cat((joined[:, :-1], shared, piece[:, 1:]), dim=1)
    return joined


def _with_history(examples: Sequence[Example], heard: Sequence[list[Sound]], slots: int) -> list[Example]:
    """The examples with the latest sounds as history."""
    return [
        replace(example, audio_history=tuple(history[-slots:]))
        for example, history in zip(examples, heard, strict=True)
    ]


def _require_possible(model: UnifiedIO2, rows: int, segments: int) -> None:
    if rows < 1:
        raise DecodingError("examples: there is nothing to make sound of; give at least one")
    if segments < 1:
        raise DecodingError(f"segments: {segments} make no sound; ask for at least one")
    config, tokeniser = model.config, model.config.audio_tokenizer
    if segments == 1 or tokeniser is None:
        return
    if "audio_history" not in config.input_modalities:
        raise DecodingError(
            f"segments: {segments} were asked for, but this model has no audio_history input to hear the earlier ones "
            "with; ask for one segment"
        )
    size = tokeniser.spectrogram_size[::-1]
    if size != config.audio_history_size:
        raise DecodingError(
            f"segments: the model makes spectrograms of {size} cells (time, mel) but hears "
            f"{config.audio_history_size}; ask for one segment"
        )
