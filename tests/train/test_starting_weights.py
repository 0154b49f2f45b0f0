"""Runs that begin with weights: what fits is loaded, the rest is listed, and what cannot fit is refused."""

from __future__ import annotations

import dataclasses
import shutil
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

from embodio.agent import PolicyConfig
from embodio.agent.errors import AgentError
from embodio.datasets.errors import DatasetError
from embodio.datasets.tasks.plan import PlanConfig
from embodio.model import ModelConfig, UnifiedIO2, load, save_weights
from embodio.model.errors import ModelError
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.command_line.schema import UsageError
from embodio.train.config import TrainConfig
from embodio.train.errors import ResumeError, TrainError
from embodio.train.main import build_parts, main, make_trainer, train, trainer_of
from embodio.train.starting_weights import Fate, load_start, open_start, report
from tests.support.datasets.toy import write_toy_dataset
from tests.support.train.runs import settings


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", episodes=3, steps=4)


@pytest.fixture(scope="module")
def first(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out = tmp_path_factory.mktemp("first")
    assert train(settings(data, out, steps=1, validate_every=1)) == 0
    return out


def fates(config: TrainConfig) -> dict[str, set[str]]:
    """Kind -> names of the tensors, of a network that begins with what `config.init` says."""
    trainer = make_trainer(dataclasses.replace(config, init=""))
    start = open_start(config.init)
    found: dict[str, set[str]] = {}
    for fate in load_start(trainer.run.model, start, trainer.bundle.policy_format.vocabulary):
        found.setdefault(fate.kind, set()).add(fate.name)
    return found


def test_a_run_begins_with_the_weights_of_another(data: Path, first: Path, tmp_path: Path) -> None:
    config = settings(data, tmp_path / "run", init=str(first / "checkpoint"))
    parts = build_parts(config)
    trainer = trainer_of(parts, config)
    given = load(first / "checkpoint").state_dict()
    own = trainer.run.model.state_dict()
    assert set(own) == set(given) and all(torch.equal(own[name], given[name]) for name in own)
    assert trainer.run.average is not None
    assert torch.equal(trainer.run.average.values["text_embedding.weight"], given["text_embedding.weight"])
    assert trainer.run.step == 0 and not trainer.run.optimiser.state
    screen = StringIO()
    Console(file=screen, width=160).print(*parts.notes)
    assert "loaded" in screen.getvalue() and "left out" not in screen.getvalue() and "new" not in screen.getvalue()


def test_it_goes_on_without_them_but_not_with_others(data: Path, first: Path, tmp_path: Path) -> None:
    start = shutil.copytree(first / "checkpoint", tmp_path / "start")
    config = settings(data, tmp_path / "run", init=str(start), steps=3, stop_after=1)
    assert train(config) == 0
    moved = start.rename(tmp_path / "moved")
    assert train(config) == 0
    torch.manual_seed(3)
    save_weights(UnifiedIO2(load(moved).config), moved)
    with pytest.raises(ResumeError, match=r"init: its weights were .*leave init= out"):
        train(dataclasses.replace(config, init=str(moved)))
    assert train(dataclasses.replace(config, init="")) == 0


def test_what_ships_is_a_start_for_another_robot(data: Path, tmp_path: Path) -> None:
    parts = build_parts(settings(data, tmp_path / "run", init="lift-nano"))
    screen = StringIO()
    Console(file=screen, width=200).print(*parts.notes)
    shown = screen.getvalue()
    assert "weights from lift-nano" in shown and "policy.chunk" in shown and "4 there, 2 here" in shown
    assert "robot" in shown and "text_embedding" in shown
    assert torch.equal(parts.network.state_dict()["encoder.norm.scale"], load_encoder_norm())


def load_encoder_norm() -> torch.Tensor:
    return open_start("lift-nano").model.state_dict()["encoder.norm.scale"]


def test_positions_rows_and_layers_that_differ_are_resized_left_or_new(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    nano = ModelConfig.named("nano", vocab_size=Vocabulary.default().padded_size)
    assert nano.image_tower is not None
    other = nano.replace(
        image_tower=dataclasses.replace(nano.image_tower, position_grid=(3, 6)),
        transformer=dataclasses.replace(nano.transformer, num_encoder_layers=3, num_decoder_layers=1),
    )
    save_weights(UnifiedIO2(other), tmp_path / "other")
    config = settings(data, tmp_path / "run", init=str(tmp_path / "other"))
    found = fates(config)
    assert found["resized"] == {"towers.image.positions"}
    assert all(name.startswith(("encoder.layers.2.", "inputs.image_history.")) for name in found["left out"])
    assert {name.split(".")[2] for name in found["new"]} == {"1", "2"}
    assert "text_embedding.weight" in found["loaded"]
    own = make_trainer(config).run.model.state_dict()["towers.image.positions"]
    given = load(tmp_path / "other").state_dict()["towers.image.positions"]
    assert torch.equal(own[0], given[0]) and own.shape == (73, 128)
    image = given[1:].reshape(3, 6, -1).mean(dim=(0, 1))
    torch.testing.assert_close(own[1:].mean(dim=0), image, atol=0.05, rtol=0.2)


def test_an_unknown_vocabulary_is_left_out_and_said(data: Path, tmp_path: Path) -> None:
    save_weights(UnifiedIO2(ModelConfig.named("nano", vocab_size=4096)), tmp_path / "other")
    config = settings(data, tmp_path / "run", init=str(tmp_path / "other"))
    assert "text_embedding.weight" in fates(config)["left out"] & fates(config)["new"]


def test_values_of_released_weights_go_to_their_place(data: Path, tmp_path: Path) -> None:
    """Their vocabulary has 32000 pieces of text, then the same special tokens."""
    torch.manual_seed(0)
    model = UnifiedIO2(ModelConfig.named("nano", vocab_size=33280))
    save_weights(model, tmp_path / "released")
    trainer = make_trainer(settings(data, tmp_path / "run", init=str(tmp_path / "released")))
    vocabulary, table = trainer.bundle.policy_format.vocabulary, trainer.run.model.text_embedding.weight
    for row, other in (
        (vocabulary.value_id(0), 32000 + 999),
        (vocabulary.value_id(999), 32000),
        (vocabulary.sentinel_id(0), 32000 + 1199),
        (vocabulary.prefix_id("text", "S"), 32000 + 1218),
    ):
        assert torch.equal(table[row], model.text_embedding.weight[other])
    (tmp_path / "released" / "tokenizer.model").write_bytes(Vocabulary.default().to_bytes())
    assert open_start(str(tmp_path / "released")).vocabulary == Vocabulary.default()


def test_other_widths_name_the_size_to_take(data: Path, tmp_path: Path) -> None:
    nano = ModelConfig.named("nano")
    wide = nano.replace(transformer=dataclasses.replace(nano.transformer, emb_dim=256, head_dim=64))
    save_weights(UnifiedIO2(wide), tmp_path / "wide")
    with pytest.raises(TrainError, match="emb_dim 256, this network 128; it is of none of the named sizes"):
        make_trainer(settings(data, tmp_path / "run", init=str(tmp_path / "wide")))


@pytest.mark.parametrize("name", ["nothing", "./nothing", "/nothing/at/all"])
def test_what_is_not_there_is_said_before_data_is_opened(tmp_path: Path, name: str) -> None:
    shipped = "embodio-nano, lift-nano, robots-nano"
    with pytest.raises(TrainError, match=f"not a folder, and not among the checkpoints that ship: {shipped}"):
        make_trainer(settings(tmp_path / "no data", tmp_path / "run", init=name))


def test_a_run_and_a_damaged_checkpoint_are_named(data: Path, first: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"is the folder of a run; give init=.*checkpoint"):
        make_trainer(settings(data, tmp_path / "run", init=str(first)))
    damaged = shutil.copytree(first / "checkpoint", tmp_path / "damaged")
    (damaged / "statistics.json").write_text("{}")
    with pytest.raises(AgentError, match=r"statistics\.json is damaged or not the file"):
        make_trainer(settings(data, tmp_path / "run", init=str(damaged)))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"size": "nanno"}, "did you mean 'nano'"),
        ({"device": "cuda:99"}, "device"),
        ({"tasks": {"next_acton": PlanConfig()}}, "next_acton"),
        ({"tasks": {"plan": PlanConfig(weight=-1.0)}}, "weight of 'plan'"),
        ({"workers": -1}, "workers: got -1"),
        ({"stop_after": -1}, "stop_after: got -1"),
        ({"holdout": -1}, "holdout: got -1"),
        ({"loader_memory_mb": 0}, "loader_memory_mb: got 0"),
        ({"policy": PolicyConfig(cameras=("front",), action_range="max")}, "policy.action_range: got 'max'"),
        ({"policy": PolicyConfig(cameras=("front",), state_range="max")}, "policy.state_range: got 'max'"),
        ({"policy": PolicyConfig(cameras=("front",), action_bins=1)}, "policy.action_bins: got 1"),
    ],
)
def test_settings_are_checked_before_data_is_opened(tmp_path: Path, changes: dict[str, object], match: str) -> None:
    with pytest.raises((UsageError, ModelError, AgentError, DatasetError), match=match) as caught:
        make_trainer(settings(tmp_path / "no data", tmp_path / "run", **changes))
    assert "no data" not in str(caught.value)


