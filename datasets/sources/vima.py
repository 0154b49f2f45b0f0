"""VIMA's trajectories on disk: `<task>/<6 digits>/` with pickles and JPEGs, in a folder, a tar or a zip.

An episode has T actions and T + 1 observations; the last one is given in the metadata (`final_front`,
`final_segm_front`, ...), so that every step has both an observation and the action that was taken on it. The images of
the prompt are there too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.image_codec import decode_image
from embodio.datasets.episodes.features import (
    INSTRUCTION,
    METADATA,
    EpisodeFeatures,
    Feature,
    ImageFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.episodes.recorded.images import prompt_features, prompt_field
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.files.file_trees import FileTree, is_archive, open_tree
from embodio.datasets.files.remote import fetch, folder_of, name_of
from embodio.datasets.files.restricted_pickle import read_pickle
from embodio.datasets.sources.columns import ColumnEpisode
from embodio.datasets.sources.layouts import Layout
from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import InvalidAction
from embodio.envs.vima.robot import ACTION_PARTS, HEIGHT, VIEWS, WIDTH, to_actions, vima_pick_place

# Modules whose classes are in the pickles; what they describe (textures, shapes) is not needed.
_INERT = ("vima_bench", "vimasim", "functools")
_EPISODE = re.compile(r"(?:^|(?P<folders>.*)/)(?P<number>\d{1,9})/trajectory\.pkl$")
_FRAME = re.compile(r"(?P<episode>.*)/rgb_(?P<view>front|top)/\d+\.jpg$")
_REMEDY = "Fetch the data set again"
# Folders of the published data whose tasks have other names in the benchmark.
_RENAMED = {"simple_manipulation": "visual_manipulation", "same_profile": "same_shape"}
_FLAG, _NUMBER = (bool, np.bool_), (int, np.integer)
# What trajectory.pkl must hold.
_META: dict[str, tuple[type, ...]] = {
    "prompt": (str,),
    "prompt_assets": (dict,),
    "steps": _NUMBER,
    "success": _FLAG,
    "failure": _FLAG,
    "seed": (*_NUMBER, type(None)),
    "end_effector_type": (str,),
}


@dataclass(frozen=True)
class PromptAsset:
    """The content of one {placeholder} of a prompt.

    Attributes:
        kind: "object" or "scene".
        rgb: view -> uint8 [128, 256, 3].
        segmentation: view -> uint8 [128, 256] of object ids.
        objects: id, name and texture of its objects.
    """

    kind: str
    rgb: Mapping[str, npt.NDArray[np.uint8]]
    segmentation: Mapping[str, npt.NDArray[np.uint8]]
    objects: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class VimaPrompt:
    """A prompt with images in it.

    Attributes:
        text: with {placeholders}.
        assets: placeholder -> its content, in the order of the text.
    """

    text: str
    assets: Mapping[str, PromptAsset]


class VimaEpisode(ColumnEpisode):
    """An episode of the benchmark, with its prompt."""

    prompt: VimaPrompt


class VimaSource:
    """All episodes of one or more tasks, by task and number.

    `action` is float32 [T, 7], see `embodio.envs.vima.robot`; `recorded_action` is float32 [T, 12] as the files have
    it: position (x, y) and rotation (quaternion xyzw) of pose 0, then of pose 1. `state` is the end effector. Positions
    of the published data have a third number, the height, which the benchmark does not use; it is left out. Its folders
    simple_manipulation and same_profile hold the tasks visual_manipulation and same_shape.
    A compressed archive is unpacked once, to the user's cache folder, because it does not allow random access.

    Attributes:
        name: of the data set.
        features: what an episode holds.
    """

    def __init__(self, path: str | Path, *, split: str | None = None) -> None:
        """Finds the episodes.

        Args:
            path: a task's folder, a folder of tasks, an archive of either, or a folder of archives.
            split: takes one task only.

        Raises:
            DatasetError: there are no episodes, or none of that task.
            CorruptRecordError: an archive is damaged.
        """
        self.path = Path(path)
        self.split = split
        self._trees = _trees(self.path)
        self._places = sorted(_places(self._trees), key=lambda place: (place.task, place.number))
        if split is not None:
            known, task = sorted({place.task for place in self._places}), _RENAMED.get(split, split)
            if task not in known:
                raise DatasetError(f"{self.path} has no task {split!r}; it has {', '.join(known)}")
            self._places = [place for place in self._places if place.task == task]
        if not self._places:
            raise DatasetError(f"{self.path} holds no VIMA episodes (<task>/<6 digits>/trajectory.pkl)")
        tasks = {place.task for place in self._places}
        self.name = f"vima_{next(iter(tasks))}" if len(tasks) == 1 else "vima"
        self.features = _features()

    def __len__(self) -> int:
        """Returns the number of episodes."""
        return len(self._places)

    @property
    def embodiment(self) -> Embodiment:
        """The benchmark's robot: each action is a pick and place (or a push) in the plane of the table."""
        return vima_pick_place()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks in the data."""
        return tuple(sorted({place.task for place in self._places}))

    def episode_length(self, index: int) -> int:
        """Returns the number of actions of one episode, from its files' names."""
        return self._place(index).length

    def episode(self, index: int) -> VimaEpisode:
        """Reads the pickles of one episode; images are read on demand.

        Raises:
            CorruptRecordError: a file is missing, damaged, or does not have the episode's length.
            UnsafePickle: a pickle holds something other than data.
            IndexError: there is no such episode.
        """
        place = self._place(index)
        read = place.tree.read
        actions, observations, meta = (
            read_pickle(read(f"{place.folder}/{name}.pkl"), place.tree.path / place.folder / f"{name}.pkl", _INERT)
            for name in ("action", "obs", "trajectory")
        )
        where = place.tree.path / place.folder
        length = place.length
        columns: dict[str, Callable[[], npt.NDArray[Any]]] = {
            "action": lambda: _actions(actions, values[f"{METADATA}/end_effector"], length, where, index),
            "recorded_action": lambda: _recorded(actions, length, where, index),
            "observation/state": lambda: _observed(observations, "ee", length, where, index)[:length, None],
            "is_first": lambda: np.arange(length) == 0,
            "is_last": lambda: np.arange(length) == length - 1,
        }
        frames: dict[str, Callable[[int], npt.NDArray[np.uint8]]] = {}
        values = _metadata(meta, place, where, index)
        for view in VIEWS:
            segm = f"observation/segm_{view}"
            seen = partial(_segmentation, observations, view, length, where, index)
            columns[segm] = lambda seen=seen: seen()[:length]  # type: ignore[misc]
            frames[f"observation/{view}"] = lambda step, view=view: decode_image(  # type: ignore[misc]
                read(f"{place.folder}/rgb_{view}/{step}.jpg")
            )
            values[f"{METADATA}/final_{view}"] = decode_image(read(f"{place.folder}/rgb_{view}/{length}.jpg"))
            values[f"{METADATA}/final_segm_{view}"] = seen()[length]
        prompt = _prompt(meta, where, index)
        for view in VIEWS:
            values |= _prompt_images(prompt, view, where, index)
        texts = {INSTRUCTION: lambda step: prompt.text}
        episode = VimaEpisode(self.features, length, columns=columns, frames=frames, texts=texts, episode=values)
        episode.prompt = prompt
        return episode

    def close(self) -> None:
        """Closes the archives; reopened when needed."""
        for tree in self._trees:
            tree.close()

    def _place(self, index: int) -> _Place:
        if not 0 <= index < len(self):
            raise IndexError(f"episode {index} of a data set of {len(self)}")
        return self._places[index]


