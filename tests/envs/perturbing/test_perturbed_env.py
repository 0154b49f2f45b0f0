"""Perturbed environments: pure functions of the seed, that leave nothing behind, for any MuJoCo model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embodio.envs import make_env
from embodio.envs.perturbations import PERTURBATIONS
from embodio.envs.perturbing.conditions import PerturbationError, conditions
from embodio.envs.perturbing.perturbed_env import PerturbedEnv
from embodio.envs.perturbing.wordings import wordings_of
from tests.support.envs.small_mujoco import SmallEnv

EVERYTHING = "+".join(f"{name}:3" for name in PERTURBATIONS)


def perturbed(condition: str, randomise: bool = False) -> tuple[PerturbedEnv, SmallEnv]:
    env = SmallEnv()
    return PerturbedEnv(env, "small/lift", condition, randomise), env


def episode(condition: str, seed: int, env: tuple[PerturbedEnv, SmallEnv] | None = None) -> dict[str, Any]:
    """All that an episode of three steps shows."""
    outer, inner = env or perturbed(condition)
    observations = [outer.reset(seed=seed)[0]]
    observations += [outer.step(np.array([0.5, 1.0], np.float32))[0] for _ in range(3)]
    places = [shape.position for shape in inner.decorations]
    return {
        "images": np.stack([one["front"] for one in observations]),
        "words": [one["instruction"] for one in observations],
        "executed": np.array(inner.executed),
        "places": np.array(places),
        **inner.look(),
    }


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_the_ten_are_listed() -> None:
    assert sorted(PERTURBATIONS) == sorted(
        ["camera", "light", "texture", "colour", "distractors", "noise", "blur", "delay", "start", "wording"]
    )


@pytest.mark.parametrize("name", sorted(PERTURBATIONS))
def test_each_is_a_function_of_the_seed_and_changes_something(name: str) -> None:
    env = perturbed(f"{name}:3")
    first = episode("", 7, env)
    plain = perturbed(f"{name}:3")
    plain[0]._levels = {}
    assert not same(first, episode("", 7, plain))
    other = episode("", 8, env)
    assert same(episode("", 7, env), first), "whatever happened before"
    assert same(episode(f"{name}:3", 7), first), "and in any process"
    if name not in ("delay", "blur"):  # which have nothing to draw
        assert not same(other, first)


def test_the_scene_is_as_it_was_without_perturbation() -> None:
    outer, inner = perturbed("camera:5+light:5+texture:5+colour:5+distractors:5")
    before = inner.look()
    outer.reset(seed=1)
    assert not same(inner.look(), before) and inner.decorations
    outer._levels = {}
    outer.reset(seed=2)
    assert same(inner.look(), before) and not inner.decorations
    assert sorted(inner.uploaded) == [0, 0, 1, 1], "each texture once to change it and once to restore it"


def test_a_higher_level_is_the_same_change_but_stronger() -> None:
    moved = []
    for level in range(1, 6):
        outer, inner = perturbed(f"camera:{level}")
        before = inner.look()["cam_pos"]
        outer.reset(seed=3)
        moved.append((inner.look()["cam_pos"] - before)[0])
    lengths = [float(np.linalg.norm(step)) for step in moved]
    assert lengths == pytest.approx([0.01, 0.02, 0.03, 0.05, 0.08])
    assert all(np.allclose(step / length, moved[0] / lengths[0]) for step, length in zip(moved, lengths, strict=True))


def test_the_robot_is_neither_recoloured_nor_covered() -> None:
    outer, inner = perturbed("texture:5+colour:5+distractors:5")
    robot = [inner.model.geom(name).id for name in ("base", "link")]
    before = inner.model.geom_rgba[robot].copy()
    outer.reset(seed=5)
    assert np.array_equal(inner.model.geom_rgba[robot], before)
    paint = inner.mujoco_world().texture(inner.model.texture("paint").id)
    assert paint[0, 0, 0] < 100, "the red cube is not red any more"
    for shape in inner.decorations:
        assert np.hypot(*shape.position[:2]) >= 0.08, "the cube is at the origin"
        assert 0.05 < shape.position[2] < 0.08, "on the table, whose top is at 0.05"


def test_delay_and_start() -> None:
    outer, inner = perturbed("delay:2")
    outer.reset(seed=1)
    for value in (0.1, 0.2, 0.3):
        outer.step(np.array([value, 1.0], np.float32))
    assert inner.executed == [[0.0, -1.0], [0.0, -1.0], [pytest.approx(0.1), 1.0]]
    outer, inner = perturbed("start:5")
    outer.reset(seed=1)
    assert len(inner.executed) == 4 and {step[1] for step in inner.executed} == {-1.0}, "with an open gripper"
    assert len({step[0] for step in inner.executed}) == 1 and 0 < abs(inner.executed[0][0]) <= 1


def test_words() -> None:
    for level in range(1, 6):
        outer, _ = perturbed(f"wording:{level}")
        said = {outer.reset(seed=seed)[0]["instruction"] for seed in range(500)}
        assert said == set(wordings_of("lift the red cube", level))
    held_out = {text for level in (3, 4, 5) for text in wordings_of("lift the red cube", level)}
    outer, _ = perturbed("wording:5", randomise=True)
    drawn = {outer.reset(seed=seed)[0]["instruction"] for seed in range(60)}
    assert "lift the red cube" in drawn and len(drawn) > 5 and not drawn & held_out


def test_levels_of_domain_randomisation_are_drawn_for_every_episode() -> None:
    outer, inner = perturbed("camera:5", randomise=True)
    before = inner.look()["cam_pos"]
    lengths = []
    for seed in range(40):
        outer.reset(seed=seed)
        lengths.append(round(float(np.linalg.norm(inner.look()["cam_pos"] - before)), 6))
    assert set(lengths) == {0.0, 0.01, 0.02, 0.03, 0.05, 0.08}


def test_conditions_as_typed() -> None:
    assert conditions("camera, light:5,noise+blur:1", 2) == ("camera:2", "light:5", "blur:1+noise:2")
    assert conditions("all", 3) == tuple(f"{name}:3" for name in sorted(PERTURBATIONS))
    assert conditions("", 3) == ()
    with pytest.raises(PerturbationError, match=r"no perturbation 'color'. Did you mean 'colour'"):
        conditions("color", 3)
    for text in ("camera:0", "camera:6", "camera:x"):
        with pytest.raises(PerturbationError, match=r"level .* of camera; expected one of 1, 2, 3, 4, 5"):
            conditions(text, 3)


@pytest.mark.sim
def test_lift_in_pixels() -> None:
    env = make_env("robosuite/lift", perturb="camera:3+light:3+texture:3+colour:3+distractors:3")
    usual = make_env("robosuite/lift")
    first = env.reset(seed=1)[0]
    other = env.reset(seed=2)[0]
    again = env.reset(seed=1)[0]
    plain = usual.reset(seed=1)[0]
    for camera in ("agentview", "wrist"):
        assert np.array_equal(first[camera], again[camera])
        assert not np.array_equal(first[camera], other[camera])
        assert not np.array_equal(first[camera], plain[camera])
    assert np.array_equal(first["state"], plain["state"]), "only what is seen has changed"
    env.close()
    usual.close()


def test_a_prompt_with_pictures_is_worded_around_them() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)

    class Shown(SmallEnv):
        def observe(self) -> dict[str, Any]:
            return {**super().observe(), "instruction": ["Rearrange to this", picture, "."]}

    said = PerturbedEnv(Shown(), "vima/rearrange", "wording:4").reset(seed=1)[0]["instruction"]
    assert said[0] == "Make the table look like" and said[1] is picture and said[2:] == ["."]
