"""Trajectories of robosuite/lift, as `embodio-collect` records them."""

from embodio.datasets.corpus.trajectories import Trajectories

SOURCE = Trajectories(env="robosuite/lift", episodes=100)
