"""What must not matter does not: padding, absent parts, order of rows and patches. Wrong batches are refused."""

import functools

import pytest
import torch
from torch import Tensor

from embodio.model import BatchError, ModelConfig, TargetOutput, UnifiedIO2
from tests.support.model.golden_network import OWN_FOLDER, GoldenNetwork, load_network, without, worst

INPUTS = ("text", "image", "image_history", "audio", "audio_history")
TARGETS = ("text", "image", "audio")
SAME = 2e-6


@functools.lru_cache
def golden() -> GoldenNetwork:
    return load_network(OWN_FOLDER)


def run(batch: dict[str, Tensor]) -> dict[str, TargetOutput]:
    with torch.no_grad():
        return golden().model(batch)


def assert_same_logits(found: dict[str, TargetOutput], expected: dict[str, TargetOutput]) -> None:
    assert found.keys() == expected.keys()
    for name, output in expected.items():
        assert worst(found[name].logits, output.logits, golden().batch[f"targets/{name}/mask"]) < SAME


def test_what_a_mask_hides_does_not_matter() -> None:
    batch = dict(golden().batch)
    for name in INPUTS:
        content = "inputs/text/tokens" if name == "text" else f"inputs/{name}/input"
        hidden = batch[f"inputs/{name}/mask"] == 0
        changed = batch[content].clone()
        changed[hidden] = 7 if name == "text" else torch.randn_like(changed[hidden])
        batch[content] = changed
    assert_same_logits(run(batch), run(golden().batch))


@pytest.mark.parametrize("absent", INPUTS)
def test_absent_input_equals_fully_masked_input(absent: str) -> None:
    masked = dict(golden().batch)
    masked[f"inputs/{absent}/mask"] = torch.zeros_like(masked[f"inputs/{absent}/mask"])
    others = tuple(name for name in INPUTS if name != absent)
    assert_same_logits(run(masked), run(golden().only(others, TARGETS)))


@pytest.mark.parametrize("present", range(1, 31))
def test_every_combination_of_inputs_alone_in_a_mixed_batch_and_masked(present: int) -> None:
    """Three ways to lack modalities give the same: not in the batch, masked, and masked in one row of a full batch."""
    kept = tuple(name for bit, name in enumerate(INPUTS) if present >> bit & 1)
    missing = [f"inputs/{name}/mask" for name in INPUTS if name not in kept]
    alone = run(golden().only(kept, TARGETS))
    masked = dict(golden().batch) | {key: torch.zeros_like(golden().batch[key]) for key in missing}
    assert_same_logits(run(masked), alone)
    mixed = {key: torch.cat([value, masked[key]]) for key, value in golden().batch.items()}
    rows = run(mixed)
    last = {name: TargetOutput(output.logits[2:], output.targets[2:], None) for name, output in rows.items()}
    first = {name: TargetOutput(output.logits[:2], output.targets[:2], None) for name, output in rows.items()}
    assert_same_logits(last, alone)
    assert_same_logits(first, run(golden().batch))


def test_row_without_any_valid_input_stays_finite_and_trains() -> None:
    model, batch = golden().model, golden().only(("text", "image_history"), ("text",))
    for name in ("text", "image_history"):
        batch[f"inputs/{name}/mask"] = torch.zeros_like(batch[f"inputs/{name}/mask"])
    batch["targets/text/mask"] = torch.zeros_like(batch["targets/text/mask"])
    model.zero_grad(set_to_none=True)
    output = model(batch)["text"]
    loss = model.loss({"text": output}).total
    loss.backward()
    assert torch.isfinite(output.logits).all()
    assert loss.item() == 0.0
    assert all(torch.isfinite(value.grad).all() for value in model.parameters() if value.grad is not None)
    model.zero_grad(set_to_none=True)


def test_permuted_rows_give_permuted_outputs() -> None:
    flipped = run({key: value.flip(0) for key, value in golden().batch.items()})
    assert_same_logits(
        {name: TargetOutput(output.logits.flip(0), output.targets.flip(0), None) for name, output in flipped.items()},
        run(golden().batch),
    )


def test_order_of_patches_does_not_matter() -> None:
    batch = dict(golden().batch)
    for name in ("image", "image_history", "audio", "audio_history"):
        axis = 2 if name.endswith("history") else 1
        for part in ("input", "mask", "pos_ids"):
            batch[f"inputs/{name}/{part}"] = batch[f"inputs/{name}/{part}"].flip(axis)
    assert_same_logits(run(batch), run(golden().batch))


def test_targets_do_not_see_each_other() -> None:
    together = run(golden().batch)
    for name in TARGETS:
        assert_same_logits(run(golden().only(INPUTS, (name,))), {name: together[name]})


