"""generate and stream: equal to decoding without caches, row by row; rows end, are let go, and keep to themselves."""

import pytest
import torch
from torch import Tensor

from embodio.model import BatchError, DecodingError
from embodio.model.generation import (
    Beam,
    Generation,
    GenerationOptions,
    Guidance,
    Repetition,
    Sampling,
    allow_by_step,
    generate,
    stream,
)
from tests.support.model.golden_network import worst
from tests.support.model.tiny import encoded, ends_at, examples, model, one_row, plain_scores

TOLERANCE = 1e-4
LENGTHS = torch.tensor([3, 9, 1, 6, 9, 2])
SAMPLED = Sampling(temperature=1.5, top_k=200, top_p=0.95)


def same(found: Generation, row: int, alone: Generation) -> None:
    """Row `row` of one generation is the only row of another."""
    count = int(alone.lengths[0])
    assert int(found.lengths[row]) == count
    assert found.tokens[row, :count].tolist() == alone.tokens[0, :count].tolist()
    assert not found.tokens[row, count:].any()
    assert worst(found.log_probability[row], alone.log_probability[0]) < TOLERANCE


def test_greedy_equals_decoding_without_caches() -> None:
    made = generate(model(), examples(), options=GenerationOptions(max_tokens=8))
    written = torch.zeros(2, 0, dtype=torch.int64)
    total = torch.zeros(2)
    for _ in range(8):
        scores = plain_scores(encoded(), written)
        written = torch.cat((written, scores.argmax(dim=-1, keepdim=True)), dim=1)
        total += scores.log_softmax(dim=-1).amax(dim=-1)
    assert torch.equal(made.tokens, written)
    assert made.lengths.tolist() == [8, 8]
    assert worst(made.log_probability, total) < TOLERANCE


@pytest.mark.parametrize("modality", ["text", "image", "audio"])
@pytest.mark.parametrize("sampling", [None, SAMPLED], ids=["greedy", "sampled"])
def test_a_row_does_not_depend_on_its_neighbours(modality: str, sampling: Sampling | None) -> None:
    options = GenerationOptions(
        max_tokens=9,
        sampling=sampling,
        repetition=Repetition(penalty=1.2, no_repeat_ngram=2),
        constraint=ends_at(LENGTHS) if modality == "text" else None,
    )
    seeds = [11, 5, 3, 8, 2, 9]
    made = generate(model(), examples(6), modality, options, seeds=seeds)
    assert made.lengths.tolist() == (LENGTHS.tolist() if modality == "text" else [9] * 6)
    for row in (1, 2, 3):
        alone = GenerationOptions(
            max_tokens=9,
            sampling=sampling,
            repetition=options.repetition,
            constraint=ends_at(LENGTHS[row : row + 1]) if modality == "text" else None,
        )
        same(made, row, generate(model(), one_row(examples(6), row), modality, alone, seeds=seeds[row]))


@pytest.mark.parametrize("with_beam", [False, True])
@pytest.mark.parametrize("with_guidance", [False, True])
def test_rows_that_end_leave_the_others_alone(with_beam: bool, with_guidance: bool) -> None:
    guidance = Guidance.encode(model(), neutral(), 2.0) if with_guidance else None
    beam = Beam(width=3) if with_beam else None

    def made(row: slice) -> Generation:
        options = GenerationOptions(max_tokens=9, beam=beam, constraint=ends_at(LENGTHS[row]))
        batch = {key: value[row] for key, value in examples(6).items()}
        return generate(model(), batch, options=options, guidance=guidance)

    together = made(slice(None))
    assert together.lengths.tolist() == LENGTHS.tolist()
    for index in (0, 3, 5):
        same(together, index, made(slice(index, index + 1)))


def neutral() -> dict[str, Tensor]:
    return {"inputs/text/tokens": torch.tensor([[40, 41, 42, 1]])}


@pytest.mark.parametrize("modality", ["text", "image"])
def test_guidance_equals_two_decoders(modality: str) -> None:
    scale = 3.0
    guidance = Guidance.encode(model(), neutral(), scale)
    options = GenerationOptions(max_tokens=6, codes_only=False)
    made = generate(model(), examples(), modality, options, guidance=guidance)
    with torch.no_grad():
        neutral_rows = model().encode({key: value.expand(2, -1) for key, value in neutral().items()})
    written = torch.zeros(2, 0, dtype=torch.int64)
    for _ in range(6):
        wanted, other = (
            plain_scores(source, written, modality).log_softmax(-1) for source in (encoded(), neutral_rows)
        )
        guided = (1 + scale) * wanted - scale * other
        written = torch.cat((written, guided.argmax(dim=-1, keepdim=True)), dim=1)
    assert torch.equal(made.tokens, written)
    plain = generate(model(), examples(), modality, options)
    assert not torch.equal(made.tokens, plain.tokens)
    off = generate(model(), examples(), modality, options, guidance=Guidance(guidance.neutral, 0.0))
    assert torch.equal(off.tokens, plain.tokens)