@dataclass(frozen=True)
class _Place:
    """Where one episode is."""

    tree: FileTree
    task: str
    number: int
    folder: str
    length: int


def _trees(path: Path) -> list[FileTree]:
    archives = sorted(file for file in path.iterdir() if is_archive(file)) if path.is_dir() else []
    return [open_tree(archive) for archive in archives] or [open_tree(path)]


def _places(trees: list[FileTree]) -> list[_Place]:
    places: list[_Place] = []
    for tree in trees:
        names = tree.names()
        frames = Counter((found["episode"], found["view"]) for name in names if (found := _FRAME.match(name)))
        for name in names:
            found = _EPISODE.match(name)
            if found:
                folder = name.removesuffix("/trajectory.pkl")
                task = (found["folders"] or tree.path.name.partition(".")[0]).rpartition("/")[2]
                count = min(frames[folder, view] for view in VIEWS)
                task = _RENAMED.get(task, task)
                places.append(_Place(tree, task, int(found["number"]), folder, max(0, count - 1)))
    return places


def _features() -> EpisodeFeatures:
    image, flag = ImageFeature(HEIGHT, WIDTH, 3, "jpeg"), TensorFeature("bool")
    steps: dict[str, Feature] = {f"observation/{view}": image for view in VIEWS}
    steps |= {f"observation/segm_{view}": TensorFeature("uint8", (HEIGHT, WIDTH), "zlib") for view in VIEWS}
    steps |= {"observation/state": TensorFeature("float32", (1,)), "action": TensorFeature("float32", (7,))}
    steps |= {"recorded_action": TensorFeature("float32", (sum(ACTION_PARTS.values()),))}
    steps |= {"is_first": flag, "is_last": flag, INSTRUCTION: TextFeature()}
    episode: dict[str, Feature] = {f"{METADATA}/{name}": TextFeature() for name in ("task", "end_effector")}
    episode |= {f"{METADATA}/{name}": flag for name in ("success", "failure")}
    episode |= {f"{METADATA}/{name}": TensorFeature("int64") for name in ("seed", "number")}
    episode |= {f"{METADATA}/final_{view}": image for view in VIEWS}
    episode |= {f"{METADATA}/final_segm_{view}": TensorFeature("uint8", (HEIGHT, WIDTH), "zlib") for view in VIEWS}
    episode |= prompt_features(dict.fromkeys(VIEWS, (HEIGHT, WIDTH)))
    return EpisodeFeatures(steps, episode)


