"""Answer scores: equal to the loss of each answer as a target, in any chunks, with one end id."""

import pytest
import torch

from embodio.model import DecodingError
from embodio.model.generation import score_answers
from tests.support.model.golden_network import worst
from tests.support.model.tiny import encoded, examples, model

OPTIONS = [[[7, 8, 9], [11], [40, 41, 42, 43, 44, 45]], [[300, 5], [11, 1]]]
TOLERANCE = 1e-4


def target_loss(row: int, option: list[int], reduction: str) -> float:
    """Cross-entropy of teacher forcing, of an option that ends with the end id."""
    batch = {**examples(), "targets/text/targets": torch.tensor([option, option])}
    with torch.no_grad():
        output = model()(batch)["text"]
    losses = torch.nn.functional.cross_entropy(output.logits[row], output.targets[row], reduction="none")
    return float(losses.sum() if reduction == "sum" else losses.mean())


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_losses_are_those_of_targets(reduction: str, chunk: int) -> None:
    found = score_answers(model(), encoded(), OPTIONS, reduction=reduction, chunk=chunk)  # type: ignore[arg-type]
    assert found.losses.shape == (2, 3)
    for row, options in enumerate(OPTIONS):
        for index, option in enumerate(options):
            complete = option if option[-1] == 1 else [*option, 1]
            assert found.losses[row, index] == pytest.approx(target_loss(row, complete, reduction), abs=TOLERANCE)
    assert found.losses[1, 2] == torch.inf
    assert found.best.tolist() == found.losses.argmin(dim=1).tolist()


def test_sums_prefer_short_answers_and_means_need_not() -> None:
    repeated = [[431], [431] * 10]
    assert score_answers(model(), encoded(), [repeated] * 2).best.tolist() == [0, 0]
    means = score_answers(model(), encoded(), [repeated] * 2, reduction="mean")
    assert means.best.tolist() == [1, 1]


def test_a_batch_is_encoded_here_as_well() -> None:
    assert (
        worst(
            score_answers(model(), examples(), OPTIONS).losses[0], score_answers(model(), encoded(), OPTIONS).losses[0]
        )
        == 0.0
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([[[7]]], "given for 1 examples but the batch has 2"),
        ([[[7]], []], "example 1 has no options"),
        ([[[7]], [[8], []]], "option 1 of example 1 has no tokens"),
        ([[[1]], [[8]]], "option 0 of example 0 has no tokens"),
        ([[[7, 1, 1]], [[8]]], "stands only at the end"),
        ([[[7, -3]], [[8]]], "ids are not negative"),
        ([[[600]], [[8]]], "token id 600 in an option is outside"),
        ([[[7] * 48], [[8]]], "49 tokens with its end, but the model's texts have at most 48"),
    ],
)
def test_options_that_cannot_be_scored_are_refused(options: list[list[list[int]]], message: str) -> None:
    with pytest.raises(DecodingError, match=message):
        score_answers(model(), encoded(), options)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(DecodingError, match="choose 'sum' or 'mean'"):
        score_answers(model(), encoded(), OPTIONS, reduction="max")  # type: ignore[arg-type]
    with pytest.raises(DecodingError, match="chunk 0"):
        score_answers(model(), encoded(), OPTIONS, chunk=0)
