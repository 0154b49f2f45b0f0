"""Wordings of instructions: every family has some, and each keeps what its instruction asks for."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from embodio.envs.aloha.env import TASKS as ALOHA
from embodio.envs.errors import EnvError
from embodio.envs.instruction_space import Instruction
from embodio.envs.interleaved_prompt import as_text, interleave, placeholders
from embodio.envs.metaworld.tasks import TASKS as METAWORLD
from embodio.envs.perturbing.wording_file import KINDS, read_wordings
from embodio.envs.perturbing.wordings import _files, worded_instructions, wordings_of
from embodio.envs.pointnav.env import INSTRUCTION as POINTNAV
from embodio.envs.pusht.env import INSTRUCTION as PUSHT
from embodio.envs.registry import known_envs
from embodio.envs.robosuite.tasks import TASKS as ROBOSUITE

_COLOURS, _KINDS = ("red", "green", "blue", "purple", "yellow", "grey"), ("ball", "box", "key", "door", "object")
_PLACES = ("", " in front of you", " behind you", " on your left", " on your right")
_THING = re.compile(
    rf"(?:a|the) (?:(?:{'|'.join(_COLOURS)}) )?(?:{'|'.join(_KINDS)})(?:{'|'.join(filter(None, _PLACES))})?"
)
_SUPPORTS = "{0} is kobar than {1}. {2} is kobar than {3}."
_NOUNS = "This is a wug {0}. This is a zup {1}."

INSTRUCTIONS = {
    "robosuite": [task.instruction for task in ROBOSUITE.values()],
    "metaworld": [task.standard for task in METAWORLD.values()],
    "aloha": list(ALOHA.values()),
    "pusht": [PUSHT],
    "pointnav": [POINTNAV],
    "babyai": [
        "go to the red ball", "pick up a key", "open the door on your left", "put the key next to a blue door",
        "open the door", "go to a ball and pick up the grey key", "open the door, then go to a red box behind you",
        "go to a key after you go to a ball and put the red box next to the door", "pick up the purple object",
    ],
    "minigrid": [
        "get to the green goal square", "avoid the lava and get to the green goal square",
        "find the opening and get to the green goal square", "use the key to open the door and then get to the goal",
        "reach the goal", "traverse the rooms to get to the goal", "open the red door then the blue door",
        "go to the matching object at the end of the hallway", "open the door", "get a red key",
        "you must fetch a blue ball", "put the blue ball near the green box", "pick up the blue ball",
        "go to the red door", "get the blue key from the red room, unlock the blue door and go to the goal",
    ],
    "vima": [
        "Put the {0} into the {1}.", "Put the {0} and {1} into the {2}.", "Rotate the {0} 120 degrees.",
        "Put the red and blue stripe object in {0} into the yellow object.", "Rearrange to this {0}.",
        "Rearrange objects to this setup {0} and then restore.", "Stack objects in this order {0} {1} {2}.",
        "First put {0} into {1} then put the object that was previously at its east into the same {2}.",
        "Put {0} into {1} then {2}. Finally restore it into its original container.",
        f"{_SUPPORTS} Put the kobar {{4}} into the {{5}}.", f"{_SUPPORTS} Put the less kobar {{4}} into the {{5}}.",
        f"{_NOUNS} Put a wug into a zup.", "Follow this motion for {0}: {1} {2} {3}.",
        "This is a dax {0}. This is a blicket {1}. {2} is modier than {3}. Put the less modier dax into the blicket.",
        '"Twist" is defined as rotating object a specific angle. For examples: From {0} to {1}. From {2} to {3}. Now '
        "twist all polka dot objects.", "Sweep all {0} into {1} without exceeding {2}.",
        "Sweep two {0} into {1} without touching {2}.", "Put all objects with the same texture as {0} into it.",
        "Put all objects with the same profile as {0} into it.",
    ],
}  # fmt: skip
"""Family -> instructions of its environments; of the last three, one of each kind."""
_OPPOSITES = (("clockwise", "counter-clockwise"), ("push", "pull"), ("lock", "unlock"), ("exceeding", "touching"))
_SHARED = ("the drink goes into the tray",)
"""Said of the can and of the milk, which are never in one scene."""
_KEPT = re.compile(
    rf"\{{\d\}}|\b(?:{'|'.join(_COLOURS)}|kobar|modier|less|wug|zup|dax|blicket|polka dot|stripe|\d+|east)\b"
)


def test_every_family_of_environments_is_worded() -> None:
    assert {name.partition("/")[0] for name in known_envs()} == set(INSTRUCTIONS) == set(_files())
    assert set(worded_instructions("robosuite")) == set(INSTRUCTIONS["robosuite"])


@pytest.mark.parametrize("family", sorted(INSTRUCTIONS))
def test_every_wording_keeps_what_its_instruction_asks_for(family: str) -> None:
    known: dict[str, str] = {}
    for text in dict.fromkeys(INSTRUCTIONS[family]):
        said = {level: wordings_of(text, level, f"{family}/task") for level in (2, 3, 4, 5)}
        assert len(said[2]) > 1 and all(said.values())
        for wording in itertools.chain(*said.values()):
            if wording not in _SHARED:
                assert known.setdefault(wording.lower(), text) == text, "no wording stands for two instructions"
            assert wording in Instruction()
            words, asked = set(re.findall(r"[\w-]+", wording.lower())), set(re.findall(r"[\w-]+", text.lower()))
            assert not [
                (a, b) for pair in _OPPOSITES for a, b in (pair, pair[::-1]) if a in asked and b in words - asked
            ]
            if family in ("babyai", "minigrid", "vima"):
                assert set(_KEPT.findall(text)) == set(_KEPT.findall(wording)), wording
        trained = {text.lower(), *(wording.lower() for wording in said[2])}
        held_out = {wording.lower() for level in (3, 4, 5) for wording in said[level]}
        assert len(trained) == len(said[2]) + 1 and not trained & held_out


def test_what_moves_from_the_right_arm_to_the_left_does_so_in_any_words() -> None:
    for level in (2, 3, 4, 5):
        for wording in wordings_of(ALOHA["transfer_cube"], level, "aloha/transfer_cube"):
            assert re.search(r"\bright\b.*\bleft\b", wording)


def test_patterns_of_a_family_take_no_instruction_of_another() -> None:
    for family, texts in INSTRUCTIONS.items():
        for text, (other, file) in itertools.product(texts, _files().items()):
            if {family, other} not in ({family}, {"babyai", "minigrid"}):
                assert text == "open the door" or not file.of_pattern(text, "near"), (family, other)


def test_an_environment_is_worded_as_its_own_family_words_it() -> None:
    assert "unlatch the door and pull it" in wordings_of("open the door", 3, "robosuite/door")
    assert "unlatch the door and pull it" in wordings_of("open the door", 3), "an exact text wins over patterns"
    for env in ("babyai/UnlockLocal", "minigrid/Unlock"):
        assert wordings_of("open the door", 3, env) == ("unlock the door", "push the door open")
    with pytest.raises(EnvError, match="no other wordings of 'open the can, then pick up the key'"):
        wordings_of("open the can, then pick up the key", 3, "babyai/GoTo")


def test_the_same_words_written_differently() -> None:
    assert wordings_of("stand", 1) == ("Stand", "Stand.", "stand.", "stand!")
    assert wordings_of(POINTNAV, 1)[-1] == POINTNAV.replace(".", "!")


_things = st.builds(
    "{} {}{}{}".format,
    st.sampled_from(("a", "the")),
    st.sampled_from(("", *(f"{colour} " for colour in _COLOURS))),
    st.sampled_from(_KINDS),
    st.sampled_from(_PLACES),
)
_acts = st.one_of(
    st.builds("{} {}".format, st.sampled_from(("go to", "pick up", "open")), _things),
    st.builds("put {} next to {}".format, _things, _things),
)
_several = st.one_of(_acts, st.builds("{} and {}".format, _acts, _acts))


@given(_several, _several, st.booleans(), st.integers(2, 5), st.randoms())
def test_missions_of_several_parts_are_worded_part_by_part_in_their_order(
    first: str, second: str, after: bool, level: int, random
) -> None:
    assume(first != second)
    mission = f"{second} after you {first}" if after else f"{first}, then {second}"
    wording = random.choice(wordings_of(mission, level, "babyai/BossLevel"))
    assert wording in Instruction()
    named, begun = _THING.findall(wording), len(_THING.findall(first))
    assert Counter(named[:begun]) == Counter(_THING.findall(first))
    assert Counter(named[begun:]) == Counter(_THING.findall(second))
    for act in re.split(r" and (?=go|pick|open|put)", first):
        assert any(part in wording for part in wordings_of(act, level, "babyai/BossLevel"))


@given(st.lists(st.sampled_from(["put", "into the", 0, 1, 2]), min_size=1, max_size=8))
def test_a_prompt_with_pictures_becomes_a_text_and_back(parts: list[str | int]) -> None:
    pictures = [np.full((2, 2, 3), value, np.uint8) for value in range(3)]
    prompt = [part if isinstance(part, str) else pictures[part] for part in parts]
    text, images = as_text(prompt)
    assert placeholders(text) == list(images)
    again = interleave(text, images)
    assert " ".join(map(str, again)) == " ".join(map(str, prompt))


def test_files_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("go: {training: [walk]}")
    with pytest.raises(EnvError, match="'go' has no near wordings"):
        read_wordings(path)
    path.write_text('"go to {thing}": {training: [a], held_out: {near: [a], far: [a], long: [a]}}')
    with pytest.raises(EnvError, match=r"\['thing'\], which `names` does not describe"):
        read_wordings(path)


def test_held_out_words_are_in_no_training_list() -> None:
    files = _files().values()
    entries = [*(kinds for file in files for kinds in file.texts.values())]
    entries += [pattern.kinds for file in files for pattern in (*file.patterns.values(), *file.joined.values())]
    trained = {text for kinds in entries for text in kinds["training"]}
    held_out = {text for kinds in entries for kind in KINDS[1:] for text in kinds[kind]}
    assert not held_out & trained
    for file in files:
        for text, pattern in (*file.patterns.items(), *file.joined.items()):
            for wording in itertools.chain(*pattern.kinds.values()):
                assert set(placeholders(wording)) == set(placeholders(text)) - {"ask"}
