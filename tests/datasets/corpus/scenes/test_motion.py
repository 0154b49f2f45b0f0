"""Plays: what is told and heard is what happened."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.corpus.scenes.impacts import Impact, ImpactRecorder, loudness, sound_of
from embodio.datasets.corpus.scenes.motion import Take, draw_play, heard, story
from embodio.datasets.corpus.scenes.things import Surroundings, Thing, draw_surroundings
from embodio.datasets.corpus.scenes.world import TIME_STEP, TableWorld, make_world
from embodio.datasets.corpus.source import CorpusItem, LeftOut
from embodio.datasets.corpus.sources.collisions import Collisions


def surroundings(**changes: object) -> Surroundings:
    return replace(draw_surroundings(np.random.default_rng(0)), **{"table": "wooden", **changes})  # type: ignore[arg-type]


def ball(material: str, height: float = 0.3, **changes: object) -> Thing:
    plain = Thing("ball", "red", (1, 0, 0), material, "medium-sized", 0.04, (0.0, 0.0, height), 0.0)
    return replace(plain, **changes)  # type: ignore[arg-type]


def simulated(things: list[Thing], seconds: float = 1.5) -> tuple[TableWorld, list[Impact]]:
    world = make_world(things, surroundings())
    recorder = ImpactRecorder(world)
    for _ in range(round(seconds / TIME_STEP)):
        world.step()
        recorder.notice()
    return world, recorder.impacts()


def test_a_fall_is_heard_when_it_ends() -> None:
    _, impacts = simulated([ball("rubber")])
    expected = np.sqrt(2 * (0.3 - 0.04) / 9.81)
    assert abs(impacts[0].time - expected) < 0.02
    assert len(impacts) > 1 and impacts[0].impulse > 1.5 * impacts[1].impulse  # it bounces, lower each time
    assert {(impact.one, impact.other) for impact in impacts} == {(0, -1)}


def test_what_rests_is_silent_and_what_is_hit_is_told() -> None:
    standing = ball("wooden", 0.0405, position=(0.1, 0.0, 0.0405), colour="blue")
    _, impacts = simulated([standing], 0.5)
    assert impacts == []
    moving = ball("metal", 0.0405, position=(-0.15, 0.0, 0.0405), velocity=(1.0, 0.0, 0.0))
    world, impacts = simulated([moving, standing], 0.6)
    assert any({impact.one, impact.other} == {0, 1} for impact in impacts)
    take = Take(world, np.zeros((1, 8, 8, 3), np.uint8), tuple(impacts), ())
    assert "a red ball hits a blue ball" in story(take) and "a red ball rolls into a blue ball" in story(take)


def test_materials_sound_apart() -> None:
    generator = np.random.default_rng(0)
    rings = {}
    for material in ("rubber", "wooden", "metal"):
        world = make_world([ball(material)], surroundings(table="rubber"))
        wave = sound_of(world, [Impact(0.1, 0, -1, 1.0)], 1.0, generator)
        assert wave.dtype == np.float32 and wave.size == 16000 and np.abs(wave).max() <= 0.951
        assert np.abs(wave[:1600]).max() < 0.01 < 0.1 < np.abs(wave[1600:2400]).max()
        rings[material] = float((wave[6400:] ** 2).mean())
    assert rings["metal"] > 20 * rings["wooden"] and rings["metal"] > 20 * rings["rubber"]


def test_stronger_impacts_are_louder() -> None:
    levels = [loudness(Impact(0, 0, -1, impulse)) for impulse in (1e-4, 0.01, 0.1, 1.0, 100.0)]
    assert levels == sorted(levels) and levels[0] > 0 and levels[-1] == 1


def test_falling_is_told_with_its_bounces() -> None:
    world, impacts = simulated([ball("rubber")])
    take = Take(world, np.zeros((1, 8, 8, 3), np.uint8), tuple(impacts[:3]), (0,))
    lines = story(take)
    assert lines[0].startswith("a red ball falls onto a") and "a red ball falls and bounces twice" in lines
    assert lines[-1] == "a red ball falls off the table"
    assert heard(take) == ["the sound of rubber hitting a table", "three knocks"]
    assert heard(replace(take, impacts=())) == ["silence"]


def test_what_the_simulator_refuses_is_left_out() -> None:
    with pytest.raises(LeftOut, match="physics"):  # it finds one contact too many between two boxes
        Collisions().make(CorpusItem("collision-000017", {"may_speak": False}), 0)


def test_plays_differ_and_are_reproducible() -> None:
    plays = [draw_play(np.random.default_rng(seed)) for seed in range(30)]
    assert plays[3] == draw_play(np.random.default_rng(3))
    assert any(one.velocity[0] for things in plays for one in things)
    assert {len(things) for things in plays} == {1, 2, 3, 4}
    for things in plays:
        names = [one.name for one in things]
        assert len(names) == len(set(names))


@pytest.mark.sim
def test_a_video_with_its_sound(tmp_path: Path) -> None:
    from embodio.model.processing.sound_files import read_sound
    from embodio.model.processing.video_files import read_video

    source, item = Collisions(), CorpusItem("collision-000001", {"may_speak": False})
    made = source.make(item, 0)
    assert made == source.make(item, 0)
    (tmp_path / "a.mp4").write_bytes(bytes(made["mp4"]))  # type: ignore[arg-type]
    (tmp_path / "a.flac").write_bytes(bytes(made["flac"]))  # type: ignore[arg-type]
    frames, sound = np.stack(read_video(tmp_path / "a.mp4", 24, trim=False).frames), read_sound(tmp_path / "a.flac")
    assert frames.shape == (24, 128, 128, 3) and sound.size == 32000
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 0.3
    facts = json.loads(made["json"])
    loudest = max(facts["impacts"], key=lambda impact: impact["loudness"])
    start = int(16000 * loudest["time"])
    assert np.abs(sound[start : start + 800]).max() > 0.3 * np.abs(sound).max()
    assert facts["transcript"] == "" and len(str(made["txt"]).splitlines()) >= 2
