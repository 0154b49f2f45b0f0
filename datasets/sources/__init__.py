"""Data sets of other layouts than RLDS, each as an `EpisodeSource`."""
