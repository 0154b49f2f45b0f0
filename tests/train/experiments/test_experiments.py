"""Any stage through one trainer: an experiment is one file more, and it resumes to the bit, with dropout too."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from embodio.model.network.batch import Batch
from embodio.model.weights.checksums import ChecksumError
from embodio.model.weights.pretrained import load
from embodio.train import experiments
from embodio.train import main as main_module
from embodio.train.checkpoints.run import Run, restore_run
from embodio.train.errors import Diverged, ResumeError, TrainError
from embodio.train.log import read_log
from embodio.train.loop import Trainer
from embodio.train.main import main, make_trainer, train
from embodio.train.objective import Figure, Outcome
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.optimisers.optimiser import make_optimiser
from embodio.train.run_config import RunConfig
from embodio.train.starting_weights import open_start
from embodio.train.validation import Validator, with_mean
from tests.support.toy_experiment import RandomText, ToyConfig
from tests.support.train.runs import same_files


@pytest.fixture(autouse=True)
def toy(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file more in the folder of experiments."""
    folder = tmp_path_factory.mktemp("experiments")
    (folder / "toy.py").write_text("from tests.support.toy_experiment import EXPERIMENT\n")
    monkeypatch.setattr(experiments, "__path__", [*experiments.__path__, str(folder)])


def settings(out: Path, **changes: Any) -> ToyConfig:
    config = ToyConfig(
        out=str(out),
        steps=6,
        batch_size=4,
        threads=1,
        workers=0,
        log_every=1,
        validate_every=3,
        checkpoint_every=2,
        optimiser=OptimiserConfig(warmup=2),
    )
    return dataclasses.replace(config, **changes)


def test_an_experiment_is_named_first_and_policy_is_the_usual_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {"policy", "toy"} <= set(experiments.experiment_names())
    given = ["steps=4", "batch_size=3", "threads=1", "workers=0", "log_every=2", "validate_every=4", "length=7"]
    assert main(["toy", f"out={tmp_path}", *given]) == 0
    said = capsys.readouterr().out
    assert "random text" in said and "validation at step 4" in said and "finished at step 4" in said
    lines = read_log(tmp_path / "log.jsonl")
    assert [line["step"] for line in lines if line["kind"] == "train"] == [2, 4]
    assert all(set(line) >= {"loss", "accuracy"} for line in lines)
    assert main(["toy", "--help"]) == 0
    said = capsys.readouterr().out
    assert "usage: embodio-train toy" in said and "dropout_rate" in said and "validate_every" in said
    assert "policy.cameras" not in said
    assert main(["toy", f"out={tmp_path}", "chunk=3"]) == 2
    assert main(["toys", f"out={tmp_path}"]) == 2
    assert main(["--help"]) == 0
    assert "policy.cameras" in capsys.readouterr().out


def test_a_recipe_says_which_experiment_it_is_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "experiment" / "toy").mkdir(parents=True)
    recipe = tmp_path / "experiment" / "toy" / "short.yaml"
    recipe.write_text("stage: toy\nsteps: 3\nlength: 7\n")
    (tmp_path / "experiment" / "lift.yaml").write_text("size: nano\n")
    (tmp_path / "experiment" / "odd.yaml").write_text("stage: nothing\n")
    monkeypatch.setattr(main_module, "CONFIGS", tmp_path)
    for first in ([], ["toy"]):
        assert main([*first, "experiment=toy/short", f"out={tmp_path}/run", "steps=2", "--show"]) == 0
        shown = capsys.readouterr().out
        assert "length: 7" in shown and "steps: 2" in shown and "stage" not in shown
    assert main(["toy", "experiment=lift", "out=o"]) == 2
    assert "the recipe is of 'policy', not of toy" in capsys.readouterr().err
    assert main(["experiment=odd", "out=o"]) == 2
    assert "the recipe is of 'nothing'" in capsys.readouterr().err
    assert main(["experiment=short", "out=o"]) == 2
    assert "Known: lift, odd, toy/short" in capsys.readouterr().err


def test_its_checkpoint_is_a_network_to_load_and_to_begin_with(tmp_path: Path) -> None:
    assert train(settings(tmp_path)) == 0
    folder = tmp_path / "checkpoint"
    state = load_file(folder / "training.safetensors")
    for name, tensor in load(folder).state_dict().items():
        assert torch.equal(tensor, state.get(f"average/{name}", state[f"model/{name}"]))
    assert open_start(str(folder)).vocabulary is not None


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    make_trainer_of_toy(settings(out, dropout_rate=0.1)).train()
    return out


def make_trainer_of_toy(config: ToyConfig) -> Trainer[Any]:
    """The same without the list of experiments, for fixtures of the module."""
    from embodio.train.main import trainer_of
    from tests.support.toy_experiment import build

    torch.manual_seed(config.seed)
    return trainer_of(build(config), config)