def _damaged(where: Path, index: int, problem: str) -> CorruptRecordError:
    return CorruptRecordError(where, index, problem, _REMEDY)


def _actions(actions: Any, tool: str, length: int, where: Path, index: int) -> npt.NDArray[np.float32]:
    """Actions in our format, float32 [T, 7]."""
    recorded = _recorded(actions, length, where, index)
    ends = np.cumsum(list(ACTION_PARTS.values()))[:-1]
    try:
        found = to_actions(dict(zip(ACTION_PARTS, np.split(recorded, ends, axis=1), strict=True)), tool)
    except InvalidAction as error:
        raise _damaged(where, index, f"action.pkl: {error}") from error
    for number, dimension in enumerate(vima_pick_place().action.dimensions):
        low, high = found[:, number].min(), found[:, number].max()
        if low < dimension.low or high > dimension.high:
            limits = f"[{dimension.low:g}, {dimension.high:g}]"
            raise _damaged(where, index, f"action.pkl: {dimension.name} goes from {low:g} to {high:g}, beyond {limits}")
    return found


def _recorded(actions: Any, length: int, where: Path, index: int) -> npt.NDArray[np.float32]:
    """Actions as in the files, without heights, float32 [T, 12]."""
    parts = []
    for name, size in ACTION_PARTS.items():
        part = actions.get(name) if isinstance(actions, dict) else None
        shapes = [(length, size), *([(length, size + 1)] if name.endswith("position") else [])]
        if not isinstance(part, np.ndarray) or part.shape not in shapes or part.dtype.kind not in "iuf":
            found = f"{getattr(part, 'dtype', type(part).__name__)} {getattr(part, 'shape', '')}"
            raise _damaged(where, index, f"action.pkl: {name} is {found}, expected numbers {shapes[0]}")
        parts.append(part[:, :size].astype(np.float32))
    return np.concatenate(parts, axis=1)


def _observed(observations: Any, name: str, length: int, where: Path, index: int) -> npt.NDArray[Any]:
    """All T + 1 values."""
    values = observations.get(name) if isinstance(observations, dict) else None
    if not isinstance(values, np.ndarray) or values.shape[:1] != (length + 1,) or values.dtype.kind not in "iuf":
        raise _damaged(where, index, f"obs.pkl: {name} does not hold {length + 1} values")
    return values


