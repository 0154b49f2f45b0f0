"""Trajectories: sources that are whole data sets of episodes, as `embodio-collect` records them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from embodio.datasets.corpus.source import SPLITS, CorpusError, CorpusRequest, SourceAbsent, Split
from embodio.datasets.errors import CollectionError
from embodio.datasets.recording.collect import DemonstrationSource, collect
from embodio.envs.errors import EnvError

_VALIDATION_SEED = 1_000_000
"""Added to the seed for episodes of the validation side, so that no scene is on both sides."""


@dataclass(frozen=True)
class Trajectories:
    """Demonstrations of one environment's expert: frames, states and actions.

    Attributes:
        env: name of the environment.
        episodes: number on both sides, a tenth of it for validation, unless `limit` says otherwise.
        demonstrations: builds environment and expert; None for those registered under `env`.
        title: one line that says what it holds.
        licence: of its content.
        ships: whether weights that ship with the package may be trained on it.
        packages: that bring it.
        layout: data sets of episodes, one for each side.
    """

    env: str
    episodes: int
    demonstrations: DemonstrationSource | None = None
    title: str = "demonstrations of a scripted expert: frames, states, actions"
    licence: str = "made by robosuite (MIT)"
    ships: bool = True
    packages: tuple[str, ...] = ("libegl1", "libgl1-mesa-dri")
    layout: Literal["episodes"] = "episodes"

    def build(self, folder: Path, request: CorpusRequest, workers: int, engine: str) -> Mapping[Split, int]:
        """Collects what is missing of the episodes, with a progress bar; returns the number on each side.

        Raises:
            SourceAbsent: the environment cannot be made here.
            CorpusError: the folder holds episodes of other settings.
            EngineError: the engine fails.
        """
        total = request.limit or self.episodes
        held = max(1, total // 10)
        counts: dict[Split, int] = {}
        who: dict[str, Any] = {"workers": workers, "engine": engine}
        for split, count in zip(SPLITS, (max(1, total - held), held), strict=True):
            seed = request.seed + (_VALIDATION_SEED if split == "validation" else 0)
            try:
                made = collect(self.env, count, seed, folder / split, **who, source=self.demonstrations)
            except EnvError as error:
                raise SourceAbsent(str(error)) from error
            except CollectionError as error:
                raise CorpusError(str(error)) from error
            counts[split] = made.episodes
        return counts
