"""Training on mixtures: several data sets and all tasks at once, with one robot or two; what cannot be mixed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from embodio.agent import Agent, CheckpointError, PolicyConfig
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.episodes.features import features_of
from embodio.datasets.episodes.statistics import FieldAccumulator
from embodio.datasets.errors import DatasetError
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.datasets.stream.mixture import Mixture
from embodio.datasets.tasks import UnknownTaskError, task_names, task_settings
from embodio.datasets.tasks.instruction_from_video import InstructionFromVideoConfig
from embodio.datasets.tasks.next_action import NextActionConfig
from embodio.datasets.tasks.next_frame import NextFrameConfig
from embodio.datasets.tasks.parts.input_config import InputConfig
from embodio.datasets.tasks.parts.task_config import TaskConfig
from embodio.datasets.tasks.plan import PlanConfig
from embodio.model.config.model import ModelConfig
from embodio.model.errors import ConfigError, ModelError
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.statistics import DatasetStatistics
from embodio.model.weights.weights import save_weights
from embodio.train.command_line.cli import compose
from embodio.train.command_line.schema import UsageError
from embodio.train.config import TrainConfig
from embodio.train.errors import TrainError
from embodio.train.experiments.policy import data as policy_data
from embodio.train.experiments.policy.data import gather
from embodio.train.identity import setting_differences
from embodio.train.log import read_log
from embodio.train.main import main, make_trainer, train
from embodio.train.task_config import MixtureSettings, SharedTaskSettings, SourceConfig
from tests.support.agent.two_robots import cart
from tests.support.datasets.toy import metadata_of, toy_rows, write_toy_dataset
from tests.support.model.small import CONFIG
from tests.support.train.runs import same_files, settings


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "near", 4, 7)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "far", 3, 5, name="far", seed=8)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose image tokeniser is small and knows nothing."""
    torch.manual_seed(0)
    config = ModelConfig.named("nano").replace(
        target_modalities=("text", "image"), image_tokenizer=CONFIG.image_tokenizer, image_vocab_size=128
    )
    folder = tmp_path_factory.mktemp("tokenizer")
    save_weights(UnifiedIO2(config, tokenizers=True), folder)
    return folder


def mixed(near: Path, far: Path, out: Path, **changes: Any) -> TrainConfig:
    sources = {"near": SourceConfig(str(near), 0.7), "far": SourceConfig(str(far), 0.2)}
    return dataclasses.replace(settings(near, out), **{"data": "", "sources": sources} | changes)


def weights(tasks: dict[str, float]) -> dict[str, TaskConfig]:
    """Settings of tasks by their weights; a task that is not there has those that all have."""
    known = task_names()
    return {name: (task_settings(name) if name in known else TaskConfig)(weight=tasks[name]) for name in tasks}


