"""Features to batches: padding, absent parts, and which masks are left out."""

import numpy as np
import pytest
import torch

from embodio.model.config.model import ModelConfig
from embodio.model.example import Example
from embodio.model.network.batch import CollateError, collate
from embodio.model.processing.processor import Features, Processor
from embodio.model.tokens.vocabulary import Vocabulary

VOCABULARY = Vocabulary.default()
PROCESSOR = Processor(ModelConfig.named("nano", vocab_size=VOCABULARY.padded_size), VOCABULARY)


def features(tokens: int, size: tuple[int, int] | None = (128, 256), seed: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    image = None if size is None else rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    return PROCESSOR(Example(text=[5] * tokens, image=image, text_target=[7] * tokens))


def test_equal_examples_need_no_masks() -> None:
    items = [features(4, seed=0), features(4, seed=1)]
    batch = collate(items)
    assert sorted(batch) == ["inputs/image/input", "inputs/text/tokens", "targets/text/inputs", "targets/text/targets"]
    assert batch["inputs/image/input"].shape == (2, 72, 768) and batch["inputs/image/input"].dtype == torch.float32
    for key, tensor in batch.items():
        np.testing.assert_array_equal(tensor.numpy(), np.stack([item[key] for item in items]))


def test_masks_can_be_kept() -> None:
    items = [features(4), features(4, seed=1)]
    batch = collate(items, drop_full_masks=False)
    assert set(batch) == set(items[0])
    for key, tensor in batch.items():
        np.testing.assert_array_equal(tensor.numpy(), np.stack([item[key] for item in items]))


def test_shorter_texts_are_padded_and_masked() -> None:
    batch = collate([features(2), features(5)])
    assert batch["inputs/text/tokens"].tolist() == [[5, 5, 1, 0, 0, 0], [5, 5, 5, 5, 5, 1]]
    assert batch["inputs/text/mask"].tolist() == [[1, 1, 1, 0, 0, 0], [1] * 6]
    assert batch["targets/text/mask"].tolist() == [[1, 1, 1, 0, 0, 0], [1] * 6]
    assert batch["targets/text/inputs"].tolist() == [[0, 7, 7, 0, 0, 0], [0, 7, 7, 7, 7, 7]]
    assert not any(key.endswith(("pos_ids", "segment_ids")) for key in batch)
    assert "inputs/image/mask" not in batch


def test_fixed_lengths() -> None:
    batch = collate([features(2), features(5)], lengths={"inputs/text": 9})
    assert batch["inputs/text/tokens"].shape == batch["inputs/text/mask"].shape == (2, 9)
    assert batch["targets/text/targets"].shape == (2, 6)
    with pytest.raises(CollateError, match="inputs/text/tokens: 6 entries"):
        collate([features(5)], lengths={"inputs/text": 5})


def test_an_absent_image_is_zero_and_masked() -> None:
    batch = collate([features(3, size=None), features(3)])
    assert not batch["inputs/image/input"][0].any() and batch["inputs/image/input"][1].any()
    assert batch["inputs/image/mask"].tolist() == [[0] * 72, [1] * 72]


def test_padded_images_keep_their_mask() -> None:
    batch = collate([features(3, size=(50, 50))])
    assert batch["inputs/image/mask"].sum() < 72 and "inputs/image/pos_ids" not in batch


def test_positions_and_segments_that_say_something_are_kept() -> None:
    item = features(3)
    item["inputs/image/pos_ids"] = item["inputs/image/pos_ids"][::-1].copy()
    item["targets/text/segment_ids"] = np.array([1, 1, 2, 2], dtype=np.int32)
    item["targets/text/pos_ids"] = np.array([0, 1, 0, 1], dtype=np.int32)
    batch = collate([item, features(3)])
    assert batch["inputs/image/pos_ids"][0].tolist() == list(range(71, -1, -1))
    assert batch["targets/text/segment_ids"].tolist() == [[1, 1, 2, 2], [1, 1, 1, 1]]
    assert batch["targets/text/pos_ids"].tolist() == [[0, 1, 0, 1], [0, 1, 2, 3]]


def test_features_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(CollateError, match="at least one"):
        collate([])
    other = features(3)
    other["inputs/image/input"] = other["inputs/image/input"][:, :100]
    with pytest.raises(CollateError, match="inputs/image/input: the examples have different shapes"):
        collate([features(3), other])


def test_the_batch_does_not_share_memory_with_the_features() -> None:
    item = features(3)
    batch = collate([item])
    batch["inputs/text/tokens"].zero_()
    assert item["inputs/text/tokens"].any()


def test_default_loss_and_task_masks_are_left_out_and_telling_ones_kept() -> None:
    ids, mask = np.arange(4, dtype=np.int32), np.array([1, 1, 0, 0], dtype=np.int32)

    def target(**masks: np.ndarray) -> Features:
        return {"targets/image/tokens": ids, "targets/image/mask": mask} | {
            f"targets/image/{name}": array for name, array in masks.items()
        }

    plain = target(loss_mask=mask, task_mask=np.zeros_like(mask))
    assert set(collate([plain, plain])) == {"targets/image/tokens", "targets/image/mask"}
    assert set(collate([plain], drop_full_masks=False)) == set(plain)
    part = target(loss_mask=np.array([1, 0, 0, 0], dtype=np.int32), task_mask=np.array([0, 1, 0, 0], dtype=np.int32))
    batch = collate([plain, part])
    assert batch["targets/image/loss_mask"].tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]
    assert batch["targets/image/task_mask"].tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]
    whole = {"targets/image/tokens": ids, "targets/image/mask": ids * 0 + 1, "targets/image/loss_mask": mask}
    assert collate([whole])["targets/image/loss_mask"].tolist() == [mask.tolist()]
