"""RLDS data sets in TFRecord files, written and read without TensorFlow."""

from embodio.datasets.episodes.features import EpisodeFeatures, ImageFeature, TensorFeature, TextFeature, features_of
from embodio.datasets.rlds.episode import Episode
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.writer import RLDSWriter, encode_episode, write_dataset

__all__ = [
    "Episode",
    "EpisodeFeatures",
    "ImageFeature",
    "RLDSReader",
    "RLDSWriter",
    "TensorFeature",
    "TextFeature",
    "encode_episode",
    "features_of",
    "write_dataset",
]
