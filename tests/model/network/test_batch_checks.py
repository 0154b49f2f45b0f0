"""Batches that do not fit the network or themselves are refused, naming the key."""

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from embodio.model import BatchError
from tests.support.model.golden_network import OWN_FOLDER, GoldenNetwork, load_network

Change = Callable[[Tensor], object]


@functools.lru_cache
def golden() -> GoldenNetwork:
    return load_network(OWN_FOLDER, tokenizers=True)


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("inputs/text/tokens", lambda x: x + 600, "ids from .* the model knows 0 to 599"),
        ("inputs/text/tokens", lambda x: x - 600, "the model knows 0 to 599"),
        ("inputs/text/tokens", lambda x: x.float(), "torch.float32; ids are integers"),
        ("inputs/text/tokens", lambda x: x.tolist(), "must be a tensor"),
        ("inputs/text/mask", lambda x: x[:, :5], r"has shape \(2, 5\)"),
        ("inputs/text/mask", lambda x: x[:1], "has 1 rows but inputs/text/tokens has 2"),
        ("inputs/text/pos_ids", lambda x: x - 1, "ids from -1 to 10; the model knows 0 to 31"),
        ("inputs/text/pos_ids", lambda x: x + 30, "the model knows 0 to 31"),
        ("inputs/image/input", lambda x: x[..., :100], "patches of 100 numbers; the model's have 768"),
        ("inputs/image/pos_ids", lambda x: x - 1, "the model knows 0 to 23"),
        ("inputs/image/pos_ids", lambda x: x[:, :3], r"has shape \(2, 3\)"),
        ("inputs/image_history/mask", lambda x: x[:, :1], r"has shape \(2, 1, 15\)"),
        ("inputs/image_history/pos_ids", lambda x: x + 1, "the model knows 0 to 14"),
        ("inputs/audio/pos_ids", lambda x: x + 1, "the model knows 0 to 7"),
        ("inputs/audio_history/input", lambda x: x.repeat(1, 1, 1, 2), "patches of 512 numbers; the model's have 256"),
        ("targets/text/targets", lambda x: x + 600, "the model knows 0 to 599"),
        ("targets/text/inputs", lambda x: x - 2, "the model knows 0 to 599"),
        ("targets/text/segment_ids", lambda x: x[:, :2], r"has shape \(2, 2\)"),
        ("targets/image/mask", lambda x: x[:, :2], r"has shape \(2, 2\)"),
        ("targets/image/tokens", lambda x: torch.full((2, 64), 72), "ids from 72 to 72; the model knows 0 to 71"),
        ("targets/audio/loss_mask", lambda x: x[:, 1:], r"has shape \(2, 31\)"),
    ],
)
def test_what_does_not_fit_is_named(key: str, change: Change, message: str) -> None:
    batch = golden().batch
    changed = {**batch, key: change(batch.get(key, torch.zeros(1)))}
    with pytest.raises(BatchError, match=rf"{key}.*{message}"):
        golden().model(changed)