def test_two_answers_in_one_row_equal_two_passes() -> None:
    first, second = torch.tensor([[11, 12, 13, 1]] * 2), torch.tensor([[21, 22, 1]] * 2)
    base = golden().only(("text", "image"), ())
    joint = base | {
        "targets/text/targets": torch.cat((first, second), dim=1),
        "targets/text/inputs": torch.tensor([[0, 11, 12, 13, 0, 21, 22]] * 2),
        "targets/text/pos_ids": torch.tensor([[0, 1, 2, 3, 0, 1, 2]] * 2),
        "targets/text/segment_ids": torch.tensor([[1, 1, 1, 1, 2, 2, 2]] * 2),
    }
    expected = [run(base | {"targets/text/targets": ids})["text"].logits for ids in (first, second)]
    assert worst(run(joint)["text"].logits, torch.cat(expected, dim=1)) < SAME


def test_defaults_equal_what_they_stand_for() -> None:
    """No mask means all valid, no positions the whole grid in order, no decoder inputs the targets shifted right."""
    model = UnifiedIO2(ModelConfig.named("nano", vocab_size=128)).eval()
    generator = torch.Generator().manual_seed(0)
    tokens, targets = (
        torch.randint(3, 128, (2, 6), generator=generator),
        torch.randint(3, 128, (2, 5), generator=generator),
    )
    short = {
        "inputs/text/tokens": tokens,
        "inputs/image/input": torch.randn(2, 72, 768, generator=generator),
        "inputs/image_history/input": torch.randn(2, 2, 72, 768, generator=generator),
        "targets/text/targets": targets,
    }
    grid = torch.arange(72)
    full = short | {
        "inputs/text/mask": torch.ones(2, 6),
        "inputs/text/pos_ids": torch.arange(6).expand(2, -1),
        "inputs/image/mask": torch.ones(2, 72),
        "inputs/image/pos_ids": grid.expand(2, -1),
        "inputs/image_history/mask": torch.ones(2, 2, 72),
        "inputs/image_history/pos_ids": grid.expand(2, 2, -1),
        "targets/text/mask": torch.ones(2, 5),
        "targets/text/inputs": torch.nn.functional.pad(targets[:, :-1], (1, 0)),
        "targets/text/pos_ids": torch.arange(5).expand(2, -1),
        "targets/text/segment_ids": torch.ones(2, 5, dtype=torch.int64),
    }
    with torch.no_grad():
        assert worst(model(short)["text"].logits, model(full)["text"].logits) < 1e-5


def test_padding_at_the_end_can_be_cut() -> None:
    batch = golden().only(("text",), ("text",))
    row = {key: value[1:] for key, value in batch.items()}
    length, targets = int(row["inputs/text/mask"].sum()), int(row["targets/text/mask"].sum())
    cut = {key: value[:, : length if key.startswith("inputs") else targets] for key, value in row.items()}
    assert length < row["inputs/text/mask"].shape[1]
    assert worst(run(cut)["text"].logits, run(row)["text"].logits[:, :targets]) < SAME


def test_bfloat16_transformer_is_near_the_float32_one() -> None:
    network = load_network(OWN_FOLDER)
    network.model.bfloat16().towers.float()
    with torch.no_grad():
        outputs = network.model(network.batch)
    for name, output in outputs.items():
        assert output.logits.dtype == torch.float32
        mask = network.batch[f"targets/{name}/mask"]
        assert worst(output.logits.float(), network.outputs[f"all/logits/{name}"], mask) < 0.03


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs/txt/tokens": torch.ones(2, 3)}, "unknown key 'inputs/txt/tokens'; did you mean 'inputs/text/tokens'"),
        ({"inputs/text/tokens": torch.ones(2, 3, 3, dtype=torch.int64)}, "2 dimensions"),
        ({"inputs/image_history/input": torch.ones(2, 9, 15, 768)}, "at most 4"),
        ({"inputs/text/tokens": torch.ones(2, 40, dtype=torch.int64)}, "positions for 32"),
    ],
)
def test_wrong_batches_are_refused(change: dict[str, Tensor], message: str) -> None:
    said = [f"inputs/{name}/{field}" for name in ("text", "image_history") for field in ("pos_ids", "mask")]
    batch = without(golden().batch, *said)
    with pytest.raises(BatchError, match=message):
        run(batch | change)


def test_batch_needs_inputs_and_targets() -> None:
    with pytest.raises(BatchError, match="no inputs"):
        run(golden().only((), ("text",)))
    with pytest.raises(BatchError, match="no targets"):
        run(golden().only(("text",), ()))
    with pytest.raises(BatchError, match="inputs/image/input"):
        run(without(golden().batch, "inputs/image/input"))
    with pytest.raises(BatchError, match="no inputs/image/pos_ids; say which patches they are"):
        run(without(golden().batch, "inputs/image/pos_ids"))


def test_modalities_that_were_not_built_are_refused() -> None:
    model = UnifiedIO2(ModelConfig.named("nano", vocab_size=128))
    with pytest.raises(BatchError, match="built with the inputs"):
        model({"inputs/audio/input": torch.ones(1, 8, 256)})
