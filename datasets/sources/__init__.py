"""Data sets in layouts other than RLDS, each as an `EpisodeSource`."""
