"""Sound of several segments: what is fed back, with which seeds, how segments are joined, and what is refused."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from embodio.model import DecodingError, Example, Processor, Spectrogram, UnifiedIO2, collate
from embodio.model.example import Sound
from embodio.model.generation import GenerationOptions, Sampling, generate
from embodio.model.generation.long_audio import generate_long_audio, join_segments
from embodio.model.generation.sampling import part_seed
from embodio.model.processing.audio import target_to_power
from tests.support.model.small import CONFIG, VOCABULARY, model, sound

PROCESSOR = Processor(CONFIG, VOCABULARY)
SAMPLED = GenerationOptions(sampling=Sampling(temperature=1.5))
TEXTS = ("rain", "a dog that barks")


def examples(history: Sequence[Sound] = ()) -> list[Example]:
    return [Example(text=[VOCABULARY.prefix_id("audio"), text], audio_history=history) for text in TEXTS]


def by_hand(heard: list[list[Sound]], seeds: list[int]) -> tuple[Tensor, Tensor]:
    """Tokens and spectrograms of one segment, given all that is to be heard."""
    rows = [
        PROCESSOR(replace(example, audio_history=tuple(own))) for example, own in zip(examples(), heard, strict=True)
    ]
    made = generate(model(), collate(rows), "audio", SAMPLED, seeds=seeds)
    return made.tokens, model().render(made.tokens, "audio")


def test_each_segment_hears_the_latest_ones_before_it() -> None:
    earlier = sound(5)
    found = generate_long_audio(model(), PROCESSOR, examples([earlier]), 4, SAMPLED, seeds=[3, 11])
    heard: list[list[Sound]] = [[earlier], [earlier]]
    pieces = []
    for part in range(4):
        slots = CONFIG.sampling.num_frames
        tokens, spectrograms = by_hand([own[-slots:] for own in heard], [part_seed(3, part), part_seed(11, part)])
        assert torch.equal(found.segments[part].tokens, tokens)
        for own, piece in zip(heard, spectrograms, strict=True):
            own.append(Spectrogram(target_to_power(piece[..., 0].numpy())))
        pieces.append(spectrograms)
    assert torch.equal(found.spectrograms, join_segments(pieces))


def test_what_was_heard_decides_what_comes_next() -> None:
    quiet = generate_long_audio(model(), PROCESSOR, examples(), 2, SAMPLED)
    other = generate_long_audio(model(), PROCESSOR, examples([sound(1)]), 2, SAMPLED)
    alone = generate(model(), collate([PROCESSOR(one) for one in examples()]), "audio", SAMPLED, seeds=0)
    assert torch.equal(quiet.segments[0].tokens, alone.tokens)
    assert not torch.equal(quiet.segments[0].tokens, other.segments[0].tokens)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    both = generate_long_audio(model(), PROCESSOR, examples(), 3, SAMPLED, seeds=[7, 9])
    alone = generate_long_audio(model(), PROCESSOR, examples()[1:], 3, SAMPLED, seeds=9)
    for together, single in zip(both.segments, alone.segments, strict=True):
        assert torch.equal(together.tokens[1], single.tokens[0])
    assert torch.allclose(both.spectrograms[1], alone.spectrograms[0], atol=1e-4)


@given(st.integers(1, 4), st.integers(2, 6), st.integers(0, 99))
def test_joined_segments_share_a_frame(count: int, frames: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    parts = [torch.randn(2, frames, 3, 1, generator=generator) for _ in range(count)]
    joined = join_segments(parts)
    assert joined.shape == (2, count * (frames - 1) + 1, 3, 1)
    for index, part in enumerate(parts):
        start = index * (frames - 1)
        assert torch.equal(joined[:, start + 1 : start + frames - 1], part[:, 1:-1])
        if index:
            assert torch.allclose(joined[:, start], (parts[index - 1][:, -1] + part[:, 0]) / 2)


@given(st.integers(-(2**62), 2**62), st.integers(0, 1000))
def test_parts_have_seeds_of_their_own(seed: int, part: int) -> None:
    assert part_seed(seed, 0) == seed
    assert part_seed(seed, part + 1) == part_seed(seed, part + 1) != part_seed(seed, part)
    assert 0 <= part_seed(seed, part + 1) < 2**63


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(DecodingError, match="at least one"):
        generate_long_audio(model(), PROCESSOR, [], 1)
    with pytest.raises(DecodingError, match="segments: 0"):
        generate_long_audio(model(), PROCESSOR, examples(), 0)
    deaf = CONFIG.replace(input_modalities=("text", "audio"), audio_history=None)
    network = UnifiedIO2(deaf, tokenizers=True).eval()
    with pytest.raises(DecodingError, match="no audio_history input"):
        generate_long_audio(network, Processor(deaf, VOCABULARY), examples(), 2)
    assert generate_long_audio(network, Processor(deaf, VOCABULARY), examples(), 1).spectrograms.shape == (2, 32, 16, 1)
    other = CONFIG.replace(audio_history_size=(16, 16))
    with pytest.raises(DecodingError, match=r"makes spectrograms of \(32, 16\) .* hears \(16, 16\)"):
        generate_long_audio(UnifiedIO2(other, tokenizers=True).eval(), Processor(other, VOCABULARY), examples(), 2)


def test_spectrograms_are_finite() -> None:
    made = generate_long_audio(model(), PROCESSOR, examples(), 2, SAMPLED)
    assert np.isfinite(made.spectrograms.numpy()).all()
