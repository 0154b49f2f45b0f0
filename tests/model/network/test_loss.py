"""The loss is the mean over trained positions, per modality, plus the penalty on the log-partition function."""

import pytest
import torch
from torch.nn import functional

from embodio.model import BatchError, TargetOutput
from embodio.model.network.loss import Weighting, compute_loss


def output(mask: torch.Tensor | None) -> TargetOutput:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 4, 9, generator=generator)
    return TargetOutput(logits, torch.randint(0, 9, (2, 4), generator=generator), mask)


def test_masked_mean() -> None:
    mask = torch.tensor([[True, True, False, False], [True, False, False, True]])
    given = output(mask)
    loss = compute_loss({"text": given}, z_loss=0.5)
    part = loss.modalities["text"]
    logits, targets = given.logits[mask], given.targets[mask]
    assert part.cross_entropy.item() == pytest.approx(functional.cross_entropy(logits, targets).item())
    assert part.z_loss.item() == pytest.approx(0.5 * torch.logsumexp(logits, -1).square().mean().item())
    assert part.accuracy.item() == pytest.approx((logits.argmax(-1) == targets).float().mean().item())
    assert part.weight.item() == 4
    assert loss.total.item() == pytest.approx(part.cross_entropy.item() + part.z_loss.item())


def test_no_mask_means_all() -> None:
    without = compute_loss({"text": output(None)})
    with_ones = compute_loss({"text": output(torch.ones(2, 4, dtype=torch.bool))})
    assert without.total.item() == pytest.approx(with_ones.total.item())
    assert without.modalities["text"].weight.item() == 8


def test_modalities_count_equally_and_an_empty_one_not_at_all() -> None:
    text, nothing = output(None), output(torch.zeros(2, 4, dtype=torch.bool))
    one, two = compute_loss({"text": text}).total, compute_loss({"text": text, "image": text}).total
    assert two.item() == pytest.approx(2 * one.item())
    both = compute_loss({"text": text, "audio": nothing})
    assert both.total.item() == pytest.approx(one.item())
    assert both.modalities["audio"].cross_entropy.item() == 0.0


def test_gradient_is_that_of_the_formula() -> None:
    given = output(torch.tensor([[True, False, True, True], [False, True, True, False]]))
    logits = given.logits.clone().requires_grad_()
    compute_loss({"text": TargetOutput(logits, given.targets, given.loss_mask)}, z_loss=0.1).total.backward()
    total = torch.logsumexp(given.logits, -1, keepdim=True)
    softmax, chosen = given.logits.softmax(-1), functional.one_hot(given.targets, 9)
    expected = ((1 + 2 * 0.1 * total) * softmax - chosen) * given.loss_mask.unsqueeze(-1) / 5
    assert logits.grad is not None
    assert torch.allclose(logits.grad, expected, atol=1e-6)


def test_with_a_length_discount_of_one_every_example_counts_the_same() -> None:
    mask = torch.tensor([[True, True, True, True], [False, False, True, False]])
    given = output(mask)
    entropy = functional.cross_entropy(given.logits.flatten(0, 1), given.targets.flatten(), reduction="none").view(2, 4)
    by_example = ((entropy[0].mean() + entropy[1, 2]) / 2).item()
    rooted = ((entropy[0].sum() / 2 + entropy[1, 2]) / 3).item()
    for discount, expected in ((1.0, by_example), (0.5, rooted), (0.0, entropy[mask].mean().item())):
        found = compute_loss({"text": given}, z_loss=0.0, weighting=Weighting(length_discount=discount))
        assert found.total.item() == pytest.approx(expected)
        assert found.modalities["text"].rows.sums[:, 1].tolist() == [4, 1], "figures count tokens"


def test_weights_of_modalities_scale_their_means() -> None:
    text, image = output(None), output(torch.tensor([[True, False, False, False], [False, True, True, False]]))
    means = {name: compute_loss({name: one}).total.item() for name, one in (("text", text), ("image", image))}
    found = compute_loss({"text": text, "image": image}, weighting=Weighting({"image": 0.25}))
    assert found.total.item() == pytest.approx(means["text"] + 0.25 * means["image"])
    assert found.modalities["image"].cross_entropy.item() == pytest.approx(
        compute_loss({"image": image}).modalities["image"].cross_entropy.item()
    )


def test_nothing_to_train_is_an_error() -> None:
    with pytest.raises(BatchError):
        compute_loss({})
