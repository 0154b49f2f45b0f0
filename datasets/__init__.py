"""Data sets: reading of any layout, writing of RLDS and LeRobot, statistics, examples; docs/data.md shows how.

The way from files to batches, by file:

    source       `open_source`, `EpisodeSource`           sources/     LeRobot, HDF5, VIMA; descriptions in YAML
    rlds/        RLDS without TensorFlow, in and out      catalogue/   descriptions of public sets
    statistics   of the numbers, kept with the data       tasks/       moments of episodes -> Examples
    mixture, order   which record is where                augment*     one draw for an example
    stream       Examples -> numbered batches             loader       workers and threads that make them ahead

Next to it: `collect` and `recording` write episodes, `conversion` other layouts, `verify*` and `visualise*` check and
show them, `inspect_source` proposes a description.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
