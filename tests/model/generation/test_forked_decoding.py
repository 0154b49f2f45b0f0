"""Several target rows for one row of the encoder: as good as repeating that row, without repeating it."""

import torch

from tests.support.model.golden_network import worst
from tests.support.model.tiny import encoded, model

TOLERANCE = 1e-5


def tokens(rows: int, count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(3, 600, (rows, count), generator=torch.Generator().manual_seed(seed))


def test_a_fork_equals_repeated_rows_and_shares_what_came_from_the_encoder() -> None:
    first, then, last = tokens(2, 3), tokens(6, 1, 1), tokens(6, 2, 2)
    state = model().start_decoding(encoded(), 8)
    model().decode_step(state, first)
    repeated = state.select(torch.tensor([0, 0, 0, 1, 1, 1]))
    forked = state.fork(3)
    assert (state.copies, forked.copies, repeated.copies) == (1, 3, 1)
    assert forked.layers[0].cross_key is state.layers[0].cross_key
    for fed in (then, last):
        assert worst(model().decode_step(forked, fed), model().decode_step(repeated, fed)) < TOLERANCE
    assert state.length == 3


def test_reordering_and_selecting_a_fork() -> None:
    state = model().start_decoding(encoded(), 8).fork(3)
    plain = model().start_decoding(encoded(), 8).select(torch.tensor([0, 0, 0, 1, 1, 1]))
    for one in (state, plain):
        model().decode_step(one, tokens(6, 2))
    order = torch.tensor([2, 2, 0, 4, 3, 3])
    state.reorder(order)
    fed = tokens(6, 1, 1)
    assert worst(model().decode_step(state, fed), model().decode_step(plain.select(order), fed)) < TOLERANCE
    other = state.select(torch.tensor([1]))
    assert other.copies == 3
    fed = tokens(6, 1, 2)
    assert worst(model().decode_step(other, fed[3:]), model().decode_step(state, fed)[3:]) < TOLERANCE
