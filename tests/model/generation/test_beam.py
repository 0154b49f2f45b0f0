"""Beam search: equal to a plain implementation with lists, and to trying everything where that is possible."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from embodio.model import DecodingError
from embodio.model.generation import Beam, GenerationOptions, allow, generate
from embodio.model.generation.beam import beam_search
from embodio.model.generation.pipeline import ScorePipeline
from tests.support.model.plain_search import END, SIZE, plain_search, total
from tests.support.model.tiny import encoded, model


class HistoryDecoder:
    """Stands for the network: the scores of a row are random numbers seeded by its example and all that it was fed."""

    device = torch.device("cpu")

    def __init__(self, examples: int, width: int, seed: int) -> None:
        self.seed, self.width = seed, width
        self.rows = [(index, ()) for index in range(examples) for _ in range(width)]

    def scores(self, row: tuple[int, tuple[int, ...]]) -> Tensor:
        generator = torch.Generator().manual_seed(hash((self.seed, row)) % 2**31)
        return 2.0 * torch.randn(SIZE, generator=generator)

    def step(self, tokens: Tensor, *, logarithms: bool) -> Tensor:
        assert logarithms
        pairs = zip(self.rows, tokens.tolist(), strict=True)
        self.rows = [(example, (*fed, token)) for (example, fed), token in pairs]
        return torch.stack([self.scores(row) for row in self.rows]).log_softmax(dim=-1)

    def keep(self, examples: Tensor) -> None:
        self.rows = [self.rows[row * self.width + copy] for row in examples.tolist() for copy in range(self.width)]

    def reorder(self, rows: Tensor) -> None:
        assert (rows // self.width).tolist() == [row // self.width for row in range(len(self.rows))]
        self.rows = [self.rows[row] for row in rows.tolist()]


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.6, 1.0]),
    st.booleans(),
    st.sets(st.integers(0, SIZE - 1), min_size=1),
)
def test_equals_a_plain_search(
    seed: int, width: int, max_tokens: int, penalty: float, early: bool, legal: set[int]
) -> None:
    beam = Beam(width=width, length_penalty=penalty, early_stopping=early)
    decoder = HistoryDecoder(3, width, seed)
    found = beam_search(decoder, 3, max_tokens, beam, ScorePipeline(constraint=allow(legal)), END)  # type: ignore[arg-type]
    tokens, lengths, log_probability = found.best()
    for example in range(3):

        def scores(fed: tuple[int, ...], example: int = example) -> list[float]:
            return decoder.scores((example, (0, *fed))).log_softmax(dim=-1).tolist()

        score, expected = plain_search(scores, legal, max_tokens, beam)
        count = int(lengths[example])
        assert tuple(tokens[example, :count].tolist()) == expected
        assert not tokens[example, count:].any()
        assert log_probability[example] == pytest.approx(score * len(expected) ** penalty, abs=1e-4)


def test_a_wide_beam_finds_the_best_of_all_texts() -> None:
    letters, longest = (7, 8, END), 3
    texts = [
        text
        for count in range(1, longest + 1)
        for text in itertools.product(letters, repeat=count)
        if END not in text[:-1] and (count == longest or text[-1] == END)
    ]
    options = GenerationOptions(max_tokens=longest, beam=Beam(width=27), constraint=allow(letters))
    made = generate(model(), encoded(), options=options)
    for row in range(2):
        best = max((total(row, text), text) for text in texts)
        assert tuple(made.tokens[row, : int(made.lengths[row])].tolist()) == best[1]
        assert made.log_probability[row] == pytest.approx(best[0], abs=1e-4)


def test_one_beam_is_greedy() -> None:
    greedy = generate(model(), encoded(), options=GenerationOptions(max_tokens=10))
    made = generate(model(), encoded(), options=GenerationOptions(max_tokens=10, beam=Beam(width=1)))
    assert torch.equal(made.tokens, greedy.tokens)


def test_beams_of_codes_have_the_full_length() -> None:
    made = generate(model(), encoded(), "image", GenerationOptions(max_tokens=6, beam=Beam(width=3)))
    greedy = generate(model(), encoded(), "image", GenerationOptions(max_tokens=6))
    assert made.lengths.tolist() == [6, 6]
    assert made.codes.min() >= 0 and made.codes.max() < 64
    assert (made.log_probability >= greedy.log_probability - 1e-4).all()


def test_a_beam_needs_width() -> None:
    with pytest.raises(DecodingError, match="beam width 0"):
        Beam(width=0)