def test_the_neutral_prompt_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    guidance = Guidance.encode(model(), neutral(), 2.0)
    calls = []
    plain = type(model()).encode
    monkeypatch.setattr(type(model()), "encode", lambda self, batch: calls.append(batch) or plain(self, batch))
    for _ in range(2):
        generate(model(), examples(), options=GenerationOptions(max_tokens=2), guidance=guidance)
    assert len(calls) == 2 and all(call is examples() for call in calls)


@pytest.mark.parametrize("modality", ["image", "audio"])
def test_images_and_audio_are_made_of_codes_only(modality: str) -> None:
    options = GenerationOptions(max_tokens=30, sampling=Sampling(temperature=50.0))
    made = generate(model(), examples(), modality, options)
    count = 64 if modality == "image" else 48
    assert made.codes.min() >= 0 and made.codes.max() < count
    assert torch.equal(made.tokens, made.codes + 2)
    unmasked = generate(
        model(), examples(), modality, GenerationOptions(max_tokens=30, sampling=options.sampling, codes_only=False)
    )
    assert ((unmasked.tokens < 2) | (unmasked.tokens >= count + 2)).any()
    assert unmasked.lengths.tolist() == [30, 30]


def test_a_target_has_its_full_length_by_default() -> None:
    assert generate(model(), encoded(), "audio").tokens.shape == (2, 32)


def test_seeds_and_length_decide_what_is_sampled() -> None:
    def made(seeds: int | list[int], max_tokens: int) -> Tensor:
        options = GenerationOptions(max_tokens=max_tokens, sampling=SAMPLED)
        return generate(model(), encoded(), options=options, seeds=seeds).tokens

    first = made([1, 2], 12)
    assert torch.equal(made(1, 12), first)
    assert torch.equal(made([1, 2], 5), first[:, :5])
    assert not torch.equal(made([3, 4], 12), first)


def test_streaming_gives_the_same_tokens_as_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    options = GenerationOptions(max_tokens=9, sampling=SAMPLED, constraint=ends_at(LENGTHS))
    made = generate(model(), encoded(6), options=options)
    fed = []
    plain = type(model()).decode_step
    monkeypatch.setattr(type(model()), "decode_step", lambda *arguments: fed.append(arguments[2]) or plain(*arguments))
    for step, found in enumerate(stream(model(), encoded(6), options=options)):
        assert len(fed) == step + 1
        assert torch.equal(found.tokens, made.tokens[:, step])
        assert torch.equal(found.active, step < LENGTHS)
        assert not found.log_probability[~found.active].any()
    assert len(fed) == made.tokens.shape[1] == 9
    # Of 6 rows, 3 are left after the third step, and the decoder holds only those.
    assert [len(tokens) for tokens in fed] == [6] * 3 + [3] * 6


def test_a_constraint_by_step_writes_what_it_allows() -> None:
    options = GenerationOptions(constraint=allow_by_step([[9], [10, 11], [7], [1]]))
    made = generate(model(), encoded(), options=options)
    assert made.lengths.tolist() == [4, 4]
    assert made.tokens[:, [0, 2, 3]].tolist() == [[9, 7, 1]] * 2
    assert set(made.tokens[:, 1].tolist()) <= {10, 11}


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(BatchError, match="cannot decode 'smell'"):
        generate(model(), encoded(), "smell")
    with pytest.raises(DecodingError, match=r"max_length 65 is outside 1\.\.64"):
        stream(model(), encoded(), "image", GenerationOptions(max_tokens=65))
    with pytest.raises(DecodingError, match="either sampling or a beam"):
        GenerationOptions(sampling=Sampling(), beam=Beam())
    with pytest.raises(DecodingError, match="cannot be streamed"):
        stream(model(), encoded(), options=GenerationOptions(beam=Beam()))
    with pytest.raises(DecodingError, match="3 seeds"):
        stream(model(), encoded(), options=GenerationOptions(sampling=Sampling()), seeds=[1, 2, 3])
    with pytest.raises(DecodingError, match="2 neutral prompts were encoded for 6 rows"):
        generate(model(), encoded(6), guidance=Guidance(encoded(2)))
    with pytest.raises(DecodingError, match="guidance: scale -1"):
        Guidance(encoded(2), -1.0)
    with pytest.raises(DecodingError, match="text has no codes"):
        _ = generate(model(), encoded(), options=GenerationOptions(max_tokens=1)).codes