def test_all_cameras_of_the_data_are_read_by_default(data: Path, tmp_path: Path) -> None:
    trainer = make_trainer(TrainConfig(data=str(data), out=str(tmp_path / "run"), holdout=1))
    assert trainer.bundle.policy_format.camera_names == ("front", "hand")
    one = TrainConfig(data=str(data), out=str(tmp_path / "run"), holdout=1, policy=PolicyConfig(cameras=("hand",)))
    assert make_trainer(one).bundle.policy_format.camera_names == ("hand",)
    blind = dataclasses.replace(one, policy=PolicyConfig(cameras=()))
    assert make_trainer(blind).bundle.policy_format.camera_names == ()


def test_the_command_prints_the_table(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["steps=1", "batch_size=2", "holdout=1", "workers=0", "threads=1"]
    assert main([f"data={data}", "init=lift-nano", f"out={tmp_path / 'run'}", *few]) == 0
    shown = capsys.readouterr().out
    assert "weights from lift-nano" in shown and "loaded" in shown
    assert main([f"data={data}", "init=lift-nano", f"out={tmp_path / 'run'}", "steps=2", *few[1:]]) == 0
    shown = capsys.readouterr().out
    assert "going on from step 1" in shown and "weights from" not in shown


def test_kinds_add_up(data: Path, first: Path, tmp_path: Path) -> None:
    """Every tensor of the network and of the file has its line."""
    trainer = make_trainer(settings(data, tmp_path / "run"))
    start = open_start(str(first / "checkpoint"))
    told = load_start(trainer.run.model, start, trainer.bundle.policy_format.vocabulary)
    assert all(isinstance(fate, Fate) for fate in told)
    assert {fate.name for fate in told if fate.kind != "left out"} == set(trainer.run.model.state_dict())


def test_another_scale_of_image_targets_is_told(tmp_path: Path) -> None:
    size = ModelConfig.named("nano_generalist")
    save_weights(UnifiedIO2(size.replace(image_target_scale=1.0)), tmp_path)
    start, network = open_start(str(tmp_path)), UnifiedIO2(size)
    told = [fate for fate in load_start(network, start, Vocabulary.default()) if fate.kind == "differs"]
    assert told == [Fate("differs", "image_target_scale", 0, "1 there, 0.707107 here")]
    screen = StringIO()
    Console(file=screen, width=160).print(report(told, start))
    assert "differs" in screen.getvalue() and "1 there, 0.707107 here" in screen.getvalue()
    same = load_start(UnifiedIO2(size.replace(image_target_scale=1.0)), start, Vocabulary.default())
    assert "differs" not in {fate.kind for fate in same}
