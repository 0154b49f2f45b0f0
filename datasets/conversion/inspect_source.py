"""A proposed YAML file for a data set without a description; it opens as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from embodio.datasets.conversion.guess_embodiment import guess_embodiment
from embodio.datasets.episodes.feature_text import format_features
from embodio.datasets.episodes.features import EpisodeFeatures, Feature, ImageFeature, TensorFeature, TextFeature
from embodio.datasets.episodes.source import EpisodeSource, some_episodes
from embodio.datasets.errors import CorruptRecordError, FeatureError
from embodio.datasets.files.remote import is_url
from embodio.datasets.sources.described_language import wordings_of
from embodio.datasets.sources.description import InstructionFields
from embodio.datasets.sources.guesses import KEYS
from embodio.datasets.sources.layouts import layout_behind, layout_of

_STATES = ("state", "proprio", "robot_state", "robot_obs")
_ROBOTS = ("robot0_", "robot1_", "")  # robosuite's prefixes of an arm's names
# Names of the position, rotation and fingers of an arm's hand; the first one found is taken.
_HAND = (
    ("eef_pos", "ee_pos"),
    ("eef_quat", "eef_rot_axis_angle", "eef_axis_angle", "ee_quat", "ee_ori"),
    ("gripper_qpos", "gripper_width", "gripper_states", "gripper_pos"),
)
_LARGEST_STATE = 32  # numbers of a field; more are an embedding
_LOOKED_AT, _LISTED = 64, 20  # episodes whose instructions are listed, and lines of these
_TEXTS = ("instruction", "language", "task", "command", "goal", "text")


def propose(source: EpisodeSource, path: str | Path, *, split: str | None = None) -> str:
    """Writes the YAML of a data set: what its files tell, and guesses that are listed at the top.

    Args:
        source: opened without a description.
        path: of its files, or their URL.
        split: name of the split that was opened.

    Returns:
        The text of a YAML file that `open_source` opens as it is.
    """
    if is_url(path):
        kind, folder = layout_behind(str(path)).kind, str(path)
    else:
        kind, folder = layout_of(Path(path)).kind, str(Path(path).resolve())
    notes: dict[str, str] = {}
    data: dict[str, Any] = {"name": source.name, "kind": kind, "folder": folder}
    if split is not None:
        data["split"] = split
    steps = source.features.steps
    data["observation"] = _cameras(steps)
    state = _state(steps)
    if state:
        data["observation"]["state"] = state
    action = _action(steps, notes)
    if action:
        data["action"] = action
    labels = [path for path in steps if path.rpartition("/")[2] == "expert_action" and _is_vector(steps[path])]
    if labels and labels != action:
        data["fields"] = {"expert_action": labels[:1]}  # for action_key=expert_action
    data["instruction"] = _instruction(source, notes)
    data["filters"] = {"min_steps": 1}
    if action:
        guess = guess_embodiment(source, action, state)
        data["embodiment"] = guess.data
        notes |= guess.notes
    if guessed := [key for key in notes if key in KEYS and key.partition(".")[0] in data]:
        data["guessed"] = guessed
    features = {"features": {key: value for key, value in format_features(source.features).items() if value}}
    style: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 110}
    body = yaml.safe_dump(data, default_flow_style=None, **style) + yaml.safe_dump(
        features, default_flow_style=False, **style
    )
    opening = f"# To look at it: embodio-data inspect {source.name}.yaml"
    changed = [f"# Images: {note}" for note in getattr(source, "notes", ())]
    return "\n".join([opening, *_header(notes, source.features), *changed, body])


def _header(notes: Mapping[str, str], features: EpisodeFeatures) -> list[str]:
    lines = []
    if notes:
        lines.append("# Guessed. Check it, also with `embodio-data verify`, and take what is right out of `guessed`;")
        lines.append(
            "# until then the guess stays marked, and is warned of, in copies and checkpoints made of this data:"
        )
    lines += [f"#   {key}: {note}" for key, note in notes.items()]
    flags = [path for path, feature in features.episode.items() if feature == TensorFeature("bool")]
    if flags:
        lines.append(f"# To take some episodes only: filters: {{values: {{{flags[0]}: true}}, episodes: '0:100'}}")
    return lines


def _cameras(steps: Mapping[str, Feature]) -> dict[str, Any]:
    """Name -> field; names that occur twice are written with the folders before them."""
    paths = [path for path, feature in steps.items() if isinstance(feature, ImageFeature)]
    short = [path.rpartition("/")[2] for path in paths]
    found: dict[str, Any] = {}
    for path, name in zip(paths, short, strict=True):
        taken = short.count(name) > 1 or name == "state"
        found[path.removeprefix("observation/").replace("/", "_") if taken else name] = path
    return found


def _state(steps: Mapping[str, Feature]) -> list[str]:
    for name in _STATES:
        if _is_vector(steps.get(f"observation/{name}")):
            return [f"observation/{name}"]
    hands = [path for robot in _ROBOTS for path in _hand(steps, robot)]
    if hands:
        return hands
    small = (path for path, feature in steps.items() if path.startswith("observation") and _is_small(feature))
    return [path for path in small if not path.endswith("embedding")]


def _hand(steps: Mapping[str, Feature], robot: str) -> list[str]:
    """Position, rotation and fingers of an arm's hand; empty without a position and one of the others."""
    known = [[f"observation/{robot}{name}" for name in names] for names in _HAND]
    found = [[path for path in paths if _is_vector(steps.get(path))][:1] for paths in known]
    return [path for part in found for path in part] if found[0] and (found[1] or found[2]) else []


