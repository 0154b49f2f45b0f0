"""Samples: what a network makes of some held-out examples, as text, pictures and sounds for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from embodio.datasets.pages.example_page import ExampleCard, ShownPart, example_card
from embodio.datasets.pages.pictures import picture, sound, spectrogram
from embodio.datasets.pages.token_text import pieces
from embodio.model.errors import ModelError
from embodio.model.example import Example
from embodio.model.generation import GenerationOptions, Sampling, generate
from embodio.model.network.batch import collate
from embodio.model.network.network import UnifiedIO2
from embodio.model.processing.audio_features import SAMPLE_RATE
from embodio.model.processing.processor import Processor
from embodio.model.tokenizers.vocoder import Vocoder, spectrogram_to_waveform

_SEED = 0x5A3D
_TOP_P = 0.95  # of codes (paper, section 10)


@dataclass(frozen=True)
class Sample:
    """One example and what the network makes of it.

    Attributes:
        card: what it sees and what was to be written.
        made: what it wrote.
    """

    card: ExampleCard
    made: Sequence[ShownPart] = ()


@dataclass(frozen=True)
class Samples:
    """Writes the targets of examples with a network.

    Attributes:
        examples: title -> example with one or several targets.
        processor: of the network.
        vocoder: makes sounds of spectrograms, on the CPU; None takes Griffin-Lim.
        facts: about all examples.
    """

    examples: Mapping[str, Example]
    processor: Processor
    vocoder: Vocoder | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @torch.no_grad()
    def __call__(self, network: UnifiedIO2) -> list[Sample]:
        """A sample of each example; the network is in eval mode, and the same draws are made each time."""
        return [self._sample(network, number, *item) for number, item in enumerate(self.examples.items())]

    def _sample(self, network: UnifiedIO2, number: int, title: str, example: Example) -> Sample:
        key = (_SEED, number)
        card = example_card(title, example, self.processor, np.random.default_rng(key), self.facts)
        device = next(network.parameters()).device
        features = self.processor(example, np.random.default_rng(key))
        batch = {name: value.to(device) for name, value in collate([features]).items()}
        inputs = network.encode({name: value for name, value in batch.items() if name.startswith("inputs/")})
        made = []
        for modality in self.processor.config.target_modalities:
            if getattr(example, f"{modality}_target") is None:
                continue
            options = GenerationOptions(sampling=None if modality == "text" else Sampling(top_p=_TOP_P))
            task_mask = batch.get(f"targets/{modality}/task_mask") if modality != "text" else None
            try:
                found = generate(network, inputs, modality, options, seeds=number, task_mask=task_mask)
                made.append(self._shown(network, modality, found.tokens))
            except ModelError as error:  # such as a network without its tokenisers
                made.append(ShownPart(modality, note=str(error)))
        return Sample(card, made)

    def _shown(self, network: UnifiedIO2, modality: str, ids: Tensor) -> ShownPart:
        if modality == "text":
            return ShownPart("text", pieces(self.processor.vocabulary, ids[0].tolist()))
        drawn = network.render(ids, modality, clip=True).float().cpu()  # where the vocoder is
        if modality == "image":
            return ShownPart("image", media=[picture(drawn[0].numpy())])
        waveform = spectrogram_to_waveform(drawn, self.vocoder)[0].float().numpy()
        rate = SAMPLE_RATE if self.vocoder is None else self.vocoder.config.sample_rate
        media = [picture(spectrogram(drawn[0, :, :, 0].numpy())), sound(waveform, rate)]
        return ShownPart("sound", media=media)
