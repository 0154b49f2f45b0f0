"""Objectives: several batches of text, images and sound add up to one large batch, whatever each of them counts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from embodio.model import UnifiedIO2
from embodio.model.network.loss import ALIKE, Weighting
from embodio.train.errors import TrainError
from embodio.train.objective import TokenLoss, loss_weights, together
from tests.support.model.small import CONFIG

ROWS = 6


def batch(model: UnifiedIO2) -> dict[str, Tensor]:
    """All three targets: text of any length, images of the first rows, sound of which some positions are trained."""
    generator = torch.Generator().manual_seed(0)

    def ids(length: int, most: int) -> Tensor:
        return torch.randint(2, most, (ROWS, length), generator=generator)

    text, image, audio = (model.target(name).max_length for name in ("text", "image", "audio"))
    lengths = torch.randint(1, text + 1, (ROWS, 1), generator=generator)
    return {
        "inputs/text/tokens": ids(5, 1000),
        "targets/text/targets": ids(text, 1000),
        "targets/text/mask": torch.arange(text) < lengths,
        "targets/image/tokens": ids(image, 60),
        "targets/image/mask": (torch.arange(ROWS) < 2).unsqueeze(1).expand(-1, image),
        "targets/audio/tokens": ids(audio, 60),
        "targets/audio/loss_mask": torch.rand(ROWS, audio, generator=generator) < 0.3,
    }


def gradients(model: UnifiedIO2, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("weighting", [ALIKE, Weighting({"image": 0.5, "audio": 0.2}, 1.0), Weighting({}, 0.5)])
def test_parts_of_any_size_add_up_to_the_whole(weighting: Weighting) -> None:
    torch.manual_seed(0)
    model, objective = UnifiedIO2(CONFIG), TokenLoss(1e-3, weighting)
    whole = batch(model)
    parts = [{key: value[start:stop] for key, value in whole.items()} for start, stop in ((0, 1), (1, 4), (4, 6))]
    weights = loss_weights(objective, model, parts)
    large = objective(model, whole)
    found = together([objective(model, part, weights) for part in parts])
    assert found.loss.item() == pytest.approx(large.loss.item(), rel=1e-6)
    mean_of_means = sum(objective(model, part).loss.item() for part in parts) / 3
    assert abs(mean_of_means - large.loss.item()) > 1e-2, "the parts must count differently, or this tests nothing"
    for name, figure in large.figures.items():
        same = found.figures[name]
        assert (same.total / same.divisor).item() == pytest.approx((figure.total / figure.divisor).item(), rel=1e-5)
    expected = gradients(model, large.loss)
    for name, gradient in gradients(model, found.loss).items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("without", ["targets/text/mask", "targets/image/mask", "targets/audio/loss_mask"])
def test_positions_are_counted_before_the_network_as_after_it(without: str) -> None:
    model, objective = UnifiedIO2(CONFIG), TokenLoss(0.0)
    given = {key: value for key, value in batch(model).items() if key != without}
    counted = model.loss(model(given)).modalities
    weights = objective.weights(model, given)
    assert {name: one.item() for name, one in weights.items()} == {name: p.weight.item() for name, p in counted.items()}
    raw = {"targets/image/image": torch.zeros(3, 4, 4, 3)}
    assert objective.weights(model, raw)["image"] == 3 * model.target("image").max_length


def test_an_objective_that_cannot_divide_is_refused() -> None:
    with pytest.raises(TrainError, match="has no `weights`"):
        loss_weights(lambda model, batch: None, torch.nn.Linear(1, 1), [])


def test_held_out_losses_are_plain_means() -> None:
    torch.manual_seed(0)
    model = UnifiedIO2(CONFIG)
    whole, weighted, plain = batch(model), TokenLoss(0.0, Weighting({"image": 0.5}, 1.0)), TokenLoss(0.0)
    assert weighted(model, whole).loss.item() != pytest.approx(plain(model, whole).loss.item())
    model.eval()
    assert weighted(model, whole).loss.item() == plain(model, whole).loss.item()
