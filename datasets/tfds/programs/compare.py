"""Comparison of an RLDS data set as tfds and rlds read it with our reading without TensorFlow.

Request: folder, split, episodes (how many from the start). Answer: one finding for each check: its name, what
differs, and how much was compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np

from embodio.datasets.episodes.features import ImageFeature
from embodio.datasets.rlds.episode import Episode
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.tfds.process import Progress, serve
from embodio.datasets.tfds.programs.export import examples, leaves

_SHOWN = 3  # differences that are listed one by one


def main(request: dict[str, Any], done: Progress) -> list[dict[str, Any]]:
    """Compares; see the module."""
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(request["folder"])
    reader = RLDSReader(request["folder"], request["split"])
    wanted = int(request["episodes"])
    declared = int(builder.info.splits[request["split"]].num_examples)
    counts = [] if declared == len(reader) else [f"tfds declares {declared} episodes, {len(reader)} are read here"]
    lengths, values = list[str](), list[str]()
    number = steps = 0
    for theirs in islice(examples(builder, request["split"]), wanted):
        if number < len(reader):
            ours = reader.episode(number)
            count, edges = _edges(theirs["steps"])
            steps += count
            if count != len(ours):
                lengths.append(f"episode {number}: {count} steps in rlds, {len(ours)} here")
            else:
                values += _compare(ours, edges, number)
        number += 1
        done(number)
    if number != min(wanted, len(reader)):
        counts.append(f"{number} episodes come out of tfds, {min(wanted, len(reader))} out of here")
    return [
        _finding("rlds: episodes", counts, f"{number} read by both, {declared} declared"),
        _finding("rlds: steps", lengths, f"{steps} steps in {number} episodes"),
        _finding("rlds: first and last steps", values, f"all fields of {number} episodes: shape, dtype and value"),
    ]


def _finding(check: str, differences: list[str], compared: str) -> dict[str, Any]:
    more = [f"and {len(differences) - _SHOWN} more"] if len(differences) > _SHOWN else []
    return {"check": check, "differences": differences[:_SHOWN] + more, "compared": compared}


def _edges(steps: Any) -> tuple[int, dict[int, Mapping[str, Any]]]:
    """The number of steps as rlds counts them, and the first and the last one."""
    import rlds
    import tensorflow as tf

    data = getattr(steps, "_ds", steps)  # the data set wrapped by `tfds.as_numpy`
    found = dict[int, Mapping[str, Any]]()
    for number, step in enumerate(steps):
        found = {0: found.get(0, step), number: step}
    count = max(found, default=-1) + 1
    if isinstance(data, tf.data.Dataset):
        count = int(rlds.transformations.episode_length(data))
    return count, found


def _compare(ours: Episode, edges: Mapping[int, Mapping[str, Any]], number: int) -> list[str]:
    """What differs in the first and the last step of an episode."""
    here = list(ours.steps()) if edges else []
    differences = []
    for step, theirs in edges.items():
        for path, there in leaves(theirs, ""):
            found: Any = here[step]
            for name in path.split("/"):
                found = found.get(name, _ABSENT) if isinstance(found, dict) else _ABSENT
            feature = ours.features.steps.get(path)
            is_jpeg = isinstance(feature, ImageFeature) and ours.encoded_frame(path, step)[:2] == b"\xff\xd8"
            there = _exact(ours.encoded_frame(path, step)) if is_jpeg else there
            if found is not _ABSENT and not _same(found, there):
                differences.append(f"episode {number}, step {step}: {path}")
            elif found is _ABSENT and f"steps/{path}" not in ours.features.unread:
                differences.append(f"episode {number}, step {step}: {path} is not read here")
    return differences


_ABSENT = object()


def _exact(jpeg: bytes) -> np.ndarray:
    """Pixels by TensorFlow's exact decoder; the default one is fast and slightly inexact."""
    import tensorflow as tf

    return np.asarray(tf.io.decode_jpeg(jpeg, dct_method="INTEGER_ACCURATE").numpy())


def _same(ours: Any, theirs: Any) -> bool:
    """Whether shape, dtype and values are equal; texts are bytes for tfds, and several values a ragged array."""
    if isinstance(ours, str):
        theirs = theirs.item() if isinstance(theirs, np.ndarray | np.generic) else theirs
        return ours.encode() == (theirs.encode() if isinstance(theirs, str) else theirs)
    if isinstance(ours, tuple):
        items = list(theirs.to_list() if hasattr(theirs, "to_list") else theirs)
        return len(ours) == len(items) and all(_same(one, other) for one, other in zip(ours, items, strict=True))
    there, here = np.asarray(theirs), np.asarray(ours)
    if there.dtype.name == "bfloat16":
        there = there.astype(np.float32)
    if there.shape == (0,) == here.shape[:1]:  # tfds does not always give the dtype of an empty sequence
        return True
    equal = np.array_equal(here, there, equal_nan=here.dtype.kind == "f")
    return here.shape == there.shape and here.dtype == there.dtype and equal


if __name__ == "__main__":
    serve(main)
