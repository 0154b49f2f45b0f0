"""The codebook in training: codes become means of their latents, dead ones move, gradients pass straight through."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from embodio.train.tokenizers.codebook import Codebook
from embodio.train.tokenizers.settings import CodebookConfig


def codebook(codes: int, dim: int, **changes: float) -> tuple[Codebook, nn.Parameter]:
    table = nn.Parameter(torch.randn(codes, dim, generator=torch.Generator().manual_seed(0)))
    return Codebook(table, CodebookConfig(**changes)), table  # type: ignore[arg-type]


def test_codes_become_the_means_of_their_latents() -> None:
    trained, table = codebook(2, 3, decay=0.5, patience=1000)
    centres = torch.tensor([[5.0, 0.0, 0.0], [-5.0, 0.0, 1.0]])
    for step in range(60):
        torch.manual_seed(step)
        trained(centres[torch.arange(8) % 2] + 0.01 * torch.randn(8, 3), table)
    found = table[table[:, 0].argsort(descending=True)]
    torch.testing.assert_close(found.detach(), centres, atol=0.02, rtol=0.0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), codes=st.integers(1, 8), decay=st.sampled_from([0.0, 0.5, 0.9]))
def test_a_code_is_the_weighted_mean_of_all_latents_that_chose_it(seed: int, codes: int, decay: float) -> None:
    trained, table = codebook(codes, 2, decay=decay, patience=1000)
    trained.adopt(table)
    generator = torch.Generator().manual_seed(seed)
    numerator, denominator = table.detach().clone(), torch.ones(codes)
    for _ in range(3):
        latents = torch.randn(5, 2, generator=generator)
        chosen = trained(latents, table).codes
        numerator, denominator = numerator * decay, denominator * decay
        for latent, code in zip(latents, chosen, strict=True):
            numerator[code] += (1 - decay) * latent
            denominator[code] += 1 - decay
        used = denominator > 1e-4
        torch.testing.assert_close(
            table.detach()[used], numerator[used] / denominator[used, None], atol=1e-4, rtol=1e-4
        )


def test_codes_that_nobody_chooses_are_put_onto_latents() -> None:
    trained, table = codebook(4, 2, patience=3)
    with torch.no_grad():
        table[2:] = 100.0
    trained.adopt(table)
    latents = torch.randn(32, 2)
    for step in range(3):
        torch.testing.assert_close(table[2:].detach(), torch.full((2, 2), 100.0))
        torch.manual_seed(step)
        trained(latents, table)
    moved = table[2:].detach()
    assert all((latents == row).all(dim=1).any() for row in moved)
    assert len(trained(latents, table).codes.unique()) > 2


def test_gradients_pass_straight_through_to_the_latents_and_not_to_the_table() -> None:
    trained, table = codebook(4, 2)
    latents = torch.randn(3, 5, 2, requires_grad=True)
    found = trained(latents, table)
    weight = torch.randn(3, 5, 2)
    (found.vectors * weight).sum().backward()
    assert torch.equal(latents.grad, weight)
    assert not table.requires_grad and table.grad is None


def test_nothing_moves_in_evaluation() -> None:
    trained, table = codebook(4, 2)
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    kept = table.detach().clone()
    trained.eval()
    found = trained(torch.randn(7, 2), table)
    assert torch.equal(table.detach(), kept)
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())
    assert torch.equal(found.vectors, kept[found.codes])


def test_latents_that_are_not_finite_move_nothing() -> None:
    """The guard can skip such a step, and the next one finds the codebook as it was."""
    trained, table = codebook(4, 2)
    trained(torch.randn(7, 2), table)
    before, kept = {name: value.clone() for name, value in trained.state_dict().items()}, table.detach().clone()
    trained(torch.tensor([[1.0, 0.0], [float("nan"), 2.0]]), table)
    assert torch.equal(table.detach(), kept)
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())
