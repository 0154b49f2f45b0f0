"""Values in a data set's description that `inspect` guessed and nobody has confirmed yet."""

from __future__ import annotations

import contextlib
import logging

from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import DatasetError
from embodio.envs.embodiment import GUESSABLE
from embodio.envs.errors import EmbodimentError

_IN_THE_ROOT = ("action", "instruction")  # of the YAML file; all the others are below `embodiment`
_OTHER_NAMES = {"cameras": "flipped"}  # which the YAML file lists in place of cameras
_log = logging.getLogger(__name__)


def key_of(name: str) -> str:
    """The key of a YAML file ("embodiment.flipped") that sets what an embodiment lists as guessed ("cameras")."""
    return name if name in _IN_THE_ROOT else f"embodiment.{_OTHER_NAMES.get(name, name)}"


KEYS = {key_of(name): name for name in GUESSABLE}
"""Key of a YAML file -> its name in an embodiment."""


def warn_of_guesses(source: EpisodeSource, place: object) -> None:
    """Logs a warning that names what was guessed about a data set.

    Args:
        source: the data set.
        place: the file or folder that was opened, where guesses are confirmed.
    """
    with contextlib.suppress(DatasetError, EmbodimentError):  # which whatever uses the robot reports
        guessed = source.embodiment.guessed
        if guessed:
            _log.warning(
                "%s: guessed and confirmed by nobody: %s. Check them, then take them out of `guessed` in the YAML file "
                "of the data (`embodio-data inspect` proposes one)",
                place,
                ", ".join(map(key_of, guessed)),
            )