def test_all_tasks_of_two_data_sets_are_learned_together_and_resumed(
    near: Path, far: Path, tokenizer: Path, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {
        "tasks": {name: task_settings(name)() for name in task_names()}
        | {
            "next_action": NextActionConfig(goal_ahead=3),
            "instruction_from_video": InstructionFromVideoConfig(frames=3),
            "next_frame": NextFrameConfig(frames=2),
        },
        "task": SharedTaskSettings(
            inputs=InputConfig(
                history_frames=2, state=True, previous_actions=2, action_space=True, drop_state=0.3, drop_history=0.3
            ),
        ),
        "policy": PolicyConfig(
            cameras=("front", "hand"),
            chunk=2,
            goal_image=True,
            history_frames=1,
            previous_actions=2,
            prompt="{instruction} State: {state} {action_space} So far: {previous_actions}",
        ),
        "image_tokenizer": str(tokenizer),
        "prompt_tokens": 400,
        "batch_size": 8,
        "steps": 2,
        "checkpoint_every": 1,
    }
    assert train(mixed(near, far, tmp_path / "whole", **changes)) == 0
    lines = read_log(tmp_path / "whole" / "log.jsonl")
    whole = [line for line in lines if line["kind"] == "train" and "task" not in line]
    assert whole and all(np.isfinite(line["loss_image"]) for line in whole)
    validated = {line["task"] for line in lines if line["kind"] == "validation" and "task" in line}
    assert validated == {f"{source}/{task}" for source in ("near", "far") for task in task_names()}
    for workers in (0, 1):
        train(mixed(near, far, tmp_path / "parts", **changes, workers=workers, stop_after=1))
    assert same_files(tmp_path / "whole" / "checkpoint", tmp_path / "parts" / "checkpoint")
    agent = Agent.load(tmp_path / "whole" / "checkpoint")
    agent.reset(instruction="lift the cube")
    frames = {name: np.zeros((128, 128, 3), np.uint8) for name in ("front", "hand")}
    action = agent.act({**frames, "state": np.zeros(2, np.float32), "goal": np.zeros((128, 256, 3), np.uint8)})
    assert action.shape == (3,) and agent.imagine("lift the cube").shape == (128, 256, 3)


def rates_of(config: TrainConfig) -> dict[str, float]:
    return {name: validator.rate for name, validator in make_trainer(config).validators.items()}


def test_rates_are_the_products_of_weights_and_sum_to_one(near: Path, far: Path, tmp_path: Path) -> None:
    config = mixed(
        near, far, tmp_path, tasks={"next_action": NextActionConfig(weight=0.8), "plan": PlanConfig(weight=0.4)}
    )
    rates = rates_of(config)
    assert sum(rates.values()) == pytest.approx(1.0)
    assert rates["near/next_action"] == pytest.approx(7 / 9 * 2 / 3)
    assert rates["far/plan"] == pytest.approx(2 / 9 / 3)
    by_size = rates_of(dataclasses.replace(config, tasks={}, mixture=MixtureSettings(temperature=2.0)))
    ratio = 0.7 * (3 * 7) ** 0.5 / (0.2 * (2 * 5) ** 0.5)
    assert by_size["near/next_action"] / by_size["far/next_action"] == pytest.approx(ratio)
    shared = rates_of(dataclasses.replace(config, mixture=MixtureSettings(categories={"near": 1, "far": 3})))
    assert shared["near/next_action"] + shared["near/plan"] == pytest.approx(0.25)
    once = dataclasses.replace(config, tasks={}, mixture=MixtureSettings(mode="epoch"))
    assert rates_of(once)["near/next_action"] == pytest.approx(21 / 31)
    epoch = make_trainer(once)
    task = epoch.batches._task
    assert isinstance(task, Mixture) and len({task.place(0, position) for position in range(31)}) == 31


def test_one_robot_has_one_scale_and_two_robots_have_two(near: Path, far: Path, tmp_path: Path) -> None:
    other = write_toy_dataset(tmp_path / "other", 3, 4, name="other", seed=9)
    robot = json.loads((other / "embodiment.json").read_text())
    robot["name"] = "another"
    (other / "embodiment.json").write_text(json.dumps(robot))
    config = mixed(near, far, tmp_path / "run")
    third = SourceConfig(str(other), cameras=("hand",), holdout=2)
    config = dataclasses.replace(config, sources={**config.sources, "other": third}, robot="other", steps=1)
    trainer = make_trainer(config)
    found = gather(config, trainer.bundle.policy_format.vocabulary)
    assert found.formats["near"].statistics == found.formats["far"].statistics
    assert found.formats["near"].statistics != found.formats["other"].statistics
    written = trainer.bundle.policy_format
    assert written.embodiment.name == "another" and written.camera_names == ("hand",)
    assert trainer.train()
    folder = tmp_path / "run" / "checkpoint"
    assert Agent.load(folder).format.embodiment.name == "another"
    assert sorted(path.name for path in (folder / "robots").iterdir()) == ["near", "other"]  # near and far are alike
    frames = {name: np.zeros((128, 128, 3), np.uint8) for name in ("front", "hand")}
    for robot in (open_source(near).embodiment, open_source(other).embodiment):
        agent = Agent.load(folder, embodiment=robot)
        agent.reset("lift the cube")
        assert agent.embodiment == robot and agent.act({**frames, "state": np.zeros(2, np.float32)}).shape == (3,)
    assert agent.format.statistics == found.formats["other"].statistics
    unnamed = dataclasses.replace(config, robot="", out=str(tmp_path / "unnamed"))
    assert make_trainer(unnamed).train()
    with pytest.raises(CheckpointError, match=r"several robots: near \(toy\), other \(another\)"):
        Agent.load(tmp_path / "unnamed" / "checkpoint")
    follow = dataclasses.replace(config, init=str(folder), robot="", out=str(tmp_path / "follow"), steps=2)
    assert train(follow) == 0 and train(dataclasses.replace(follow, init="")) == 0


def write_cart_dataset(folder: Path, episodes: int, steps: int) -> Path:
    """Episodes of random pictures and numbers of the cart, which has another camera, state and action than the toy."""
    robot, generator = cart(), np.random.default_rng(3)
    with RLDSWriter(folder, "cart", features_of(robot)) as writer:
        for episode in range(episodes):
            rows = []
            for row in toy_rows(generator, steps):
                kept = {key: value for key, value in row.items() if not key.startswith("observation")}
                action = generator.uniform(-2.0, 3.0, 5).astype(np.float32)
                seen = {
                    "observation/top": generator.integers(0, 256, (96, 160, 3), dtype=np.uint8),
                    "observation/state": generator.uniform(-1, 1, 3).astype(np.float32),
                }
                rows.append({**kept, **seen, "action": action, "expert_action": action})
            writer.add(rows, metadata_of(episode))
    robot.save(folder / "embodiment.json")
    return folder


def test_one_network_learns_two_robots_and_acts_for_both(near: Path, tmp_path: Path) -> None:
    sources = {"toy": SourceConfig(str(near)), "cart": SourceConfig(str(write_cart_dataset(tmp_path / "cart", 3, 5)))}
    policy = PolicyConfig(cameras=("all",), chunk=2, history_frames=1, action_bins=51)
    changes = {"data": "", "sources": sources, "policy": policy, "steps": 2, "holdout": 1, "batch_size": 4}
    config = dataclasses.replace(settings(near, tmp_path / "run"), **changes)
    assert train(config) == 0
    folder = tmp_path / "run" / "checkpoint"
    for name, robot in (("toy", open_source(near).embodiment), ("cart", cart())):
        agent = Agent.load(folder, embodiment=robot)
        assert agent.robot == name and agent.observation_keys == [*(c.name for c in robot.cameras), "state"]
        agent.reset("go")
        seen = {c.name: np.zeros((c.height, c.width, 3), np.uint8) for c in robot.cameras}
        action = agent.act({**seen, "state": np.zeros(len(robot.state), np.float32)})
        assert action.shape == (len(robot.action.dimensions),)
        held_out = read_log(tmp_path / "run" / "log.jsonl")
        assert any(line.get("task") == f"{name}/next_action" for line in held_out)


def test_a_data_set_may_be_augmented_differently(near: Path, far: Path, tmp_path: Path) -> None:
    run = mixed(near, far, tmp_path / "run", augment=AugmentConfig(hue=90.0, synonyms=("pick up|take",)))
    run = dataclasses.replace(run, sources=run.sources | {"far": SourceConfig(str(far), augment={"hue": 0})})
    opened = {one.name: one for one in policy_data.open_sources(run)}
    assert opened["near"].augment == run.augment
    assert opened["far"].augment == dataclasses.replace(run.augment, hue=0.0)
    wrong = dataclasses.replace(run, sources={"far": SourceConfig(str(far), augment={"hues": 0})})
    with pytest.raises(ConfigError, match=r"sources\.far\.augment has no field 'hues'; did you mean 'hue'"):
        policy_data.open_sources(wrong)


def test_a_data_set_whose_name_cannot_be_that_of_a_robot_is_refused(near: Path, tmp_path: Path) -> None:
    other = write_toy_dataset(tmp_path / "other", 3, 4, name="other", seed=9)
    robot = json.loads((other / "embodiment.json").read_text()) | {"name": "another"}
    (other / "embodiment.json").write_text(json.dumps(robot))
    sources = {"near": SourceConfig(str(near)), "../other": SourceConfig(str(other))}
    with pytest.raises(CheckpointError, match=r"robots: the name '\.\./other'"):
        make_trainer(dataclasses.replace(settings(near, tmp_path / "run"), data="", sources=sources))


def test_text_is_never_cut_and_mistakes_have_names(near: Path, far: Path, tmp_path: Path) -> None:
    for tasks, error, match in (
        ({"next_action": 0.0}, DatasetError, "weight of 'next_action': got 0"),
        ({"next_action": -1.0}, DatasetError, "expected a positive number"),
        ({"plan": float("nan")}, DatasetError, "weight of 'plan': got nan"),
        ({"next_acton": 1.0}, UnknownTaskError, "next_acton.*next_action"),
    ):
        with pytest.raises(error, match=match):
            make_trainer(mixed(near, far, tmp_path, tasks=weights(tasks)))
    with pytest.raises(UsageError, match="image_tokenizer: goal_image needs one"):
        mixed(near, far, tmp_path, tasks=weights({"goal_image": 1.0}))
    with pytest.raises(UsageError, match=r"no task draws.*got 'somewhere'"):
        mixed(near, far, tmp_path, image_tokenizer="somewhere")
    with pytest.raises(UsageError, match="robot: got 'nobody', expected one of the sources: near, far"):
        mixed(near, far, tmp_path, robot="nobody")
    with pytest.raises(UsageError, match="data: give data="):
        dataclasses.replace(mixed(near, far, tmp_path), data=str(near))
    with pytest.raises(UsageError, match="give both or none"):
        SharedTaskSettings(idle_action=0.1)
    short = make_trainer(mixed(near, far, tmp_path, answer_tokens=4))
    with pytest.raises(DatasetError, match=r"episode \d+, step \d+: the answer has 7 tokens.*raise answer_tokens"):
        short.batches.make(0)
    keys = {"near": SourceConfig(str(near)), "far": SourceConfig(str(far), action_key="expert_action")}
    with pytest.raises(TrainError, match="must imitate the same field"):
        make_trainer(mixed(near, far, tmp_path, sources=keys))
    save_weights(UnifiedIO2(ModelConfig.named("nano")), tmp_path / "blind")
    with pytest.raises((TrainError, ModelError), match="image_tokenizer"):
        make_trainer(
            mixed(near, far, tmp_path, tasks=weights({"goal_image": 1.0}), image_tokenizer=str(tmp_path / "blind"))
        )


def test_a_dimension_that_moves_too_rarely_for_quantiles_is_refused(
    near: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot = open_source(near).embodiment
    values = np.random.default_rng(0).uniform(-0.2, 0.2, (1000, 3)).astype(np.float32)
    values[1:, 1] = 0.0
    accumulators = FieldAccumulator(), FieldAccumulator()
    accumulators[0].update(values)
    accumulators[1].update(np.abs(values[:, :2]))
    dimensions = {"action": robot.action.dimensions, "state": robot.state}
    fields = {
        name: accumulator.finish(tuple(d.name for d in dimensions[name]))
        for name, accumulator in zip(dimensions, accumulators, strict=True)
    }
    monkeypatch.setattr(policy_data, "policy_statistics", lambda alike: DatasetStatistics(fields, "made"))
    config = settings(near, tmp_path)
    for kind in ("limits", "minmax"):
        make_trainer(dataclasses.replace(config, policy=dataclasses.replace(config.policy, action_range=kind)))
    config = dataclasses.replace(config, policy=dataclasses.replace(config.policy, action_range="quantiles"))
    with pytest.raises(TrainError, match=r"action_range: turn changes in so few steps.*minmax"):
        make_trainer(config)


def test_idle_steps_are_left_out_where_asked(near: Path, tmp_path: Path) -> None:
    config = settings(near, tmp_path)
    everything = make_trainer(config).batches._task
    filtered = SharedTaskSettings(idle_action=0.4, idle_state=0.8)
    busy = make_trainer(dataclasses.replace(config, task=filtered)).batches._task
    assert 0 < len(busy) < len(everything)


def test_a_mixture_on_the_command_line() -> None:
    config = compose(
        TrainConfig,
        [
            "out=o",
            "sources.a.data=data/a,1",
            "sources.a.weight=3",
            "sources.b={data:b,cameras:[x,y]}",
            "tasks={next_action:0.7,plan:0.2}",
            "tasks.plan.longest=100",
            "mixture.categories={a:1,b:2}",
            "task.inputs.state=true",
        ],
    )
    assert config.sources == {
        "a": SourceConfig("data/a,1", 3.0),
        "b": SourceConfig("b", cameras=("x", "y")),
    }
    assert config.tasks == {"next_action": NextActionConfig(weight=0.7), "plan": PlanConfig(weight=0.2, longest=100)}
    assert config.mixture.categories == {"a": 1.0, "b": 2.0}
    assert config.task.inputs.state
    for argument, match in (
        ("sources.a.wieght=1", r"no key 'sources.a.wieght'. Did you mean 'weight'"),
        ("sources.a.weight=much", r"'sources.a.weight' must be a float, got 'much'"),
        ("sources.a=x", r"'sources.a' is a group of keys"),
        ("sources.a.weight=2", r"'sources.a.data' must be given"),
        ("tasks.plan=often", r"'tasks.plan.weight' must be a float, got 'often'"),
        ("tasks.plan.longest=often", r"'tasks.plan.longest' must be an int, got 'often'"),
        ("tasks.plan.longst=9", r"no key 'tasks.plan.longst'. Did you mean 'longest'"),
        ("tasks.pln=1", r"no key 'tasks.pln'. Did you mean 'tasks.plan'.* Known: action_right"),
    ):
        with pytest.raises(UsageError, match=match):
            compose(TrainConfig, ["out=o", argument])


def test_ranges_of_steps_on_the_command_line() -> None:
    given = ["out=o", "data=d", "task.lowest={state/z:0}", "task.highest={state/z:1.5,action:1}"]
    rules = compose(TrainConfig, given).task.rules("action")
    assert rules.ranges == {"action": (-np.inf, 1.0), "state/z": (0.0, 1.5)}
    with pytest.raises(UsageError, match=r"ranges.state: got \[3.0, 1.0\]"):
        compose(TrainConfig, ["out=o", "data=d", "task.lowest.state=3", "task.highest.state=1"])


@pytest.mark.parametrize("order", [1, -1])
def test_a_rate_in_a_file_is_kept_when_a_setting_is_given(tmp_path: Path, order: int) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "two.yaml").write_text("tasks: {plan: 0.2, next_action: 0.8}\n")
    given = ["out=o", "data=d", "experiment=two", *["tasks.plan.longest=9", "tasks.next_action=0.7"][::order]]
    config = compose(TrainConfig, given, config_dir=tmp_path)
    assert config.tasks == {"plan": PlanConfig(weight=0.2, longest=9), "next_action": NextActionConfig(weight=0.7)}


def test_the_help_shows_all_tasks_and_the_settings_of_those_that_are_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data=d", "tasks.plan=1", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"tasks.{name} " in shown for name in task_names())
    assert "tasks.plan.longest" in shown and "tasks.next_frame.stride" not in shown


def test_settings_that_are_new_do_not_stop_a_run() -> None:
    config = TrainConfig(out="o", data="d", tasks={"plan": PlanConfig(weight=0.5)})
    saved = json.loads(json.dumps(dataclasses.asdict(config)))
    del saved["tasks"]["plan"]["longest"]
    assert setting_differences(saved, config) == []
    saved["tasks"]["plan"]["weight"] = 0.4
    assert setting_differences(saved, config) == ["tasks.plan.weight=0.4, but tasks.plan.weight=0.5 was asked for"]
