"""A run knows its inputs: it goes on with the same only, and says field by field what differs."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.episodes.digests import DIGITS, episode_digests
from embodio.datasets.episodes.features import features_of
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.datasets.tasks.next_action import NextActionConfig
from embodio.datasets.tasks.next_state import NextStateConfig
from embodio.datasets.tasks.plan import PlanConfig
from embodio.model.config.sizes import SIZES
from embodio.model.weights.checksums import SUMS_FILE, write_sums
from embodio.train.config import TrainConfig
from embodio.train.errors import ResumeError
from embodio.train.experiments.policy import identity as identity_module
from embodio.train.identity import setting_differences
from embodio.train.main import make_trainer, train
from embodio.train.task_config import SourceConfig
from tests.support.agent.policies import make_embodiment
from tests.support.datasets.toy import metadata_of, toy_rows, write_toy_dataset
from tests.support.train.runs import same_files, settings

Rows = list[list[dict[str, object]]]


def episodes(count: int = 5, steps: int = 4, seed: int = 7) -> Rows:
    generator = np.random.default_rng(seed)
    return [toy_rows(generator, steps) for _ in range(count)]


def write(folder: Path, rows: Rows, **robot: Any) -> Path:
    """Writes a data set, in the place of one that may be there."""
    shutil.rmtree(folder, ignore_errors=True)
    embodiment = dataclasses.replace(make_embodiment(), **robot)
    with RLDSWriter(folder, "toy", features_of(embodiment)) as writer:
        for episode in rows:
            writer.add(episode, metadata_of(0))
    embodiment.save(folder / "embodiment.json")
    return folder


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/ and a run/ of two steps of six."""
    folder = tmp_path_factory.mktemp("begun")
    write(folder / "data", episodes())
    assert train(settings(folder / "data", folder / "run", stop_after=2)) == 0
    return folder


@pytest.fixture
def place(begun: Path, tmp_path: Path) -> Path:
    return shutil.copytree(begun, tmp_path / "copy")


def grown(rows: Rows) -> Rows:
    return rows + episodes(2, seed=9)


def shrunk(rows: Rows) -> Rows:
    return rows[:-1]


def reordered(rows: Rows) -> Rows:
    return [rows[1], rows[0], *rows[2:]]


def replaced(rows: Rows) -> Rows:
    return episodes(len(rows), seed=11)


def relabelled(rows: Rows) -> Rows:
    return [[{**row, "language_instruction": "drop the cube"} for row in episode] for episode in rows]


def one_word(rows: Rows) -> Rows:
    rows[3][2]["language_instruction"] = "lift the tube"
    return rows


def one_pixel(rows: Rows) -> Rows:
    rows[2][1]["observation/front"] = np.flip(rows[2][1]["observation/front"])  # type: ignore[call-overload]
    return rows


def one_number(rows: Rows) -> Rows:
    rows[4][3]["action"] = np.asarray(rows[4][3]["action"]) * np.float32(0.99)
    return rows


def shorter(rows: Rows) -> Rows:
    return [rows[0][:-1], *rows[1:]]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (grown, "episodes: were 5, are 7; those that were there are the same"),
        (shrunk, "episodes: were 5, are 4; those that are left are the same"),
        (reordered, "episodes: the same 5 in another order"),
        (replaced, r"episodes: 5 have other content, the first is number 0 \(0 of 5 were there"),
        (relabelled, "episodes: 5 have other content"),
        (one_word, "episodes: 1 have other content, the first is number 3"),
        (one_pixel, "episodes: 1 have other content, the first is number 2"),
        (one_number, "episodes: 1 have other content, the first is number 4"),
        (shorter, r"(?s)episodes: 1 have other content.*episodes\.steps: was 20, is 19"),
    ],
)
def test_other_data_is_refused(place: Path, change: Callable[[Rows], Rows], match: str) -> None:
    write(place / "data", change(episodes()))
    before = (place / "run" / "checkpoint" / "training.json").read_bytes()
    with pytest.raises(ResumeError, match=match) as caught:
        train(settings(place / "data", place / "run"))
    assert f"init={place / 'run' / 'checkpoint'} and another out=" in str(caught.value)
    assert (place / "run" / "checkpoint" / "training.json").read_bytes() == before


