"""Episodes: what a data set of trajectories holds, whichever format it is in."""