def _segmentation(observations: Any, view: str, length: int, where: Path, index: int) -> npt.NDArray[Any]:
    segmentation = observations.get("segm") if isinstance(observations, dict) else None
    values = _observed(segmentation, view, length, where, index)
    if values.shape[1:] != (HEIGHT, WIDTH):
        raise _damaged(where, index, f"obs.pkl: segm {view} has shape {values.shape[1:]}, expected {(HEIGHT, WIDTH)}")
    return values


def _metadata(meta: Any, place: _Place, where: Path, index: int) -> dict[str, Any]:
    missing = [key for key in _META if not isinstance(meta, dict) or key not in meta]
    if missing:
        raise _damaged(where, index, f"trajectory.pkl lacks {', '.join(missing)}")
    wrong = [key for key, kinds in _META.items() if not isinstance(meta[key], kinds)]
    if wrong:
        raise _damaged(where, index, f"trajectory.pkl: {wrong[0]} is of the type {type(meta[wrong[0]]).__name__}")
    if meta["steps"] != place.length:
        raise _damaged(where, index, f"trajectory.pkl says {meta['steps']} steps, but there are {place.length} frames")
    values = {
        "task": place.task,
        "end_effector": str(meta["end_effector_type"]),
        "success": bool(meta["success"]),
        "failure": bool(meta["failure"]),
        "seed": -1 if meta["seed"] is None else int(meta["seed"]),
        "number": place.number,
    }
    return {f"{METADATA}/{name}": value for name, value in values.items()}


def _prompt(meta: Any, where: Path, index: int) -> VimaPrompt:
    text, assets = str(meta["prompt"]), meta["prompt_assets"]
    names = re.findall(r"\{(\w+)\}", text)
    if not isinstance(assets, dict) or set(names) != set(assets):
        raise _damaged(where, index, f"the prompt {text!r} does not fit its assets")
    return VimaPrompt(text, {name: _asset(assets[name], name, where, index) for name in dict.fromkeys(names)})


def _prompt_images(prompt: VimaPrompt, view: str, where: Path, index: int) -> dict[str, Any]:
    images = {name: asset.rgb[view] for name, asset in prompt.assets.items() if view in asset.rgb}
    kinds = [(image.shape, image.dtype.name) for image in images.values()]
    if kinds != [((HEIGHT, WIDTH, 3), "uint8")] * len(prompt.assets):
        raise _damaged(where, index, f"the prompt's images of the {view} are not all {HEIGHT} x {WIDTH}")
    try:
        return prompt_field(prompt.text, view, images)
    except FeatureError as error:
        raise _damaged(where, index, str(error)) from error


def _asset(asset: Any, name: str, where: Path, index: int) -> PromptAsset:
    if not isinstance(asset, dict) or not all(isinstance(asset.get(key), dict) for key in ("rgb", "segm")):
        raise _damaged(where, index, f"the prompt's {name} has no pictures")
    try:
        segmentation = dict(asset["segm"])
        objects = segmentation.pop("obj_info")
        rgb = {view: np.ascontiguousarray(np.moveaxis(asset["rgb"][view], 0, -1)) for view in asset["rgb"]}
        kind = asset["placeholder_type"]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(where, index, f"the prompt's {name} is damaged ({error})") from error
    if not isinstance(kind, str):
        raise _damaged(where, index, f"the prompt's {name} is of no kind")
    return PromptAsset(kind, rgb, segmentation, tuple(objects) if isinstance(objects, list) else (objects,))


def _holds(path: Path) -> bool:
    if path.is_file():
        return is_archive(path)
    return any(path.rglob("trajectory.pkl")) or any(is_archive(file) for file in path.iterdir())


def _opened(place: Path | str, split: str | None, instruction: str) -> VimaSource:
    if isinstance(place, str):
        if not is_archive(Path(name_of(place))):
            raise DatasetError(
                f"{place}: VIMA data behind a URL is one tar or zip. Give its address, or fetch the folder"
            )
        place = fetch(place, folder_of(place))
    return VimaSource(place, split=split)


LAYOUT = Layout(
    "vima",
    "VIMA (<task>/<6 digits>/trajectory.pkl, tar or zip)",
    _holds,
    _opened,
    behind=lambda url: is_archive(Path(name_of(url))),
    rank=9,
)