@pytest.mark.parametrize("stop", [1, 3, 5, *(pytest.param(stop, marks=pytest.mark.slow) for stop in (2, 4))])
def test_with_dropout_a_run_that_stops_anywhere_gives_the_same_bits(whole: Path, tmp_path: Path, stop: int) -> None:
    """Whatever state torch's generator is in, before, in between and after."""
    torch.manual_seed(1000 + stop)
    assert train(settings(tmp_path, dropout_rate=0.1, stop_after=stop)) == 0
    torch.rand(stop)
    assert train(settings(tmp_path, dropout_rate=0.1, validate_every=2)) == 0
    assert same_files(whole / "checkpoint", tmp_path / "checkpoint")


EVERYTHING = {
    "adafactor": OptimiserConfig(name="adafactor", learning_rate=0.1, warmup=2, schedule="inverse_square_root"),
    "momentum": OptimiserConfig(name="SGD", warmup=2, options={"momentum": 0.9}, rates={"encoder.*": 0.5}, ema=0.0),
}


@pytest.mark.parametrize(
    ("name", "stop"),
    [
        *(("adafactor", 1), ("momentum", 3), ("adafactor", 5)),
        *(pytest.param(*more, marks=pytest.mark.slow) for more in (("momentum", 1), ("adafactor", 3), ("momentum", 5))),
    ],
)
def test_with_all_options_a_run_that_stops_anywhere_gives_the_same_bits(tmp_path: Path, name: str, stop: int) -> None:
    """Adafactor or momentum, with accumulation, dropout, and parameters that are released before or after the stop."""
    changes = {"accumulate": 2, "dropout_rate": 0.1, "freeze": {"decoder.*": 0.5, "encoder.norm.*": 1.0}}
    changes["optimiser"] = EVERYTHING[name]
    assert train(settings(tmp_path / "whole", **changes)) == 0
    assert train(settings(tmp_path / "run", **changes, stop_after=stop)) == 0
    assert train(settings(tmp_path / "run", **changes)) == 0
    assert same_files(tmp_path / "whole" / "checkpoint", tmp_path / "run" / "checkpoint")
    first = make_trainer(settings(tmp_path, **changes)).run.model.state_dict()
    last = load_file(tmp_path / "run" / "checkpoint" / "training.safetensors")
    learned = {key for key, value in first.items() if not torch.equal(value, last[f"model/{key}"])}
    assert "encoder.norm.scale" not in learned and {"encoder.layers.0.mlp.down.weight", "decoder.norm.scale"} <= learned


def test_batches_one_after_another_are_one_large_batch(tmp_path: Path) -> None:
    """Though they count different numbers of tokens: the mean over all, not the mean of means."""

    class Ragged(RandomText):
        def make(self, step: int, allocate: Any = np.empty) -> tuple[Batch, tuple[()]]:
            if self.rows == 12:
                parts = [Ragged(self.seed, 4, self.length).make(3 * step + part)[0] for part in range(3)]
                return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}, ()
            batch, _ = super().make(step)
            lengths = torch.from_numpy(np.random.default_rng(step).integers(1, self.length + 1, self.rows))
            batch["targets/text/mask"] = torch.arange(self.length) < lengths[:, None]
            return batch, ()

    found = []
    for changes in ({"batch_size": 12}, {"batch_size": 4, "accumulate": 3}):
        trainer = make_trainer(settings(tmp_path, **changes, optimiser=OptimiserConfig(warmup=0, clip=1e9)))
        rows, count = trainer.config.batch_size, trainer.config.accumulate
        stream = Ragged(0, rows, 5)
        report = trainer.step(*(stream.make(number)[0] for number in range(count)))
        found.append((report, {n: p.grad for n, p in trainer.run.model.named_parameters() if p.grad is not None}))
    (large, gradients), (parts, added) = found
    assert parts.loss.item() == pytest.approx(large.loss.item(), rel=1e-6)
    assert parts.outcome.weight == large.outcome.weight
    assert parts.outcome.figures["accuracy"] == large.outcome.figures["accuracy"]
    assert parts.norm == pytest.approx(large.norm, rel=1e-5)
    for name, gradient in gradients.items():
        torch.testing.assert_close(added[name], gradient, rtol=1e-5, atol=1e-6)


def test_an_objective_that_cannot_add_up_batches_says_so(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"accumulate: function cannot add up batches.* set accumulate=1"):
        line(tmp_path, accumulate=2).train()


def test_dropout_is_another_in_every_step_and_with_every_seed(tmp_path: Path) -> None:
    def losses(**changes: Any) -> list[float]:
        still = OptimiserConfig(learning_rate=1e-12)
        config = settings(tmp_path, **{"dropout_rate": 0.1, "optimiser": still} | changes)
        trainer = make_trainer(dataclasses.replace(config, seed=0))
        trainer.config = config
        batch = trainer.batches.make(0)[0]
        found = []
        for _ in range(3):
            torch.rand(len(found) + 7)  # numbers that others draw change nothing
            found.append(trainer.step(batch).loss.item())
        return found

    first, other_seed, none = losses(), losses(seed=1), losses(dropout_rate=0.0)
    assert first == losses()
    assert len({*first, *other_seed}) == 6
    assert max(none) - min(none) < 1e-4 < max(first) - min(first)