def _action(steps: Mapping[str, Feature], notes: dict[str, str]) -> list[str]:
    if _is_vector(steps.get("action")):
        return ["action"]
    parts = [path for path, feature in steps.items() if path.startswith("action/") and _is_numeric(feature)]
    if parts:
        return [path for path in parts if "terminate" not in path]
    named = [path for path, feature in steps.items() if "action" in path and _is_numeric(feature)]
    others = [path for path, feature in steps.items() if not path.startswith("observation") and _is_small(feature)]
    found = [*(path for path in named if _is_vector(steps[path])), *named, *others][:1]
    notes["action"] = found[0] if found else "no field looks like one, so there is none, nor a robot"
    return found


def _instruction(source: EpisodeSource, notes: dict[str, str]) -> dict[str, Any]:
    features = source.features
    every = {**features.steps, **features.episode}
    texts = [path for path, feature in every.items() if isinstance(feature, TextFeature)]
    texts += [path for path, several in features.sequences.items() if isinstance(several.item, TextFeature)]
    named = (path for word in _TEXTS for path in texts if word in path.rpartition("/")[2])
    keys = [path for path in dict.fromkeys(named) if _says_something(source, path)]
    if keys:
        return {"keys": _with_wordings(keys)}
    coded = [path for path, feature in features.steps.items() if path.endswith("instruction") and _is_vector(feature)]
    if coded:
        encoding = "bytes" if _holds_bytes(source, coded[0]) else "codepoints"
        notes["instruction"] = f"text as numbers in {coded[0]}, taken for {encoding}"
        return {"keys": coded, "encoding": encoding}
    text = source.name.replace("_", " ").strip() or "do the task"
    notes["instruction"] = f"{text!r}, after the name of the data set; no field says one"
    return {"text": text}


def _holds_bytes(source: EpisodeSource, path: str) -> bool:
    """Whether the numbers of a field are bytes of UTF-8 text in the first episode with steps."""
    try:
        for _, episode in some_episodes(source):
            bytes(episode.array(path)[0].tolist()).decode("utf-8")
            return True
    except (CorruptRecordError, FeatureError, UnicodeDecodeError, TypeError, ValueError):
        return False
    return True


def _says_something(source: EpisodeSource, path: str) -> bool:
    """Whether a text field is not empty in one of several episodes."""
    for _, episode in some_episodes(source):
        try:
            moments = {0, len(episode) // 2, len(episode) - 1}
            texts = [text for step in moments for text in wordings_of(episode, InstructionFields(((path,),)), step)]
        except (CorruptRecordError, FeatureError):
            return True  # it cannot be seen; a person has to
        if any(texts):
            return True
    return False


def _with_wordings(keys: list[str]) -> list[Any]:
    """The fields; those that differ only in their final number are grouped as paraphrases."""
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(re.sub(r"(?<=[a-z])_?\d+$", "", key), []).append(key)
    return [group if len(group) > 1 else group[0] for group in groups.values()]


def instructions(source: EpisodeSource, described: InstructionFields | None = None) -> list[str]:
    """The instructions in some episodes, in all paraphrases: one line for each different instruction.

    Args:
        source: any data set.
        described: where its instruction is; None takes the source's own.
    """
    found: dict[str, None] = {}
    for _, episode in some_episodes(source, _LOOKED_AT):
        try:
            wordings = episode.wordings(0) if described is None else wordings_of(episode, described, 0)
        except (CorruptRecordError, FeatureError):
            continue
        found[" | ".join(repr(text) for text in wordings)] = None
    more = [f"and {len(found) - _LISTED} others"] if len(found) > _LISTED else []
    return [*list(found)[:_LISTED], *more]


def _is_vector(feature: Feature | None) -> bool:
    return isinstance(feature, TensorFeature) and len(feature.shape) == 1


def _is_small(feature: Feature) -> bool:
    vector = isinstance(feature, TensorFeature) and feature.is_float and len(feature.shape) == 1
    return vector and feature.shape[0] <= _LARGEST_STATE  # type: ignore[union-attr]


def _is_numeric(feature: Feature) -> bool:
    return isinstance(feature, TensorFeature) and len(feature.shape) <= 1
