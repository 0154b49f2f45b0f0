"""One of several wordings of an instruction, drawn for each example."""

from __future__ import annotations

import numpy as np

from embodio.datasets.episodes.source import EpisodeView


def drawn_wording(episode: EpisodeView, step: int, generator: np.random.Generator | None) -> str:
    """The instruction of one step; where that step has none, of the first or the last one.

    Args:
        episode: at least one step long.
        step: from 0 to T - 1.
        generator: draws among the wordings; nothing is drawn where there is one. None takes the first, which is the
            usual one.
    """
    moments = (episode.wordings(moment) for moment in dict.fromkeys((step, 0, len(episode) - 1)))
    wordings = next((found for found in moments if any(found)), ("",))
    if generator is None or len(wordings) < 2:
        return wordings[0]
    return wordings[int(generator.integers(len(wordings)))]
