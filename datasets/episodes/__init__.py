"""Episodes: the contents of a data set of trajectories, whatever its format."""