def test_another_run_is_refused(tmp_path: Path) -> None:
    assert train(settings(tmp_path, stop_after=1)) == 0
    with pytest.raises(ResumeError, match=r"dropout_rate=0\.0, but dropout_rate=0\.5"):
        train(settings(tmp_path, dropout_rate=0.5))
    trainer = make_trainer(settings(tmp_path))
    trainer.run.identity = {**trainer.run.identity, "text": {"length": 8}}
    with pytest.raises(ResumeError, match=r"text\.length: was 5, is 8"):
        restore_run(tmp_path / "checkpoint", trainer.run, trainer.config)
    (tmp_path / "checkpoint" / "vocabulary.model").write_bytes(b"another")
    with pytest.raises(ChecksumError, match=r"vocabulary\.model"):
        train(settings(tmp_path))


class Doubling:
    """Numbers and their doubles, for a network that is not one of ours."""

    damaged = ()

    def make(self, step: int, allocate: Any = np.empty) -> tuple[dict[str, Tensor], tuple[()]]:
        numbers = torch.linspace(-1, 1, 8).unsqueeze(1) + 0.01 * step
        return {"x": numbers, "y": 2 * numbers}, ()


class LinearBundle:
    def write(self, folder: Path, model: nn.Linear) -> None:
        save_file(model.state_dict(), folder / "linear.safetensors")


def squares(model: nn.Linear, batch: Any) -> Outcome:
    error = (model(batch["x"]) - batch["y"]).square()
    largest = Figure(error.detach().amax(), torch.ones(()))
    return Outcome(error.mean(), torch.tensor(8.0), {"largest": largest})


def line(out: Path, objective: Any = squares, **changes: Any) -> Trainer[nn.Linear]:
    torch.manual_seed(0)
    optimiser = OptimiserConfig(learning_rate=0.1, warmup=0, ema=0.0, weight_decay=0.0)
    config = RunConfig(
        out=str(out), steps=200, batch_size=8, workers=0, validate_every=100, checkpoint_every=50, optimiser=optimiser
    )
    config = dataclasses.replace(config, **changes)
    model = nn.Linear(1, 1)
    run = Run(model, make_optimiser(model, config.optimiser), None)

    def held_out(on_damage: Any = None) -> Iterator[Any]:
        yield Doubling().make(0)[0]

    validators = {"near": Validator(held_out, 3.0), "far": Validator(held_out, 1.0)}
    return Trainer(run, Doubling(), objective, LinearBundle(), validators, config)


def test_any_network_objective_and_bundle_will_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = line(tmp_path)
    assert trainer.train()
    assert trainer.run.model.weight.item() == pytest.approx(2.0, abs=0.05)
    weights = load_file(tmp_path / "checkpoint" / "linear.safetensors")
    assert torch.equal(weights["weight"], trainer.run.model.weight)
    lines = read_log(tmp_path / "log.jsonl")
    assert {line.get("task") for line in lines if line["kind"] == "validation"} == {None, "near", "far"}
    assert all("largest" in line and "accuracy" not in line for line in lines)
    assert "accuracy" not in capsys.readouterr().out
    again = line(tmp_path)
    assert restore_run(tmp_path / "checkpoint", again.run, again.config)
    assert again.run.step == 200 and torch.equal(again.run.model.weight, trainer.run.model.weight)


def test_a_loss_that_is_not_finite_ends_a_run_and_leaves_the_weights(tmp_path: Path) -> None:
    def broken(model: nn.Linear, batch: Any) -> Outcome:
        outcome = squares(model, batch)
        return outcome._replace(loss=outcome.loss * torch.nan)

    trainer = line(tmp_path, broken)
    before = trainer.run.model.weight.item()
    with pytest.raises(Diverged, match=r"step 0: loss nan.*lower optimiser\.learning_rate"):
        trainer.train()
    assert trainer.run.model.weight.item() == before and trainer.run.step == 0


def test_the_mean_of_validators_counts_each_by_its_rate() -> None:
    validators = {
        name: Validator(lambda on_damage: iter(()), rate) for name, rate in (("a", 3.0), ("b", 1.0), ("c", 9))
    }
    lines = {"a": {"loss": 1.0, "accuracy": 0.5}, "b": {"loss": 5.0}, "c": {}}
    assert with_mean(lines, validators) == {
        "": {"loss": 2.0, "accuracy": 0.5},
        "a": {"loss": 1.0, "accuracy": 0.5},
        "b": {"loss": 5.0},
    }
    assert with_mean({"b": {"loss": 5.0}}, validators) == {"": {"loss": 5.0}}
    assert with_mean({"c": {}}, validators) == {}


def test_settings_of_no_experiment_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="RunConfig: no experiment has these settings"):
        train(RunConfig(out=str(tmp_path)))
