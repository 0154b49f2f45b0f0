"""Names of fields in RLDS and in LeRobot."""

from __future__ import annotations

from embodio.datasets.episodes.features import Feature, ImageFeature

BOOKKEEPING = ("timestamp", "frame_index", "episode_index", "index", "task_index")
OWN = "embodio.json"  # in the folder `meta`: our features and embodiment, which LeRobot has no place for
_IMAGES = "observation.images."
_PAIRS = {"reward": "next.reward", "is_terminal": "next.done"}


def rlds_path(name: str) -> str:
    """The path of a LeRobot field in RLDS: "observation.images.front" is "observation/front"."""
    if name.startswith(_IMAGES):
        return "observation/" + name.removeprefix(_IMAGES)
    for path, other in _PAIRS.items():
        if name == other:
            return path
    return name.replace(".", "/")


def lerobot_name(path: str, feature: Feature) -> str:
    """The name of an RLDS field in LeRobot; inverse of `rlds_path` for paths without dots."""
    if isinstance(feature, ImageFeature) and path.startswith("observation/"):
        return _IMAGES + path.removeprefix("observation/").replace("/", "_")
    return _PAIRS.get(path, path.replace("/", "."))
