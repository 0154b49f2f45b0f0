"""LoRA: small changes are trained and saved alone, resume to the bit, and merge into a plain network."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from embodio.model.layers.layers import Linear
from embodio.model.weights.pretrained import load
from embodio.train.checkpoints.run import BASE, restore_run
from embodio.train.errors import ResumeError, TrainError
from embodio.train.loop import Trainer
from embodio.train.main import trainer_of
from embodio.train.network.lora import Adapted, adapt, merged
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.run_config import LoraConfig
from tests.support.toy_experiment import ToyConfig, build
from tests.support.train.runs import same_files

LORA = LoraConfig(rank=4, alpha=8.0, targets=("encoder.*", "*.cross_attention.*"), train=("text_embedding.*",))


def trainer(out: Path, seed: int = 0, **changes: Any) -> Trainer[Any]:
    small = {"steps": 4, "batch_size": 2, "workers": 0, "validate_every": 4, "checkpoint_every": 2, "log_every": 2}
    config = ToyConfig(out=str(out), lora=LORA, optimiser=OptimiserConfig(warmup=0, ema=0.9), **small)
    torch.manual_seed(seed)
    return trainer_of(build(config), dataclasses.replace(config, **changes))


def test_it_begins_with_the_outputs_of_the_network_and_only_the_changes_learn(tmp_path: Path) -> None:
    plain, changed = trainer(tmp_path, lora=LoraConfig()), trainer(tmp_path)
    batch, _ = plain.batches.make(0)
    plain.run.model.eval(), changed.run.model.eval()
    assert plain.measure(batch).loss == changed.measure(batch).loss
    before = {name: value.clone() for name, value in changed.run.model.state_dict().items()}
    for step in range(2):
        changed.step(changed.batches.make(step)[0])
    after = changed.run.model.state_dict()
    learned = {name for name, value in after.items() if not torch.equal(value, before[name])}
    expected = {name for name in after if name.endswith(("lora_up", "lora_down")) or name == "text_embedding.weight"}
    assert learned == expected and len(expected) == 15
    assert set(changed.run.fixed) == set(after) - expected
    assert changed.run.average is not None and set(changed.run.average.values) == expected


@pytest.mark.slow
def test_compiled_it_learns_the_same_and_is_merged_for_checkpoints(tmp_path: Path) -> None:
    """With torch's compiler in front, but no compiled kernels behind it, which take longer to make."""
    for name in ("plain", "compiled"):
        run = trainer(tmp_path / name, steps=2)
        if name == "compiled":
            run.run.model.compile(backend="eager")
        assert run.train()
    assert same_files(tmp_path / "plain" / "checkpoint", tmp_path / "compiled" / "checkpoint")


def test_merged_it_is_a_plain_network_of_equal_outputs_and_the_run_is_as_before(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.step(run.batches.make(0)[0])
    model = run.run.model.eval()
    batch, _ = run.batches.make(1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    apart = model(batch)["text"].logits
    with merged(model):
        names = set(model.state_dict())
        torch.testing.assert_close(model(batch)["text"].logits, apart, rtol=1e-4, atol=1e-5)
    assert names == set(trainer(tmp_path, lora=LoraConfig()).run.model.state_dict())
    after = model.state_dict()
    assert set(after) == set(before) and all(torch.equal(value, before[name]) for name, value in after.items())
    assert torch.equal(model(batch)["text"].logits, apart)


def test_the_merged_weight_is_what_the_map_computes() -> None:
    torch.manual_seed(0)
    for base in (Linear(6, 5), nn.Linear(6, 5)):
        one = Adapted(base, 2, 3.0, torch.Generator().manual_seed(0))
        nn.init.normal_(one.lora_up)
        x = torch.randn(3, 6)
        bias = getattr(base, "bias", None)
        torch.testing.assert_close(one(x), nn.functional.linear(x, one.weight, bias))
        assert not torch.allclose(one(x), base(x))


def test_the_checkpoint_is_a_plain_network_and_its_state_small(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    assert run.train()
    folder = tmp_path / "checkpoint"
    saved = load(folder).eval()
    batch, _ = run.batches.make(0)
    with run.run.averaged():
        logits = run.run.model.eval()(batch)["text"].logits
    torch.testing.assert_close(saved(batch)["text"].logits, logits, rtol=1e-4, atol=1e-5)
    state = load_file(folder / "training.safetensors")
    assert not [name for name in state if ".base." in name or "decoder.norm" in name]
    assert "average/encoder.layers.0.mlp.down.lora_up" in state
    assert set(load_file(tmp_path / BASE)) == run.run.fixed


def test_it_resumes_to_the_bit_without_the_weights_it_began_with(tmp_path: Path) -> None:
    assert trainer(tmp_path / "whole").train()
    assert not trainer(tmp_path / "run", stop_after=2).train()
    again = trainer(tmp_path / "run", seed=7)  # other first weights, as a resumed run does not read init=
    assert restore_run(tmp_path / "run" / "checkpoint", again.run, again.config)
    assert again.train()
    assert same_files(tmp_path / "whole" / "checkpoint", tmp_path / "run" / "checkpoint")
    for change in (lambda path: path.write_bytes(path.read_bytes()[:-4] + b"abcd"), Path.unlink):
        change(tmp_path / "run" / BASE)
        last = trainer(tmp_path / "run")
        with pytest.raises(ResumeError, match=r"base\.safetensors is (damaged|not there): it holds the weights"):
            restore_run(tmp_path / "run" / "checkpoint", last.run, last.config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LoraConfig(rank=2, targets=("encodr.*",)), r"lora\.targets: 'encodr\.\*' matches no linear map"),
        (LoraConfig(rank=2, targets=("a",), train=("b.*",)), r"lora\.train: 'b\.\*' matches no parameter"),
    ],
)
def test_patterns_that_match_nothing_are_refused(config: LoraConfig, message: str) -> None:
    with pytest.raises(TrainError, match=message):
        adapt(nn.ModuleDict({"a": nn.Linear(2, 2)}), config, 0)
