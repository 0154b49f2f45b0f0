"""One of several wordings of an instruction, drawn for each example."""

from __future__ import annotations

import numpy as np

from embodio.datasets.episodes.source import EpisodeView


def drawn_wording(episode: EpisodeView, generator: np.random.Generator | None) -> str:
    """The instruction of an episode.

    Args:
        episode: at least one step long.
        generator: draws among the wordings; nothing is drawn where there is one. None takes the first, which is the
            usual one.
    """
    wordings = episode.wordings(0)
    if generator is None or len(wordings) < 2:
        return wordings[0]
    return wordings[int(generator.integers(len(wordings)))]