def test_the_same_data_at_another_place_is_gone_on_with(place: Path, begun: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", episodes())
    assert train(settings(tmp_path / "elsewhere", place / "run")) == 0
    assert train(settings(begun / "data", tmp_path / "whole")) == 0
    assert same_files(place / "run" / "checkpoint", tmp_path / "whole" / "checkpoint")


def test_a_change_that_leaves_size_and_time_is_seen(place: Path) -> None:
    """As copying with kept times does; the digests that lie with the data are not believed then."""
    shard = next((place / "data").glob("*tfrecord*"))
    status = shard.stat()
    first = episode_digests(open_source(place / "data"))
    assert episode_digests(open_source(place / "data")) == first and len(first[0]) == DIGITS
    write(place / "other", relabelled(episodes()))
    other = next((place / "other").glob("*tfrecord*"))
    assert other.stat().st_size == status.st_size
    shutil.copy(other, shard)
    os.utime(shard, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not set(first) & set(episode_digests(open_source(place / "data")))


@pytest.mark.parametrize(
    ("robot", "match"),
    [
        ({"control_hz": 20.0}, r"embodiment\.control_hz: was 10\.0, is 20\.0"),
        ({"name": "other"}, r"embodiment\.name: was toy, is other"),
    ],
)
def test_another_robot_is_refused(place: Path, robot: dict[str, Any], match: str) -> None:
    write(place / "data", episodes(), **robot)
    with pytest.raises(ResumeError, match=match):
        train(settings(place / "data", place / "run"))


def test_other_limits_are_refused_by_the_name_of_the_dimension(place: Path) -> None:
    path = place / "data" / "embodiment.json"
    robot = json.loads(path.read_text())
    robot["action"]["dimensions"][0]["low"] = -2.0
    path.write_text(json.dumps(robot))
    with pytest.raises(ResumeError, match=r"embodiment\.action\.dimensions\.x\.low: was -1\.0, is -2\.0"):
        train(settings(place / "data", place / "run"))


def test_settings_and_data_that_differ_are_listed_together(place: Path) -> None:
    write(place / "data", grown(episodes()))
    with pytest.raises(ResumeError, match=r"(?s)batch_size=4, but batch_size=5.*holdout=1, but.*episodes: were 5"):
        train(settings(place / "data", place / "run", batch_size=5, holdout=2))
    with pytest.raises(ResumeError, match="tasks"):
        train(settings(place / "data", place / "run", tasks={"next_action": NextActionConfig(), "plan": PlanConfig()}))


def test_mixtures_name_the_set_that_differs(tmp_path: Path) -> None:
    near, far = write(tmp_path / "near", episodes()), write(tmp_path / "far", episodes(4, seed=8))
    sources = {"near": SourceConfig(str(near)), "far": SourceConfig(str(far))}
    config = dataclasses.replace(settings(near, tmp_path / "run", stop_after=1), data="", sources=sources)
    assert train(config) == 0
    write(far, one_word(episodes(4, seed=8)))
    with pytest.raises(ResumeError, match=r"sources\.far\.episodes: 1 have other content") as caught:
        train(config)
    assert "sources.near" not in str(caught.value)
    swapped = {"near": SourceConfig(str(far)), "far": SourceConfig(str(near))}
    with pytest.raises(ResumeError, match=r"(?s)sources\.near\.episodes.*sources\.far\.episodes"):
        train(dataclasses.replace(config, sources=swapped))
    more = {**sources, "third": SourceConfig(str(near))}
    with pytest.raises(ResumeError, match=r"sources\.third: is new"):
        train(dataclasses.replace(config, sources=more))


def edit_state(place: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = place / "run" / "checkpoint" / "training.json"
    state = json.loads(path.read_text())
    change(state)
    path.write_text(json.dumps(state))
    write_sums(path.parent)


def test_a_run_without_an_identity_goes_on_with_a_warning_and_is_compared_by_its_statistics(place: Path) -> None:
    edit_state(place, lambda state: state.pop("identity"))
    (place / "run" / "checkpoint" / SUMS_FILE).unlink()
    other = shutil.copytree(place, place.with_name("other"))
    with pytest.warns(UserWarning, match="does not say what data it was trained on"):
        assert train(settings(place / "data", place / "run")) == 0
    write(other / "data", grown(episodes()))
    with pytest.warns(UserWarning), pytest.raises(ResumeError, match=r"statistics\.action\.count: was 20, is 28"):
        train(settings(other / "data", other / "run"))


def test_other_versions_are_warned_of_and_other_examples_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit_state(place, lambda state: state["identity"]["libraries"].update(torch="1.0"))
    with pytest.warns(UserWarning, match=r"torch 1\.0 -> .*not to the same bits"):
        assert train(settings(place / "data", place / "run", stop_after=1)) == 0
    was = identity_module.EXAMPLES_REVISION
    monkeypatch.setattr(identity_module, "EXAMPLES_REVISION", 99)
    with pytest.raises(ResumeError, match=f"examples: was {was}, is 99"):
        train(settings(place / "data", place / "run"))


def test_a_run_keeps_its_vocabulary(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(settings(place / "data", place / "run"))
    assert trainer.bundle.policy_format.vocabulary.fingerprint == trainer.run.identity["vocabulary"]
    edit_state(place, lambda state: state["identity"].update(vocabulary="0" * 64))
    with pytest.raises(ResumeError, match="vocabulary: was 000"):
        train(settings(place / "data", place / "run"))


def test_cameras_by_name_or_all_are_the_same_run(place: Path) -> None:
    policy = settings(place / "data", place / "run").policy
    assert train(settings(place / "data", place / "run", policy=dataclasses.replace(policy, cameras=("all",)))) == 0
    with pytest.raises(ResumeError, match=r'policy\.cameras: was \["front", "hand"\], is \["hand"\]'):
        train(settings(place / "data", place / "run", policy=dataclasses.replace(policy, cameras=("hand",))))


def test_a_finished_run_is_extended(begun: Path, tmp_path: Path) -> None:
    data, out = begun / "data", tmp_path / "run"
    assert train(settings(data, out, steps=2)) == 0
    with pytest.raises(ResumeError, match="steps=2, but steps=1"):
        train(settings(data, out, steps=1))
    assert train(settings(data, out, steps=5)) == 0
    state = json.loads((out / "checkpoint" / "training.json").read_text())
    assert state["step"] == 5 and state["config"]["steps"] == 5
    with pytest.raises(ResumeError, match="steps=5, but steps=2"):
        train(settings(data, out, steps=2))
    shutil.copytree(out, tmp_path / "again")
    for steps in (7, 7):
        assert train(settings(data, out, steps=steps)) == 0
    for stop in (1, 1):
        train(settings(data, tmp_path / "again", steps=7, stop_after=stop))
    assert same_files(out / "checkpoint", tmp_path / "again" / "checkpoint")


def test_digests_of_every_layout_are_stable(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", 3, 4)
    found = episode_digests(open_source(folder))
    assert len(set(found)) == 3
    side = list(folder.rglob("digests-*.json"))
    assert side
    for path in side:
        path.unlink()
    assert episode_digests(open_source(folder)) == found


OLD_TASK = {
    "goal_ahead": 0,
    "sub_goal_ahead": 8,
    "frames": 1,
    "stride": 1,
    "state_ahead": 3,
    "video_frames": 4,
    "right": 0.5,
    "longest_plan": 255,
}


def test_settings_of_tasks_are_compared_wherever_a_checkpoint_keeps_them() -> None:
    """Once they were the keys task.*, and a task was its weight alone."""
    tasks = {"next_state": NextStateConfig(weight=0.3, ahead=3), "next_action": NextActionConfig(weight=2.0)}
    config = TrainConfig(out="o", data="d", tasks=dict(tasks))
    saved = dataclasses.asdict(config)
    old = {**saved, "tasks": {"next_state": 0.3, "next_action": 2.0}, "task": saved["task"] | OLD_TASK}
    assert setting_differences(old, config) == setting_differences(saved, config) == []
    [line] = setting_differences({**old, "task": old["task"] | {"state_ahead": 1}}, config)
    assert "tasks.next_state.ahead=1, but tasks.next_state.ahead=3" in line
    usual = TrainConfig(out="o", data="d")
    plain = {**dataclasses.asdict(usual), "task": saved["task"] | OLD_TASK}
    assert setting_differences(plain, usual) == []
    ahead = {**plain, "task": plain["task"] | {"goal_ahead": 5}}
    assert setting_differences(ahead, usual) != []
    again = dataclasses.replace(usual, tasks={"next_action": NextActionConfig(goal_ahead=5)})
    assert setting_differences(ahead, again) == []


def test_a_size_that_means_another_network_since_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = SIZES["nano"]
    monkeypatch.setitem(SIZES, "nano", lambda rows: {**made(rows), "code_dropout": 0.5})
    with pytest.raises(ResumeError, match=r"network\.code_dropout: was 0\.0, is 0\.5"):
        train(settings(place / "data", place / "run"))


def rewrite(checkpoint: Path, change: Callable[[Any], Any]) -> None:
    """Changes the identity in a checkpoint, with checksums that hold."""
    state = json.loads((checkpoint / "training.json").read_text())
    change(state["identity"])
    (checkpoint / "training.json").write_text(json.dumps(state))
    write_sums(checkpoint, [path.name for path in checkpoint.iterdir() if path.name != SUMS_FILE])


def test_a_run_goes_on_though_networks_have_a_new_field(place: Path) -> None:
    rewrite(place / "run" / "checkpoint", lambda identity: identity["network"].pop("code_dropout"))
    assert train(settings(place / "data", place / "run", stop_after=1)) == 0


@pytest.mark.parametrize("network", ["x", None, [1], {}, {"transformer": 3}])
def test_a_network_that_is_none_is_damage(place: Path, network: Any) -> None:
    rewrite(place / "run" / "checkpoint", lambda identity: identity.update(network=network))
    with pytest.raises(ResumeError, match=r"training\.json is damaged: identity\.network: "):
        train(settings(place / "data", place / "run"))
